"""The k nearest points by rings of grid cells, and by a tree where rings grow too large.

A ring search is several times faster than a tree on evenly spread targets, and quadratic with
every target in one corner of the slide, on a line beside an outlier, or at one place. So each
query has a budget; what exceeds it is asked again of `macprox.spatial.search.tree`. Both take a
distance from the coordinates by the same arithmetic and equal distances by row: it is never seen
in a number which of the two has answered.
"""

from __future__ import annotations

import numba
import numpy as np

from macprox.spatial.search.chunks import over_chunks
from macprox.spatial.search.grid import CellGrid, low_and_extent
from macprox.spatial.search.tree import PointTree, insert, search_tree

POINTS_PER_CELL = 2.0  # 1.5 to 3 cost the same
QUERY_SIDES = 4.0  # queries in the order of cells this much larger: they share what is in the cache
# Points and cells that a query may look at, beside its share of what a tree costs to build.
BUDGET = 400
TREE_COST = 30  # looks a target
PATIENCE = 100  # looks a query of a chunk that may come to nothing, before the rest is given up too
NOBODY = np.iinfo(np.int64).max


def nearest_squares(
    source: np.ndarray, target: np.ndarray, k: int = 1, limit: float = np.inf
) -> tuple[np.ndarray, np.ndarray]:
    """Squared distance to, and row of, the k nearest targets of every source.

    Parameters
    ----------
    source, target : (n, 2) float
        Finite; at least one each.
    k : int
    limit : float
        Largest squared distance that counts.

    Returns
    -------
    d2 : (n_source, k) float
        Increasing; ``limit`` where there is no k-th.
    row : (n_source, k) int64
        `NOBODY` where there is no k-th. Of equally near targets the lowest row is the nearer.
    """
    extent = low_and_extent(target)[1]
    side = float(np.sqrt(POINTS_PER_CELL * max(1.0, k / 4) * extent.prod() / len(target)))
    grid = CellGrid.of(target, side)
    queries = CellGrid.of(source, QUERY_SIDES * grid.side_um)
    d2 = np.empty((len(source), k))
    row = np.empty((len(source), k), dtype=np.int64)
    budget = k * BUDGET + TREE_COST * len(target) // len(source)
    given_up = over_chunks(
        len(source),
        lambda first, last: _by_rings(
            queries.xy, queries.order, first, last, *grid.arrays, limit, budget, d2, row
        ),
    )
    left = np.concatenate(given_up)
    if len(left):
        tree = PointTree.of(target).arrays
        over_chunks(
            len(left),
            lambda first, last: _by_tree(source, left[first:last], *tree, limit, d2, row),
        )
    return d2, row


@numba.njit(nogil=True, cache=True)
def _by_rings(
    queries,
    order,
    first,
    last,
    points,
    rows,
    start,
    n_columns,
    origin,
    side,
    limit,
    budget,
    out_d2,
    out_row,
):
    """Answers of queries ``first`` to ``last``, and the input rows of those given up."""
    n_rows = (len(start) - 1) // n_columns
    k_last = out_d2.shape[1] - 1
    # What rounding may do to the cell of a point or to the edge of a cell.
    slack = 1e-6 * side + 1e-15 * max(abs(origin[0]), abs(origin[1]))
    given_up, n_given_up, wasted = np.empty(last - first, np.int64), 0, 0
    for i in range(first, last):
        x, y = queries[i, 0], queries[i, 1]
        near_d2, near_row = out_d2[order[i]], out_row[order[i]]
        near_d2[:], near_row[:] = limit, NOBODY
        column = int(min(max((x - origin[0]) / side, 0.0), n_columns - 1.0))
        row = int(min(max((y - origin[1]) / side, 0.0), n_rows - 1.0))
        looks, ring = 0 if wasted <= PATIENCE * (last - first) else budget + 1, 1
        while looks <= budget:
            left, right = max(column - ring, 0), min(column + ring, n_columns - 1)
            for r in range(max(row - ring, 0), min(row + ring, n_rows - 1) + 1):
                whole = ring == 1 or r == row - ring or r == row + ring
                for part in range(1 if whole else 2):
                    c0, c1 = left, right
                    if not whole:
                        c0 = c1 = column - ring if part == 0 else column + ring
                        if c0 < 0 or c0 >= n_columns:
                            continue
                    a, b = start[r * n_columns + c0], start[r * n_columns + c1 + 1]
                    looks += b - a + 1
                    if looks > budget:
                        break
                    for j in range(a, b):
                        dx, dy = points[j, 0] - x, points[j, 1] - y
                        d2 = dx * dx + dy * dy
                        if d2 < near_d2[k_last] or (
                            d2 == near_d2[k_last] and rows[j] < near_row[k_last]
                        ):
                            insert(d2, rows[j], near_d2, near_row)
            # Nothing lies beyond the grid, so only its inner sides bound what was not looked at.
            bound = np.inf
            if column - ring > 0:
                bound = min(bound, x - (origin[0] + (column - ring) * side))
            if column + ring < n_columns - 1:
                bound = min(bound, origin[0] + (column + ring + 1) * side - x)
            if row - ring > 0:
                bound = min(bound, y - (origin[1] + (row - ring) * side))
            if row + ring < n_rows - 1:
                bound = min(bound, origin[1] + (row + ring + 1) * side - y)
            bound -= slack
            if bound > 0 and (near_d2[k_last] < bound * bound or bound == np.inf):
                break
            ring += 1
        if looks > budget:
            given_up[n_given_up] = order[i]
            n_given_up += 1
            wasted += looks
    return given_up[:n_given_up]


@numba.njit(nogil=True, cache=True)
def _by_tree(source, asked, points, rows, boxes, lowest_row, limit, out_d2, out_row):
    for i in asked:
        near_d2, near_row = out_d2[i], out_row[i]
        near_d2[:], near_row[:] = limit, NOBODY
        search_tree(source[i, 0], source[i, 1], points, rows, boxes, lowest_row, near_d2, near_row)
