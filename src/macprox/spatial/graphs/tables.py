"""Enrichment, mixing and niches of one slide's cells, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from macprox.spatial.annotated import cells_of
from macprox.spatial.graphs.composition import neighbourhood_composition, niche_profile
from macprox.spatial.graphs.composition import niches as niches_of
from macprox.spatial.graphs.delaunay import delaunay_graph
from macprox.spatial.graphs.enrichment import coded, enrichment, enrichment_permuted
from macprox.spatial.graphs.graph import Graph, knn_graph, radius_graph
from macprox.spatial.graphs.join_moments import join_counts
from macprox.spatial.graphs.mixing import score_of
from macprox.spatial.pairs import scopes
from macprox.spatial.pattern import Pattern, Windows, pattern_of
from macprox.spatial.table import EVERY_CELL, Row, row, to_table

GRAPHS = ("knn", "radius", "delaunay")


@dataclass(frozen=True)
class GraphParameters:
    """Which cells are neighbours.

    Parameters
    ----------
    graph : "knn", "radius" or "delaunay"
    k : int
        Of ``"knn"``.
    max_um : float
        Cap of ``"knn"`` and ``"delaunay"``.
    radius_um : float
        Of ``"radius"``, and of the mixing score.
    """

    graph: str = "knn"
    k: int = 10
    max_um: float = 50.0
    radius_um: float = 20.0

    def __post_init__(self) -> None:
        if self.graph not in GRAPHS:
            raise ValueError(f"graph must be one of {', '.join(GRAPHS)}, found {self.graph!r}.")

    @property
    def reach_um(self) -> float:
        return self.radius_um if self.graph == "radius" else self.max_um

    @property
    def name(self) -> str:
        """What is held when labels move."""
        if self.graph == "radius":
            return f"positions, neighbours within {self.radius_um:g} um"
        kind = f"{self.k} nearest" if self.graph == "knn" else "Delaunay"
        return f"positions, {kind} neighbours within {self.max_um:g} um"

    def of(self, pattern: Pattern) -> Graph:
        """The graph of a pattern; edges never cross a field."""
        if self.graph == "radius":
            return radius_graph(pattern.xy, self.radius_um, pattern.roi)
        if self.graph == "knn":
            return knn_graph(pattern.xy, self.k, self.max_um, pattern.roi)
        return delaunay_graph(pattern.xy, self.max_um, pattern.roi)


def neighbourhood(
    cells: Any,
    graph: str = GraphParameters.graph,
    window: Windows = None,
    *,
    k: int = GraphParameters.k,
    max_um: float = GraphParameters.max_um,
    radius_um: float = GraphParameters.radius_um,
    strata: Sequence[str] = (),
    n_permutations: int = 0,
    seed: int = 0,
) -> pd.DataFrame:
    """Which phenotypes of a slide are neighbours, compared with labels dealt at random.

    Parameters
    ----------
    cells : DataFrame, AnnData or SpatialData
        One slide: ``x_um, y_um, phenotype`` and the columns of ``strata``. Neighbours and labels
        never cross a ``roi_id``. Of an AnnData ``obs`` and ``obsm["spatial"]`` in micrometres.
    graph : "knn", "radius" or "delaunay"
    window : Window, mapping of roi_id to Window, or None
        Cells outside are left out; densities need it.
    k, max_um, radius_um
        As of `GraphParameters`; ``radius_um`` is also the radius of the mixing score.
    strata : sequence of str
        Columns within whose values phenotypes are dealt out.
    n_permutations : int
        0: p of the normal approximation where it holds. Else p by permutations.
    seed : int

    Returns
    -------
    DataFrame
        Columns of `macprox.spatial.table`. For every ordered pair of phenotypes
        ``enrichment_z``, ``enrichment_ratio`` and ``mixing_score`` (expected 1 under CSR); where
        there are several fields, each has its own rows beside those of all.

    Raises
    ------
    TableError, WindowError
        For a table or window that cannot be used.
    ValueError
        For a graph that cannot be made.
    """
    parameters = GraphParameters(graph, k, max_um, radius_um)
    rows: list[Row] = []
    for scope in scopes(pattern_of(cells, window, strata)):
        rows += enrichment_rows(scope, parameters, n_permutations, seed)
        rows += mixing_rows(scope, parameters)
    return to_table(rows)


def cell_niches(
    cells: Any,
    n_niches: int,
    graph: str = GraphParameters.graph,
    *,
    k: int = GraphParameters.k,
    max_um: float = GraphParameters.max_um,
    radius_um: float = GraphParameters.radius_um,
    include_self: bool = False,
    seed: int = 0,
) -> tuple[pd.Series, pd.DataFrame]:
    """Niche of every cell of a slide, and what surrounds the cells of each.

    Parameters
    ----------
    cells, graph, k, max_um, radius_um, seed
        As of `neighbourhood`.
    n_niches : int
    include_self : bool
        Whether a cell is one of its own neighbours.

    Returns
    -------
    niche : Series of int64
        With the index of the table: 0 to n_niches - 1, the largest first; -1 for cells without
        neighbours.
    profile : DataFrame
        As `niche_profile` gives it.

    Raises
    ------
    TableError, ValueError
        As `neighbourhood` and `niches`.
    """
    table = cells_of(cells)
    pattern = pattern_of(table)
    neighbours = GraphParameters(graph, k, max_um, radius_um).of(pattern)
    composition = neighbourhood_composition(neighbours, pattern.phenotype, include_self)
    niche, _ = niches_of(composition, n_niches, seed)
    return pd.Series(niche, index=table.index, name="niche"), niche_profile(niche, composition)


def _labels(pattern: Pattern, source: str, target: str, n_of: dict[str, int]) -> Row:
    return {
        "slide_id": pattern.slide_id,
        "roi_id": pattern.roi_id,
        "source": source,
        "target": target,
        "n_source": n_of[source],
        "n_target": n_of[target],
        "source_per_mm2": pattern.per_mm2(n_of[source]),
        "target_per_mm2": pattern.per_mm2(n_of[target]),
    }


def _numbers(pattern: Pattern) -> dict[str, int]:
    names, counts = np.unique(pattern.phenotype, return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


def enrichment_rows(
    pattern: Pattern, parameters: GraphParameters, n_permutations: int, seed: int
) -> list[Row]:
    """Who is a neighbour of whom more often than labels dealt at random, for every pair."""
    arguments = (parameters.of(pattern), pattern.phenotype)
    if n_permutations:
        table = enrichment_permuted(
            *arguments, n_permutations=n_permutations, seed=seed, strata=pattern.stratum
        )
    else:
        table = enrichment(*arguments, strata=pattern.stratum)
    n_of, rows = _numbers(pattern), []
    for pair in table.to_dict("records"):
        shared = {
            **_labels(pattern, pair["source"], pair["target"], n_of),
            "r_um": parameters.reach_um,
            "p": pair["p"],
            "null": "permute" if n_permutations else "relabel",
            "moved": "all phenotypes",
            "fixed": parameters.name,
            "eligible": EVERY_CELL,
            "n_permutations": n_permutations,
            "seed": seed,
            "reason": pair["reason"],
        }
        known = np.isfinite(pair["z"])
        rows.append(
            row(
                **shared,
                statistic="enrichment_z",
                value=pair["z"],
                expected=0.0 if known else np.nan,
            )
        )
        rows.append(
            row(
                **shared,
                statistic="enrichment_ratio",
                value=pair["ratio"],
                expected=1.0 if np.isfinite(pair["ratio"]) else np.nan,
            )
        )
    return rows


def mixing_rows(pattern: Pattern, parameters: GraphParameters) -> list[Row]:
    """The mixing score of every pair of phenotypes."""
    code, types = coded(pattern.phenotype, len(pattern.xy), "phenotype")
    counts, numbers = [], []
    for roi_id in pattern.roi_ids:
        here = pattern.roi == roi_id
        graph = radius_graph(pattern.xy[here], parameters.radius_um)
        counts.append(join_counts(graph, code[here], len(types)))
        numbers.append(np.bincount(code[here], minlength=len(types)))
    n_of, rows = _numbers(pattern), []
    for a, source in enumerate(types):
        for b, target in enumerate(types):
            if a == b:
                continue
            score = score_of(
                np.array([joins[a, b] for joins in counts]),
                np.array([joins[a, a] // 2 for joins in counts]),
                np.array([n[a] for n in numbers]),
                np.array([n[b] for n in numbers]),
            )
            rows.append(
                row(
                    **_labels(pattern, source, target, n_of),
                    statistic="mixing_score",
                    r_um=parameters.radius_um,
                    value=score.value,
                    expected=np.nan if score.reason else 1.0,
                    null="csr",
                    reason=score.reason or "no p: read enrichment",
                )
            )
    return rows
