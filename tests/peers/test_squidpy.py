"""scanpy and squidpy work on what macprox hands them, and find the same neighbours."""

import numpy as np
import pandas as pd
import pytest

import macprox as mp
from macprox import spatial

pytest.importorskip("scanpy", reason="scanpy is not installed here")
pytest.importorskip("squidpy", reason="squidpy is not installed here")
pytestmark = pytest.mark.filterwarnings("default")  # their own, about each other

RADIUS_UM = 25.0


@pytest.fixture
def adata(small_result, tmp_path):
    """Written and read back, as another person gets it."""
    import anndata

    (path,) = mp.export(small_result, "anndata", tmp_path)
    return anndata.read_h5ad(path)


def test_scanpy_clusters_and_ranks_the_markers(adata):
    import scanpy as sc

    sc.pp.pca(adata, n_comps=2)
    sc.pp.neighbors(adata, n_neighbors=10, use_rep="X_pca")
    assert adata.obsp["connectivities"].nnz > adata.n_obs
    sc.tl.rank_genes_groups(adata, "phenotype", groups=["Macrophage"], method="t-test")
    assert adata.uns["rank_genes_groups"]["names"]["Macrophage"][0] == "CD68"
    sc.tl.rank_genes_groups(adata, "phenotype", groups=["Tumour"], method="t-test")
    assert adata.uns["rank_genes_groups"]["names"]["Tumour"][0] == "panCK"


def test_squidpy_finds_the_neighbours_that_radius_graph_finds(adata):
    import squidpy as sq

    graph = spatial.radius_graph(adata, RADIUS_UM)
    assert graph.n_edges > adata.n_obs  # control: there are some to agree about
    sq.gr.spatial_neighbors(adata, coord_type="generic", radius=RADIUS_UM)
    theirs = adata.obsp["spatial_connectivities"].tocsr()
    theirs.sort_indices()
    assert np.array_equal(theirs.indptr, graph.indptr)
    assert np.array_equal(theirs.indices, graph.indices)
    spatial.into_obsp(adata, graph, "ours")
    difference = adata.obsp["ours_distances"] - adata.obsp["spatial_distances"]
    assert np.abs(difference).max() < 1e-9


def test_squidpy_s_enrichment_runs_on_a_graph_of_ours(adata):
    import squidpy as sq

    graph = spatial.radius_graph(adata, RADIUS_UM)
    spatial.into_obsp(adata, graph, params={"radius_um": RADIUS_UM})
    sq.gr.nhood_enrichment(adata, cluster_key="phenotype", n_perms=100, seed=0, n_jobs=1)
    theirs = adata.uns["phenotype_nhood_enrichment"]["count"]
    ours = spatial.enrichment(graph, adata.obs["phenotype"])
    names = list(adata.obs["phenotype"].cat.categories)
    square = ours.pivot(index="source", columns="target", values="n_edges").loc[names, names]
    assert np.array_equal(theirs, square.to_numpy())
    assert len(names) > 2
    sq.gr.interaction_matrix(adata, cluster_key="phenotype")
    assert adata.uns["phenotype_interactions"].shape == (len(names),) * 2


def test_co_occurrence_runs_on_our_places(adata):
    import squidpy as sq

    sq.gr.co_occurrence(adata, cluster_key="phenotype", interval=np.array([1.0, 20, 50, 100]))
    found = adata.uns["phenotype_co_occurrence"]["occ"]
    names = list(adata.obs["phenotype"].cat.categories)
    assert names == ["Tumour", "Macrophage", "Other"]  # in the study's order
    tumour, other = names.index("Tumour"), names.index("Other")
    assert found[tumour, tumour, 0] > 1 > found[tumour, other, 0]  # the left half is tumour


def test_both_draw_the_slide_in_the_report_s_colours(adata):
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    import scanpy as sc
    import squidpy as sq
    from matplotlib.colors import to_hex

    colours = list(adata.uns["phenotype_colors"])
    axes = sc.pl.embedding(adata, basis="spatial", color="phenotype", show=False)
    drawn = {to_hex(colour) for colour in axes.collections[0].get_facecolors()}
    assert drawn == set(colours)
    sq.pl.spatial_scatter(adata, color="phenotype", shape=None, return_ax=True)
    assert list(adata.uns["phenotype_colors"]) == colours  # not replaced by their defaults
    plt.close("all")


def test_columns_of_ours_are_groups_for_scanpy(adata, tmp_path):
    import anndata
    import scanpy as sc

    niche, _ = spatial.cell_niches(adata, 3, "radius", radius_um=RADIUS_UM)
    spatial.into_obs(adata, niche)
    spatial.into_obs(adata, spatial.annotate_neighbours(adata, ["Tumour"], [20]))
    graph = spatial.radius_graph(adata, RADIUS_UM)
    around = spatial.neighbourhood_composition(graph, adata.obs["phenotype"])
    spatial.into_obsm(adata, around.fillna(0), "composition")
    spatial.into_obsp(adata, graph)
    spatial.into_uns(adata, spatial.proximity(adata, "Macrophage", "Tumour"), "proximity")
    sc.tl.rank_genes_groups(adata, "niche", method="t-test")
    sc.pp.neighbors(adata, use_rep="composition", key_added="by_composition")
    adata.write_h5ad(tmp_path / "all.h5ad")
    again = anndata.read_h5ad(tmp_path / "all.h5ad")
    pd.testing.assert_frame_equal(again.uns["proximity"], adata.uns["proximity"])
    assert again.uns["spatial_neighbors"]["params"]["unit"] == "um"
    sc.tl.diffmap(again, n_comps=3, neighbors_key="spatial_neighbors")  # scanpy reads the graph
