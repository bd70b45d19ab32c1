"""Exact expectation of the distance to the nearest moved cell under stratified relabelling.

With the eligible cells of a fixed cell sorted by distance, the nearest moved one is the k-th if
the first k - 1 carry another label: E[D] = sum_k d_k (S_(k-1) - S_k), where S_k is the probability
that none of the first k is moved (the product in `macprox.spatial.relabel`).
"""

from __future__ import annotations

import numba
import numpy as np

from macprox.spatial.grid import CellGrid, row_range, run_in_row
from macprox.spatial.neighbours import shared_groups
from macprox.spatial.relabel import Relabelling

# Probability that the nearest moved cell is beyond the neighbours looked at, which are then all
# given up: an error of a few parts in a million of a distance.
NEGLIGIBLE = 1e-7
MOST_VISITS = 300_000_000  # neighbours; about ten seconds


def expected_nearest_to_moved(
    fixed_xy: np.ndarray,
    eligible_xy: np.ndarray,
    fixed_group: np.ndarray,
    eligible_group: np.ndarray,
    labels: Relabelling,
) -> float:
    """Mean over fixed cells of the expected distance to the nearest moved cell of their group.

    Returns
    -------
    float
        Micrometres; over fixed cells in groups that hold a moved cell. NaN if there are none, or
        if moved cells are so rare that more than `MOST_VISITS` neighbours would have to be read.
    """
    total, n_fixed, visits = 0.0, 0, MOST_VISITS
    for fixed, eligible in shared_groups(fixed_group, eligible_group):
        share = labels.moved[eligible].mean()
        if share == 0:
            continue
        xy = eligible_xy[eligible]
        n_neighbours = min(len(xy), np.log(1 / NEGLIGIBLE) / share)
        if n_neighbours * len(fixed) > visits:
            return np.nan
        extent = np.ptp(xy, axis=0)
        side = max(float(np.sqrt(4 * extent.prod() / len(xy))), 1e-6)
        grid = CellGrid.of(xy, side)
        order = CellGrid.of(fixed_xy[fixed], side).order
        distances, visits = _expected(
            np.ascontiguousarray(fixed_xy[fixed][order]),
            grid.xy,
            labels.stratum[eligible][grid.order],
            grid.start,
            grid.n_columns,
            grid.origin,
            grid.side_um,
            labels.n,
            labels.m,
            visits,
        )
        if visits < 0:
            return np.nan
        total += distances
        n_fixed += len(fixed)
    return total / n_fixed if n_fixed else np.nan


@numba.njit(nogil=True, cache=True)
def _expected(queries, points, stratum, start, n_columns, origin, side, n, m, visits):
    total = 0.0
    reach = 4 * side
    for i in range(len(queries)):
        x, y = queries[i]
        while True:
            count = 0
            bottom, top = row_range(y, reach, start, n_columns, origin, side)
            for row in range(bottom, top + 1):
                a, b = run_in_row(x, y, reach, row, start, n_columns, origin, side)
                count += b - a
            distance, kind, found = np.empty(count), np.empty(count, np.int64), 0
            for row in range(bottom, top + 1):
                a, b = run_in_row(x, y, reach, row, start, n_columns, origin, side)
                for j in range(a, b):
                    dx, dy = points[j, 0] - x, points[j, 1] - y
                    d2 = dx * dx + dy * dy
                    if d2 <= reach * reach:
                        distance[found], kind[found] = np.sqrt(d2), stratum[j]
                        found += 1
            visits -= count
            if visits < 0:
                return total, visits
            mean, alive = _mean_of_nearest(distance[:found], kind[:found], n, m)
            if alive <= NEGLIGIBLE or found == len(points):
                break
            reach *= 1.5
        total += mean
        if alive < 0.01 * NEGLIGIBLE:
            reach *= 0.9  # the next query lies beside this one and needs about as much
    return total, visits


@numba.njit(nogil=True, cache=True)
def _mean_of_nearest(distance, kind, n, m):
    """Sum of d_k (S_(k-1) - S_k) over the neighbours given, and what S is left."""
    order = np.argsort(distance)
    seen = np.zeros(len(n), np.int64)
    mean, alive = 0.0, 1.0
    for k in order:
        s = kind[k]
        after = alive * (n[s] - m[s] - seen[s]) / (n[s] - seen[s])
        mean += distance[k] * (alive - after)
        seen[s] += 1
        alive = after
        if alive <= 0.0:
            return mean, 0.0
    return mean, alive
