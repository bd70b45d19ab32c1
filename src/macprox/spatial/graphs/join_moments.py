"""Exact mean and variance of join counts under random relabelling within strata.

The join count N_ab is the number of directed edges from a cell labelled a to a cell labelled b.
Labels are dealt out anew within each stratum, every deal equally likely. With X_ia = 1 where cell
i is labelled a, p_a = E X_ia (the share of a in its stratum) and Y = X - p,

    N_ab = const + sum_i (Y_ia u_ib + Y_ib v_ia) + sum_(i -> j) Y_ia Y_jb,

where the linear weights come from edges to other strata: u_ib = sum of p_b over the heads of the
edges that leave i for another stratum, v_ia the same over the tails of those that arrive. Y sums
to 0 within a stratum, so products of Y from different strata are uncorrelated unless both strata
occur twice, and the variance is a sum of three parts:

*linear, within a stratum*: edges inside a stratum of n cells, as a matrix off its diagonal, are
split into alpha + beta_i + gamma_j + R_ij with rows and columns of R, and beta and gamma, that sum
to 0. The weight of Y_ia is then u_ib + beta_i m_b (or m_a - 1 where a = b), and likewise for Y_jb;
*residual, within a stratum*: |R|^2 and <R, R'> times probabilities of two, three and four labels;
*between two strata*: the doubly centred adjacency between them.

Orthogonal parts, so that nothing large cancels. With one stratum and an undirected graph these are
the moments of join counts without replacement (Moran 1948; Cliff & Ord 1981); strata and directed
edges are derived here and held by enumeration. The cost is O(edges).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numba
import numpy as np

from macprox.spatial.graphs.graph import Graph


def join_counts(graph: Graph, code: np.ndarray, n_types: int) -> np.ndarray:
    """Directed edges from each type to each: ``(n_types, n_types)`` int64."""
    return _join_counts(graph.indptr, graph.indices, code, n_types)


def join_moments(
    graph: Graph, code: np.ndarray, n_types: int, stratum: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of `join_counts` over all deals of the labels within strata.

    Parameters
    ----------
    graph : Graph
    code : (n_cells,) int
        Type of each cell, 0 to n_types - 1.
    stratum : (n_cells,) int
        0 to n_strata - 1, none empty.

    Returns
    -------
    mean, variance : (n_types, n_types) float
    """
    edges = _Edges.of(graph, stratum)
    # Floats throughout: products of four counts overflow int64 from 55,000 cells.
    n_cells = np.bincount(stratum).astype(float)
    n_of = np.zeros((len(n_cells), n_types))
    np.add.at(n_of, (stratum, code), 1.0)
    share = n_of / n_cells[:, None]
    between_mean, between_variance = _between(edges, n_cells, share)
    mean, variance = between_mean, between_variance
    linear = _weights(edges, n_cells, share, stratum)
    start = np.concatenate([[0], np.cumsum(np.bincount(stratum))])
    order = np.argsort(stratum, kind="stable")
    for s in range(len(n_cells)):
        n, m = n_cells[s], n_of[s]
        rows = order[start[s] : start[s + 1]]
        inner = _Inner.of(n, edges.out_degree[rows], edges.in_degree[rows], edges.mutual[s])
        both = _pair_probability(n, m)
        mean = mean + inner.n_edges * both
        variance = variance + _residual_variance(n, m, inner)
        if n > 1:
            other = None if linear is None else linear[rows]
            variance = variance + _linear_variance(n, m, inner, other)
    return mean, np.maximum(variance, 0.0)


@dataclass(frozen=True, eq=False)
class _Edges:
    """Edges counted by the strata of their ends."""

    out_degree: np.ndarray = field(repr=False)  # (n_cells,) within the own stratum
    in_degree: np.ndarray = field(repr=False)
    mutual: np.ndarray = field(repr=False)  # (n_strata,) edges within whose reverse is an edge
    between: Any = field(repr=False)  # (n_cells, n_cells) sparse: edges that join two strata
    stratum_of: Any = field(repr=False)  # (n_cells, n_strata) sparse one-hot

    @classmethod
    def of(cls, graph: Graph, stratum: np.ndarray) -> _Edges:
        import scipy.sparse as sp

        n = graph.n_cells
        rows = (graph.indptr, graph.indices, stratum.astype(np.int32))
        out_degree, in_degree, mutual, degree = _within(*rows, graph.directed)
        start = np.concatenate([[0], np.cumsum(degree)])
        heads = _heads_elsewhere(*rows, start)
        return cls(
            out_degree=out_degree,
            in_degree=in_degree,
            mutual=mutual,
            between=sp.csr_array((np.ones(len(heads)), heads, start), shape=(n, n)),
            stratum_of=sp.csr_array((np.ones(n), stratum, np.arange(n + 1))),
        )

    @cached_property
    def out_of(self) -> Any:
        """Edges to each other stratum: ``(n_cells, n_strata)`` sparse."""
        return (self.between @ self.stratum_of).tocsr()

    @cached_property
    def into(self) -> Any:
        """Edges from each other stratum: ``(n_cells, n_strata)`` sparse."""
        return (self.between.T.tocsr() @ self.stratum_of).tocsr()

    @cached_property
    def mutual_between(self) -> Any:
        """Edges to another stratum whose reverse is an edge: ``(n_strata, n_strata)`` sparse."""
        mutual = self.between.multiply(self.between.T).tocsr()
        return (self.stratum_of.T @ (mutual @ self.stratum_of)).tocsr()


