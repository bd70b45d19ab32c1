"""Who is whose neighbour: cells within a radius, the k nearest, or Delaunay neighbours.

Every graph is built within one field at a time and knows no distance beyond its cap: a k-nearest
or Delaunay graph without one joins cells across airspaces and torn tissue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numba
import numpy as np
from numpy.typing import ArrayLike

from macprox.spatial.annotated import placed
from macprox.spatial.search.chunks import over_chunks
from macprox.spatial.search.grid import (
    CELLS_PER_RADIUS,
    CellGrid,
    row_range,
    run_in_row,
    squared_limits,
)
from macprox.spatial.search.nearest import nearest_squares
from macprox.window import as_points


@dataclass(frozen=True, eq=False)
class Graph:
    """Neighbours of every cell as compressed rows, sorted, without the cell itself.

    Parameters
    ----------
    indptr : (n_cells + 1,) int64
        Neighbours of cell i are ``indices[indptr[i]:indptr[i + 1]]``.
    indices : (n_edges,) int32
    directed : bool
        False: j is a neighbour of i whenever i is one of j, and both are listed. Of k-nearest
        neighbours that is not so.
    """

    indptr: np.ndarray = field(repr=False)
    indices: np.ndarray = field(repr=False)
    directed: bool

    @classmethod
    def from_sparse(cls, matrix: Any) -> Graph:
        """The graph of a square sparse matrix: every non-zero is an edge, the diagonal is not.

        Raises
        ------
        ValueError
            If the matrix is not square.
        """
        import scipy.sparse as sp

        matrix = sp.coo_array(matrix)
        if matrix.shape[0] != matrix.shape[1]:
            raise ValueError(f"A graph needs one row and one column a cell, found {matrix.shape}.")
        edge = (matrix.data != 0) & (matrix.row != matrix.col)
        pattern = csr_of_ones(matrix.row[edge], matrix.col[edge], matrix.shape[0])
        directed = (pattern != pattern.T).nnz > 0
        return cls(pattern.indptr.astype(np.int64), pattern.indices.astype(np.int32), directed)

    @property
    def n_cells(self) -> int:
        return len(self.indptr) - 1

    @property
    def n_edges(self) -> int:
        """Directed edges: a pair of mutual neighbours counts twice."""
        return len(self.indices)

    @property
    def degree(self) -> np.ndarray:
        """Neighbours of every cell: ``(n_cells,)`` int64."""
        return np.diff(self.indptr)

    @property
    def sources(self) -> np.ndarray:
        """The cell that each edge leaves: ``(n_edges,)`` int64."""
        return np.repeat(np.arange(self.n_cells), self.degree)

    def edge_length_um(self, xy: ArrayLike) -> np.ndarray:
        """Length of every edge, in the order of ``indices``: ``(n_edges,)``."""
        points = finite_points(xy)
        return np.sqrt(np.square(points[self.sources] - points[self.indices]).sum(axis=1))

    def as_sparse(self) -> Any:
        """`scipy.sparse.csr_array` of ones, float64."""
        import scipy.sparse as sp

        ones = np.ones(self.n_edges)
        return sp.csr_array((ones, self.indices, self.indptr), shape=(self.n_cells,) * 2)


def radius_graph(xy: ArrayLike, radius_um: float, group: ArrayLike | None = None) -> Graph:
    """Neighbours are the cells within a radius.

    Parameters
    ----------
    xy : (n, 2) float, DataFrame, AnnData or SpatialData
        Centroids in micrometres, or cells as `cells_of` takes them.
    radius_um : float
        A cell exactly at the radius is a neighbour.
    group : (n,), optional
        Field of each cell (``roi_id``); edges never cross. Cells that are not an array have
        ``slide_id`` and ``roi_id`` for it, where nothing else is given.

    Returns
    -------
    Graph
        Undirected. Memory 4 bytes a neighbour and 8 a cell.

    Raises
    ------
    ValueError
        If a coordinate is not finite, the radius is not a positive number, or ``group`` does not
        give one field for each cell.

    Examples
    --------
    >>> radius_graph([[0, 0], [3, 4], [9, 0]], radius_um=5).indices
    array([1, 0], dtype=int32)
    """
    check_reach("radius_um", radius_um, finite=True)
    limit = float(squared_limits(np.array([radius_um]))[0])

    def within(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        grid = CellGrid.of(points, radius_um / CELLS_PER_RADIUS)
        degree = grid.count(points, np.array([float(radius_um)]))[:, 0] - 1
        indptr = np.concatenate([[0], np.cumsum(degree)])
        indices = np.empty(indptr[-1], np.int32)
        over_chunks(
            len(points),
            lambda first, last: _fill_within(first, last, limit, indptr, indices, *grid.arrays),
        )
        return indptr, indices

    return graph_of_groups(*placed(xy, group), within, directed=False)


def knn_graph(xy: ArrayLike, k: int, max_um: float, group: ArrayLike | None = None) -> Graph:
    """Neighbours are the k nearest cells, none farther than a cap.

    Parameters
    ----------
    xy : (n, 2) float, DataFrame, AnnData or SpatialData
        Centroids in micrometres, or cells as `cells_of` takes them.
    k : int
        Fewer where the cap or the field holds fewer. Of cells equally far the one in the lower
        row is nearer.
    max_um : float
        Cap; a cell exactly at it is a neighbour. ``inf`` for none: neighbours then lie across
        airspaces and wherever the tissue is torn.
    group : (n,), optional
        Field of each cell (``roi_id``); edges never cross. Cells that are not an array have
        ``slide_id`` and ``roi_id`` for it, where nothing else is given.

    Returns
    -------
    Graph
        Directed: an outlying cell has k nearest, and is nobody's.

    Raises
    ------
    ValueError
        If a coordinate is not finite, k is not a whole number of 1 or more, the cap is not
        positive, or ``group`` does not give one field for each cell.
    """
    if not isinstance(k, (int, np.integer)) or k < 1:
        raise ValueError(f"k must be a whole number of 1 or more, found {k!r}.")
    check_reach("max_um", max_um)

    def nearest(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        neighbours = _k_nearest_others(points, int(k), float(max_um))
        n_found = (neighbours < len(points)).sum(axis=1)
        return np.concatenate([[0], np.cumsum(n_found)]), neighbours[neighbours < len(points)]

    return graph_of_groups(*placed(xy, group), nearest, directed=True)


def finite_points(xy: ArrayLike) -> np.ndarray:
    """``(n, 2)`` float64, if every coordinate is finite."""
    points = as_points(np.asarray(xy))
    finite = np.isfinite(points).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"{(~finite).sum()} of {len(points)} cells have no finite coordinates (first in row "
            f"{int(np.flatnonzero(~finite)[0])}); drop them first."
        )
    return points


def check_reach(name: str, reach_um: float, finite: bool = False) -> None:
    if not reach_um > 0 or (finite and not np.isfinite(reach_um)):
        raise ValueError(f"{name} must be a positive number of micrometres, found {reach_um!r}.")


def graph_of_groups(
    xy: ArrayLike,
    group: ArrayLike | None,
    build: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    directed: bool,
) -> Graph:
    """One graph from those of every field: ``build`` gives indptr and sorted indices of one."""
    points = finite_points(xy)
    n = len(points)
    labels = np.zeros(n, np.int64) if group is None else np.asarray(group)
    if labels.shape != (n,):
        raise ValueError(
            f"group must give one field for each of {n} cells, found shape {labels.shape}."
        )
    field_of = np.unique(labels, return_inverse=True)[1]
    rows_of = np.split(np.argsort(field_of, kind="stable"), np.cumsum(np.bincount(field_of))[:-1])
    degree, parts = np.zeros(n, np.int64), []
    for rows in rows_of if n else []:
        start, neighbours = build(np.ascontiguousarray(points[rows]))
        degree[rows] = np.diff(start)
        parts.append((rows, start, neighbours))
    indptr = np.concatenate([[0], np.cumsum(degree)]).astype(np.int64)
    if len(parts) == 1:
        return Graph(indptr, parts[0][2].astype(np.int32, copy=False), directed)
    indices = np.empty(indptr[-1], np.int32)
    for rows, start, neighbours in parts:
        # Rows of a field ascend, so neighbours sorted within it are sorted in the whole.
        shift = np.repeat(indptr[rows] - start[:-1], np.diff(start))
        indices[np.arange(len(neighbours)) + shift] = rows[neighbours]
    return Graph(indptr, indices, directed)


def csr_of_ones(row: np.ndarray, column: np.ndarray, n: int) -> Any:
    """Sparse ones at these places, each once, columns sorted."""
    import scipy.sparse as sp

    matrix = sp.coo_array((np.ones(len(row)), (row, column)), shape=(n, n)).tocsr()
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


def _k_nearest_others(points: np.ndarray, k: int, max_um: float) -> np.ndarray:
    """Sorted neighbours ``(n, k)``; n where there are fewer."""
    n = len(points)
    limit = np.inf if np.isinf(max_um) else float(squared_limits(np.array([max_um]))[0])
    found = nearest_squares(points, points, min(k + 1, n), limit)[1]
    # The cell itself is among them, unless enough lie at its place in lower rows: then the last
    # is one too many.
    others = found != np.arange(n)[:, None]
    others[others.all(axis=1), -1] = False
    neighbours = np.full((n, k), n, np.int32)
    neighbours[:, : found.shape[1] - 1] = np.minimum(found[others].reshape(n, -1), n)
    neighbours.sort(axis=1)
    return neighbours


@numba.njit(nogil=True, cache=True)
def _fill_within(
    first, last, limit, indptr, indices, points, order, start, n_columns, origin, side
):
    reach = np.sqrt(limit)
    for p in range(first, last):
        x, y = points[p]
        at = indptr[order[p]]
        bottom, top = row_range(y, reach, start, n_columns, origin, side)
        for row in range(bottom, top + 1):
            a, b = run_in_row(x, y, reach, row, start, n_columns, origin, side)
            for q in range(a, b):
                dx, dy = points[q, 0] - x, points[q, 1] - y
                if dx * dx + dy * dy <= limit and q != p:
                    indices[at] = order[q]
                    at += 1
        indices[indptr[order[p]] : at].sort()
