"""Exact variance of the share of fixed cells with a moved cell within r.

With Z_i = 1 where no moved cell lies within r of fixed cell i, G = 1 - mean_i Z_i, and for two
fixed cells P(Z_i Z_j = 1) = prod_s C(n_s - u_ijs, m_s) / C(n_s, m_s), where u_ijs = k_is + k_js -
o_ijs eligible cells of stratum s lie within r of one or the other and o_ijs of both. So

    N^2 Var(G) = sum_ij {P_i+j - P_i P_j} + sum_ij {P_i|j - P_i+j}

with P_i+j as if the neighbourhoods were disjoint and P_i|j as they are. The first sum depends on
counts alone, and cells with the same counts are one term; the second has a term for pairs that
share an eligible cell, at most 2 r apart. (Soupir et al. 2024 give the unstratified first moment;
the second is the same argument for two cells.)
"""

from __future__ import annotations

import numba
import numpy as np

from macprox.spatial.nulls.relabel import Relabelling

MOST_TERMS = 10_000_000  # of either sum, a radius; up to a second


def variance_of_g_to_moved(
    offsets: np.ndarray, rows: np.ndarray, labels: Relabelling, most_terms: int = MOST_TERMS
) -> np.ndarray:
    """Variance of G from fixed to moved cells over all deals, at every radius.

    Parameters
    ----------
    offsets, rows
        Eligible neighbours of every fixed cell, as `CellGrid.lists` gives them.
    labels : Relabelling
    most_terms : int
        A radius whose sums would be longer is left out.

    Returns
    -------
    (n_radii,) float
        NaN without fixed cells, and where there are more than ``most_terms``.
    """
    n_radii = offsets.shape[1] - 1
    variance = np.full(n_radii, np.nan)
    for k in range(n_radii if len(offsets) else 0):
        first, last = offsets[:, 0], offsets[:, k + 1]
        variance[k] = _at_one_radius(first, last, rows, labels, most_terms)
    return variance


def _at_one_radius(
    first: np.ndarray, last: np.ndarray, rows: np.ndarray, labels: Relabelling, most_terms: int
) -> float:
    fixed = np.repeat(np.arange(len(first)), last - first)
    near = _within(first, last, rows)
    shared = np.bincount(near, minlength=len(labels.moved))
    if np.square(shared, dtype=float).sum() > most_terms:
        return np.nan
    example, weight = _alike(first, last, rows, labels)
    if float(len(example)) ** 2 > most_terms:
        return np.nan
    begin, kind, number = _profiles(first, last, rows, labels.stratum, len(labels.n))
    most = np.zeros(len(labels.n), dtype=np.int64)
    np.maximum.at(most, kind, number)
    table, start = _survivals(labels, most)
    apart = _disjoint(example, weight.astype(float), begin, kind, number, table, start)
    around = np.concatenate([[0], np.cumsum(shared)])
    fixed_of = fixed[np.argsort(near, kind="stable")]
    together = _overlapping(
        first,
        last,
        rows,
        labels.stratum,
        around,
        fixed_of,
        begin,
        kind,
        number,
        table,
        start,
    )
    return max(0.0, float(apart + together) / len(first) ** 2)


