"""Who is how far from whom: nearest distances and counts within radii."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from macprox.spatial.search.grid import CELLS_PER_RADIUS, CellGrid, squared_limits
from macprox.spatial.search.nearest import NOBODY, nearest_squares
from macprox.window import as_points


def nearest_distance(source_xy: ArrayLike, target_xy: ArrayLike) -> np.ndarray:
    """Distance from every source cell to the nearest target cell.

    Parameters
    ----------
    source_xy : (n_source, 2) float
        Centroids in micrometres, columns (x, y).
    target_xy : (n_target, 2) float

    Returns
    -------
    (n_source,) float
        Micrometres; NaN where there is no target at all. A target at the same place is at
        distance 0: no cell is left out.

    Raises
    ------
    ValueError
        If a coordinate is not finite.

    Examples
    --------
    >>> nearest_distance([[0, 0], [10, 0]], [[3, 4]])
    array([5.        , 8.06225775])
    """
    source, target = finite_points(source_xy, "source"), finite_points(target_xy, "target")
    if len(source) == 0 or len(target) == 0:
        return np.full(len(source), np.nan)
    return np.sqrt(nearest_squares(source, target)[0][:, 0])


def k_nearest(
    source_xy: ArrayLike, target_xy: ArrayLike, k: int, max_um: float = np.inf
) -> tuple[np.ndarray, np.ndarray]:
    """Distance to, and row of, the k nearest targets of every source cell.

    Parameters
    ----------
    source_xy : (n_source, 2) float
        Centroids in micrometres, columns (x, y).
    target_xy : (n_target, 2) float
    k : int
        At least 1.
    max_um : float
        Targets beyond are none; exactly at it they count.

    Returns
    -------
    distance_um : (n_source, k) float
        Increasing; NaN where there is no k-th target within ``max_um``.
    row : (n_source, k) int64
        Rows of ``target_xy``; -1 where there is none. Of equally near targets (by the squared
        distance, before a root rounds two to one) the one in the lowest row comes first. A cell
        that is source and target is its own nearest.

    Raises
    ------
    ValueError
        If a coordinate is not finite, ``k`` is less than 1 or ``max_um`` is not positive.

    Examples
    --------
    >>> k_nearest([[0, 0]], [[0, 8], [3, 4], [0, 30]], k=3, max_um=20)
    (array([[ 5.,  8., nan]]), array([[ 1,  0, -1]]))
    """
    source, target = finite_points(source_xy, "source"), finite_points(target_xy, "target")
    if k != int(k) or k < 1:
        raise ValueError(f"k must be a whole number of at least 1, found {k!r}.")
    if not max_um > 0:
        raise ValueError(f"max_um must be positive, found {max_um!r}.")
    distance, row = np.full((len(source), int(k)), np.nan), np.full((len(source), int(k)), -1)
    if len(source) and len(target):
        limit = squared_limits(np.array([max_um]))[0] if np.isfinite(max_um) else np.inf
        n_found = min(int(k), len(target))
        d2, found = nearest_squares(source, target, n_found, limit)
        there = found != NOBODY
        distance[:, :n_found][there] = np.sqrt(d2[there])
        row[:, :n_found][there] = found[there]
    return distance, row


def count_within(
    source_xy: ArrayLike, target_xy: ArrayLike, radii_um: ArrayLike, exclude_self: bool = False
) -> np.ndarray:
    """Count the targets within each radius of every source cell.

    Parameters
    ----------
    source_xy : (n_source, 2) float
        Centroids in micrometres, columns (x, y).
    target_xy : (n_target, 2) float
    radii_um : (n_radii,) float
        Increasing, positive. A target exactly at a radius is counted.

    Returns
    -------
    (n_source, n_radii) int64
        Cumulative counts. Nothing is excluded unless ``exclude_self`` says that
        row i of both arrays is the same cell.

    Raises
    ------
    ValueError
        If a coordinate is not finite, ``radii_um`` is not increasing, or ``exclude_self`` is
        asked for arrays of different length.

    Examples
    --------
    >>> count_within([[0, 0]], [[0, 8], [0, 30]], radii_um=[10, 50])
    array([[1, 2]])
    """
    source, target = finite_points(source_xy, "source"), finite_points(target_xy, "target")
    radii = checked_radii(radii_um)
    if exclude_self and len(source) != len(target):
        raise ValueError(
            "exclude_self says that row i of both arrays is the same cell, but there are "
            f"{len(source)} sources and {len(target)} targets."
        )
    if len(source) == 0 or len(target) == 0:
        return np.zeros((len(source), len(radii)), dtype=np.int64)
    counts = CellGrid.of(target, radii[-1] / CELLS_PER_RADIUS).count(source, radii)
    return counts - int(exclude_self)  # a cell is within every radius of itself


def nearest_in_groups(
    source_xy: np.ndarray,
    target_xy: np.ndarray,
    source_group: np.ndarray,
    target_group: np.ndarray,
) -> np.ndarray:
    """`nearest_distance` to targets of the same group; NaN where the group has none."""
    distance = np.full(len(source_xy), np.nan)
    for source, target in shared_groups(source_group, target_group):
        distance[source] = nearest_distance(source_xy[source], target_xy[target])
    return distance


def count_in_groups(
    source_xy: np.ndarray,
    target_xy: np.ndarray,
    source_group: np.ndarray,
    target_group: np.ndarray,
    radii_um: np.ndarray,
) -> np.ndarray:
    """`count_within` over targets of the same group; 0 where the group has none."""
    counts = np.zeros((len(source_xy), len(radii_um)), dtype=np.int64)
    for source, target in shared_groups(source_group, target_group):
        counts[source] = count_within(source_xy[source], target_xy[target], radii_um)
    return counts


def lists_in_groups(
    source_xy: np.ndarray,
    target_xy: np.ndarray,
    source_group: np.ndarray,
    target_group: np.ndarray,
    radii_um: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """`CellGrid.lists` of targets of the same group; rows are rows of ``target_xy``."""
    offsets = np.zeros((len(source_xy), len(radii_um) + 1), dtype=np.int64)
    parts, n_pairs = [], 0
    for source, target in shared_groups(source_group, target_group):
        grid = CellGrid.of(target_xy[target], radii_um[-1] / CELLS_PER_RADIUS)
        part_offsets, rows = grid.lists(np.ascontiguousarray(source_xy[source]), radii_um)
        offsets[source] = part_offsets + n_pairs
        parts.append(target[rows].astype(np.int32))
        n_pairs += len(rows)
    return offsets, np.concatenate(parts) if parts else np.empty(0, dtype=np.int32)


def shared_groups(
    source_group: np.ndarray, target_group: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows of sources and targets of every group that has both."""
    if len(source_group) == 0 or len(target_group) == 0:
        return
    # Text is sorted a hundred times slower than the codes of it are found.
    codes, names = pd.factorize(np.concatenate([source_group, target_group]))
    n_source = len(source_group)
    if len(names) == 1:
        yield np.arange(n_source), np.arange(len(target_group))
        return
    of_source, of_target = (
        np.split(
            np.argsort(part, kind="stable"), np.cumsum(np.bincount(part, minlength=len(names)))
        )
        for part in (codes[:n_source], codes[n_source:])
    )
    for source, target in zip(of_source[:-1], of_target[:-1], strict=True):
        if len(source) and len(target):
            yield source, target


def checked_radii(radii_um: ArrayLike) -> np.ndarray:
    """``(n,)`` float radii, if they are positive, finite and increasing."""
    radii = np.atleast_1d(np.asarray(radii_um, dtype=float))
    if radii.ndim != 1 or len(radii) == 0 or not np.isfinite(radii).all():
        raise ValueError(f"radii_um must be a list of numbers, found {radii_um!r}.")
    if radii[0] <= 0 or (np.diff(radii) <= 0).any():
        raise ValueError(f"radii_um must be positive and increasing, found {radii.tolist()}.")
    return radii


def finite_points(xy: ArrayLike, name: str) -> np.ndarray:
    points = np.ascontiguousarray(as_points(np.asarray(xy)))  # kernels know this layout only
    if not np.isfinite(points).all():
        finite = np.isfinite(points).all(axis=1)
        first = int(np.flatnonzero(~finite)[0])
        raise ValueError(
            f"{(~finite).sum()} of {len(points)} {name} points are not finite (first in row "
            f"{first}: {points[first].tolist()}); drop them first."
        )
    return points
