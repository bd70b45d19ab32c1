"""C2: where along the tumour border do macrophages sit: in the core, or at the rim?"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from macprox.claims.claim import Claim
from macprox.claims.measures import Row, measure
from macprox.claims.slide import NO_TUMOUR_REGION, ClaimSlide, Roles
from macprox.regions import lesion_zone_areas, lesion_zone_of
from macprox.regions.extent import CORE, PERIPHERY
from macprox.spatial import area_below_um2
from macprox.spatial.border import FIRST_BAND_UM, LAST_BAND_UM, PROFILE
from macprox.spatial.pattern import Group
from macprox.window import Window

SHARE, RATIO = "periphery_share_excess", "log2_periphery_core"
CURVE = "border_profile_per_mm2"
MIN_AREA_UM2 = 2000.0  # of core and periphery: some ten cells
HALF = 0.5  # added to counts, so that a place without a cell has a ratio (Haldane 1956)


def measure_slide(slide: ClaimSlide) -> list[Row]:
    """The periphery:core ratio of every lesion, and the profile along the border."""
    if slide.is_adjacent:
        return []
    if not slide.regions.has_tumour:
        at = {"slide_id": slide.slide_id, "reason": NO_TUMOUR_REGION}
        classes = slide.roles.classes
        return [measure("C2", SHARE, np.nan, source=group.name, **at) for group in classes]
    return ratios(slide) + _profile(slide)


def ratios(slide: ClaimSlide) -> list[Row]:
    """Share at the periphery, and periphery:core ratio, of every lesion and class."""
    # An airspace holds macrophages that no tissue holds back: it belongs to neither side.
    zones = lesion_zone_areas(slide.regions, airspace=False)
    cells = slide.cells
    zone = lesion_zone_of(
        cells["tumour_border_distance_um"].to_numpy(), cells["nearest_lesion_id"].to_numpy(), zones
    )
    zone[slide.is_in_air] = ""
    return [
        row
        for group in slide.roles.classes
        for lesion in zones.to_dict("records")
        for row in _of_lesion(slide, group, lesion, zone)
    ]


def _of_lesion(
    slide: ClaimSlide, group: Group, lesion: dict[Hashable, Any], zone: np.ndarray
) -> list[Row]:
    of_lesion = slide.cells["nearest_lesion_id"].eq(lesion["lesion_id"]).to_numpy()
    here = slide.is_a(*group.phenotypes) & of_lesion
    n_core, n_periphery = (int((here & (zone == name)).sum()) for name in (CORE, PERIPHERY))
    n, core, periphery = n_core + n_periphery, lesion["core_um2"], lesion["periphery_um2"]
    at = {
        "source": group.name, "slide_id": slide.slide_id, "lesion_id": int(lesion["lesion_id"]),
        "weight": float(n),
    }  # fmt: skip
    if min(core, periphery) < MIN_AREA_UM2:
        reason = f"core or periphery below {MIN_AREA_UM2:g} um2"
        return [measure("C2", name, np.nan, **at, reason=reason) for name in (SHARE, RATIO)]
    by_area = periphery / (core + periphery)
    share = n_periphery / n - by_area if n else np.nan
    ratio = np.log2((n_periphery + HALF) / periphery / ((n_core + HALF) / core))
    return [
        measure("C2", SHARE, share, **at, reason="" if n else f"no {group.name} in the lesion"),
        measure("C2", RATIO, float(ratio), **at),
    ]


def _profile(slide: ClaimSlide) -> list[Row]:
    """The bands of the slide's own profile, weighted by their area."""
    band_um = slide.proximity.band_um
    edges = np.arange(FIRST_BAND_UM, LAST_BAND_UM + band_um / 2, band_um)
    window = Window.from_polygon(slide.regions.observed)
    areas = np.diff(area_below_um2(window, slide.regions.tumour, edges))
    area_of = dict(zip((edges[:-1] + edges[1:]) / 2, areas, strict=True))
    table = slide.statistics
    classes = [group.name for group in slide.roles.classes]
    shown = table[(table["statistic"] == PROFILE) & table["source"].isin(classes)]
    return [
        measure(
            "C2", CURVE, found["value"], source=found["source"], r_um=found["r_um"],
            slide_id=slide.slide_id, weight=float(area_of[found["r_um"]]), reason=found["reason"],
        )
        for found in shown[np.isfinite(shown["r_um"])].to_dict("records")
    ]  # fmt: skip


CLAIM = Claim(
    id="C2",
    title="Core or periphery",
    question="Are macrophages denser at the periphery of lesions than in their core, and does "
    "that differ between groups?",
    estimand="share of a lesion's macrophages at its periphery, minus the periphery's share of the "
    "area of both; beside it log2 of the density at the periphery over that in the core, with half "
    "a cell added to both counts. The periphery reaches as far to both sides of the border as half "
    "the lesion's inscribed radius, at most margin_um, so that a small lesion keeps a core; "
    "lesions are averaged by their cells",
    null="none on a slide: 0 is the same density on both sides",
    limits="densities say nothing of whether macrophages moved or died; a border that nobody "
    "confirmed, or that is not clear, moves cells between the zones. The ratio is told and not "
    "tested: few cells draw it towards 0, so that groups that differ in numbers alone differ in it",
    of_slide=measure_slide,
    lacking=Roles.lacking_classes,
    tested=(SHARE,),
    centred=(SHARE,),
    curves=(CURVE,),
)
