"""Which figures each claim has, in the page's order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from macprox.errors import ResultError
from macprox.report.cohort.curves import curves_plate
from macprox.report.cohort.dots import dots_plate
from macprox.report.cohort.forest import changes_plate, power_plate
from macprox.report.cohort.pairs import (
    adjacent_ends,
    lines_plate,
    places_plate,
    preference_ends,
)
from macprox.report.cohort.plate import Plate
from macprox.report.cohort.quantities import Key
from macprox.report.cohort.reading import SavedCohort
from macprox.report.cohort.scatter import lesions_plate
from macprox.report.cohort.survival import halves_plate, hazard_plate

if TYPE_CHECKING:
    from macprox.cohort_results import CohortResult

MOST_PANELS = 12
# What has a panel of its own; the parts that it is made of stand in the table.
DRAWN = {
    "C1": ("g_excess",),
    "C2": ("periphery_share_excess",),
    "C3": ("lineage_share_vs_adjacent",),
    "C4": ("g_excess_preference",),
    "C5": ("marker_difference",),
    "C6": ("n_lesions", "lesion_area_mm2", "tumour_mm2", "density_per_mm2", "log2_ratio"),
    "C7": (),
}
SENSITIVITY, POWER, HAZARD, HALVES = "sensitivity", "power", "hazard-ratio", "kaplan-meier"


def drawn_keys(cohort: SavedCohort, claim: str) -> list[Key]:
    """The quantities that have a panel; those at other radii than the primary one have none."""
    statistics = DRAWN.get(claim)
    keys = cohort.keys(claim)
    if statistics is not None:
        order = {name: i for i, name in enumerate(statistics)}
        keys = sorted((k for k in keys if k.statistic in order), key=lambda k: order[k.statistic])
    radii = {key.r_um for key in keys if key.r_um >= 0}
    radius = cohort.primary_radius_um
    if radius in radii and len(radii) > 1:
        keys = [key for key in keys if key.r_um in (-1.0, radius)]
    return keys[:MOST_PANELS]


def claim_plates(cohort: SavedCohort, claim: str) -> list[Plate]:
    """The figures of one claim; none where there is nothing to draw."""
    return [plate for plate in _plates_of(cohort, claim, file_name(claim)) if plate is not None]


def _plates_of(cohort: SavedCohort, claim: str, name: str) -> Iterator[Plate | None]:
    keys = drawn_keys(cohort, claim)
    if claim == "C3":
        shares = cohort.keys(claim, "lineage_share")
        for i, pair in enumerate(dict.fromkeys((k.source, k.target) for k in shares)):
            own = [k for k in shares if (k.source, k.target) == pair]
            whose = f"Share of {pair[0]} among {pair[0]} and {pair[1]}"
            yield places_plate(cohort, own, f"{name}-places" + (f"-{i + 1}" if i else ""), whose)
    if claim in ("C3", "C4"):
        yield from _pairs(cohort, claim, keys, name)
    else:
        columns = 3 if claim == "C6" else 2
        yield dots_plate(cohort, keys, f"{name}-patients", columns)
    if claim == "C7":
        yield lesions_plate(cohort, f"{name}-lesions")
    yield curves_plate(cohort, claim, f"{name}-curve")


def _pairs(cohort: SavedCohort, claim: str, keys: list[Key], name: str) -> Iterator[Plate | None]:
    """Lines within patients where both ends are saved, else the differences alone."""
    alone = []
    for i, key in enumerate(keys):
        nth = f"-{i + 1}" if i else ""
        ends = adjacent_ends(cohort, key) if claim == "C3" else preference_ends(cohort, key)
        plate = None
        if ends is not None:
            names = ("tumour", "adjacent tissue") if claim == "C3" else (
                f"to {ends[0].target}", f"to {ends[1].target}")  # fmt: skip
            plate = lines_plate(cohort, ends, names, key, f"{name}-pairs{nth}")
        if plate is None:
            alone.append(key)
        yield plate
    if claim == "C4" and not keys:
        alone = cohort.keys(claim, "g_excess")[:MOST_PANELS]
    yield dots_plate(cohort, alone, f"{name}-patients")


def shared_plates(cohort: SavedCohort) -> list[Plate]:
    """Survival, sensitivity and power: what belongs to no single claim."""
    made = (
        hazard_plate(cohort, HAZARD),
        halves_plate(cohort, HALVES),
        changes_plate(cohort, SENSITIVITY),
        power_plate(cohort, POWER),
    )
    return [plate for plate in made if plate is not None]


def cohort_figure(result: CohortResult, name: str) -> Plate:
    """One figure of a cohort, to be saved where one likes.

    Parameters
    ----------
    result : CohortResult
    name : str
        A claim ("C1": its first figure) or a figure's name as among the report's files
        ("C1-curve", "sensitivity").

    Returns
    -------
    Plate
        ``plate.save("figure.pdf")`` writes ``.svg``, ``.pdf`` or ``.png``; ``plate.data`` holds
        the numbers that are drawn.

    Raises
    ------
    ResultError
        If there is no such figure; the sentence lists those that there are.

    Examples
    --------
    >>> cohort_figure(open_cohort("results"), "C1").save("excess.pdf")  # doctest: +SKIP
    """
    cohort = SavedCohort(result)
    claims = [claim["id"] for claim in cohort.facts["claims"]]
    if name in claims and (plates := claim_plates(cohort, name)):
        return plates[0]
    every = [p for claim in claims for p in claim_plates(cohort, claim)] + shared_plates(cohort)
    found = {plate.name: plate for plate in every}
    if name not in found:
        raise ResultError(
            f"There is no figure {name!r} in {result.path}; expected one of "
            f"{', '.join(found) or 'none, since nothing could be drawn'}."
        )
    return found[name]


def file_name(claim: str) -> str:
    """A claim as the beginning of a file's name, whatever it is called."""
    return re.sub(r"[^A-Za-z0-9]+", "-", claim)[:40].strip("-") or "claim"
