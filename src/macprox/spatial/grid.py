"""Points sorted into square cells: what neighbours within a radius are read from.

Counting sort and one pass per query, after ``notes/statistics.md`` section (b): the targets of
one row of cells lie side by side in memory, so a disc is a handful of contiguous runs.
Exactly as in `scipy.spatial.cKDTree.query_ball_point`, a target at the radius is within it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numba
import numpy as np

CELLS_PER_RADIUS = 3  # 2 to 4 cost the same, 8 doubles the time


@dataclass(frozen=True, eq=False)
class CellGrid:
    """Points counting-sorted by cell; made by `of`."""

    xy: np.ndarray = field(repr=False)  # (n, 2), sorted by cell
    order: np.ndarray = field(repr=False)  # (n,) row of each sorted point in the input
    start: np.ndarray = field(repr=False)  # (n_rows * n_columns + 1,)
    n_columns: int
    origin: tuple[float, float]
    side_um: float

    @classmethod
    def of(cls, xy: np.ndarray, side_um: float) -> CellGrid:
        """Sort ``(n, 2)`` finite points, ``n >= 1``, into cells at least ``side_um`` wide."""
        low = xy.min(axis=0)
        extent = xy.max(axis=0) - low
        # Never more than a few cells a point: small radii on sparse slides would need gigabytes.
        side_um = max(side_um, float(np.sqrt(extent.prod() / len(xy))))
        side_um = max(side_um, float(extent.max()) / len(xy))
        n_columns, n_rows = (int(length / side_um) + 1 for length in extent)
        column, row = ((xy - low) / side_um).astype(np.int64).T
        start, order = _counting_sort(row * n_columns + column, n_rows * n_columns)
        return cls(
            xy=np.ascontiguousarray(xy[order]),
            order=order,
            start=start,
            n_columns=n_columns,
            origin=(float(low[0]), float(low[1])),
            side_um=side_um,
        )

    def count(self, queries: np.ndarray, radii_um: np.ndarray) -> np.ndarray:
        """Cumulative counts ``(n_query, n_radii)`` int64."""
        order = CellGrid.of(queries, self.side_um).order  # neighbours share what is in the cache
        counts = np.empty((len(queries), len(radii_um)), dtype=np.int64)
        counts[order] = _count(
            np.ascontiguousarray(queries[order]),
            self.xy,
            self.start,
            self.n_columns,
            self.origin,
            self.side_um,
            squared_limits(radii_um),
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
        _fill(
            queries,
            self.xy,
            self.order,
            self.start,
            self.n_columns,
            self.origin,
            self.side_um,
            squared_limits(radii_um),
            offsets,
            rows,
        )
        return offsets, rows


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
def _counting_sort(cell, n_cells):
    start = np.zeros(n_cells + 1, np.int64)
    for c in cell:
        start[c + 1] += 1
    for c in range(n_cells):
        start[c + 1] += start[c]
    position = start[:-1].copy()
    order = np.empty(len(cell), np.int64)
    for i, c in enumerate(cell):
        order[position[c]] = i
        position[c] += 1
    return start, order


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
def _count(queries, points, start, n_columns, origin, side, limits):
    reach = np.sqrt(limits[-1])
    out = np.zeros((len(queries), len(limits)), np.int64)
    for i in range(len(queries)):
        x, y = queries[i]
        bottom, top = row_range(y, reach, start, n_columns, origin, side)
        for row in range(bottom, top + 1):
            a, b = run_in_row(x, y, reach, row, start, n_columns, origin, side)
            for k in range(len(limits)):  # a pass a radius: each is a loop the compiler vectorises
                limit, within = limits[k], 0
                for j in range(a, b):
                    dx, dy = points[j, 0] - x, points[j, 1] - y
                    within += dx * dx + dy * dy <= limit
                out[i, k] += within
    return out


@numba.njit(nogil=True, cache=True)
def _fill(queries, points, order, start, n_columns, origin, side, limits, offsets, rows):
    reach = np.sqrt(limits[-1])
    position = np.empty(len(limits), np.int64)
    for i in range(len(queries)):
        x, y = queries[i]
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
