"""C1: do tumour cells have a macrophage nearby more often than chance puts one there?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from macprox.claims.claim import Claim
from macprox.claims.measures import Row, measure
from macprox.claims.slide import ClaimSlide, Roles
from macprox.spatial import is_lineage, is_position
from macprox.spatial.sensitivity import headline_at
from macprox.spatial.table import ALL

G, EXPECTED, EXCESS = "g", "g_expected", "g_excess"
LINEAGE_EXCESS = "g_excess_lineage"
NEAREST, NEAREST_EXCESS = "nearest_mean_um", "nearest_excess_um"
CURVE = "g_excess_curve"
CURVE_RADII_UM = tuple(float(r) for r in range(5, 101, 5))


def measure_slide(slide: ClaimSlide) -> list[Row]:
    """Shares, distances and their excess over the null, of every class, in both directions."""
    if slide.is_adjacent:
        return []
    table = slide.statistics
    raw = table[(table["roi_id"] == ALL) & (table["correction"] == "none")]
    position, lineage = raw[is_position(raw)], raw[is_lineage(raw)]
    rows: list[Row] = []
    for found in position[position["statistic"] == "g"].to_dict("records"):
        rows += _rows(found, slide, ((G, found["value"]), (EXPECTED, found["expected"])))
        rows += _rows(found, slide, ((EXCESS, found["value"] - found["expected"]),))
    for found in lineage[lineage["statistic"] == "g"].to_dict("records"):
        rows += _rows(found, slide, ((LINEAGE_EXCESS, found["value"] - found["expected"]),))
    for found in position[position["statistic"] == NEAREST].to_dict("records"):
        excess = found["value"] - found["expected"]
        rows += _rows(found, slide, ((NEAREST, found["value"]), (NEAREST_EXCESS, excess)))
    return rows + _curve(slide)


def _rows(found, slide: ClaimSlide, named: tuple[tuple[str, float], ...]) -> list[Row]:
    return [
        measure(
            "C1", statistic, float(value), source=found["source"], target=found["target"],
            r_um=found["r_um"], slide_id=slide.slide_id, weight=float(found["n_source"]),
            reason=found["reason"] if np.isnan(value) else "",
        )
        for statistic, value in named
    ]  # fmt: skip


def _curve(slide: ClaimSlide) -> list[Row]:
    """The excess over radii, of tumour cells with a macrophage nearby."""
    if not _is_known(slide.statistics):
        return []
    parameters = replace(slide.proximity, strata=slide.strata)
    return [
        measure(
            "C1", CURVE, found["value"] - found["expected"], source=found["source"],
            target=found["target"], r_um=found["r_um"], slide_id=slide.slide_id,
            weight=float(found["n_source"]),
        )
        for found in headline_at(slide.cells, parameters, CURVE_RADII_UM)
        if found["source"] == slide.roles.tumour
    ]  # fmt: skip


def _is_known(statistics: pd.DataFrame) -> bool:
    """Whether the slide has a headline at all: no tumour region, no curve."""
    g = statistics[statistics["statistic"] == "g"]
    return bool(np.isfinite(g["value"].to_numpy(float)).any())


CLAIM = Claim(
    id="C1",
    title="Tumour cells with a macrophage nearby",
    question="Do more tumour cells have a macrophage of this class nearby than chance gives, and "
    "does that differ between groups?",
    estimand="share of tumour cells with at least one macrophage within r, minus the share "
    "expected if the same macrophages were dealt at random among the cells of their strata that "
    "are not tumour; per slide, then the mean over a patient's slides weighted by tumour cells",
    null="relabelling within slide and strata (region, compartment), exact; tumour cells fixed",
    limits="nearness is not contact and not influence; relabelling cannot tell attraction from a "
    "shared preference for places finer than the strata",
    of_slide=measure_slide,
    lacking=Roles.lacking_classes,
    tested=(EXCESS, G, EXPECTED, LINEAGE_EXCESS, NEAREST, NEAREST_EXCESS),
    centred=(EXCESS, LINEAGE_EXCESS, NEAREST_EXCESS),
    curves=(CURVE,),
)
