"""Enrichment of phenotypes among neighbours: closed form and permutations."""

from __future__ import annotations

from typing import Any

import numpy as np
from benchmarks.statistics.distances import MILLION
from benchmarks.statistics.peers import package, squidpy_table
from benchmarks.statistics.registry import Contest, Method, Missing, benchmark
from benchmarks.statistics.slides import PHENOTYPES, BenchmarkSlide

from macprox.spatial import Graph, enrichment, enrichment_permuted, knn_graph

N_PERMUTATIONS = 1000
NEAREST = 6


@benchmark(
    "enrichment, closed form",
    n_cells=(100_000, MILLION),
    bars={("squidpy, 1,000 permutations", n): 100 for n in (100_000, MILLION)},
)
def closed_form(slide: BenchmarkSlide) -> Contest:
    """On one graph of 6 nearest cells, which nobody is timed for."""
    graph = knn_graph(slide.xy, NEAREST, np.inf)
    return Contest(lambda: enrichment(graph, slide.phenotype), _squidpy(slide, graph), _check)


@benchmark(
    "enrichment, 1,000 permutations",
    n_cells=(100_000,),
    bars={("squidpy, 1,000 permutations", 100_000): 3},
)
def permuted(slide: BenchmarkSlide) -> Contest:
    """The same by as many permutations as squidpy."""
    graph = knn_graph(slide.xy, NEAREST, np.inf)
    return Contest(
        lambda: enrichment_permuted(graph, slide.phenotype, N_PERMUTATIONS, seed=0),
        _squidpy(slide, graph),
        _check,
    )


def _check(name: str, ours: Any, theirs: tuple[np.ndarray, np.ndarray]) -> None:
    side = len(PHENOTYPES)
    z, n_edges = (ours[column].to_numpy().reshape(side, side) for column in ("z", "n_edges"))
    np.testing.assert_array_equal(n_edges, theirs[1])
    # Mean and sd of 1,000 permutations: standard errors of z.
    apart = np.abs(z - theirs[0]) / np.sqrt((1 + z**2 / 2) / N_PERMUTATIONS)
    assert apart.max() < 5, f"{name}: z differ by {apart.max():.1f} standard errors"


def _squidpy(slide: BenchmarkSlide, graph: Graph) -> dict[str, Method | Missing]:
    from scipy.sparse import csr_matrix

    name = "squidpy, 1,000 permutations"
    squidpy = package("squidpy")
    if isinstance(squidpy, Missing):
        return {name: squidpy}
    table = squidpy_table(slide)
    n = len(slide.xy)
    ones = np.ones(len(graph.indices))
    table.obsp["spatial_connectivities"] = csr_matrix((ones, graph.indices, graph.indptr), (n, n))
    table.uns["spatial_neighbors"] = {"connectivities_key": "spatial_connectivities"}

    def permutations() -> tuple[np.ndarray, np.ndarray]:
        return squidpy.gr.nhood_enrichment(
            table,
            "phenotype",
            n_perms=N_PERMUTATIONS,
            seed=0,
            copy=True,
            n_jobs=1,
            show_progress_bar=False,
        )

    return {name: permutations}
