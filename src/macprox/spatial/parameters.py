"""What a user may set about proximity; one place for every default."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from macprox.errors import StudyError

NULLS = ("relabel", "permute", "csr")
STRATA = ("region", "compartment")
COUNT, LEAVE_OUT = "count", "leave_out"


@dataclass(frozen=True)
class ProximityParameters:
    """Which cells are compared, at which distances, against which null.

    Parameters
    ----------
    macrophages : tuple of str
        Macrophage phenotypes. With two or more, the lineage null compares them.
    tumour : str
        The tumour phenotype.
    anucleate : "count" or "leave_out"
        Whether macrophages whose nucleus is not in the plane take part in distances, counts and
        the headline. They are in the cell table either way.
    radii_um : tuple of float
        Increasing. Counts and G are given at each.
    primary_radius_um : float
        The one radius of the headline, chosen before looking; one of ``radii_um``.
    null : "relabel", "permute" or "csr"
        ``"relabel"``: exact stratified relabelling; ``"permute"``: the same null by
        permutations alone; ``"csr"``: complete spatial randomness in the window.
    strata : tuple of str
        Columns of the cell table within which labels move.
    n_permutations : int
        For the p values that have no closed form. 0: those p values are not given.
    seed : int
    contact_gap_um : float
        Cells whose boundaries are no farther apart touch.
    pcf_bandwidth_um : float
        Standard deviation of the pair correlation's kernel, which is 2.24 times as wide each
        way: radii below are not to be read. Fixed, so that slides compare.
    band_um : float
        Width of a band of the border profile.
    grid_um : float
        Step on which Kaplan-Meier and border estimates are computed.
    """

    macrophages: tuple[str, ...] = ()
    tumour: str = "Tumour"
    anucleate: str = COUNT
    radii_um: tuple[float, ...] = (10.0, 20.0, 30.0, 50.0, 100.0)
    primary_radius_um: float = 20.0
    null: str = "relabel"
    strata: tuple[str, ...] = STRATA
    n_permutations: int = 999
    seed: int = 0
    contact_gap_um: float = 5.0
    pcf_bandwidth_um: float = 4.0
    band_um: float = 20.0
    grid_um: float = 1.0

    def __post_init__(self) -> None:
        for name in ("macrophages", "radii_um", "strata"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        self._check_phenotypes()
        self._check_radii()
        if self.null not in NULLS:
            raise StudyError(f"null must be one of {', '.join(NULLS)}, found {self.null!r}.")
        if self.anucleate not in (COUNT, LEAVE_OUT):
            raise StudyError(f"anucleate must be {COUNT} or {LEAVE_OUT}, found {self.anucleate!r}.")
        for name in ("n_permutations", "seed"):
            if not _is_count(getattr(self, name)):
                raise StudyError(
                    f"{name} must be a whole number of 0 or more, found {getattr(self, name)!r}."
                )
        for name in ("contact_gap_um", "pcf_bandwidth_um", "band_um", "grid_um"):
            if not _is_positive(getattr(self, name)):
                raise StudyError(
                    f"{name} must be a positive number, found {getattr(self, name)!r}."
                )

    def _check_phenotypes(self) -> None:
        if len(set(self.macrophages)) < len(self.macrophages):
            raise StudyError(f"macrophages names a phenotype twice: {', '.join(self.macrophages)}.")
        if self.tumour in self.macrophages:
            raise StudyError(
                f"{self.tumour!r} is given as tumour and as macrophage; a cell is one of them."
            )

    def _check_radii(self) -> None:
        radii = self.radii_um
        increasing = all(a < b for a, b in pairwise(radii))
        if not radii or not all(map(_is_positive, radii)) or not increasing:
            raise StudyError(f"radii_um must be positive and increasing, found {list(radii)}.")
        if self.primary_radius_um not in radii:
            raise StudyError(
                f"primary_radius_um must be one of radii_um {list(radii)}, found "
                f"{self.primary_radius_um!r}."
            )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_positive(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
