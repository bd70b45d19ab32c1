"""Every pair of a source and a target within reach, a block at a time, and what is summed of it.

Ripley's K, the pair correlation and the mark connection all sum something over pairs. A block is
the pairs of a run of neighbouring sources, few enough to stay in the cache; blocks go to threads.
Sums are exact integers (`macprox.spatial.functions.exact_sum`), so neither blocks nor threads
show in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numba
import numpy as np

from macprox.spatial.functions.exact_sum import add, carried
from macprox.spatial.search.chunks import over_chunks
from macprox.spatial.search.grid import (
    CELLS_PER_RADIUS,
    CellGrid,
    row_range,
    run_in_row,
    squared_limits,
)

BLOCK_PAIRS = 1 << 15  # six arrays of them are 1.5 MB: 2^14 to 2^17 cost the same
TASKS = 64
PARTS_PER_STEP = 16  # the first guess of a pair's step is right 15 times in 16


class Block(NamedTuple):
    """Pairs of a run of sources, those of one source side by side."""

    source: np.ndarray  # (n,) place in the sorted sources
    target: np.ndarray  # (n,) place in the sorted targets
    dx: np.ndarray  # (n,) target minus source, um
    dy: np.ndarray
    distance: np.ndarray  # (n,) um, their square root: what is compared with radii


@dataclass(frozen=True, eq=False)
class Pairs:
    """The pairs no farther apart than a reach. Made by `within`; iterated by `total`."""

    source: CellGrid = field(repr=False)
    target: CellGrid = field(repr=False)
    limit_um2: float  # of the squared distance
    first: np.ndarray = field(repr=False)  # (n_blocks + 1,) first source of every block
    room: np.ndarray = field(repr=False)  # (n_blocks,) at most so many pairs

    @classmethod
    def within(cls, source_xy: np.ndarray, target_xy: np.ndarray | None, reach_um: float) -> Pairs:
        """Of ``(n, 2)`` finite points, at least one each; a target at the reach is within it.

        Without targets: the pairs of different sources, in both orders.
        """
        source = CellGrid.of(source_xy, reach_um / CELLS_PER_RADIUS)
        target = source
        if target_xy is not None:
            target = CellGrid.of(target_xy, reach_um / CELLS_PER_RADIUS)
        limit = float(squared_limits(np.array([reach_um]))[0])
        cells = (target.start, target.n_columns, target.origin, target.side_um)
        room = _candidates(source.xy, *cells, limit)
        # A block ends with the source that fills it; one source may be more than a block.
        block = np.maximum(np.cumsum(room) - 1, 0) // BLOCK_PAIRS
        first = np.flatnonzero(np.diff(block, prepend=-1))
        first = np.append(first, len(room))
        return cls(source, target, limit, first, np.add.reduceat(room, first[:-1]))

    def total(self, work: Callable[[Block], np.ndarray]) -> np.ndarray:
        """The sum of ``work(block)``, integer arrays of one shape, over all blocks."""

        def task(first: int, last: int) -> np.ndarray:
            return sum_of(work(self._block(b)) for b in range(first, last))

        return sum_of(iter(over_chunks(len(self.room), task, chunk=-(-len(self.room) // TASKS))))

    def _block(self, b: int) -> Block:
        target = self.target
        cells = (target.start, target.n_columns, target.origin, target.side_um)
        apart = target is self.source  # a point is no pair with itself
        first, last = self.first[b], self.first[b + 1]
        queries = self.source.xy[first:last]
        return Block(*_fill(queries, first, target.xy, *cells, self.limit_um2, self.room[b], apart))


def sum_of(parts: Iterator[np.ndarray]) -> np.ndarray:
    """Of at least one array; the first is added to in place."""
    total = next(parts)
    for part in parts:
        total += part
    return total


@dataclass(frozen=True, eq=False)
class Steps:
    """Increasing distances that pairs are sorted into: pair in k if ``r[k - 1] < d <= r[k]``."""

    r_um: np.ndarray
    hint: np.ndarray = field(repr=False)  # of each of equal parts of the range, the first k in it
    per_um: float

    @classmethod
    def of(cls, r_um: np.ndarray) -> Steps:
        n_parts = PARTS_PER_STEP * len(r_um)
        per_um = n_parts / float(r_um[-1])
        below = np.arange(n_parts + 2) / per_um * (1 - 1e-9)
        hint = np.searchsorted(r_um, below).clip(max=len(r_um) - 1).astype(np.int32)
        return cls(r_um, hint, per_um)

    def bins(self, block: Block) -> np.ndarray:
        """Step of every pair ``(n,)``; none may be beyond the last."""
        return _bins(block.distance, self.r_um, self.hint, self.per_um)


@numba.njit(nogil=True, cache=True)
def _candidates(queries, start, n_columns, origin, side, limit):
    """Points in the cells that the disc of each query touches."""
    reach = np.sqrt(limit)
    out = np.zeros(len(queries), np.int64)
    for i in range(len(queries)):
        x, y = queries[i]
        bottom, top = row_range(y, reach, start, n_columns, origin, side)
        for row in range(bottom, top + 1):
            a, b = run_in_row(x, y, reach, row, start, n_columns, origin, side)
            out[i] += b - a
    return out


@numba.njit(nogil=True, cache=True)
def _fill(queries, first, points, start, n_columns, origin, side, limit, room, apart):
    reach = np.sqrt(limit)
    source, target = np.empty(room, np.int32), np.empty(room, np.int32)
    shift_x, shift_y, distance = np.empty(room), np.empty(room), np.empty(room)
    n = 0
    for i in range(len(queries)):
        x, y = queries[i]
        bottom, top = row_range(y, reach, start, n_columns, origin, side)
        for row in range(bottom, top + 1):
            a, b = run_in_row(x, y, reach, row, start, n_columns, origin, side)
            for j in range(a, b):
                dx, dy = points[j, 0] - x, points[j, 1] - y
                # Written always and kept if near: no branch to mispredict.
                source[n], target[n] = first + i, j
                d2 = dx * dx + dy * dy
                shift_x[n], shift_y[n], distance[n] = dx, dy, np.sqrt(d2)
                n += (d2 <= limit) & (not (apart and first + i == j))
    return source[:n], target[:n], shift_x[:n], shift_y[:n], distance[:n]


@numba.njit(nogil=True, cache=True)
def _bins(distance, r, hint, per_um):
    out = np.empty(len(distance), np.int32)
    for p in range(len(distance)):
        k = hint[int(distance[p] * per_um)]
        while distance[p] > r[k]:
            k += 1
        out[p] = k
    return out


def sums_by_bin(
    bins: np.ndarray, terms: np.ndarray | None, scale: float, n_bins: int
) -> np.ndarray:
    """Exact sums ``(n_bins, 2)`` of ``terms (n,)``, or of ones, in every bin."""
    if terms is None:
        return _whole(np.bincount(bins, minlength=n_bins), scale)
    return carried(_add_binned(bins, terms, scale, n_bins))


def sums_inside(
    block: Block,
    bins: np.ndarray,
    terms: np.ndarray | None,
    edge_um: np.ndarray,
    stop: np.ndarray,
    scale: float,
    n_bins: int,
) -> np.ndarray:
    """As `sums_by_bin`, of pairs with ``d <= edge_um[source]``, taken off again at ``stop``."""
    if terms is None:
        return _whole(_count_inside(block, bins, edge_um, stop, n_bins), scale)
    return carried(_add_inside(block, bins, terms, edge_um, stop, scale, n_bins))


def _whole(counts: np.ndarray, scale: float) -> np.ndarray:
    # A count of ones: the scale is a power of two, and not below 1 where weights reach 2^31.
    return np.stack([counts * int(scale), np.zeros_like(counts)], axis=1)


@numba.njit(nogil=True, cache=True)
def _add_binned(bins, terms, scale, n_bins):
    out = np.zeros((n_bins, 2), np.int64)
    for p in range(len(bins)):
        add(out, bins[p], terms[p] * scale, 1)
    return out


@numba.njit(nogil=True, cache=True)
def _count_inside(block, bins, edge_um, stop, n_bins):
    out = np.zeros(n_bins + 1, np.int64)
    for p in range(len(bins)):
        i = block.source[p]
        if block.distance[p] <= edge_um[i]:
            out[bins[p]] += 1
            out[stop[i]] -= 1
    return out[:n_bins]


@numba.njit(nogil=True, cache=True)
def _add_inside(block, bins, terms, edge_um, stop, scale, n_bins):
    out = np.zeros((n_bins + 1, 2), np.int64)
    for p in range(len(bins)):
        i = block.source[p]
        if block.distance[p] <= edge_um[i]:
            add(out, bins[p], terms[p] * scale, 1)
            add(out, stop[i], terms[p] * scale, -1)
    return out[:n_bins]
