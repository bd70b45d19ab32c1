"""C4: do regulatory T cells sit close to resident macrophages, rather than to recruited ones?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from macprox.claims.claim import Claim
from macprox.claims.measures import Row, measure
from macprox.claims.nearby import EXCESS, LINEAGE_EXCESS
from macprox.claims.paired import Paired
from macprox.claims.slide import ClaimSlide, Roles
from macprox.spatial.pairs import Question, pair_rows, surroundings_of
from macprox.spatial.pattern import Group, Pattern, pattern_of

PREFERENCE = "g_excess_preference"
MIN_CELLS = 10  # regulatory T cells of a slide


def measure_slide(slide: ClaimSlide) -> list[Row]:
    """The excess of regulatory T cells with a macrophage nearby, one row a lineage and null."""
    if slide.is_adjacent or not len(slide.cells):
        return []
    roles = slide.roles
    pattern = pattern_of(slide.cells, None, slide.strata)
    lineages = Group.of((roles.resident, roles.recruited))
    fixed = {roles.tumour, roles.regulatory}
    others = Group("neither", tuple(sorted(set(pattern.phenotype.tolist()) - fixed)))
    rows = []
    for lineage in lineages.phenotypes:
        rows.append(_excess(slide, pattern, lineage, others, EXCESS))
        rows.append(_excess(slide, pattern, lineage, lineages, LINEAGE_EXCESS))
    return rows


def _excess(
    slide: ClaimSlide, pattern: Pattern, lineage: str, eligible: Group, statistic: str
) -> Row:
    regulatory, r_um = slide.roles.regulatory, slide.proximity.primary_radius_um
    labels = {
        "source": regulatory, "target": lineage, "r_um": r_um, "slide_id": slide.slide_id,
        "weight": float(pattern.is_a([regulatory]).sum()),
    }  # fmt: skip
    if reason := _too_few(pattern, regulatory, lineage):
        return measure("C4", statistic, np.nan, **labels, reason=reason)
    question = Question(
        source=Group.of(lineage), target=Group.of(regulatory), radii_um=(r_um,),
        eligible=Group(eligible.name, (*{*eligible.phenotypes, lineage},)), n_permutations=0,
    )  # fmt: skip
    surroundings = replace(surroundings_of(pattern, question), distances=False)
    found = next(
        row
        for row in pair_rows(pattern, question, surroundings)
        if row["statistic"] == "g" and row["correction"] == "none" and row["source"] == regulatory
    )
    return measure("C4", statistic, found["value"] - found["expected"], **labels)


def _too_few(pattern: Pattern, regulatory: str, lineage: str) -> str:
    n = int(pattern.is_a([regulatory]).sum())
    if n < MIN_CELLS:
        return f"{n} cells called {regulatory}; {MIN_CELLS} are the least"
    return "" if pattern.is_a([lineage]).any() else f"no cells called {lineage}"


def _preference(values: pd.DataFrame, roles: Roles) -> pd.DataFrame:
    difference = Paired(
        statistic=PREFERENCE,
        first={"statistic": EXCESS, "target": roles.resident},
        second={"statistic": EXCESS, "target": roles.recruited},
        labels={"target": f"{roles.resident} minus {roles.recruited}"},
    )
    return difference.of(values)


def _lacking(roles: Roles) -> str:
    return roles.lacking("resident", "recruited", "regulatory")


CLAIM = Claim(
    id="C4",
    title="Regulatory T cells near resident and near recruited macrophages",
    question="Do regulatory T cells sit close to resident macrophages, and closer than to "
    "recruited ones?",
    estimand="share of regulatory T cells with a macrophage of the lineage within the primary "
    "radius, minus the share expected if its label were dealt at random among the cells of the "
    "strata that are neither tumour nor regulatory T cell; the preference is the difference of "
    "the two excesses",
    null="relabelling within slide and strata, exact; regulatory T cells and tumour cells fixed. "
    "g_excess_lineage deals the labels among the two lineages alone",
    limits="few regulatory T cells a slide make the share coarse; lymphoid patches hold both kinds "
    "of cells without either seeking the other",
    of_slide=measure_slide,
    lacking=_lacking,
    tested=(EXCESS, LINEAGE_EXCESS, PREFERENCE),
    centred=(EXCESS, LINEAGE_EXCESS, PREFERENCE),
    derive=_preference,
)
