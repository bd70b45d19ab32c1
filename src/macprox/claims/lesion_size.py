"""C7: do larger lesions hold more regulatory T cells?"""

from __future__ import annotations

import numpy as np

from macprox.claims.claim import Claim
from macprox.claims.measures import Row, measure
from macprox.claims.slide import NO_TUMOUR_REGION, ClaimSlide, Roles
from macprox.regions import lesion_zone_areas, lesion_zone_of

SIZE, DENSITY = "log10_lesion_area_um2", "regulatory_per_mm2"


def measure_slide(slide: ClaimSlide) -> list[Row]:
    """Size of every lesion, and the density of regulatory T cells in it and around it."""
    if slide.is_adjacent:
        return []
    if not slide.regions.has_tumour:
        labels = {"source": slide.roles.regulatory, "slide_id": slide.slide_id}
        return [measure("C7", DENSITY, np.nan, **labels, reason=NO_TUMOUR_REGION)]
    # A border zone as wide around every lesion: one that grows with it would hold another share
    # of stroma in large lesions, and make a correlation of its own.
    zones = lesion_zone_areas(slide.regions, reach_um=slide.regions.margin_um)
    cells = slide.cells
    zone = lesion_zone_of(
        cells["tumour_border_distance_um"].to_numpy(),
        cells["nearest_lesion_id"].to_numpy(),
        zones,
    )
    regulatory = slide.is_a(slide.roles.regulatory) & (zone != "")
    lesions = slide.regions.lesions()
    rows = []
    for lesion in zones.to_dict("records"):
        number = int(lesion["lesion_id"])
        n = int((regulatory & cells["nearest_lesion_id"].eq(number).to_numpy()).sum())
        mm2 = (lesion["core_um2"] + lesion["periphery_um2"]) / 1e6
        at = {"slide_id": slide.slide_id, "lesion_id": number, "weight": 1.0}
        rows.append(measure("C7", SIZE, float(np.log10(lesions[number].area)), **at))
        rows.append(
            measure(
                "C7", DENSITY, n / mm2 if mm2 > 0 else np.nan,
                source=slide.roles.regulatory, target="lesion and outer margin", **at,
                reason="" if mm2 > 0 else "no observed area",
            )
        )  # fmt: skip
    return rows


def _lacking(roles: Roles) -> str:
    return roles.lacking("regulatory")


CLAIM = Claim(
    id="C7",
    title="Size of lesions and regulatory T cells",
    question="Do larger lesions hold more regulatory T cells per area?",
    estimand="Spearman correlation, over patients, of mean log10 area of lesions and mean density "
    "of regulatory T cells in lesions and within margin_um around them; and the slope within "
    "patients by a mixed model",
    null="no association: permutation of patients",
    limits="a correlation has no direction; a section shows one cut of a lesion; a small lesion "
    "holds few cells, and its density is coarse",
    of_slide=measure_slide,
    lacking=_lacking,
)