@dataclass(frozen=True, eq=False)
class _Inner:
    """Edges inside one stratum: alpha + beta_i + gamma_j + R_ij."""

    n_edges: float
    beta: np.ndarray = field(repr=False)
    gamma: np.ndarray = field(repr=False)
    squared: float  # |R|^2
    crossed: float  # <R, R'>

    @classmethod
    def of(cls, n: float, leaving: np.ndarray, arriving: np.ndarray, mutual: float) -> _Inner:
        n_edges = float(leaving.sum())
        out, in_ = leaving - n_edges / n, arriving - n_edges / n
        if n < 3:
            # Two cells: the one contrast there is can be booked anywhere, half on each side.
            return cls(n_edges, out / 2, in_ / 2, 0.0, 0.0)
        beta = ((n - 1) * out + in_) / (n * (n - 2))
        gamma = ((n - 1) * in_ + out) / (n * (n - 2))
        flat = n_edges**2 / (n * (n - 1))
        squared = n_edges - flat - (beta * out).sum() - (gamma * in_).sum()
        crossed = mutual - flat - (beta * in_).sum() - (gamma * out).sum()
        return cls(n_edges, beta, gamma, float(squared), float(crossed))


def _falling(x: Any, k: int) -> Any:
    """x (x - 1) ... (x - k + 1)."""
    product = x
    for step in range(1, k):
        product = product * (x - step)
    return product


def _pair_probability(n: float, m: np.ndarray) -> np.ndarray:
    """P(two given cells are a and b): ``(n_types, n_types)``."""
    joint = np.outer(m, m) - np.diag(m)
    return joint / (n * (n - 1)) if n > 1 else np.zeros_like(joint)


def _residual_variance(n: float, m: np.ndarray, inner: _Inner) -> np.ndarray:
    if n < 3:
        return np.zeros((len(m), len(m)))
    two, three = n * (n - 1), _falling(n, 3)
    four = _falling(n, 4) or np.inf  # three cells have no two edges apart
    a, b = m[:, None], m[None, :]
    apart = _falling(a, 2) * _falling(b, 2) / four
    same = a * b / two - (a * _falling(b, 2) + _falling(a, 2) * b) / three + apart
    variance = inner.squared * same + inner.crossed * apart
    own = _falling(m, 2) / two - 2 * _falling(m, 3) / three + _falling(m, 4) / four
    np.fill_diagonal(variance, (inner.squared + inner.crossed) * own)
    return variance


def _weights(
    edges: _Edges, n_cells: np.ndarray, share: np.ndarray, stratum: np.ndarray
) -> np.ndarray | None:
    """u and v side by side, centred within strata: ``(n_cells, 2 n_types)``; None without any."""
    if edges.between.nnz == 0:
        return None
    weights = np.hstack([edges.out_of @ share, edges.into @ share])
    return weights - ((edges.stratum_of.T @ weights) / n_cells[:, None])[stratum]


