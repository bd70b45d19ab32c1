"""Permutations within strata, 64 at a time.

Each permutation is drawn from its own stream, a function of the seed and its number, so that the
answer does not depend on how many workers share the job. Neighbours are found once: a permutation
is one bit of a 64-bit word per eligible cell, and a fixed cell ORs the words of its neighbours,
nearest first, until every bit is set.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numba
import numpy as np

from macprox.spatial.nulls.relabel import Relabelling

LANES = 64


@dataclass(frozen=True, eq=False)
class Permuted:
    """Statistics of every permutation."""

    means: np.ndarray = field(repr=False)  # (n_permutations, n_values): mean over moved cells
    hits: np.ndarray = field(repr=False)  # (n_permutations, n_radii): share of fixed cells


def permute(
    labels: Relabelling,
    values: np.ndarray,
    lists: tuple[np.ndarray, np.ndarray],
    n_permutations: int,
    seed: int,
    workers: int = 2,
) -> Permuted:
    """Deal the moved label out anew within strata, many times.

    Parameters
    ----------
    labels : Relabelling
        With at least one moved cell.
    values : (n_eligible, n_values) float
        What is averaged over moved cells.
    lists : offsets, rows
        Eligible neighbours of every fixed cell, as `CellGrid.lists` gives them.
    n_permutations, seed : int
    workers : int
        Threads; changes no number.
    """
    offsets, rows = lists
    order = np.argsort(labels.stratum, kind="stable")
    start = np.concatenate([[0], np.cumsum(labels.n)]).astype(np.int64)
    values = np.ascontiguousarray(values, dtype=float)

    def block(first: int) -> tuple[np.ndarray, np.ndarray]:
        lanes = min(LANES, n_permutations - first)
        bits, sums = _deal(order, start, labels.m, values, np.uint64(seed), first, lanes)
        return sums, _hits(offsets, rows, bits, lanes)

    if n_permutations == 0:
        return Permuted(np.empty((0, values.shape[1])), np.empty((0, offsets.shape[1] - 1)))
    with ThreadPoolExecutor(workers) as pool:
        blocks = list(pool.map(block, range(0, n_permutations, LANES)))
    sums, hits = (np.concatenate(part) for part in zip(*blocks, strict=True))
    return Permuted(sums / labels.m.sum(), hits / max(len(offsets), 1))


def permutation_p(permuted: np.ndarray, observed: float, expected: float = np.nan) -> float:
    """Two-sided p: (b + 1) / (B + 1), b of B permutations being as far from the expectation.

    Parameters
    ----------
    permuted : (B,) float
    observed : float
    expected : float
        The exact mean under the null. NaN: the mean of all B + 1 values, the observed one among
        them, so that each is equally likely to be the farthest.

    Returns
    -------
    float
        At most the nominal level is rejected, and exactly that many of a continuous statistic
        where level * (B + 1) is whole. Twice the smaller tail is as valid but rounds both tails
        down: 4 % instead of 5 % at B = 99, and less for counts, which tie.
    """
    centre = (permuted.sum() + observed) / (1 + len(permuted)) if np.isnan(expected) else expected
    close = 1e-9 * max(1.0, abs(observed))  # the same sum in another order is a tie
    as_far = np.abs(permuted - centre) >= abs(observed - centre) - close
    return (1 + int(as_far.sum())) / (1 + len(permuted))


@numba.njit(nogil=True, cache=True, inline="always")
def splitmix(state):
    """One step of splitmix64 (Steele, Lea & Flood 2014)."""
    z = state + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@numba.njit(nogil=True, cache=True)
def _deal(order, start, m, values, seed, first, n_lanes):
    """Bits ``(n_eligible,)`` of who is moved in each lane, and sums ``(n_lanes, n_values)``."""
    member = order.copy()
    bits = np.zeros(len(order), np.uint64)
    sums = np.zeros((n_lanes, values.shape[1]))
    swapped = np.empty(max(m.sum(), 1), np.int64)
    for lane in range(n_lanes):
        bit = np.uint64(1) << np.uint64(lane)
        state = splitmix(splitmix(seed) + np.uint64(first + lane))
        drawn = 0
        for s in range(len(m)):
            for t in range(m[s]):  # Fisher-Yates, only as far as there are labels to deal
                state += np.uint64(0x9E3779B97F4A7C15)
                uniform = np.float64(splitmix(state) >> np.uint64(11)) * 2.0**-53
                here = start[s] + t
                there = here + int(uniform * (start[s + 1] - here))
                member[here], member[there] = member[there], member[here]
                swapped[drawn] = there
                drawn += 1
                cell = member[here]
                bits[cell] |= bit
                for v in range(values.shape[1]):
                    sums[lane, v] += values[cell, v]
        # Undone, so that the next permutation starts from the same order whoever draws it.
        for s in range(len(m) - 1, -1, -1):
            for t in range(m[s] - 1, -1, -1):
                drawn -= 1
                here, there = start[s] + t, swapped[drawn]
                member[here], member[there] = member[there], member[here]
    return bits, sums


@numba.njit(nogil=True, cache=True)
def _hits(offsets, rows, bits, n_lanes):
    """Fixed cells with a moved cell within each radius: ``(n_lanes, n_radii)``."""
    n_radii = offsets.shape[1] - 1
    count = np.zeros((n_radii, n_lanes), np.int64)
    full = ~np.uint64(0) >> np.uint64(64 - n_lanes)
    for i in range(len(offsets)):
        found = np.uint64(0)
        for k in range(n_radii):
            before = found
            for e in range(offsets[i, k], offsets[i, k + 1]):
                found |= bits[rows[e]]
                if found == full:
                    break
            new = found & ~before
            if new:
                for lane in range(n_lanes):
                    count[k, lane] += np.int64((new >> np.uint64(lane)) & np.uint64(1))
            if found == full:
                break
    out = np.zeros((n_lanes, n_radii), np.int64)
    for lane in range(n_lanes):
        total = 0
        for k in range(n_radii):
            total += count[k, lane]
            out[lane, k] = total
    return out
