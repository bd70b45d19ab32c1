"""C3: which lineage dominates where, and against the patient's own uninvolved tissue?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from macprox.claims.claim import Claim
from macprox.claims.measures import Row, measure
from macprox.claims.paired import Paired
from macprox.claims.slide import ADJACENT, ClaimSlide, Roles

SHARE, AGAINST_ADJACENT = "lineage_share", "lineage_share_vs_adjacent"
TUMOUR_TISSUE = "tumour tissue"  # core and margins, airspaces left out
MIN_MACROPHAGES = 10  # of a place on a slide: a share of fewer says nothing


def measure_slide(slide: ClaimSlide) -> list[Row]:
    """Resident macrophages among both lineages: by place, in tumour tissue, in adjacent tissue."""
    of_both = slide.is_a(slide.roles.resident, slide.roles.recruited)
    cells = slide.cells[of_both]
    in_air = slide.is_in_air[of_both]
    if slide.is_adjacent:
        return [_share(slide, cells[~in_air], ADJACENT, "")]
    if "region" not in cells:
        return [_share(slide, cells[~in_air], "", ""), *_by_category(slide, cells)]
    near = cells["region"].isin(("core", "inner_margin", "outer_margin")).to_numpy(bool)
    far = cells["region"].eq("distant").to_numpy(bool)
    rows = [
        _share(slide, cells[near & ~in_air], TUMOUR_TISSUE, ""),
        _share(slide, cells[far & ~in_air], ADJACENT, ""),
    ]
    for (region, compartment), of_place in cells.groupby(["region", "compartment"], sort=True):
        rows.append(_share(slide, of_place, str(region), str(compartment)))
    return rows


def _by_category(slide: ClaimSlide, cells: pd.DataFrame) -> list[Row]:
    """Another tool's words for place, where they are all there is."""
    if "tissue_category" not in cells:
        return []
    places = cells.groupby("tissue_category", sort=True)
    return [_share(slide, of_place, "", str(name)) for name, of_place in places if name]


def _share(slide: ClaimSlide, cells: pd.DataFrame, region: str, compartment: str) -> Row:
    n = len(cells)
    n_resident = int(cells["phenotype"].eq(slide.roles.resident).sum())
    few = n < MIN_MACROPHAGES
    return measure(
        "C3", SHARE, np.nan if few else n_resident / n, source=slide.roles.resident,
        target=slide.roles.recruited, region=region, compartment=compartment,
        slide_id=slide.slide_id, weight=float(n),
        reason=f"{n} macrophages of both lineages; {MIN_MACROPHAGES} are the least" if few else "",
    )  # fmt: skip


def _against_adjacent(values: pd.DataFrame, roles: Roles) -> pd.DataFrame:
    whole = {"statistic": SHARE, "compartment": ""}
    difference = Paired(
        statistic=AGAINST_ADJACENT,
        first={**whole, "region": TUMOUR_TISSUE},
        second={**whole, "region": ADJACENT},
        labels={"region": f"{TUMOUR_TISSUE} minus {ADJACENT}"},
    )
    return difference.of(values)


def _lacking(roles: Roles) -> str:
    return roles.lacking("resident", "recruited")


CLAIM = Claim(
    id="C3",
    title="Which lineage dominates",
    question="What share of the macrophages is resident, by place, by group, and against the "
    "patient's own adjacent tissue?",
    estimand="resident / (resident + recruited) macrophages, by region and compartment; against "
    "adjacent tissue: the share in tumour tissue (core and margins) minus the share in tissue "
    "farther from the tumour than the margin, or on slides that the sample sheet calls adjacent; "
    "airspaces apart",
    null="none on a slide; between patients, no difference",
    limits="a share says nothing of numbers: it falls when residents leave and when others come; "
    "phenotypes are '-like', ontogeny cannot be told from stains",
    of_slide=measure_slide,
    lacking=_lacking,
    tested=(SHARE, AGAINST_ADJACENT),
    centred=(AGAINST_ADJACENT,),
    derive=_against_adjacent,
)
