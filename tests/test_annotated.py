"""AnnData in, AnnData out: what is taken for micrometres, and what lands in which slot."""

import numpy as np
import pandas as pd
import pytest

from macprox import spatial
from macprox.errors import TableError

anndata = pytest.importorskip("anndata", reason="anndata is not installed here")
# anndata 0.13 asks for options that pandas 3.1 retires.
pytestmark = pytest.mark.filterwarnings("ignore:The '.*' option is deprecated")


@pytest.fixture
def adata():
    """200 cells of three kinds in two fields that lie over each other."""
    rng = np.random.default_rng(4)
    obs = pd.DataFrame(
        {
            "phenotype": pd.Categorical(rng.choice(["AM/TRM-like", "Other", "Tumour"], 200)),
            "roi_id": pd.Categorical(np.repeat(["a", "b"], 100)),
        },
        index=[f"cell {i}" for i in range(200)],
    )
    places = {"spatial": rng.uniform(0, 200, (200, 2))}
    return anndata.AnnData(np.zeros((200, 0), np.float32), obs=obs, obsm=places)


@pytest.fixture
def table(adata):
    x_um, y_um = adata.obsm["spatial"].T
    return adata.obs.assign(x_um=x_um, y_um=y_um)


CALLS = {
    "proximity": lambda cells: spatial.proximity(cells, "AM/TRM-like", "Tumour"),
    "neighbourhood": lambda cells: spatial.neighbourhood(cells, "radius"),
    "envelope": lambda cells: spatial.proximity_envelope(
        cells, "AM/TRM-like", "Tumour", statistic="g", n_simulations=19
    ),
    "annotate_neighbours": lambda cells: spatial.annotate_neighbours(cells, ["Tumour"], [20]),
    "annotate_regions": lambda cells: spatial.annotate_regions(cells, None, 100),
    "annotate": lambda cells: spatial.annotate(cells, ["Tumour"], [20], None, 100),
    "niche": lambda cells: spatial.cell_niches(cells, 3)[0].to_frame(),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_an_anndata_gives_what_its_table_gives_and_stays_as_it_is(adata, table, call):
    before = adata.copy()
    pd.testing.assert_frame_equal(call(adata), call(table))
    assert (*adata.obs.columns,) == (*before.obs.columns,)
    assert len(adata.uns) == len(adata.obsp) == 0


@pytest.mark.parametrize(
    "graph_of",
    [
        lambda cells, group=None: spatial.radius_graph(cells, 15, group),
        lambda cells, group=None: spatial.knn_graph(cells, 4, 50, group),
        lambda cells, group=None: spatial.delaunay_graph(cells, 50, group),
    ],
    ids=["radius", "knn", "delaunay"],
)
def test_graphs_of_an_anndata_never_cross_its_fields(adata, table, graph_of):
    xy, roi = adata.obsm["spatial"], adata.obs["roi_id"].astype(str).to_numpy()
    within = graph_of(xy, roi)
    across = graph_of(xy)  # control: the fields lie over each other
    assert (roi[across.sources] != roi[across.indices]).any()
    for cells in (adata, table):
        found = graph_of(cells)
        assert np.array_equal(found.indices, within.indices)
        assert np.array_equal(found.indptr, within.indptr)
    asked = graph_of(adata, np.zeros(200))  # as the caller says
    assert np.array_equal(asked.indices, across.indices)


def test_slides_are_fields_too_and_a_missing_one_is_one_of_its_own(adata):
    adata.obs = adata.obs.drop(columns="roi_id").assign(slide_id=["s"] * 150 + [None] * 50)
    graph = spatial.radius_graph(adata, 15)
    is_s = (np.arange(200) < 150)[graph.sources] == (np.arange(200) < 150)[graph.indices]
    assert graph.n_edges > 0
    assert is_s.all()


@pytest.mark.parametrize("unit", ["um", "µm", "micrometer", "Microns"])
def test_every_spelling_of_micrometres_is_taken(adata, unit):
    adata.uns["spatial_unit"] = unit
    assert len(spatial.cells_of(adata)) == 200


def test_another_unit_is_refused_with_what_to_do(adata):
    adata.uns["spatial_unit"] = "pixel"
    with pytest.raises(TableError, match=r"'pixel', expected micrometres. Multiply obsm"):
        spatial.radius_graph(adata, 15)
    adata.uns = {"macprox": {"spatial_unit": "px"}}
    with pytest.raises(TableError, match="expected micrometres"):
        spatial.proximity(adata, "Other", "Tumour")


def test_a_visium_s_pixels_are_refused_until_someone_says_otherwise(adata):
    adata.uns["spatial"] = {"lib": {"scalefactors": {"spot_diameter_fullres": 89.0}}}
    with pytest.raises(TableError, match=r"in pixels: uns\['spatial'\]\['lib'\]"):
        spatial.cells_of(adata)
    adata.uns["spatial_unit"] = "um"
    assert len(spatial.cells_of(adata)) == 200


def test_cells_without_places_are_refused(adata):
    adata.obsm["X_umap"] = adata.obsm.pop("spatial")
    with pytest.raises(TableError, match=r"no obsm\['spatial'\].*holds 'X_umap'"):
        spatial.cells_of(adata)
    adata.obsm["spatial"] = np.zeros((200, 3))
    with pytest.raises(TableError, match=r"must be \(n, 2\).*found \(200, 3\)"):
        spatial.cells_of(adata)
    with pytest.raises(TableError, match="a SpatialData, found list"):
        spatial.cells_of([1, 2])


def test_columns_go_into_obs_by_the_names_of_rows(adata):
    found = spatial.annotate_neighbours(adata, ["Tumour"], [20]).sample(frac=1, random_state=0)
    spatial.into_obs(adata, found)
    assert {"nearest_tumour_um", "n_tumour_20um"} <= set(adata.obs)
    assert "x_um" not in adata.obs
    expected = found["nearest_tumour_um"].loc[list(adata.obs_names)]
    np.testing.assert_array_equal(adata.obs["nearest_tumour_um"], expected)
    assert isinstance(adata.obs["phenotype"].dtype, pd.CategoricalDtype)  # as it was


def test_niches_become_categories_and_arrays_need_a_name(adata):
    niche, _ = spatial.cell_niches(adata, 3)
    spatial.into_obs(adata, niche)
    assert set(adata.obs["niche"].cat.categories) == set(map(str, niche.unique()))
    assert list(adata.obs["niche"].astype(int)) == list(niche)
    spatial.into_obs(adata, np.arange(200.0), "order")
    assert adata.obs["order"].dtype == float
    with pytest.raises(TableError, match="needs a name"):
        spatial.into_obs(adata, np.arange(200.0))
    with pytest.raises(TableError, match=r"one value for each of 200 cells, found shape \(3,\)"):
        spatial.into_obs(adata, np.arange(3), "order")


def test_results_of_other_cells_are_refused(adata):
    with pytest.raises(TableError, match="199 rows, called 'cell 0'"):
        spatial.into_obs(adata, spatial.cells_of(adata).iloc[:-1])
    with pytest.raises(TableError, match="has no rows"):
        spatial.into_obs(adata, spatial.cells_of(adata).iloc[:0])
    with pytest.raises(TableError, match="'here' is one too many"):
        spatial.into_obs(adata, spatial.cells_of(adata), "here")
    with pytest.raises(TableError, match="found DataFrame"):
        spatial.into_obs(spatial.cells_of(adata), np.zeros(200), "a")


def test_a_composition_is_an_array_whose_names_are_beside_it(adata, tmp_path):
    graph = spatial.knn_graph(adata, 5, 60)
    around = spatial.neighbourhood_composition(graph, adata.obs["phenotype"])
    spatial.into_obsm(adata, around, "composition")
    adata.write_h5ad(tmp_path / "a.h5ad")  # "AM/TRM-like" is no name for a column of a file
    again = anndata.read_h5ad(tmp_path / "a.h5ad")
    np.testing.assert_array_equal(again.obsm["composition"], around)
    assert list(again.uns["composition"]["columns"]) == ["AM/TRM-like", "Other", "Tumour"]
    named = around.set_axis(adata.obs_names).iloc[::-1]
    spatial.into_obsm(adata, named, "composition")
    np.testing.assert_array_equal(adata.obsm["composition"], around)
    with pytest.raises(TableError, match=r"one row for each of 200 cells, found \(3, 2\)"):
        spatial.into_obsm(adata, np.zeros((3, 2)), "composition")


def test_a_graph_lies_where_squidpy_leaves_one(adata):
    graph = spatial.radius_graph(adata, 15)
    spatial.into_obsp(adata, graph, params={"radius_um": 15})
    ones, lengths = (adata.obsp[f"spatial_{name}"] for name in ("connectivities", "distances"))
    assert ones.nnz == lengths.nnz == graph.n_edges > 0
    i, j = graph.sources[0], graph.indices[0]
    apart = np.linalg.norm(adata.obsm["spatial"][i] - adata.obsm["spatial"][j])
    assert lengths[i, j] == pytest.approx(apart)
    assert lengths.max() <= 15
    about = adata.uns["spatial_neighbors"]
    assert about["connectivities_key"] == "spatial_connectivities"
    assert about["distances_key"] == "spatial_distances"
    assert about["params"]["radius_um"] == 15
    assert spatial.Graph.from_sparse(ones).n_edges == graph.n_edges
    with pytest.raises(TableError, match="has 3 cells, the AnnData 200"):
        spatial.into_obsp(adata, spatial.radius_graph(np.eye(3, 2), 5))


def test_tables_go_into_uns_as_a_file_can_hold_them(adata, tmp_path):
    found = spatial.proximity(adata, "AM/TRM-like", "Tumour")
    assert found["reason"].isna().any() or (found["reason"] == "").any()
    spatial.into_uns(adata, found.assign(nothing=None), "proximity")
    adata.write_h5ad(tmp_path / "a.h5ad")
    again = anndata.read_h5ad(tmp_path / "a.h5ad").uns["proximity"]
    np.testing.assert_array_equal(again["value"], found["value"])
    assert set(again["nothing"]) == {""}
    with pytest.raises(TableError, match="'AM/TRM-like' has '/' in its name"):
        spatial.into_uns(adata, pd.DataFrame({"AM/TRM-like": [1.0]}), "shares")
    with pytest.raises(TableError, match="a table, found ndarray"):
        spatial.into_uns(adata, np.zeros(3), "shares")


def test_what_is_no_graph_is_not_written(adata):
    with pytest.raises(TableError, match="Expected a Graph, such as radius_graph gives, found Dat"):
        spatial.into_obsp(adata, pd.DataFrame())
    assert not list(adata.obsp)


def test_a_graph_of_a_table_needs_its_places(adata):
    table = spatial.cells_of(adata)
    assert spatial.radius_graph(table, radius_um=20).n_cells == len(table)  # control
    with pytest.raises(TableError, match="The cell table lacks x_um and y_um; found"):
        spatial.radius_graph(table.drop(columns=["x_um"]), radius_um=20)
