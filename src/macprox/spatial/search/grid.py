"""Points sorted into square cells: what neighbours within a radius are read from.

Counting sort and one pass per query: the targets of one row of cells lie side by side in memory,
so a disc is a handful of contiguous runs.
Exactly as in `scipy.spatial.cKDTree.query_ball_point`, a target at the radius is within it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numba
import numpy as np

from macprox.spatial.search.chunks import over_chunks

CELLS_PER_RADIUS = 2  # 1.5 to 3 cost the same, 8 doubles the time


@dataclass(frozen=True, eq=False)
class CellGrid:
    """Points counting-sorted by cell; made by `of`."""

    xy: np.ndarray = field(repr=False)  # (n, 2), sorted by cell
    order: np.ndarray = field(repr=False)  # (n,) int32: row of each sorted point in the input
    start: np.ndarray = field(repr=False)  # (n_rows * n_columns + 1,)
    n_columns: int
    origin: tuple[float, float]
    side_um: float

    @classmethod
    def of(cls, xy: np.ndarray, side_um: float) -> CellGrid:
        """Sort ``(n, 2)`` finite points, ``n >= 1``, into cells at least ``side_um`` wide."""
        xy = np.ascontiguousarray(xy, dtype=float)  # one layout: kernels are compiled once
        low, extent = low_and_extent(xy)
        # Never more than a few cells a point: small radii on sparse slides would need gigabytes.
        side_um = max(side_um, float(np.sqrt(extent.prod() / len(xy))))
        side_um = max(side_um, float(extent.max()) / len(xy)) or 1.0  # 1: all at one place
        n_columns, n_rows = (int(length / side_um) + 1 for length in extent)
        origin = (float(low[0]), float(low[1]))
        cell = np.empty(len(xy), dtype=np.int32)
        over_chunks(
            len(xy),
            lambda first, last: _cells_of(xy, origin, side_um, n_columns, cell, first, last),
        )
        start, order, sorted_xy = _counting_sort(xy, cell, n_rows * n_columns)
        return cls(sorted_xy, order, start, n_columns, origin, side_um)

    @property
    def arrays(
        self,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, int, tuple[float, float], float]:
        """What kernels read: points, rows in the input, starts, columns, origin, side."""
        return self.xy, self.order, self.start, self.n_columns, self.origin, self.side_um

    def count(self, queries: np.ndarray, radii_um: np.ndarray) -> np.ndarray:
        """Cumulative counts ``(n_query, n_radii)`` int64."""
        by_cell = CellGrid.of(queries, self.side_um)  # neighbours share what is in the cache
        counts = np.zeros((len(queries), len(radii_um)), dtype=np.int64)
        limits = squared_limits(radii_um)
        over_chunks(
            len(queries),
            lambda first, last: _count(
                by_cell.xy, by_cell.order, first, last, *self.arrays, limits, counts
            ),
        )
        return counts

    def lists(self, queries: np.ndarray, radii_um: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Neighbours of every query, grouped by the first radius that reaches them.

        Returns
        -------
        offsets : (n_query, n_radii + 1) int64
            Neighbours of query i at distances in ``(radii[k - 1], radii[k]]`` are
            ``rows[offsets[i, k]:offsets[i, k + 1]]``.
        rows : (n_pairs,) int32
            Rows of the points the grid was made of.
        """
        counts = self.count(queries, radii_um)
        offsets = np.zeros((len(queries), len(radii_um) + 1), dtype=np.int64)
        offsets[:, 1:] = counts
        offsets += np.concatenate([[0], np.cumsum(counts[:, -1])[:-1]])[:, None]
        rows = np.empty(int(counts[:, -1].sum()), dtype=np.int32)
        limits = squared_limits(radii_um)
        over_chunks(
            len(queries),
            lambda first, last: _fill(queries, first, last, *self.arrays, limits, offsets, rows),
        )
        return offsets, rows


