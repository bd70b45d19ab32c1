"""Join counts under relabelling: enumeration, brute-force permutations, uniform p values."""

from itertools import permutations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from macprox import spatial
from macprox.spatial.graphs.enrichment import ONE_OUTCOME, TOO_FEW
from macprox.spatial.graphs.graph import Graph
from macprox.spatial.graphs.join_moments import join_counts, join_moments
from macprox.spatial.graphs.join_permutations import permuted_join_counts


def random_graph(rng, n, share, directed):
    edges = rng.random((n, n)) < share
    np.fill_diagonal(edges, False)
    if not directed:
        edges = np.triu(edges)
        edges |= edges.T
    graph = Graph.from_sparse(sp.csr_array(edges.astype(float)))
    return Graph(graph.indptr, graph.indices, directed or graph.directed)


def one_hot_counts(graph, code, n_types):
    one_hot = np.eye(n_types)[code]
    return one_hot.T @ (graph.as_sparse() @ one_hot)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 7), st.integers(1, 3), st.integers(1, 3))
def test_moments_equal_those_of_every_deal(seed, n, n_types, n_strata):
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, n, rng.uniform(0.1, 0.9), directed=bool(seed % 2))
    code = rng.integers(0, n_types, n)
    stratum = np.unique(rng.integers(0, n_strata, n), return_inverse=True)[1]
    deals = np.array(
        [deal for deal in permutations(range(n)) if (stratum[list(deal)] == stratum).all()]
    )
    counts = np.array([join_counts(graph, code[deal], n_types) for deal in deals])
    mean, variance = join_moments(graph, code, n_types, stratum)
    np.testing.assert_allclose(mean, counts.mean(axis=0), atol=1e-11)
    np.testing.assert_allclose(variance, counts.var(axis=0), atol=1e-11)


