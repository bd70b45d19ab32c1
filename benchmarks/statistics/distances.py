"""Nearest distances and counts within radii."""

from __future__ import annotations

from typing import Any

import numpy as np
from benchmarks.statistics.peers import package, spatstat, squidpy_table
from benchmarks.statistics.registry import Contest, Method, Missing, benchmark
from benchmarks.statistics.slides import BenchmarkSlide
from scipy.spatial import cKDTree

from macprox.spatial import count_within, nearest_distance

RADII_UM = (20.0, 50.0, 100.0)
MILLION = 1_000_000
MOST_CELLS_SQUIDPY = 100_000  # its graphs and matrices of more do not fit in 24 GB, or take hours


@benchmark(
    "nearest distance",
    n_cells=(100_000, MILLION, 10 * MILLION),
    bars={("cKDTree", MILLION): 3, ("pykdtree", MILLION): 2},
    seconds={10 * MILLION: 2},
)
def nearest(slide: BenchmarkSlide) -> Contest:
    """Nearest tumour cell of every macrophage; trees are built and asked."""
    source, target = slide.macrophages, slide.tumour
    pykdtree = package("pykdtree.kdtree")
    others: dict[str, Method | Missing] = {
        "cKDTree": lambda: cKDTree(target).query(source)[0],
        "cKDTree, unbalanced": lambda: cKDTree(
            target, balanced_tree=False, compact_nodes=False
        ).query(source)[0],
        "pykdtree": pykdtree
        if isinstance(pykdtree, Missing)
        else lambda: pykdtree.KDTree(target).query(source)[0],
        "spatstat nncross": spatstat("nearest", slide),
    }

    def check(name: str, ours: np.ndarray, theirs: Any) -> None:
        if name.startswith("spatstat"):
            theirs = theirs["nearest_um"]
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)

    return Contest(lambda: nearest_distance(source, target), others, check)


@benchmark(
    "counts in 20, 50, 100 um",
    n_cells=(100_000, MILLION, 10 * MILLION),
    bars={("cKDTree, three calls", MILLION): 6, ("squidpy radius graphs", 100_000): 100},
    seconds={10 * MILLION: 2},
)
def counts(slide: BenchmarkSlide) -> Contest:
    """Tumour cells about every macrophage. squidpy has only the graph of all cells."""
    source, target = slide.macrophages, slide.tumour

    def by_tree() -> np.ndarray:
        tree = cKDTree(target)
        found = [tree.query_ball_point(source, r, return_length=True) for r in RADII_UM]
        return np.column_stack(found)

    def check(name: str, ours: np.ndarray, theirs: Any) -> None:
        if name.startswith("squidpy"):
            macrophage, tumour = slide.code == 0, (slide.code == 1).astype(float)
            theirs = np.column_stack([(graph @ tumour)[macrophage] for graph in theirs])
        np.testing.assert_array_equal(ours, theirs)

    others = {"cKDTree, three calls": by_tree, "squidpy radius graphs": _squidpy_graphs(slide)}
    return Contest(lambda: count_within(source, target, RADII_UM), others, check)


@benchmark("counts of all cells about all", n_cells=(100_000,))
def all_counts(slide: BenchmarkSlide) -> Contest:
    """What squidpy's graphs hold, each cell's number of neighbours: no more is asked of it."""

    def check(name: str, ours: np.ndarray, theirs: list[Any]) -> None:
        degrees = [np.asarray(graph.sum(axis=1)).ravel() for graph in theirs]
        np.testing.assert_array_equal(ours, np.column_stack(degrees))

    return Contest(
        lambda: count_within(slide.xy, slide.xy, RADII_UM, exclude_self=True),
        {"squidpy radius graphs": _squidpy_graphs(slide)},
        check,
    )


def _squidpy_graphs(slide: BenchmarkSlide) -> Method | Missing:
    squidpy = package("squidpy")
    if isinstance(squidpy, Missing):
        return squidpy
    if len(slide.xy) > MOST_CELLS_SQUIDPY:
        return Missing(f"more than {MOST_CELLS_SQUIDPY:,} cells")
    table = squidpy_table(slide)

    def graphs() -> list[Any]:
        found = []
        for radius in RADII_UM:
            squidpy.gr.spatial_neighbors(table, coord_type="generic", radius=radius)
            found.append(table.obsp["spatial_connectivities"])
        return found

    return graphs