def low_and_extent(xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest x and y of ``(n, 2)`` points, and how far the others reach beyond."""
    # A column at a time: numpy is 20 times slower along axis 0 of two columns.
    low = np.array([xy[:, 0].min(), xy[:, 1].min()])
    return low, np.array([xy[:, 0].max(), xy[:, 1].max()]) - low


def squared_limits(radii_um: np.ndarray) -> np.ndarray:
    """Largest t with ``sqrt(t) <= r``, so that counts and distances never disagree about a tie."""
    limits = np.square(np.asarray(radii_um, dtype=float))
    for i, radius in enumerate(radii_um):
        while np.sqrt(limits[i]) > radius:
            limits[i] = np.nextafter(limits[i], 0)
        while np.sqrt(np.nextafter(limits[i], np.inf)) <= radius:
            limits[i] = np.nextafter(limits[i], np.inf)
    return limits


@numba.njit(nogil=True, cache=True)
def _cells_of(xy, origin, side, n_columns, cell, first, last):
    for i in range(first, last):
        column, row = int((xy[i, 0] - origin[0]) / side), int((xy[i, 1] - origin[1]) / side)
        cell[i] = row * n_columns + column


@numba.njit(nogil=True, cache=True)
def _counting_sort(xy, cell, n_cells):
    start = np.zeros(n_cells + 1, np.int64)
    for c in cell:
        start[c + 1] += 1
    for c in range(n_cells):
        start[c + 1] += start[c]
    position = start[:-1].copy()
    order, sorted_xy = np.empty(len(cell), np.int32), np.empty((len(cell), 2))
    for i, c in enumerate(cell):
        p = position[c]
        position[c] = p + 1
        order[p] = i
        sorted_xy[p, 0], sorted_xy[p, 1] = xy[i, 0], xy[i, 1]
    return start, order, sorted_xy


@numba.njit(nogil=True, cache=True)
def row_range(y, reach, start, n_columns, origin, side):
    """First and last row of cells that a disc of radius ``reach`` about height ``y`` can touch."""
    last = (len(start) - 1) // n_columns - 1
    # A row of slack on each side: rounding decides nothing here, the distance test does.
    low = np.floor((y - reach - origin[1]) / side) - 1
    high = np.floor((y + reach - origin[1]) / side) + 1
    return int(min(max(low, 0), last + 1)), int(max(min(high, last), -1))


@numba.njit(nogil=True, cache=True)
def run_in_row(x, y, reach, row, start, n_columns, origin, side):
    """First and last + 1 sorted point of one row of cells that a disc can touch."""
    slack = 1e-6 * (reach + side)
    bottom = origin[1] + row * side
    gap = max(bottom - y, y - (bottom + side), slack) - slack
    if gap > reach:
        return 0, 0
    chord = np.sqrt(reach * reach - gap * gap) + slack
    left = np.floor((x - chord - origin[0]) / side)
    right = np.floor((x + chord - origin[0]) / side)
    if right < 0 or left >= n_columns:
        return 0, 0
    first, last = int(max(left, 0)), int(min(right, n_columns - 1))
    return start[row * n_columns + first], start[row * n_columns + last + 1]


@numba.njit(nogil=True, cache=True)
def _count(queries, to, first, last, points, rows, start, n_columns, origin, side, limits, out):
    """Counts of sorted queries ``first`` to ``last`` into the rows ``to`` of ``out``, all 0."""
    reach, n_limits = np.sqrt(limits[-1]), len(limits)
    for i in range(first, last):
        x, y = queries[i, 0], queries[i, 1]
        found = out[to[i]]
        bottom, top = row_range(y, reach, start, n_columns, origin, side)
        for row in range(bottom, top + 1):
            a, b = run_in_row(x, y, reach, row, start, n_columns, origin, side)
            # Three radii a pass, each a sum that stays in a register; one too many counts twice
            # what is not kept.
            for k in range(0, n_limits, 3):
                limit0 = limits[k]
                limit1, limit2 = limits[min(k + 1, n_limits - 1)], limits[min(k + 2, n_limits - 1)]
                within0, within1, within2 = 0, 0, 0
                for j in range(a, b):
                    dx, dy = points[j, 0] - x, points[j, 1] - y
                    d2 = dx * dx + dy * dy
                    within0 += d2 <= limit0
                    within1 += d2 <= limit1
                    within2 += d2 <= limit2
                found[k] += within0
                if k + 1 < n_limits:
                    found[k + 1] += within1
                if k + 2 < n_limits:
                    found[k + 2] += within2


@numba.njit(nogil=True, cache=True)
def _fill(
    queries, first, last, points, order, start, n_columns, origin, side, limits, offsets, rows
):
    reach = np.sqrt(limits[-1])
    position = np.empty(len(limits), np.int64)
    for i in range(first, last):
        x, y = queries[i, 0], queries[i, 1]
        position[:] = offsets[i, :-1]
        bottom, top = row_range(y, reach, start, n_columns, origin, side)
        for row in range(bottom, top + 1):
            a, b = run_in_row(x, y, reach, row, start, n_columns, origin, side)
            for j in range(a, b):
                dx, dy = points[j, 0] - x, points[j, 1] - y
                d2 = dx * dx + dy * dy
                if d2 <= limits[-1]:
                    k = 0
                    while d2 > limits[k]:
                        k += 1
                    rows[position[k]] = order[j]
                    position[k] += 1
