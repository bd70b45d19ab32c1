"""C6: two arms: how many lesions, how large, how dense, and CD8 against regulatory T cells."""

from __future__ import annotations

import numpy as np

from macprox.claims.claim import Claim
from macprox.claims.measures import Row, measure
from macprox.claims.slide import ClaimSlide
from macprox.spatial.table import ALL

LESIONS, LESION_AREA, TUMOUR_AREA = "n_lesions", "lesion_area_mm2", "tumour_mm2"
DENSITY, RATIO = "density_per_mm2", "log2_ratio"
HALF = 0.5  # added to counts, so that a slide without a cell has a ratio
MIN_CELLS = 10  # of both T cells together


def measure_slide(slide: ClaimSlide) -> list[Row]:
    """Lesions, densities of all phenotypes, and the ratio of T cells."""
    if slide.is_adjacent:
        return []
    return _lesions(slide) + _densities(slide) + _ratio(slide)


def _lesions(slide: ClaimSlide) -> list[Row]:
    if not slide.regions.has_tumour:
        return []
    lesions = slide.regions.lesions()
    mm2 = {number: lesion.area / 1e6 for number, lesion in lesions.items()}
    at, once = {"slide_id": slide.slide_id}, {"weight": 1.0}
    return [
        measure("C6", LESIONS, float(len(lesions)), **at, **once),
        measure("C6", TUMOUR_AREA, sum(mm2.values()), **at, **once),
        *(
            measure("C6", LESION_AREA, area, **at, **once, lesion_id=number)
            for number, area in mm2.items()
        ),
    ]


def _densities(slide: ClaimSlide) -> list[Row]:
    table = slide.statistics
    whole = table[
        (table["statistic"] == DENSITY) & (table["roi_id"] == ALL) & (table["region"] == ALL)
    ]
    tissue_mm2 = slide.regions.observed.area / 1e6
    return [
        measure(
            "C6", DENSITY, found["value"], source=found["source"],
            slide_id=slide.slide_id, weight=tissue_mm2 or 1.0,
            reason=found["reason"] if np.isnan(found["value"]) else "",
        )
        for found in whole.drop_duplicates("source").to_dict("records")
    ]  # fmt: skip


def _ratio(slide: ClaimSlide) -> list[Row]:
    cytotoxic, regulatory = slide.roles.cytotoxic, slide.roles.regulatory
    if not (cytotoxic and regulatory):
        return []
    n, m = (int(slide.is_a(name).sum()) for name in (cytotoxic, regulatory))
    few = n + m < MIN_CELLS
    return [
        measure(
            "C6", RATIO, np.nan if few else float(np.log2((n + HALF) / (m + HALF))),
            source=cytotoxic, target=regulatory, slide_id=slide.slide_id, weight=float(n + m),
            reason=f"{n + m} T cells; {MIN_CELLS} are the least" if few else "",
        )
    ]  # fmt: skip


CLAIM = Claim(
    id="C6",
    title="Lesions, densities, and the balance of T cells",
    question="Do the groups differ in number and size of lesions, in cells per mm², or in "
    "cytotoxic against regulatory T cells?",
    estimand="lesions a slide, mean area of a lesion, area of tumour a slide; cells per mm² of "
    "observed tissue; log2 of cytotoxic over regulatory T cells (half a cell added to both)",
    null="none on a slide",
    limits="areas and numbers are of sections: larger lesions are cut more often, and a piece of "
    "tissue may hold any part of a tumour",
    of_slide=measure_slide,
    tested=(LESIONS, LESION_AREA, TUMOUR_AREA, DENSITY, RATIO),
)
