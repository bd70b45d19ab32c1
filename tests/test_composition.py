"""Compositions against a one-hot product; niches against scipy's k-means and planted niches."""

import numpy as np
import pytest
from scipy.cluster.vq import kmeans2

from macprox import spatial


@pytest.fixture(scope="module")
def planted():
    """Three kinds of tissue side by side, and one cell far from all."""
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 600, (3000, 2))
    zone = np.searchsorted([300, 480], xy[:, 0])
    share = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    phenotype = np.array(["imm", "str", "tum"])[[rng.choice(3, p=share[z]) for z in zone]]
    return np.vstack([xy, [[5000, 5000]]]), np.append(phenotype, "tum"), zone


def test_composition_equals_the_one_hot_product(planted):
    xy, phenotype, _ = planted
    graph = spatial.knn_graph(xy, 10, 50)
    one_hot = (phenotype[:, None] == np.unique(phenotype)).astype(float)
    counts = graph.as_sparse() @ one_hot
    found = spatial.neighbourhood_composition(graph, phenotype, as_counts=True)
    np.testing.assert_array_equal(found, counts)
    assert found.columns.tolist() == ["imm", "str", "tum"]
    with np.errstate(invalid="ignore"):
        expected = counts / counts.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(spatial.neighbourhood_composition(graph, phenotype), expected)
    with_self = spatial.neighbourhood_composition(graph, phenotype, include_self=True)
    both = counts + one_hot
    np.testing.assert_allclose(with_self, both / both.sum(axis=1, keepdims=True))


def test_niches_find_planted_tissue_the_largest_first(planted):
    xy, phenotype, zone = planted
    composition = spatial.neighbourhood_composition(spatial.knn_graph(xy, 10, 50), phenotype)
    niche, centres = spatial.niches(composition, 3, seed=1)
    assert niche[-1] == -1  # no neighbours, no niche
    assert (niche[:-1] == zone).mean() > 0.93
    assert (np.diff(np.bincount(niche[:-1])) <= 0).all()
    for k in range(3):
        np.testing.assert_allclose(centres[k], composition[niche == k].mean(), atol=1e-12)
    profile = spatial.niche_profile(niche, composition)
    assert len(profile) == 9
    first = profile[profile["niche"] == 0].set_index("phenotype")
    np.testing.assert_allclose(first["neighbour_frac"], centres[0])
    assert first.loc["imm", "ratio"] > 1.3
    assert first["cell_frac"].iloc[0] == pytest.approx((niche == 0).sum() / 3000)


def test_niches_fit_as_well_as_scipys_k_means(planted):
    xy, phenotype, _ = planted
    values = spatial.neighbourhood_composition(spatial.radius_graph(xy, 40), phenotype)
    values = values.dropna().to_numpy()
    niche, centres = spatial.niches(values, 5, seed=0)
    ours = np.square(values - centres[niche]).sum()
    theirs = []
    for seed in range(10):
        found, label = kmeans2(values, 5, iter=100, minit="++", rng=np.random.default_rng(seed))
        theirs.append(np.square(values - found[label]).sum())
    assert ours <= min(theirs) * 1.002
    nearest = np.square(values[:, None] - centres).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(niche, nearest)  # converged


def test_niches_are_the_same_again_and_in_any_order_of_cells():
    rng = np.random.default_rng(3)
    values = rng.dirichlet([0.5, 0.5, 0.5, 0.5], 500).round(1)
    niche, centres = spatial.niches(values, 4, seed=2)
    again, same = spatial.niches(values, 4, seed=2)
    np.testing.assert_array_equal(niche, again)
    np.testing.assert_array_equal(centres, same)
    order = rng.permutation(500)
    np.testing.assert_array_equal(spatial.niches(values[order], 4, seed=2)[0], niche[order])


def test_as_many_niches_as_compositions_is_the_limit():
    values = np.array([[1, 0], [0, 1], [0, 1], [np.nan, np.nan]])
    niche, centres = spatial.niches(values, 2)
    assert niche.tolist() == [1, 0, 0, -1]
    np.testing.assert_array_equal(centres, [[0, 1], [1, 0]])
    with pytest.raises(ValueError, match="3 niches need as many different compositions, found 2"):
        spatial.niches(values, 3)
    for arguments in ((0,), (1, 0, 0)):
        with pytest.raises(ValueError, match="must be 1 or more"):
            spatial.niches(values, *arguments)


def test_labels_of_other_length_are_refused():
    graph = spatial.radius_graph([[0, 0], [1, 0]], 1)
    with pytest.raises(ValueError, match="phenotype must give one label for each of 2 cells"):
        spatial.neighbourhood_composition(graph, ["a"])