@pytest.mark.parametrize("n_strata", [1, 4])
@pytest.mark.parametrize("kind", ["knn", "radius"])
def test_moments_equal_20_000_permutations(kind, n_strata):
    rng = np.random.default_rng(5)
    xy = rng.uniform(0, 200, (160, 2))
    graph = spatial.knn_graph(xy, 6, 50) if kind == "knn" else spatial.radius_graph(xy, 20)
    code, stratum = (
        rng.choice(3, 160, p=[0.1, 0.3, 0.6]),
        (xy[:, 0] // (200 / n_strata)).astype(int),
    )
    one_hot = np.eye(3)[code]
    adjacency, rows = graph.as_sparse(), [np.flatnonzero(stratum == s) for s in range(n_strata)]
    counts = np.empty((20_000, 3, 3))
    for b in range(len(counts)):
        deal = np.empty(160, int)
        for members in rows:
            deal[members] = rng.permutation(members)
        counts[b] = one_hot[deal].T @ (adjacency @ one_hot[deal])
    mean, variance = join_moments(graph, code, 3, stratum)
    error = np.sqrt(variance / len(counts))
    assert (np.abs(counts.mean(axis=0) - mean) < 4 * error).all()
    np.testing.assert_allclose(counts.std(axis=0), np.sqrt(variance), rtol=0.025)
    if n_strata > 1:  # control: strata matter here
        assert np.abs(join_moments(graph, code, 3, 0 * stratum)[0] - mean).max() > 4 * error.max()


def test_nothing_overflows_where_a_fourth_power_does():
    n, k = 60_000, 6  # n^4 > 2^63
    ring = (np.arange(n)[:, None] + np.r_[-3:0, 1:4]) % n
    graph = Graph(np.arange(n + 1) * k, np.sort(ring, axis=1).ravel().astype(np.int32), False)
    code = np.repeat([0, 1], [n // 10, n - n // 10])
    mean, variance = join_moments(graph, code, 2, np.zeros(n, int))
    # A regular graph has no linear part; the rest as n grows is W (1 + 1) (p q)^2 for two types.
    np.testing.assert_allclose(mean, n * k * np.array([[0.01, 0.09], [0.09, 0.81]]), rtol=1e-3)
    np.testing.assert_allclose(variance, 2 * n * k * 0.09**2, rtol=1e-3)


@pytest.mark.parametrize("kind", ["knn", "radius", "crowd"])
def test_permuted_counts_are_counts_of_permuted_labels_for_any_number_of_workers(kind):
    rng = np.random.default_rng(2)
    xy = rng.uniform(0, 150, (400, 2))
    graph = {
        "knn": lambda: spatial.knn_graph(xy, 6, 50),
        "radius": lambda: spatial.radius_graph(xy, 12),
        "crowd": lambda: spatial.radius_graph(xy, 120),  # more neighbours than a byte counts
    }[kind]()
    code, stratum = rng.choice(4, 400), rng.choice(3, 400)
    counts = permuted_join_counts(graph, code, stratum, 200, 7, 1)
    for n_workers in (2, 3):
        other = permuted_join_counts(graph, code, stratum, 200, 7, n_workers)
        np.testing.assert_array_equal(counts, other)
    fewer = permuted_join_counts(graph, code, stratum, 70, 7, 2)
    np.testing.assert_array_equal(counts[:70], fewer)
    assert (counts.sum(axis=(1, 2)) == graph.n_edges).all()
    assert not (permuted_join_counts(graph, code, stratum, 70, 8, 2) == fewer).all()
    # One label a stratum: every deal is the observed one.
    same = permuted_join_counts(graph, stratum, stratum, 65, 0, 2)
    assert (same == one_hot_counts(graph, stratum, 3)).all()
    mean, variance = join_moments(graph, code, 4, stratum)
    z = (counts.mean(axis=0) - mean)[variance > 0] / np.sqrt(variance[variance > 0] / 200)
    assert np.abs(z).max() < 4


@pytest.fixture(scope="module")
def tissue():
    rng = np.random.default_rng(3)
    xy = rng.uniform(0, 700, (2000, 2))
    return xy, np.where(
        rng.random(2000) < 0.15, "mac", np.where(rng.random(2000) < 0.4, "tum", "oth")
    )


@pytest.mark.parametrize("kind", ["knn", "delaunay"])
def test_where_a_normal_p_is_given_4_to_6_percent_of_deals_are_below_5_percent(kind, tissue):
    xy = tissue[0]
    graph = spatial.knn_graph(xy, 10, 50) if kind == "knn" else spatial.delaunay_graph(xy, 50)
    code = np.repeat(np.arange(4), [20, 100, 400, 1480])
    stratum = np.zeros(2000, int)
    mean, variance = join_moments(graph, code, 4, stratum)
    z = (permuted_join_counts(graph, code, stratum, 5_000, 1, 2) - mean) / np.sqrt(variance)
    below = (np.abs(z) > 1.96).mean(axis=0)
    offered = spatial.enrichment(graph, code)["p"].notna().to_numpy().reshape(4, 4)
    assert 0 < (~offered).sum() < 6
    assert (np.abs(below[offered] - 0.05) < 0.01).all()


def test_permuted_p_agrees_with_the_normal_one(tissue):
    xy, phenotype = tissue
    graph = spatial.radius_graph(xy, 20)
    exact = spatial.enrichment(graph, phenotype)
    permuted = spatial.enrichment_permuted(graph, phenotype, 4999, seed=1, n_workers=2)
    np.testing.assert_allclose(permuted["p"], exact["p"], atol=0.03)
    np.testing.assert_array_equal(permuted["z"], exact["z"])
    z_low = (permuted["ci_low"] - exact["expected"]) / exact["sd"]
    np.testing.assert_allclose(z_low, -1.96, atol=0.15)
    assert set(permuted["approximation"]) == {"permutations"}
    assert set(exact["approximation"]) == {"normal"}


def test_compartments_alone_look_like_enrichment_until_they_are_strata():
    rng = np.random.default_rng(8)
    xy = rng.uniform(0, 1000, (4000, 2))
    nest = (xy[:, 0] // 125).astype(int) % 2
    phenotype = np.where(rng.random(4000) < np.array([0.1, 0.3])[nest], "mac", "other")
    graph = spatial.knn_graph(xy, 10, 50)
    free = spatial.enrichment(graph, phenotype).iloc[0]
    within = spatial.enrichment(graph, phenotype, strata=nest).iloc[0]
    assert free["z"] > 4
    assert abs(within["z"]) < 2
    assert within["ratio"] == pytest.approx(1, abs=0.1)


def test_counts_ratio_and_names_are_those_of_the_one_hot_product(tissue):
    xy, phenotype = tissue
    graph = spatial.delaunay_graph(xy, 50)
    table = spatial.enrichment(graph, phenotype)
    types, code = np.unique(phenotype, return_inverse=True)
    np.testing.assert_array_equal(table["n_edges"], one_hot_counts(graph, code, 3).ravel())
    assert table["source"].tolist() == np.repeat(types, 3).tolist()
    assert table["target"].tolist() == np.tile(types, 3).tolist()
    np.testing.assert_allclose(table["ratio"], table["n_edges"] / table["expected"])


def test_few_joins_have_z_but_no_normal_p():
    rng = np.random.default_rng(0)
    graph = spatial.knn_graph(rng.uniform(0, 100, (60, 2)), 3, 50)
    phenotype = ["rare"] * 3 + ["common"] * 57
    table = spatial.enrichment(graph, phenotype).set_index(["source", "target"])
    rare = table.loc[("rare", "rare")]
    assert np.isfinite(rare["z"])
    assert np.isnan(rare["p"])
    assert rare["reason"] == TOO_FEW
    assert table.loc[("common", "common"), "approximation"] == "normal"
    permuted = spatial.enrichment_permuted(graph, phenotype, 99, n_workers=1)
    assert permuted["p"].between(0.01, 1).all()


@pytest.mark.parametrize("phenotype", [["a"] * 4, ["a", "a", "b", "b"]])
def test_one_label_a_stratum_leaves_nothing_to_deal(phenotype):
    graph = spatial.radius_graph([[0, 0], [1, 0], [2, 0], [3, 0]], 1)
    for table in (
        spatial.enrichment(graph, phenotype, strata=phenotype),
        spatial.enrichment_permuted(graph, phenotype, 9, strata=phenotype),
    ):
        assert table[["z", "p"]].isna().all(axis=None)
        assert (table["reason"] == ONE_OUTCOME).all()
        np.testing.assert_array_equal(table["expected"], table["n_edges"])


def test_one_cell_of_a_type_has_no_join_with_itself():
    graph = spatial.radius_graph([[0, 0], [1, 0], [2, 0]], 1)
    row = spatial.enrichment(graph, ["a", "b", "b"]).iloc[0]
    assert (row["n_edges"], row["expected"], row["sd"]) == (0, 0, 0)
    assert np.isnan(row["ratio"])


def test_no_cells_give_an_empty_table():
    graph = spatial.radius_graph([], 1)
    assert len(spatial.enrichment(graph, [])) == 0
    assert len(spatial.enrichment_permuted(graph, [], 9)) == 0


def test_labels_that_cannot_be_dealt_are_refused():
    graph = spatial.radius_graph(np.zeros((300, 2)), 1)
    with pytest.raises(ValueError, match="phenotype must give one label for each of 300 cells"):
        spatial.enrichment(graph, ["a", "b"])
    with pytest.raises(ValueError, match=r"1 of 300 cells have no phenotype \(first in row 299\)"):
        spatial.enrichment(graph, ["a"] * 299 + [None])
    with pytest.raises(ValueError, match="strata must give one label"):
        spatial.enrichment(graph, ["a"] * 300, strata=["x"])
    with pytest.raises(ValueError, match="n_permutations must be 1 or more, found 0"):
        spatial.enrichment_permuted(graph, ["a"] * 300, 0)
    with pytest.raises(ValueError, match="At most 255 phenotypes can be permuted, found 300"):
        spatial.enrichment_permuted(graph, np.arange(300), 9)
