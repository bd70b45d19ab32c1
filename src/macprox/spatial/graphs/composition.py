"""What a cell's neighbours are, and cells with like neighbours: niches."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from macprox.spatial.graphs.enrichment import coded
from macprox.spatial.graphs.graph import Graph

NO_NICHE = -1
MOST_STEPS = 300  # of Lloyd's algorithm; it ends by itself, in practice after tens


def neighbourhood_composition(
    graph: Graph, phenotype: ArrayLike, include_self: bool = False, as_counts: bool = False
) -> pd.DataFrame:
    """Phenotypes among the neighbours of every cell.

    Parameters
    ----------
    graph : Graph
    phenotype : (n_cells,)
        Labels, none missing.
    include_self : bool
        Whether a cell is one of its own neighbours.
    as_counts : bool
        Numbers of neighbours instead of fractions.

    Returns
    -------
    (n_cells, n_types) DataFrame
        One column a phenotype, sorted; rows in the order of the cells, index 0 to n - 1.
        Fractions sum to 1. A cell without neighbours has counts 0 and fractions NaN.

    Raises
    ------
    ValueError
        If ``phenotype`` is not one label a cell, or one is missing.

    Examples
    --------
    >>> from macprox.spatial import radius_graph
    >>> graph = radius_graph([[0, 0], [1, 0], [2, 0], [9, 0]], radius_um=1)
    >>> neighbourhood_composition(graph, ["a", "b", "b", "b"])
         a    b
    0  0.0  1.0
    1  0.5  0.5
    2  0.0  1.0
    3  NaN  NaN
    """
    code, types = coded(phenotype, graph.n_cells, "phenotype")
    counts = _type_counts(graph.indptr, graph.indices, code, len(types))
    if include_self:
        counts[np.arange(graph.n_cells), code] += 1
    if as_counts:
        return pd.DataFrame(counts, columns=types)
    total = counts.sum(axis=1, keepdims=True)
    fractions = np.divide(counts, total, np.full(counts.shape, np.nan), where=total > 0)
    return pd.DataFrame(fractions, columns=types)


def niches(
    composition: ArrayLike, n_niches: int, seed: int = 0, n_restarts: int = 10
) -> tuple[np.ndarray, np.ndarray]:
    """Cells grouped by what surrounds them: k-means on compositions.

    Parameters
    ----------
    composition : (n_cells, n_types) float
        As `neighbourhood_composition` gives it. Rows with NaN belong to no niche.
    n_niches : int
    seed : int
    n_restarts : int
        k-means++ starts, of which the best is kept: the smallest sum of squared distances, of
        equals the first.

    Returns
    -------
    niche : (n_cells,) int64
        0 to n_niches - 1, the largest niche first; -1 without neighbours.
    centres : (n_niches, n_types) float
        Mean composition of each.

    Raises
    ------
    ValueError
        If there are fewer different compositions than niches, or ``n_niches`` or ``n_restarts``
        is below 1.

    Notes
    -----
    Lloyd's algorithm from k-means++ starts (Arthur & Vassilvitskii 2007). Of ten neighbours there
    are few different compositions, and equal ones are one point with a weight, so that a million
    cells cost no more than some thousands. No BLAS and no shared sums: the same niches for any
    number of threads.
    """
    values = np.asarray(composition, dtype=float)
    if n_niches < 1 or n_restarts < 1:
        raise ValueError(
            f"n_niches and n_restarts must be 1 or more, found {n_niches} and {n_restarts}."
        )
    known = np.isfinite(values).all(axis=1)
    points, point_of, weight = np.unique(
        values[known], axis=0, return_inverse=True, return_counts=True
    )
    if len(points) < n_niches:
        raise ValueError(
            f"{n_niches} niches need as many different compositions, found {len(points)} in "
            f"{len(values)} cells; ask for fewer niches."
        )
    weights = weight.astype(float)
    starts = [
        _spread_start(points, weights, n_niches, np.random.default_rng([seed, restart]))
        for restart in range(n_restarts)
    ]
    with ThreadPoolExecutor() as pool:
        fits = list(pool.map(lambda start: _lloyd(points, weights, start, MOST_STEPS), starts))
    of_point, centres, _ = min(fits, key=lambda fit: fit[2])
    size = np.bincount(of_point, weights, minlength=n_niches)
    # By size; of niches equally large the one with more of the first phenotype comes first.
    order = np.lexsort([*(-centres.T[::-1]), -size])
    rank = np.empty(n_niches, np.int64)
    rank[order] = np.arange(n_niches)
    niche = np.full(len(values), NO_NICHE, np.int64)
    niche[known] = rank[of_point][point_of.ravel()]
    return niche, centres[order]


def niche_profile(niche: np.ndarray, composition: pd.DataFrame) -> pd.DataFrame:
    """What surrounds the cells of each niche, beside what surrounds all cells.

    Parameters
    ----------
    niche : (n_cells,) int
        As `niches` gives it.
    composition : (n_cells, n_types) DataFrame

    Returns
    -------
    DataFrame
        One row for each niche and phenotype: ``niche, phenotype, n_cells, cell_frac`` (of the
        cells that have a niche), ``neighbour_frac`` (mean over its cells), ``overall_frac`` (mean
        over the cells of every niche), ``ratio``.
    """
    inside = niche != NO_NICHE
    values = composition[inside]
    overall = values.mean()
    means = values.groupby(niche[inside]).mean()
    n_cells = np.bincount(niche[inside])
    profile = means.rename_axis("niche").reset_index()
    profile = profile.melt("niche", var_name="phenotype", value_name="neighbour_frac")
    profile = profile.sort_values(["niche", "phenotype"], ignore_index=True)
    of_niche = n_cells[profile["niche"]]
    profile.insert(2, "n_cells", of_niche)
    profile.insert(3, "cell_frac", of_niche / max(inside.sum(), 1))
    overall_frac = profile["phenotype"].map(overall).astype(float)
    return profile.assign(overall_frac=overall_frac, ratio=profile["neighbour_frac"] / overall_frac)


@numba.njit(nogil=True, cache=True)
def _type_counts(indptr, indices, code, n_types):
    counts = np.zeros((len(indptr) - 1, n_types), np.int64)
    for i in range(len(indptr) - 1):
        for e in range(indptr[i], indptr[i + 1]):
            counts[i, code[indices[e]]] += 1
    return counts


def _spread_start(
    points: np.ndarray, weight: np.ndarray, n_niches: int, rng: np.random.Generator
) -> np.ndarray:
    """k-means++: each centre a point drawn by its squared distance to those drawn before."""
    chance, centres = weight, []
    nearest = np.full(len(points), np.inf)
    for _ in range(n_niches):
        cumulative = np.cumsum(chance)
        drawn = np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right")
        centres.append(points[min(drawn, len(points) - 1)])
        nearest = np.minimum(nearest, np.square(points - centres[-1]).sum(axis=1))
        chance = weight * nearest
    return np.array(centres)


@numba.njit(nogil=True, cache=True)
def _lloyd(points, weight, start, most_steps):
    """Niche of each point, centres, and the weighted sum of squared distances."""
    n, n_types = points.shape
    centres = start.copy()
    niche = np.full(n, -1, np.int64)
    apart = np.zeros(n)
    for _ in range(most_steps):
        moved, total = False, 0.0
        for i in range(n):
            best, nearest = 0, np.inf
            for k in range(len(centres)):
                d2 = 0.0
                for t in range(n_types):
                    d2 += (points[i, t] - centres[k, t]) ** 2
                if d2 < nearest:
                    best, nearest = k, d2
            moved |= best != niche[i]
            niche[i], apart[i] = best, weight[i] * nearest
            total += apart[i]
        if not moved:
            break
        size, sums = np.zeros(len(centres)), np.zeros(centres.shape)
        for i in range(n):
            size[niche[i]] += weight[i]
            for t in range(n_types):
                sums[niche[i], t] += weight[i] * points[i, t]
        for k in range(len(centres)):
            if size[k] > 0:
                centres[k] = sums[k] / size[k]
            else:  # nobody's: it starts anew where the fit is worst
                worst = np.argmax(apart)
                centres[k] = points[worst]
                apart[worst] = 0.0
    return niche, centres, total