def _linear_variance(
    n: float, m: np.ndarray, inner: _Inner, other: np.ndarray | None
) -> np.ndarray:
    """Variance of sum_i (w_ib Y_ia + z_ia Y_ib), with w = u + beta m_b and z = v + gamma m_a."""
    n_types = len(m)
    parts = np.column_stack([inner.beta, inner.gamma])
    if other is not None:
        parts = np.hstack([parts, other])
    gram = np.zeros((2 + 2 * n_types,) * 2)
    # No BLAS: its sums depend on the number of threads.
    gram[: parts.shape[1], : parts.shape[1]] = np.einsum("ij,ik->jk", parts, parts)
    u, v = slice(2, 2 + n_types), slice(2 + n_types, None)
    ww = m**2 * gram[0, 0] + 2 * m * gram[0, u] + gram[u, u].diagonal()  # of b
    zz = m**2 * gram[1, 1] + 2 * m * gram[1, v] + gram[v, v].diagonal()  # of a
    a, b = m[:, None], m[None, :]
    wz = a * b * gram[0, 1] + b * gram[0, v][:, None] + a * gram[1, u][None, :] + gram[u, v].T
    share = m / n
    spread = share * (1 - share)
    variance = (
        spread[:, None] * ww[None, :]
        + spread[None, :] * zz[:, None]
        - 2 * np.outer(share, share) * wz
    )
    sums = gram[:2].sum(axis=0)  # with beta + gamma
    cross = gram[u, u] + gram[v, v] + 2 * gram[u, v]
    own = (m - 1) ** 2 * (sums[0] + sums[1]) + 2 * (m - 1) * (sums[u] + sums[v]) + cross.diagonal()
    np.fill_diagonal(variance, spread * own)
    return variance * n / (n - 1)


def _between(
    edges: _Edges, n_cells: np.ndarray, share: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean, and variance of the products of Y from two strata, of edges between strata."""
    import scipy.sparse as sp

    n_types = share.shape[1]
    if edges.between.nnz == 0:
        return np.zeros((n_types, n_types)), np.zeros((n_types, n_types))
    tails = edges.stratum_of.T
    n_edges = (tails @ edges.out_of).tocsr()
    mean = np.einsum("sa,sb->ab", share, n_edges @ share)
    per = sp.diags_array(1 / n_cells)
    leaving, arriving, turning = (
        (tails @ one.multiply(two)).tocsr()
        for one, two in (
            (edges.out_of, edges.out_of),
            (edges.into, edges.into),
            (edges.out_of, edges.into),
        )
    )
    # |C A C|^2 and <C A C, (C A C)'> of the adjacency from stratum s to t, C the centring.
    straight = (
        n_edges - leaving @ per - per @ arriving.T + per @ n_edges.multiply(n_edges).tocsr() @ per
    )
    turned = (
        edges.mutual_between
        - turning @ per
        - per @ turning.T
        + per @ n_edges.multiply(n_edges.T).tocsr() @ per
    )
    free = np.where(n_cells > 1, n_cells / np.maximum(n_cells - 1, 1), 0.0)
    covariance = -share[:, :, None] * share[:, None, :]
    covariance[:, np.arange(n_types), np.arange(n_types)] += share
    covariance *= free[:, None, None]
    spread = np.einsum("saa->sa", covariance)
    variance = np.einsum("sa,sb->ab", spread, straight @ spread)
    flat = covariance.reshape(len(n_cells), -1)
    return mean, variance + (flat * (turned @ flat)).sum(axis=0).reshape(n_types, n_types)


@numba.njit(nogil=True, cache=True)
def _join_counts(indptr, indices, code, n_types):
    counts = np.zeros((n_types, n_types), np.int64)
    for i in range(len(indptr) - 1):
        row = counts[code[i]]
        for e in range(indptr[i], indptr[i + 1]):
            row[code[indices[e]]] += 1
    return counts


@numba.njit(nogil=True, cache=True)
def _within(indptr, indices, stratum, directed):
    """Degrees within the own stratum, mutual edges of each stratum, edges to other strata."""
    n = len(indptr) - 1
    leaving, arriving, elsewhere = (
        np.zeros(n, np.int32),
        np.zeros(n, np.int32),
        np.zeros(n, np.int32),
    )
    mutual = np.zeros(stratum.max() + 1)
    for i in range(n):
        for e in range(indptr[i], indptr[i + 1]):
            j = indices[e]
            if stratum[j] != stratum[i]:
                elsewhere[i] += 1
                continue
            leaving[i] += 1
            arriving[j] += 1
            if not directed:
                mutual[stratum[i]] += 1
            elif i < j:  # the other of a mutual two is not looked up again
                for back in range(indptr[j], indptr[j + 1]):
                    if indices[back] >= i:
                        mutual[stratum[i]] += 2 * (indices[back] == i)
                        break
    return leaving, arriving, mutual, elsewhere


@numba.njit(nogil=True, cache=True)
def _heads_elsewhere(indptr, indices, stratum, start):
    heads = np.empty(start[-1], np.int32)
    for i in range(len(indptr) - 1):
        at = start[i]
        if start[i + 1] > at:
            for j in indices[indptr[i] : indptr[i + 1]]:
                if stratum[j] != stratum[i]:
                    heads[at] = j
                    at += 1
    return heads
