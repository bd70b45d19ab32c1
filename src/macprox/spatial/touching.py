"""Contact as a kind of neighbourhood: who touches whom, under the same nulls as distances."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from macprox.spatial.graphs.contact import contact_graph
from macprox.spatial.graphs.graph import Graph
from macprox.spatial.nulls.relabel import Relabelling
from macprox.spatial.nulls.surroundings import (
    FROM_MOVED,
    TO_MOVED,
    Nulls,
    Permutations,
    Surroundings,
)
from macprox.spatial.pairs import (
    Question,
    absent_reason,
    direction_labels,
    eligible_cells,
    relabelled,
)
from macprox.spatial.pattern import Pattern
from macprox.spatial.table import Row, row

# Name in the table, and what relabelling calls the same number.
STATISTICS = {"contact_fraction": "g", "contact_count": "count_within"}
NO_CONTACTS = "no labels: contact is read from the boundaries of segmented cells"


@dataclass(frozen=True, eq=False)
class Touching(Surroundings):
    """Fixed cells that touch eligible ones; ``radii_um`` holds the one gap."""

    eligible_row: np.ndarray = field(repr=False)  # (n_pairs,) of a pair in contact
    fixed_row: np.ndarray = field(repr=False)

    @classmethod
    def of(cls, pattern: Pattern, question: Question, graph: Graph) -> Touching:
        """From the graph of cells in contact (`macprox.spatial.contact_graph`)."""
        fixed = pattern.is_a(question.target.phenotypes)
        eligible = eligible_cells(pattern, question)
        here = np.repeat(np.arange(graph.n_cells), graph.degree)
        joins = eligible[here] & fixed[graph.indices]
        row_of_eligible, row_of_fixed = (np.cumsum(which) - 1 for which in (eligible, fixed))
        return cls(
            fixed_xy=pattern.xy[fixed],
            fixed_group=pattern.roi[fixed],
            eligible_xy=pattern.xy[eligible],
            eligible_group=pattern.roi[eligible],
            radii_um=np.asarray(question.radii_um),
            eligible_row=row_of_eligible[here[joins]],
            fixed_row=row_of_fixed[graph.indices[joins]],
        )

    @cached_property
    def nearest_um(self) -> np.ndarray:
        """No distance is asked for: NaN."""
        return np.full(len(self.eligible_xy), np.nan)

    @cached_property
    def counts(self) -> np.ndarray:
        """Fixed cells that each eligible one touches: ``(n_eligible, 1)``."""
        return np.bincount(self.eligible_row, minlength=len(self.eligible_xy))[:, None]

    @cached_property
    def lists(self) -> tuple[np.ndarray, np.ndarray]:
        """Eligible cells that each fixed one touches; as `CellGrid.lists` of one radius."""
        order = np.argsort(self.fixed_row, kind="stable")
        stops = np.cumsum(np.bincount(self.fixed_row, minlength=len(self.fixed_xy)))
        offsets = np.column_stack([np.concatenate([[0], stops[:-1]]), stops]).astype(np.int64)
        return offsets, self.eligible_row[order].astype(np.int32)


def contact_rows(
    pattern: Pattern, question: Question, contacts: pd.DataFrame | None, gap_um: float
) -> list[Row]:
    """Share of cells in contact, and how many each touches, in both directions.

    Parameters
    ----------
    pattern : Pattern
    question : Question
    contacts : DataFrame or None
        Pairs of cells in contact; None where the cells have no labels.
    gap_um : float
        The widest gap that is contact; stands in ``r_um``.
    """
    absent = absent_reason(pattern, question)
    if absent:
        return _without(pattern, question, gap_um, absent)
    if contacts is None or pattern.cell_id is None:
        return _without(pattern, question, gap_um, NO_CONTACTS)
    source = pattern.is_a(question.source.phenotypes)
    at_gap = question.at((gap_um,))
    touching = Touching.of(pattern, at_gap, contact_graph(contacts, pattern.cell_id))
    labels = Relabelling.of(source[eligible_cells(pattern, at_gap)], _strata(pattern, at_gap))
    nulls: Nulls = {}
    if at_gap.relabels:
        permutations = Permutations(
            question.n_permutations, question.seed, question.null == "permute"
        )
        nulls = touching.tested(labels, permutations, touching.exact(labels))
    rows = []
    for direction, value in _observed(touching, labels).items():
        said = direction_labels(pattern, at_gap, direction)
        for statistic, name in STATISTICS.items():
            null = relabelled(at_gap, nulls, direction, name, gap_um)
            rows.append(
                row(**said, **null, statistic=statistic, r_um=gap_um, value=value[statistic])
            )
    return rows


def _strata(pattern: Pattern, question: Question) -> np.ndarray:
    return pattern.stratum[eligible_cells(pattern, question)]


def _observed(touching: Touching, labels: Relabelling) -> dict[str, dict[str, float]]:
    counts = touching.counts[labels.moved, 0]
    return {
        FROM_MOVED: {
            "contact_fraction": float((counts > 0).mean()),
            "contact_count": float(counts.mean()),
        },
        TO_MOVED: {
            "contact_fraction": float(touching.hit_to_moved(labels)[0]),
            "contact_count": float(counts.sum() / len(touching.fixed_xy)),
        },
    }


def _without(pattern: Pattern, question: Question, gap_um: float, reason: str) -> list[Row]:
    return [
        row(
            **direction_labels(pattern, question, direction),
            statistic=statistic,
            r_um=gap_um,
            reason=reason,
        )
        for direction in (FROM_MOVED, TO_MOVED)
        for statistic in STATISTICS
    ]
