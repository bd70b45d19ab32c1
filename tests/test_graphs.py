"""Neighbour graphs against brute force, ties and duplicates included."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from macprox import spatial
from macprox.spatial.graphs.graph import Graph

POINTS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=40)


def apart(xy, group=None):
    """Distances, infinite to the cell itself and across groups."""
    xy = np.asarray(xy, dtype=float)
    distance = np.sqrt(np.square(xy[:, None] - xy).sum(axis=2))
    np.fill_diagonal(distance, np.inf)
    if group is not None:
        distance[np.asarray(group)[:, None] != group] = np.inf
    return distance


def dense(graph):
    return graph.as_sparse().toarray().astype(bool)


def is_sorted(graph):
    rows = np.split(graph.indices, graph.indptr[1:-1])
    return all((np.diff(row) > 0).all() for row in rows)


@settings(max_examples=40, deadline=None)
@given(POINTS, st.sampled_from([1.0, 5.0, 40.0]), st.integers(1, 3))
def test_radius_graph_equals_brute_force(xy, radius, n_groups):
    group = np.arange(len(xy)) % n_groups
    graph = spatial.radius_graph(xy, radius, group)
    np.testing.assert_array_equal(dense(graph), apart(xy, group) <= radius)
    assert is_sorted(graph)
    assert not graph.directed


@settings(max_examples=40, deadline=None)
@given(POINTS, st.integers(1, 8), st.sampled_from([1.0, 5.0, np.inf]), st.integers(1, 3))
def test_knn_graph_equals_brute_force_of_equals_the_lowest_row(xy, k, max_um, n_groups):
    group = np.arange(len(xy)) % n_groups
    distance = apart(xy, group)
    rows = np.broadcast_to(np.arange(len(xy)), distance.shape)
    nearest = np.zeros(distance.shape, bool)
    np.put_along_axis(nearest, np.lexsort((rows, distance), axis=1)[:, :k], True, axis=1)
    graph = spatial.knn_graph(xy, k, max_um, group)
    expected = nearest & (distance <= max_um) & np.isfinite(distance)
    np.testing.assert_array_equal(dense(graph), expected)
    assert is_sorted(graph)
    assert graph.directed


def test_delaunay_edges_are_those_with_an_empty_circle():
    xy = np.random.default_rng(0).uniform(0, 100, (40, 2))
    expected = np.zeros((40, 40), bool)
    for i in range(40):
        for j in range(i + 1, 40):
            for k in range(j + 1, 40):
                a, b, c = xy[i], xy[j], xy[k]
                centre = np.linalg.solve(
                    2 * np.array([b - a, c - a]), [b @ b - a @ a, c @ c - a @ a]
                )
                others = np.delete(np.hypot(*(xy - centre).T), [i, j, k])
                if (others > np.hypot(*(a - centre))).all():
                    for p, q in ((i, j), (i, k), (j, k)):
                        expected[p, q] = expected[q, p] = True
    np.testing.assert_array_equal(dense(spatial.delaunay_graph(xy, np.inf)), expected)
    capped = spatial.delaunay_graph(xy, 20)
    np.testing.assert_array_equal(dense(capped), expected & (apart(xy) <= 20))
    assert capped.edge_length_um(xy).max() <= 20
    assert is_sorted(capped)
    far = spatial.delaunay_graph(
        xy + np.array([80_000, 50_000]), 20
    )  # slides are far from the origin
    np.testing.assert_array_equal(far.indices, capped.indices)


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("direction", [(1, 0), (0, 1), (0.3, 0.77)])
def test_delaunay_of_cells_on_a_line_is_a_chain(n, direction):
    steps = np.random.default_rng(n).permutation(n)
    graph = spatial.delaunay_graph(np.outer(steps, direction), max_um=2)
    np.testing.assert_array_equal(dense(graph), np.abs(steps[:, None] - steps) == 1)


def test_delaunay_cells_at_one_place_are_neighbours_and_share_neighbours():
    corners = np.array([[0, 0], [10, 0], [0, 10]])
    graph = spatial.delaunay_graph(np.vstack([corners, corners[:1]]), np.inf)
    np.testing.assert_array_equal(dense(graph), ~np.eye(4, dtype=bool))
    assert spatial.delaunay_graph(np.zeros((3, 2)), 1).n_edges == 6


def test_delaunay_edges_never_cross_a_group():
    rng = np.random.default_rng(4)
    xy, group = rng.uniform(0, 50, (60, 2)), rng.choice(["b", "a"], 60)
    graph = spatial.delaunay_graph(xy, np.inf, group)
    assert (group[graph.sources] == group[graph.indices]).all()
    alone = spatial.delaunay_graph(xy[group == "a"], np.inf)
    np.testing.assert_array_equal(dense(graph)[np.ix_(group == "a", group == "a")], dense(alone))


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_integers_and_float32_are_taken_as_they_are(dtype):
    xy = np.array([[0, 0], [3, 4], [9, 9]], dtype=dtype)
    assert spatial.radius_graph(xy, 5).indices.tolist() == [1, 0]
    assert spatial.knn_graph(xy, 1, 5).indices.tolist() == [1, 0]
    assert spatial.delaunay_graph(xy, 5).indices.tolist() == [1, 0]


def test_no_cells_have_no_neighbours():
    for graph in (
        spatial.radius_graph([], 5),
        spatial.knn_graph([], 3, 5),
        spatial.delaunay_graph([], 5),
    ):
        assert (graph.n_cells, graph.n_edges) == (0, 0)


def test_a_sparse_matrix_is_a_graph_without_its_diagonal_and_weights():
    matrix = sp.csr_matrix(np.array([[2.0, 0.5, 0], [0.1, 0, 0], [0, 3, 0]]))
    graph = Graph.from_sparse(matrix)
    np.testing.assert_array_equal(dense(graph), [[0, 1, 0], [1, 0, 0], [0, 1, 0]])
    assert graph.directed
    assert not Graph.from_sparse(matrix[:2, :2]).directed
    with pytest.raises(ValueError, match=r"one row and one column a cell, found \(2, 3\)"):
        Graph.from_sparse(matrix[:2])


def test_what_no_graph_can_be_made_of_is_refused():
    xy = [[0, 0], [1, 1]]
    with pytest.raises(ValueError, match="1 of 2 cells have no finite coordinates"):
        spatial.radius_graph([[0, 0], [np.nan, 1]], 5)
    for radius in (0, np.nan, np.inf):
        with pytest.raises(ValueError, match="radius_um must be a positive number"):
            spatial.radius_graph(xy, radius)
    with pytest.raises(ValueError, match="max_um must be a positive number"):
        spatial.delaunay_graph(xy, -1)
    for k in (0, 2.5):
        with pytest.raises(ValueError, match="k must be a whole number"):
            spatial.knn_graph(xy, k, 50)
    with pytest.raises(ValueError, match=r"one field for each of 2 cells, found shape \(3,\)"):
        spatial.knn_graph(xy, 1, 50, group=[1, 2, 3])
