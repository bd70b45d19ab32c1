"""Exact expectation of the distance to the nearest moved cell under stratified relabelling.

With the eligible cells of a fixed cell sorted by distance, the nearest moved one is the k-th if
the first k - 1 carry another label: E[D] = sum_k d_k (S_(k-1) - S_k), where S_k is the probability
that none of the first k is moved (the product in `macprox.spatial.nulls.relabel`). Cells are read
in rings about the fixed cell until S is negligible for every label asked about; a ring is sorted
by itself, in as many buckets of squared distance as it has cells, which even tissue fills evenly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np

from macprox.spatial.nulls.relabel import Relabelling
from macprox.spatial.search.chunks import over_chunks
from macprox.spatial.search.grid import CellGrid, low_and_extent, row_range, run_in_row
from macprox.spatial.search.neighbours import shared_groups

# Probability that the nearest moved cell is beyond the neighbours looked at, which are then all
# given up: nothing is lost of 12 digits.
NEGLIGIBLE = 1e-14
MOST_VISITS = 1_000_000_000  # neighbours; about ten seconds
CHUNK = 1024  # fixed cells
CROWDED = 24  # a bucket with more makes the ring one for merge sort
WIDER = 1.2  # radius of the next ring


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
    groups = fixed_group, eligible_group
    return float(expected_nearest_to_each(fixed_xy, eligible_xy, *groups, [labels])[0])


def expected_nearest_to_each(
    fixed_xy: np.ndarray,
    eligible_xy: np.ndarray,
    fixed_group: np.ndarray,
    eligible_group: np.ndarray,
    labels: Sequence[Relabelling],
) -> np.ndarray:
    """`expected_nearest_to_moved` of several labels dealt among the same cells and strata.

    Neighbours are found and sorted once for all of them; each number is what it is alone.
    """
    stratum, n = labels[0].stratum, labels[0].n
    m = np.array([label.m for label in labels])
    total, n_fixed = np.zeros(len(labels)), np.zeros(len(labels), dtype=np.int64)
    visits = np.zeros(len(labels), dtype=np.int64)
    for fixed, eligible in shared_groups(fixed_group, eligible_group):
        share = np.array([label.moved[eligible].mean() for label in labels])
        asked = share > 0
        if not asked.any():
            continue
        needed = np.minimum(len(eligible), -np.log(NEGLIGIBLE) / np.maximum(share, 1e-300))
        visits[asked & (needed * len(fixed) > MOST_VISITS)] = MOST_VISITS + 1
        # A stratum without a moved cell never ends the search: its cells need not be looked at.
        read = eligible[m[asked].sum(axis=0)[stratum[eligible]] > 0]
        kinds, kind = np.unique(stratum[read], return_inverse=True)
        total += _totals(
            fixed_xy[fixed], eligible_xy[read], kind, n[kinds], m[:, kinds], asked, visits
        )
        n_fixed += asked * len(fixed)
    expected = np.full(len(labels), np.nan)
    known = (n_fixed > 0) & (visits <= MOST_VISITS)
    expected[known] = total[known] / n_fixed[known]
    return expected


def _totals(
    fixed_xy: np.ndarray,
    read_xy: np.ndarray,
    kind: np.ndarray,
    n: np.ndarray,
    m: np.ndarray,
    asked: np.ndarray,
    visits: np.ndarray,
) -> np.ndarray:
    """Sums over fixed cells of one group for every label asked about; adds to ``visits``."""
    extent = low_and_extent(read_xy)[1]
    side = max(float(np.sqrt(4 * extent.prod() / len(read_xy))), 1e-6)
    grid = CellGrid.of(read_xy, side)
    queries = CellGrid.of(fixed_xy, side).xy
    kind = kind[grid.order]

    def work(first: int, last: int) -> np.ndarray:
        within = asked & (visits <= MOST_VISITS)
        found = np.zeros(len(m))
        if within.any():
            found, read = _expected(
                queries[first:last],
                grid.xy,
                kind,
                *grid.arrays[2:],
                n,
                m,
                within,
                MOST_VISITS,
            )
            np.add(visits, read, out=visits)  # a label over the limit is over it whoever adds first
        return found

    parts = over_chunks(len(queries), work, CHUNK)
    return np.sum(parts, axis=0)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _expected(queries, points, kind, start, n_columns, origin, side, n, m, asked, most_visits):
    """Per label, the sum of expected distances over the queries and the neighbours read."""
    n_labels = len(m)
    totals, visits = np.zeros(n_labels), np.zeros(n_labels, np.int64)
    asked = asked.copy()
    alive, seen = np.empty(n_labels), np.empty(len(n), np.int64)
    d2, of_kind = np.empty(512), np.empty(512, np.int64)
    next_d2, next_kind = np.empty(512), np.empty(512, np.int64)
    reach = 4 * side
    for i in range(len(queries)):
        x, y = queries[i, 0], queries[i, 1]
        n_alive, n_read = asked.sum(), 0
        alive[:] = asked
        seen[:] = 0
        low, high = -1.0, reach * reach
        while n_alive and n_read < len(points):
            # Upper bound of what the ring holds.
            count, radius = 0, np.sqrt(high)
            bottom, top = row_range(y, radius, start, n_columns, origin, side)
            for row in range(bottom, top + 1):
                a, b = run_in_row(x, y, radius, row, start, n_columns, origin, side)
                count += b - a
            if count > len(d2):
                d2, of_kind = np.empty(2 * count), np.empty(2 * count, np.int64)
                next_d2, next_kind = np.empty(2 * count), np.empty(2 * count, np.int64)
            found = 0
            for row in range(bottom, top + 1):
                a, b = run_in_row(x, y, radius, row, start, n_columns, origin, side)
                for j in range(a, b):
                    dx, dy = points[j, 0] - x, points[j, 1] - y
                    square = dx * dx + dy * dy
                    d2[found], of_kind[found] = square, kind[j]
                    found += low < square <= high
            _sort(d2, of_kind, found, max(low, 0.0), high, next_d2, next_kind)
            for e in range(found):
                distance, s = np.sqrt(next_d2[e]), next_kind[e]
                left = n[s] - seen[s]
                seen[s] += 1
                for label in range(n_labels):
                    before = alive[label]
                    if before == 0.0:
                        continue
                    after = before * ((left - m[label, s]) / left)  # the division waits for nobody
                    totals[label] += distance * (before - after)
                    visits[label] += 1
                    if after <= NEGLIGIBLE:
                        after = 0.0
                        n_alive -= 1
                    alive[label] = after
                if n_alive == 0:
                    # The next query lies beside this one and needs about as much.
                    reach = max(1.02 * distance, side)
                    break
            n_read += found
            low, high = high, WIDER * WIDER * high
        for label in range(n_labels):
            asked[label] &= visits[label] <= most_visits
    return totals, visits


@numba.njit(nogil=True, cache=True)
def _sort(d2, kind, n, low, high, out_d2, out_kind):
    """The first n by distance into ``out``: buckets of squared distance, then each by itself."""
    n_buckets = max(n, 1)
    scale = n_buckets / (high - low) if high > low else 0.0
    position = np.zeros(n_buckets + 1, np.int64)
    for e in range(n):
        position[min(int((d2[e] - low) * scale), n_buckets - 1) + 1] += 1
    crowded = False
    for bucket in range(n_buckets):
        crowded |= position[bucket + 1] > CROWDED
        position[bucket + 1] += position[bucket]
    for e in range(n):
        bucket = min(int((d2[e] - low) * scale), n_buckets - 1)
        out_d2[position[bucket]], out_kind[position[bucket]] = d2[e], kind[e]
        position[bucket] += 1
    if crowded:
        order = np.argsort(out_d2[:n], kind="mergesort")
        out_d2[:n], out_kind[:n] = out_d2[order], out_kind[order]
        return
    for e in range(1, n):
        square, s = out_d2[e], out_kind[e]
        k = e
        while k > 0 and out_d2[k - 1] > square:
            out_d2[k], out_kind[k] = out_d2[k - 1], out_kind[k - 1]
            k -= 1
        out_d2[k], out_kind[k] = square, s
