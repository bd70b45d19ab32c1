"""Neighbourhood enrichment: which phenotypes are neighbours more often than their numbers say.

The statistic is the join count, the number of neighbours labelled b that cells labelled a have,
summed over the cells labelled a. The null deals labels out anew within strata; positions, and
so the graph, stay.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from macprox.spatial.graphs.graph import Graph
from macprox.spatial.graphs.join_moments import join_counts, join_moments
from macprox.spatial.graphs.join_permutations import MOST_TYPES, permuted_join_counts
from macprox.spatial.nulls.permute import permutation_p

# Where more is expected, 4 to 6 % of deals have |z| > 1.96 (20,000 deals on three kinds of graph,
# tests/test_enrichment.py); below, 2 to 13 %.
FEWEST_EXPECTED = 25.0  # joins
FEWEST_CELLS = 20  # of each phenotype
ONE_OUTCOME = "no z: every deal of the labels gives the same count"
TOO_FEW = "no normal p below 25 expected joins or 20 cells of a phenotype: permute instead"
NORMAL, PERMUTATIONS = "normal", "permutations"


def enrichment(graph: Graph, phenotype: ArrayLike, strata: ArrayLike | None = None) -> pd.DataFrame:
    """Observed and expected joins of every ordered pair of phenotypes, in closed form.

    Parameters
    ----------
    graph : Graph
        Any: edges may be directed.
    phenotype : (n_cells,)
        Labels, none missing.
    strata : (n_cells,), optional
        Labels of any kind; phenotypes are dealt out within them.

    Returns
    -------
    DataFrame
        One row a pair, sorted. ``source, target``; ``n_edges``, the directed edges from source
        to target cells (a mutual pair of one phenotype counts twice); ``expected`` and ``sd``,
        exact under relabelling; ``ratio``, observed / expected; ``z``; ``p``, two-sided;
        ``approximation``, ``"normal"`` where there is a p; ``reason``, why z or p is NaN.

    Raises
    ------
    ValueError
        If ``phenotype`` or ``strata`` is not one label a cell, or a phenotype is missing.

    Notes
    -----
    No permutations: mean and variance are exact (`macprox.spatial.graphs.join_moments`), the cost
    is O(edges). p takes z as standard normal; below `FEWEST_EXPECTED` joins or `FEWEST_CELLS` cells
    that is too far off, and p is NaN.

    Examples
    --------
    >>> from macprox.spatial import radius_graph
    >>> row = radius_graph([[0, 0], [1, 0], [2, 0], [3, 0]], radius_um=1)
    >>> enrichment(row, ["a", "a", "b", "b"])[["source", "target", "n_edges", "expected", "sd"]]
      source target  n_edges  expected        sd
    0      a      a        2       1.0  1.000000
    1      a      b        1       2.0  0.816497
    2      b      a        1       2.0  0.816497
    3      b      b        2       1.0  1.000000
    """
    code, types, stratum = _coded(graph, phenotype, strata)
    if len(types) == 0:
        return _table(types, np.zeros((0, 0)), np.zeros((0, 0)), np.zeros((0, 0)))
    observed = join_counts(graph, code, len(types))
    mean, variance = join_moments(graph, code, len(types), stratum)
    table = _table(types, observed, mean, _deviation(mean, variance))
    n_of = np.bincount(code)
    return _with_normal_p(table, np.minimum.outer(n_of, n_of).ravel() >= FEWEST_CELLS)


def enrichment_permuted(
    graph: Graph,
    phenotype: ArrayLike,
    n_permutations: int = 999,
    seed: int = 0,
    n_workers: int | None = None,
    strata: ArrayLike | None = None,
) -> pd.DataFrame:
    """`enrichment` by permuting labels: p needs no approximation, however few joins there are.

    Parameters
    ----------
    graph, phenotype, strata
        As of `enrichment`.
    n_permutations : int
        1 or more. The smallest p is 1 / (n_permutations + 1).
    seed : int
    n_workers : int, optional
        Threads, by default one a processor; changes no number. Each needs 128 bytes a cell.

    Returns
    -------
    DataFrame
        Columns of `enrichment`, whose exact ``expected``, ``sd`` and ``z`` it repeats, with
        ``approximation`` ``"permutations"``, and ``ci_low, ci_high``, the central 95 % of the
        count under the null. p is (b + 1) / (n_permutations + 1), b of them being as far from
        the expectation (`macprox.spatial.nulls.permute.permutation_p`).

    Raises
    ------
    ValueError
        As `enrichment`; or for no permutations, or more than 255 phenotypes.
    """
    if n_permutations < 1:
        raise ValueError(f"n_permutations must be 1 or more, found {n_permutations}.")
    code, types, stratum = _coded(graph, phenotype, strata)
    if len(types) > MOST_TYPES:
        raise ValueError(
            f"At most {MOST_TYPES} phenotypes can be permuted, found {len(types)}; use enrichment."
        )
    table = enrichment(graph, phenotype, strata).drop(columns=["p", "approximation", "reason"])
    if len(types) == 0:
        return table.assign(p=[], approximation=[], ci_low=[], ci_high=[], reason=[])
    dealt = permuted_join_counts(
        graph, code, stratum, n_permutations, seed, n_workers or os.cpu_count() or 1
    ).reshape(n_permutations, -1)
    low, high = np.quantile(dealt, [0.025, 0.975], axis=0)
    p = [
        permutation_p(of_pair, float(count), expected)
        for of_pair, count, expected in zip(
            dealt.T, table["n_edges"], table["expected"], strict=True
        )
    ]
    known = np.isfinite(table["z"])
    return table.assign(
        p=np.where(known, p, np.nan),
        approximation=np.where(known, PERMUTATIONS, ""),
        ci_low=low,
        ci_high=high,
        reason=np.where(known, "", ONE_OUTCOME),
    )


def coded(values: ArrayLike, n_cells: int, name: str) -> tuple[np.ndarray, Any]:
    """Labels as numbers from 0 and what they stand for, sorted; an error if one is missing."""
    labels = pd.Series(np.asarray(values))
    if labels.shape != (n_cells,):
        raise ValueError(
            f"{name} must give one label for each of {n_cells} cells, found {len(labels)}."
        )
    code, found = pd.factorize(labels, sort=True)
    if (code < 0).any():
        raise ValueError(
            f"{(code < 0).sum()} of {n_cells} cells have no {name} (first in row "
            f"{int(np.flatnonzero(code < 0)[0])}); name them or drop them first."
        )
    return code, found


def _coded(
    graph: Graph, phenotype: ArrayLike, strata: ArrayLike | None
) -> tuple[np.ndarray, Any, np.ndarray]:
    code, types = coded(phenotype, graph.n_cells, "phenotype")
    if strata is None:
        return code, types, np.zeros(graph.n_cells, np.int64)
    return code, types, coded(strata, graph.n_cells, "strata")[0]


def _deviation(mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    # A count that can vary at all has a variance of the order of its mean; less is rounding.
    return np.sqrt(np.where(variance > 1e-9 * mean, variance, 0.0))


def _table(types: Any, observed: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> pd.DataFrame:
    """Without p."""
    n = len(types)
    flat, expected, spread = observed.ravel(), mean.ravel(), sd.ravel()
    varies = spread > 0
    table = pd.DataFrame(
        {
            "source": np.repeat(np.asarray(types), n),
            "target": np.tile(np.asarray(types), n),
            "n_edges": flat.astype(np.int64),
            "expected": expected,
            "ratio": np.divide(flat, expected, np.full(n * n, np.nan), where=expected > 0),
            "sd": spread,
            "z": np.divide(flat - expected, spread, np.full(n * n, np.nan), where=varies),
        }
    )
    return table.assign(p=np.nan, approximation="", reason=np.where(varies, "", ONE_OUTCOME))


def _with_normal_p(table: pd.DataFrame, enough_cells: np.ndarray) -> pd.DataFrame:
    from scipy.special import erfc

    varies = np.isfinite(table["z"])
    many = varies & enough_cells & (table["expected"] >= FEWEST_EXPECTED)
    return table.assign(
        p=np.where(many, erfc(np.abs(table["z"]) / np.sqrt(2)), np.nan),
        approximation=np.where(many, NORMAL, ""),
        reason=np.where(varies & ~many, TOO_FEW, table["reason"]),
    )
