"""What a simulated cohort of cell tables is made of: two arms, patients who differ, known truth.

A slide is one lesion, a disk, in stroma, with alveoli beyond if asked for. Cells take their places
first, at random within each place; phenotypes are then dealt among those that could carry them. So
within a place macrophages are exchangeable with the other non-tumour cells by construction, as
relabelling assumes, unless `Arm.trm_pull` says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from macprox.errors import StudyError

# By distance to the border: deeper than the half width (the margin, or half the inradius where that
# is less); within it inside; within it outside; farther out.
RINGS = ("core", "inner_rim", "outer_rim", "distant")
Fracs = tuple[float, float, float, float]

MAX_MACROPHAGE_FRAC = 0.45  # of the non-tumour cells; a pull of 1 may double it near the tumour
MIN_RADIUS_UM = 60.0


@dataclass(frozen=True)
class Arm:
    """One group of patients.

    Parameters
    ----------
    name : str
    trm_frac, mdm_frac : (float, float, float, float)
        Share of resident (TRM) and of recruited (MDM) macrophages among the non-tumour cells of
        each of `RINGS`, in the mean patient.
    trm_pull, mdm_pull : float
        Mean attraction to tumour cells, from -1 to 1. Of the macrophages of a stratum (region and
        compartment), a share ``p + pull * p * (1 - p)`` is expected within ``reach_um`` of a
        tumour cell, where ``p`` is that of all its non-tumour cells: the excess is linear in it.
    """

    name: str
    trm_frac: Fracs
    mdm_frac: Fracs
    trm_pull: float = 0.0
    mdm_pull: float = 0.0

    def __post_init__(self) -> None:
        for total in map(sum, zip(self.trm_frac, self.mdm_frac, strict=True)):
            if not 0 < total <= MAX_MACROPHAGE_FRAC:
                raise StudyError(
                    f"In arm {self.name!r} macrophages are {total:g} of the non-tumour cells of a "
                    f"ring; expected above 0 and up to {MAX_MACROPHAGE_FRAC:g}."
                )
        if max(abs(self.trm_pull), abs(self.mdm_pull)) > 1:
            raise StudyError(
                f"A pull lies between -1 and 1, found {self.trm_pull:g} and {self.mdm_pull:g} in "
                f"arm {self.name!r}."
            )


@dataclass(frozen=True)
class CohortScene:
    """Two arms of patients, and how patients differ.

    Parameters
    ----------
    arms : (Arm, Arm)
    n_patients : (int, int)
        In each arm.
    slides_per_patient : int
        Sections of one patient share everything but where the cells fall.
    side_um : float
        Of the square slides.
    lesion_radius_um, lesion_radius_sd_um : float
        Mean and standard deviation between patients; at least 60 um, and at most what leaves the
        margin in the window.
    nest_per_mm2, stroma_per_mm2 : float
        Cells of all kinds inside and outside the lesion.
    tumour_frac, treg_frac : float
        Tumour cells among those of the nest; regulatory T cells among the non-tumour cells.
    alveoli : bool
        Airspaces and septa beyond a capsule as wide as the margin.
    airspace_per_mm2 : float
        Cells in airspaces, nearly all of them alveolar macrophages.
    density_cv, macrophage_cv : float
        Between patients, of all densities and of the macrophages' share; lognormal, mean 1.
    mixing_sd : float
        Between patients, of the log ratio of macrophages inside and outside the lesion.
    lineage_sd : float
        Between patients: the TRM's share ``s`` of the macrophages becomes ``s + e * s * (1 - s)``,
        ``e`` normal with this deviation, cut at -1 and 1. The mean stays ``s``.
    pull_sd : float
        Between patients, of both pulls, cut so that they stay within -1 and 1 and keep their mean.
    reach_um : float
        Of the pull, and of the truth about tumour cells with a macrophage nearby.
    margin_um : float
    """

    arms: tuple[Arm, Arm]
    n_patients: tuple[int, int] = (8, 8)
    slides_per_patient: int = 1
    side_um: float = 600.0
    lesion_radius_um: float = 130.0
    lesion_radius_sd_um: float = 20.0
    nest_per_mm2: float = 3000.0
    stroma_per_mm2: float = 1400.0
    tumour_frac: float = 0.7
    treg_frac: float = 0.05
    alveoli: bool = False
    airspace_per_mm2: float = 250.0
    density_cv: float = 0.2
    macrophage_cv: float = 0.3
    mixing_sd: float = 0.3
    lineage_sd: float = 0.0
    pull_sd: float = 0.0
    reach_um: float = 20.0
    margin_um: float = 100.0

    def __post_init__(self) -> None:
        if len({arm.name for arm in self.arms}) != 2:
            raise StudyError(f"Two arms need two names, found {[arm.name for arm in self.arms]}.")
        if min(*self.n_patients, self.slides_per_patient) < 1:
            raise StudyError(
                "A simulated cohort needs a patient in each arm and a slide of each, found "
                f"n_patients {self.n_patients} and slides_per_patient {self.slides_per_patient}."
            )
        if self.max_radius_um <= MIN_RADIUS_UM:
            raise StudyError(
                f"A slide of {self.side_um:g} um has no room for a lesion of {MIN_RADIUS_UM:g} um "
                f"and a margin of {self.margin_um:g} um around it; expected side_um above "
                f"{2 * (MIN_RADIUS_UM + self.margin_um + 10):g}."
            )

    @property
    def max_radius_um(self) -> float:
        """So large a lesion keeps its margin, and 10 um of jitter, inside the window."""
        return self.side_um / 2 - self.margin_um - 10


def _even(inside: float, outside: float) -> Fracs:
    return (inside, inside, outside, outside)


_NULL = (_even(0.10, 0.13), _even(0.06, 0.10))
_TOTAL = (0.2, 0.2, 0.22, 0.22)
_MDM = _even(0.06, 0.08)


def _of(share: float) -> tuple[Fracs, Fracs]:
    """All macrophages parted into TRM and MDM."""
    trm: Any = tuple(total * share for total in _TOTAL)
    mdm: Any = tuple(total * (1 - share) for total in _TOTAL)
    return trm, mdm


SCENARIOS = {
    # Both arms alike; patients differ in everything, attraction included.
    "null": CohortScene(
        (Arm("early", *_NULL), Arm("late", *_NULL)), mixing_sd=0.4, lineage_sd=0.3, pull_sd=0.3
    ),
    # More macrophages inside and fewer outside, early to late; placed at random within both.
    "compartment_artefact": CohortScene(
        (Arm("early", _even(0.08, 0.25), _MDM), Arm("late", _even(0.25, 0.08), _MDM))
    ),
    # TRM among the tumour cells early, around the lesion late.
    "redistribution": CohortScene(
        (
            Arm("early", (0.25, 0.15, 0.05, 0.05), _MDM),
            Arm("late", (0.02, 0.05, 0.30, 0.08), _MDM),
        )
    ),
    # As many macrophages in the same places; 60 % of them are TRM early, 25 % late.
    "replacement": CohortScene(
        (Arm("early", *_of(0.6)), Arm("late", *_of(0.25))), lineage_sd=0.4
    ),
}  # fmt: skip


def scenario(name: str, **changes: Any) -> CohortScene:
    """A named cohort with known truth.

    Parameters
    ----------
    name : str
        ``"null"``: the arms are alike. ``"compartment_artefact"``: they differ in how many
        macrophages are inside the tumour, which misleads an unstratified null; within each
        compartment nothing is to be found. ``"redistribution"``: TRM are among the tumour cells
        early and around the lesion late. ``"replacement"``: TRM are 60 % of the macrophages early
        and 25 % late, in the same places.
    **changes
        Fields of `CohortScene`.

    Raises
    ------
    StudyError
        If there is no such scenario.
    """
    if name not in SCENARIOS:
        raise StudyError(f"Unknown scenario {name!r}; known are {', '.join(SCENARIOS)}.")
    return replace(SCENARIOS[name], **changes)
