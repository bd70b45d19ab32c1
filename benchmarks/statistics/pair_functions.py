"""Statistics over all pairs of cells within reach: cross K and co-occurrence."""

from __future__ import annotations

from typing import Any

import numpy as np
from benchmarks.statistics.distances import MILLION, MOST_CELLS_SQUIDPY
from benchmarks.statistics.peers import package, spatstat, squidpy_table
from benchmarks.statistics.registry import Contest, Method, Missing, benchmark
from benchmarks.statistics.slides import PHENOTYPES, BenchmarkSlide

from macprox.spatial import co_occurrence, cross_k_curves

MOST_CELLS_SPATSTAT = 100_000  # 1M would hold more than 4 GB of pairs
EDGES_UM = np.arange(0, 201, 10.0)


@benchmark(
    "cross K to 200 um in a mask: translation, border, none",
    n_cells=(100_000, MILLION, 10 * MILLION),
    bars={("spatstat Kcross", 100_000): 15},
    seconds={10 * MILLION: 8},
)
def cross_k(slide: BenchmarkSlide) -> Contest:
    """All three corrections in one call, by either. The set covariance is part of it."""
    source, target, r = slide.macrophages, slide.tumour, np.arange(201.0)

    def ours() -> dict[str, np.ndarray]:
        return cross_k_curves(source, target, r, slide.new_window())

    def check(name: str, ours: dict[str, np.ndarray], theirs: Any) -> None:
        np.testing.assert_allclose(ours["none"], theirs["un"], rtol=1e-9)
        # spatstat reads the covariance of a mask at the nearest lag: 0.1 to 0.3 % off.
        np.testing.assert_allclose(ours["translate"][5:], theirs["trans"][5:], rtol=5e-3)
        # Its distances to the edge of a mask are between pixel centres.
        np.testing.assert_allclose(ours["border"][5:], theirs["border"][5:], rtol=3e-2)

    peer: Method | Missing = Missing(f"more than {MOST_CELLS_SPATSTAT:,} cells")
    if len(slide.xy) <= MOST_CELLS_SPATSTAT:
        peer = spatstat("cross_k", slide)
    return Contest(ours, {"spatstat Kcross": peer}, check)


@benchmark(
    "co-occurrence to 200 um in 20 bins",
    n_cells=(100_000, MILLION),
    bars={("squidpy co_occurrence", 100_000): 100},
    seconds={MILLION: 3},
)
def co_occurrences(slide: BenchmarkSlide) -> Contest:
    """Discs, which is what squidpy has; rings cost the same."""

    def check(name: str, ours: Any, theirs: np.ndarray) -> None:
        cube = ours["value"].to_numpy().reshape(len(PHENOTYPES), len(PHENOTYPES), -1)
        # Its coordinates are float32, which moves pairs from disc to disc.
        np.testing.assert_allclose(cube, theirs, rtol=2e-3)

    return Contest(
        lambda: co_occurrence(slide.xy, slide.phenotype, EDGES_UM, cumulative=True),
        {"squidpy co_occurrence": _squidpy(slide)},
        check,
    )


def _squidpy(slide: BenchmarkSlide) -> Method | Missing:
    squidpy = package("squidpy")
    if isinstance(squidpy, Missing):
        return squidpy
    if len(slide.xy) > MOST_CELLS_SQUIDPY:
        return Missing(f"more than {MOST_CELLS_SQUIDPY:,} cells")
    table = squidpy_table(slide)

    def ratios() -> np.ndarray:
        found, _ = squidpy.gr.co_occurrence(
            table, "phenotype", interval=EDGES_UM, copy=True, show_progress_bar=False
        )
        return found

    return ratios
