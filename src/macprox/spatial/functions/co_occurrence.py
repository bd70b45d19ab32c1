"""Which phenotypes are met at which distance from which: a ratio of shares.

The name and the ratio are squidpy's (Palla et al. 2022, ``gr.co_occurrence``); the rings are ours.
squidpy counts in discs, where every value repeats what all smaller radii said. No matrix of
distances is made: pairs are read from a grid and only ever held as counts by phenotype and ring.
"""

from __future__ import annotations

import numba
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from macprox.spatial.search.chunks import over_chunks
from macprox.spatial.search.grid import CellGrid, row_range, run_in_row, squared_limits
from macprox.spatial.search.neighbours import finite_points

CELLS_PER_RADIUS = 3
SLOTS = 8192  # of squared distance, in each of which the search for the ring starts
CHUNK = 4096  # cells


def co_occurrence(
    xy: ArrayLike, phenotype: ArrayLike, edges_um: ArrayLike, cumulative: bool = False
) -> pd.DataFrame:
    """How much more often a phenotype is met at a distance from another than from any cell.

    With N_ab the ordered pairs (cell of a, another cell of b) whose distance is in a ring,
    ``value = (N_ab / sum_b N_ab) / (sum_a N_ab / sum_ab N_ab)``: the share of b among the
    neighbours of a there, over the share of b among the neighbours of all cells there. 1: a says
    nothing about b. Both shares lose the same neighbours beyond the window's edge, so there is
    no edge correction; a ratio of shares does not tell attraction of a and b from a crowd of
    everything, for which `cross_pcf` is meant.

    Parameters
    ----------
    xy : (n, 2) float
        Centroids of one window in micrometres, columns (x, y).
    phenotype : (n,) str
    edges_um : (n_rings + 1,) float
        Increasing, not negative. Ring k is ``(edges_um[k], edges_um[k + 1]]``; the first holds
        distance 0 too if it begins there.
    cumulative : bool
        Discs instead, every distance up to ``edges_um[k + 1]``, as squidpy has them.

    Returns
    -------
    DataFrame
        ``source, target, r_um, value, n_pairs``: a row for every ordered pair of phenotypes and
        ring, by its outer edge. NaN where no cell of the source, or none of the target, is at
        such a distance from any cell.

    Raises
    ------
    ValueError
        If a coordinate is not finite, a phenotype is missing, their numbers differ, or
        ``edges_um`` is not increasing from 0 or more.

    Examples
    --------
    >>> co_occurrence([[0, 0], [3, 4], [6, 8]], ["a", "b", "a"], [0, 5]).value.tolist()
    [0.0, 2.0, 2.0, 0.0]
    """
    points, edges = finite_points(xy, "cell"), _checked_edges(edges_um)
    codes, names = _codes(phenotype, len(points))
    pairs = _pairs_by_ring(points, codes, len(names), edges)
    if edges[0] == 0:
        # Cells at one place belong to the ring that begins there.
        pairs[:, :, 1] += pairs[:, :, 0]
        pairs[:, :, 0] = 0
    pairs = np.cumsum(pairs, axis=2)[:, :, 1:] if cumulative else pairs[:, :, 1:]
    source = pairs.sum(axis=1, keepdims=True)
    target = pairs.sum(axis=0, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (pairs / source) / (target / pairs.sum(axis=(0, 1)))
    of_source, of_target, of_ring = np.indices(pairs.shape).reshape(3, -1)
    return pd.DataFrame(
        {
            "source": names[of_source],
            "target": names[of_target],
            "r_um": edges[1:][of_ring],
            "value": value.ravel(),
            "n_pairs": pairs.ravel(),
        }
    )


def _checked_edges(edges_um: ArrayLike) -> np.ndarray:
    edges = np.asarray(edges_um, dtype=float)
    if edges.ndim != 1 or len(edges) < 2 or not np.isfinite(edges).all():
        raise ValueError(f"edges_um must be a list of two numbers or more, found {edges_um!r}.")
    if edges[0] < 0 or (np.diff(edges) <= 0).any():
        raise ValueError(f"edges_um must increase from 0 or more, found {edges.tolist()}.")
    return edges


def _codes(phenotype: ArrayLike, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Code of every cell, and the names in alphabetical order."""
    codes, names = pd.factorize(np.asarray(phenotype), sort=True)
    if len(codes) != n:
        raise ValueError(f"phenotype must name each of {n} cells, found {len(codes)} names.")
    if (codes < 0).any():
        raise ValueError(
            f"{(codes < 0).sum()} of {n} cells have no phenotype (first in row "
            f"{int(np.flatnonzero(codes < 0)[0])}); name or drop them first."
        )
    return codes.astype(np.int64), np.asarray(names, dtype=object)


def _pairs_by_ring(
    xy: np.ndarray, codes: np.ndarray, n_kinds: int, edges: np.ndarray
) -> np.ndarray:
    """Ordered pairs by phenotype and ring ``(n_kinds, n_kinds, n_edges)``; 0: up to the first."""
    pairs = np.zeros((n_kinds, len(edges) + 1, n_kinds), dtype=np.int64)
    if len(xy) > 1:
        grid = CellGrid.of(xy, float(edges[-1]) / CELLS_PER_RADIUS)
        limits = np.append(squared_limits(edges), np.inf)
        scale = SLOTS / limits[-2]
        # A hair low, so that rounding puts no distance in a slot that starts beyond its ring.
        first_ring = np.searchsorted(limits, np.arange(SLOTS + 1) / scale * (1 - 1e-12))
        several = bool((np.diff(first_ring) > 1).any())
        args = (
            grid.xy,
            codes[grid.order].astype(np.int32),
            n_kinds,
            *grid.arrays[2:],
            limits,
            scale,
            first_ring.astype(np.int32),
            several,
        )
        chunk = max(CHUNK, len(xy) // 64)
        for part in over_chunks(len(xy), lambda a, b: _count_pairs(a, b, *args), chunk):
            pairs += part
    once = pairs[:, :-1].transpose(0, 2, 1)  # the last are beyond every ring
    return once + once.transpose(1, 0, 2)


@numba.njit(nogil=True, cache=True)
def _count_pairs(
    first,
    last,
    points,
    kind,
    n_kinds,
    start,
    n_columns,
    origin,
    side,
    limits,
    scale,
    first_ring,
    several,
):
    """Pairs of points ``first`` to ``last`` and later ones: ``(n_kinds, n_rings + 1, n_kinds)``.

    ``first_ring`` is where the search begins in each slot of squared distance; ``several`` says
    that a slot may hold more than one edge.
    """
    pairs = np.zeros((n_kinds, len(limits) * n_kinds), np.int64)
    reach, last_slot = np.sqrt(limits[-2]), np.float64(len(first_ring) - 1)
    squares, slots = np.empty(1024), np.empty(1024, np.int32)
    for i in range(first, last):
        x, y = points[i, 0], points[i, 1]
        count = pairs[kind[i]]
        own_row = int((y - origin[1]) / side)
        top = row_range(y, reach, start, n_columns, origin, side)[1]
        for row in range(own_row, top + 1):
            a, b = run_in_row(x, y, reach, row, start, n_columns, origin, side)
            if row == own_row:
                a = max(a, i + 1)  # each pair once
            while a < b:
                n = min(b - a, len(squares))
                for j in range(n):  # a loop by itself, which the compiler vectorises
                    dx, dy = points[a + j, 0] - x, points[a + j, 1] - y
                    squares[j] = dx * dx + dy * dy
                    slots[j] = np.int32(min(squares[j] * scale, last_slot))
                for j in range(n):  # unsigned: numba asks of others whether they are negative
                    ring = np.int64(first_ring[np.uint32(slots[j])])
                    ring += squares[j] > limits[np.uint32(ring)]
                    if several:
                        while squares[j] > limits[np.uint32(ring)]:
                            ring += 1
                    count[np.uint32(ring * n_kinds + kind[a + j])] += 1
                a += n
    return pairs.reshape((n_kinds, len(limits), n_kinds))
