"""Join counts of many permutations at once: a permutation is a byte lane of every cell.

Labels of 64 permutations lie side by side, so that an edge is read once for all of them and the
comparisons are vector instructions. Each permutation is drawn from its own stream, a function of
the seed and its number: the answer does not depend on how many threads share the job.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np

from macprox.spatial.graphs.graph import Graph, csr_of_ones
from macprox.spatial.nulls.permute import splitmix

LANES = 64
MOST_TYPES = 255  # a label is a byte


def permuted_join_counts(
    graph: Graph,
    code: np.ndarray,
    stratum: np.ndarray,
    n_permutations: int,
    seed: int,
    n_workers: int,
) -> np.ndarray:
    """`join_counts` of labels dealt out anew within strata.

    Parameters
    ----------
    graph : Graph
    code, stratum : (n_cells,) int
        From 0.
    n_permutations, seed, n_workers : int
        Each worker needs ``128 n_cells`` bytes.

    Returns
    -------
    (n_permutations, n_types, n_types) int64
    """
    n_types = int(code.max()) + 1
    rank = _near_in_memory(graph)
    by_stratum = np.argsort(stratum, kind="stable")
    label = code[by_stratum].astype(np.uint8)
    start = np.concatenate([[0], np.cumsum(np.bincount(stratum))])
    place = rank[by_stratum].astype(np.uint32)  # unsigned: no index counts from the end
    indptr, indices = _renumbered(graph, rank)

    def share(worker: int) -> list[np.ndarray]:
        shuffled = np.empty((LANES, len(code)), np.uint8)
        lanes = np.empty((len(code), LANES), np.uint8)
        counts = []
        for first in firsts[worker::n_workers]:
            _deal(label, start, place, np.uint64(seed), first, shuffled, lanes)
            counts.append(_count(indptr, indices, lanes, n_types))
        return counts

    firsts = range(0, n_permutations, LANES)
    with ThreadPoolExecutor(n_workers) as pool:
        parts = list(pool.map(share, range(n_workers)))
    blocks = [parts[b % n_workers][b // n_workers] for b in range(len(firsts))]
    counts = np.concatenate(blocks, axis=2)[:, :, :n_permutations].transpose(2, 0, 1)
    return counts if graph.directed else counts + counts.transpose(0, 2, 1)


def _near_in_memory(graph: Graph) -> np.ndarray:
    """A number for each cell that is close to those of its neighbours: ``(n_cells,)``."""
    import scipy.sparse as sp
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    matrix = sp.csr_array(
        (np.ones(graph.n_edges, np.int8), graph.indices, graph.indptr.astype(np.int32)),
        shape=(graph.n_cells,) * 2,
    )
    # Rows alone are looked at: a k-nearest graph is not made symmetric first, which it nearly is.
    rank = np.empty(graph.n_cells, np.int64)
    rank[reverse_cuthill_mckee(matrix, symmetric_mode=True)] = np.arange(graph.n_cells)
    return rank


def _renumbered(graph: Graph, rank: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the renumbered graph; of an undirected one each edge once."""
    row, column = rank[graph.sources], rank[graph.indices]
    if not graph.directed:
        once = row < column
        row, column = row[once], column[once]
    matrix = csr_of_ones(row, column, graph.n_cells)
    return matrix.indptr, matrix.indices


@numba.njit(nogil=True, cache=True)
def _deal(label, start, place, seed, first, shuffled, lanes):
    """Fill ``lanes (n, 64)`` with 64 deals of the labels, which lie stratum by stratum."""
    n = len(label)
    for k in range(LANES):
        shuffled[k] = label
        state = splitmix(splitmix(seed) + np.uint64(first + k))
        for s in range(len(start) - 1):
            state = _shuffle(shuffled[k, start[s] : start[s + 1]], state)
    for begin in range(0, n, LANES):
        end = min(begin + LANES, n)
        for k in range(LANES):
            row = shuffled[k]
            for i in range(begin, end):
                lanes[place[i], k] = row[i]


@numba.njit(nogil=True, cache=True)
def _shuffle(part, state):
    for i in range(len(part) - 1, 0, -1):
        state += np.uint64(0x9E3779B97F4A7C15)
        # Multiply and shift: the bias is below n / 2^32.
        draw = (splitmix(state) >> np.uint64(32)) * np.uint64(i + 1)
        j = np.int64(draw >> np.uint64(32))
        part[i], part[j] = part[j], part[i]
    return state


@numba.njit(inline="always")
def _add_equal(total, lane, value):
    for k in range(LANES):
        total[k] += np.uint8(lane[k] == value)


@numba.njit(inline="always")
def _add_where(total, amount, lane, value):
    for k in range(LANES):
        total[k] += amount[k] & (np.uint8(0) - np.uint8(lane[k] == value))


@numba.njit(nogil=True, cache=True)
def _flush(bytes_, totals):
    for a in range(len(bytes_)):
        for b in range(len(bytes_)):
            for k in range(LANES):
                totals[a, b, k] += bytes_[a, b, k]
                bytes_[a, b, k] = 0


@numba.njit(nogil=True, cache=True)
def _count(indptr, indices, lanes, n_types):
    """Join counts of each lane ``(n_types, n_types, 64)``, in bytes that are emptied in time."""
    totals = np.zeros((n_types, n_types, LANES), np.int64)
    bytes_ = np.zeros((n_types, n_types, LANES), np.uint8)
    beside = np.zeros((n_types, LANES), np.uint8)
    filled = 0
    for i in range(len(indptr) - 1):
        own = lanes[i]
        begin, end = indptr[i], indptr[i + 1]
        while begin < end:
            until = min(end, begin + 255)
            if filled + until - begin > 255:
                _flush(bytes_, totals)
                filled = 0
            filled += until - begin
            beside[:] = 0
            for e in range(begin, until):
                lane = lanes[indices[e]]
                for b in range(n_types):
                    _add_equal(beside[b], lane, np.uint8(b))
            for a in range(n_types):
                for b in range(n_types):
                    _add_where(bytes_[a, b], beside[b], own, np.uint8(a))
            begin = until
    _flush(bytes_, totals)
    return totals
