"""Delaunay neighbours: cells whose Voronoi polygons share a side."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from macprox.spatial.annotated import placed
from macprox.spatial.graphs.graph import (
    Graph,
    check_reach,
    csr_of_ones,
    graph_of_groups,
)
from macprox.spatial.search.grid import squared_limits

ON_A_LINE = 1e-12  # width over length: the rounding of coordinates; Qhull refuses flatter ones


def delaunay_graph(xy: ArrayLike, max_um: float, group: ArrayLike | None = None) -> Graph:
    """Neighbours are Delaunay neighbours, none farther than a cap.

    Parameters
    ----------
    xy : (n, 2) float, DataFrame, AnnData or SpatialData
        Centroids in micrometres, or cells as `cells_of` takes them.
    max_um : float
        Cap; an edge exactly that long stays. ``inf`` for none: cells at the rim then have
        neighbours across the whole field.
    group : (n,), optional
        Field of each cell (``roi_id``); edges never cross. Cells that are not an array have
        ``slide_id`` and ``roi_id`` for it, where nothing else is given.

    Returns
    -------
    Graph
        Undirected. Cells at the same place are neighbours and share that place's neighbours;
        cells on a line are neighbours of the next ones along it. Of four cells on an empty circle
        Qhull takes one of the two diagonals.

    Raises
    ------
    ValueError
        If a coordinate is not finite, the cap is not positive, or ``group`` does not give one
        field for each cell.

    Notes
    -----
    `scipy.spatial.Delaunay` (Qhull; Barber, Dobkin & Huhdanpaa 1996).
    """
    check_reach("max_um", max_um)
    limit = np.inf if np.isinf(max_um) else float(squared_limits(np.array([max_um]))[0])

    def triangulated(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        matrix = _joined(points, limit)
        return matrix.indptr, matrix.indices

    return graph_of_groups(*placed(xy, group), triangulated, directed=False)


def _joined(points: np.ndarray, limit: float):
    """Sparse ones between the neighbours of one field."""
    import scipy.sparse as sp

    places, place = np.unique(points, axis=0, return_inverse=True)
    one, other = _edges_of_places(places).T
    short = np.square(places[one] - places[other]).sum(axis=1) <= limit
    one, other = one[short], other[short]
    same = np.arange(len(places))
    matrix = csr_of_ones(
        np.concatenate([one, other, same]), np.concatenate([other, one, same]), len(places)
    )
    cells = sp.csr_array(
        (np.ones(len(points)), place.ravel(), np.arange(len(points) + 1)),
        shape=(len(points), len(places)),
    )
    matrix = (cells @ matrix @ cells.T).tocoo()
    apart = matrix.row != matrix.col
    return csr_of_ones(matrix.row[apart], matrix.col[apart], len(points))


def _edges_of_places(places: np.ndarray) -> np.ndarray:
    """Pairs of neighbouring places ``(n_edges, 2)``; places are distinct, sorted by x, then y."""
    from scipy.spatial import Delaunay

    along = places[-1] - places[0]
    aside = (places - places[0]) @ [-along[1], along[0]]
    if len(places) < 3 or np.abs(aside).max() <= ON_A_LINE * (along @ along):
        return np.column_stack([np.arange(len(places) - 1), np.arange(1, len(places))])
    # Centred: Qhull's tolerance grows with the coordinates, and slides are far from the origin.
    triangulation = Delaunay(places - places.mean(axis=0))
    sides = triangulation.simplices[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    # What rounding kept out of the triangulation lies against a corner of it.
    return np.concatenate([sides, triangulation.coplanar[:, [0, 2]]])