def _within(first: np.ndarray, last: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Neighbours of all fixed cells in a row, those of the first fixed cell first."""
    n = last - first
    before = np.cumsum(n) - n
    return rows[np.arange(int(n.sum())) + np.repeat(first - before, n)]


def _alike(
    first: np.ndarray, last: np.ndarray, rows: np.ndarray, labels: Relabelling
) -> tuple[np.ndarray, np.ndarray]:
    """One fixed cell of every kind of neighbourhood, and how many there are of it."""
    # A sum of random 64-bit words, one a stratum: equal counts give equal sums, and others give
    # other sums but for one chance in 2^64 a pair. Wraps around by intention.
    word = np.random.default_rng(0).integers(0, 2**64, len(labels.n), dtype=np.uint64)
    so_far = np.concatenate([[np.uint64(0)], np.cumsum(word[labels.stratum[rows]])])
    _, example, weight = np.unique(
        so_far[last] - so_far[first], return_index=True, return_counts=True
    )
    return example, weight


def _survivals(labels: Relabelling, most: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """C(n_s - u, m_s) / C(n_s, m_s) for u = 0 to twice the most neighbours, stratum by stratum."""
    start = np.concatenate([[0], np.cumsum(2 * most + 1)])
    table = np.ones(start[-1])
    for s, (n, m) in enumerate(zip(labels.n.tolist(), labels.m.tolist(), strict=True)):
        u = np.arange(2 * most[s])
        factor = np.where(u < n - m, (n - m - u) / np.maximum(n - u, 1), 0.0)
        table[start[s] + 1 : start[s + 1]] = np.cumprod(factor)
    return table, start


@numba.njit(nogil=True, cache=True)
def _profiles(first, last, rows, stratum, n_strata):
    """Neighbours of every fixed cell by stratum: ``begin (n_fixed + 1)``, strata, counts."""
    count = np.zeros(n_strata, np.int64)
    begin = np.zeros(len(first) + 1, np.int64)
    for i in range(len(first)):
        kinds = 0
        for e in range(first[i], last[i]):
            kinds += count[stratum[rows[e]]] == 0
            count[stratum[rows[e]]] += 1
        for e in range(first[i], last[i]):
            count[stratum[rows[e]]] = 0
        begin[i + 1] = begin[i] + kinds
    kind, number = np.empty(begin[-1], np.int64), np.empty(begin[-1], np.int64)
    for i in range(len(first)):
        found = 0
        for e in range(first[i], last[i]):
            s = stratum[rows[e]]
            if count[s] == 0:
                kind[begin[i] + found] = s
                found += 1
            count[s] += 1
        kind[begin[i] : begin[i + 1]].sort()
        for p in range(begin[i], begin[i + 1]):
            number[p] = count[kind[p]]
            count[kind[p]] = 0
    return begin, kind, number


@numba.njit(nogil=True, cache=True)
def _joint(a, b, begin, kind, number, table, start, overlap, j):
    """P_a|b, P_a+b, and P_a P_b; ``overlap[p, j]`` in the p-th stratum of a."""
    p, q = begin[a], begin[b]
    union, apart, product = 1.0, 1.0, 1.0
    while p < begin[a + 1] or q < begin[b + 1]:
        if q == begin[b + 1] or (p < begin[a + 1] and kind[p] < kind[q]):
            factor = table[start[kind[p]] + number[p]]
            union, apart, product = union * factor, apart * factor, product * factor
            p += 1
        elif p == begin[a + 1] or kind[q] < kind[p]:
            factor = table[start[kind[q]] + number[q]]
            union, apart, product = union * factor, apart * factor, product * factor
            q += 1
        else:
            at, both = start[kind[p]], number[p] + number[q]
            union *= table[at + both - overlap[p - begin[a], j]]
            apart *= table[at + both]
            product *= table[at + number[p]] * table[at + number[q]]
            p += 1
            q += 1
    return union, apart, product


@numba.njit(nogil=True, cache=True)
def _disjoint(example, weight, begin, kind, number, table, start):
    none = np.zeros((len(start), 1), np.int32)
    total = 0.0
    for a in range(len(example)):
        row = 0.0
        for b in range(a + 1):
            _, apart, product = _joint(
                example[a], example[b], begin, kind, number, table, start, none, 0
            )
            row += (1.0 if a == b else 2.0) * weight[b] * (apart - product)
        total += weight[a] * row
    return total


@numba.njit(nogil=True, cache=True)
def _overlapping(first, last, rows, stratum, around, fixed_of, begin, kind, number, table, start):
    n_fixed = len(first)
    widest = 0
    for i in range(n_fixed):
        widest = max(widest, begin[i + 1] - begin[i])
    overlap = np.zeros((max(widest, 1), n_fixed), np.int32)
    seen, met = np.full(n_fixed, -1, np.int64), np.empty(n_fixed, np.int64)
    place = np.zeros(len(start), np.int64)
    total = 0.0
    for i in range(n_fixed):
        for p in range(begin[i], begin[i + 1]):
            place[kind[p]] = p - begin[i]
        n_met = 0
        for e in range(first[i], last[i]):
            p = place[stratum[rows[e]]]
            for f in range(around[rows[e]], around[rows[e] + 1]):
                j = fixed_of[f]
                overlap[p, j] += 1
                if seen[j] != i:
                    seen[j] = i
                    met[n_met] = j
                    n_met += 1
        row = 0.0
        for k in range(n_met):
            j = met[k]
            union, apart, _ = _joint(i, j, begin, kind, number, table, start, overlap, j)
            row += union - apart
            for p in range(begin[i + 1] - begin[i]):
                overlap[p, j] = 0
        total += row
    return total
