"""C2: where along the tumour border do macrophages sit: in the core, or at the rim?"""

from __future__ import annotations

import numpy as np

from macprox.claims.claim import Claim
from macprox.claims.measures import Row, measure
from macprox.claims.slide import ClaimSlide, Roles
from macprox.regions import lesion_zone_areas, lesion_zone_of
from macprox.regions.extent import CORE, PERIPHERY
from macprox.spatial import area_below_um2
from macprox.spatial.border import FIRST_BAND_UM, LAST_BAND_UM, PROFILE
from macprox.window import Window

RATIO, CURVE = "log2_periphery_core", "border_profile_per_mm2"
MIN_AREA_UM2 = 2000.0  # of core and periphery: some ten cells
HALF = 0.5  # added to counts, so that a place without a cell has a ratio (Haldane 1956)


def measure_slide(slide: ClaimSlide) -> list[Row]:
    """The periphery:core ratio of every lesion, and the profile along the border."""
    if slide.is_adjacent or not slide.regions.has_tumour:
        return []
    return ratios(slide) + _profile(slide)


def ratios(slide: ClaimSlide) -> list[Row]:
    """The periphery:core ratio of every lesion and class."""
    # An airspace holds macrophages that no tissue holds back: it belongs to neither side.
    zones = lesion_zone_areas(slide.regions, airspace=False)
    cells = slide.cells
    zone = lesion_zone_of(
        cells["tumour_border_distance_um"].to_numpy(),
        cells["nearest_lesion_id"].to_numpy(),
        zones,
    )
    zone[slide.is_in_air] = ""
    rows = []
    for group in slide.roles.classes:
        of_group = slide.is_a(*group.phenotypes)
        for lesion in zones.to_dict("records"):
            here = of_group & cells["nearest_lesion_id"].eq(lesion["lesion_id"]).to_numpy()
            n_core = int((here & (zone == CORE)).sum())
            n_periphery = int((here & (zone == PERIPHERY)).sum())
            small = min(lesion["core_um2"], lesion["periphery_um2"]) < MIN_AREA_UM2
            value, reason = np.nan, f"core or periphery below {MIN_AREA_UM2:g} um2"
            if not small:
                core = (n_core + HALF) / lesion["core_um2"]
                value, reason = np.log2((n_periphery + HALF) / lesion["periphery_um2"] / core), ""
            rows.append(
                measure(
                    "C2", RATIO, float(value), source=group.name,
                    slide_id=slide.slide_id, lesion_id=int(lesion["lesion_id"]),
                    weight=float(n_core + n_periphery), reason=reason,
                )
            )  # fmt: skip
    return rows


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


def _lacking(roles: Roles) -> str:
    return "" if roles.classes else "the study names no macrophages under [proximity]"


CLAIM = Claim(
    id="C2",
    title="Core or periphery",
    question="Are macrophages denser at the periphery of lesions than in their core, and does "
    "that differ between groups?",
    estimand="log2 of the density at the periphery over the density in the core, a lesion; the "
    "periphery reaches as far to both sides of the border as half the lesion's inscribed radius, "
    "at most margin_um, so that a small lesion keeps a core; half a cell is added to both counts; "
    "lesions are averaged by their cells",
    null="none on a slide: 0 is the same density on both sides",
    limits="densities say nothing of whether macrophages moved or died; a border that nobody "
    "confirmed, or that is not clear, moves cells between the zones",
    of_slide=measure_slide,
    lacking=_lacking,
    tested=(RATIO,),
    centred=(RATIO,),
    curves=(CURVE,),
)
