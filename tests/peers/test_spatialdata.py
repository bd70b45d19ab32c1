"""spatialdata opens the store, finds each thing where it lies, and ties cells to rows."""

import numpy as np
import pandas as pd
import pytest

import macprox as mp
import small_runs
from macprox import spatial
from macprox.errors import TableError

pytest.importorskip("spatialdata", reason="spatialdata is not installed here")
pytestmark = pytest.mark.filterwarnings("default")  # their own, about each other


@pytest.fixture(scope="module")
def data(small_result, tmp_path_factory):
    """The store, read back."""
    import spatialdata

    (path,) = mp.export(small_result, "spatialdata", tmp_path_factory.mktemp("out"))
    assert [found.name for found in path.parent.iterdir()] == [path.name]  # nothing temporary
    return spatialdata.read_zarr(path)


def test_every_element_is_there_in_both_systems(data):
    assert set(data.labels) == {"cells", "nuclei"}
    assert set(data.shapes) == {"regions"}
    assert set(data.images) == {"overview"}
    assert set(data.coordinate_systems) == {"um", "global"}


def test_labels_are_the_pyramid_on_disk_and_lazy(data, small_result):
    import dask.array as da

    for name in ("cells", "nuclei"):
        levels = [data[name][level]["image"].data for level in data[name]]
        assert len(levels) == len(small_result.label_levels(name))
        assert all(isinstance(level, da.Array) for level in levels)
        for i, level in enumerate(levels):
            assert np.array_equal(level.compute(), small_result.labels(name, i).compute())
            assert level.max().compute() > 0


def test_centroids_of_the_labels_are_the_cells_places(data, small_result):
    from spatialdata import get_centroids

    cells = small_result.cells().set_index("cell_id")
    found = get_centroids(data["nuclei"], "um").compute()[["x", "y"]]
    has = cells.index[cells["has_nucleus"]]
    assert len(has) > 50
    np.testing.assert_allclose(found.loc[has], cells.loc[has, ["x_um", "y_um"]], atol=1e-6)
    in_pixels = get_centroids(data["nuclei"], "global").compute()[["x", "y"]]
    np.testing.assert_allclose(in_pixels * small_result.pixel_size_um, found)


def test_everything_lies_on_the_same_ground(data, small_result):
    from spatialdata import get_extent

    side_um = small_result.labels("cells").shape[1] * small_result.pixel_size_um
    for name in ("cells", "nuclei", "overview"):
        extent = get_extent(data[name], "um")
        assert extent["x"] == pytest.approx((0, side_um), abs=4)
    names = set(data["regions"]["name"])
    assert {"tissue_window", "tumour"} <= names
    tumour = data["regions"].query("name == 'tumour'").geometry.area.sum()
    assert tumour == pytest.approx(small_result.regions().tumour.area)


def test_the_table_is_tied_to_the_cells(data, small_result):
    from spatialdata import match_table_to_element

    matched = match_table_to_element(data, "cells", table_name="table")
    assert matched.n_obs == len(small_result.cells())
    assert list(matched.obs["cell_id"]) == list(range(1, matched.n_obs + 1))


def test_a_query_of_their_own_cuts_cells_and_rows_alike(data):
    from spatialdata import bounding_box_query

    box = bounding_box_query(
        data,
        axes=("x", "y"),
        min_coordinate=[0, 0],
        max_coordinate=[80, 80],
        target_coordinate_system="um",
    )
    assert 0 < box["table"].n_obs < data["table"].n_obs


def test_functions_take_the_whole_object(data, small_result):
    ours = spatial.proximity(small_result.cells(), "Macrophage", "Tumour")
    theirs = spatial.proximity(data, "Macrophage", "Tumour")
    pd.testing.assert_frame_equal(ours, theirs)
    graph = spatial.radius_graph(data, 20)
    assert np.array_equal(graph.indices, spatial.radius_graph(data["table"], 20).indices)


def test_cells_of_a_table_alone_are_points_that_the_table_is_tied_to(small_result, tmp_path):
    import spatialdata

    cells = small_result.cells()[["cell_id", "x_um", "y_um", "phenotype"]].iloc[:200]
    cells.to_csv(tmp_path / "a.csv", index=False)
    with small_runs.without_reports():
        ended = small_runs.macprox(
            *("stats", tmp_path / "a.csv", "--source", "Macrophage", "--target", "Tumour"),
            *("--out", tmp_path / "results", "--quiet"),
        )
    assert ended.code == 0, ended.err
    (path,) = mp.export(mp.open_result(tmp_path / "results" / "slides" / "a"), "spatialdata")
    data = spatialdata.read_zarr(path)
    assert set(data.labels) == set()
    found = spatialdata.get_centroids(data["cells"], "um").compute()
    np.testing.assert_allclose(found[["x", "y"]], cells[["x_um", "y_um"]])
    assert spatialdata.match_table_to_element(data, "cells", "table").n_obs == 200


def test_a_slide_without_cells_is_still_a_store(small_copy, tmp_path):
    import spatialdata

    path = small_copy.folder.cells
    pd.read_parquet(path).iloc[:0].to_parquet(path)
    (written,) = mp.export(small_copy, "spatialdata", tmp_path)
    assert spatialdata.read_zarr(written)["table"].n_obs == 0


@pytest.fixture
def foreign():
    """Circles in pixels of 0.5 um, and a table that says nothing of units."""
    from anndata import AnnData
    from geopandas import GeoDataFrame
    from shapely import Point
    from spatialdata import SpatialData
    from spatialdata.models import ShapesModel, TableModel
    from spatialdata.transformations import Identity, Scale

    places = [(20, 40), (60, 40), (100, 400)]
    frame = GeoDataFrame(
        {"radius": [5.0] * 3}, geometry=[Point(*place) for place in places], index=[7, 8, 9]
    )
    circles = ShapesModel.parse(
        frame,
        transformations={"global": Identity(), "microns": Scale([0.5, 0.5], axes=("x", "y"))},
    )
    table = AnnData(
        np.zeros((3, 1)),
        obs=pd.DataFrame(
            {"phenotype": ["b", "a", "b"], "of": ["circles"] * 3, "id": [9, 7, 8]},
            index=["r", "s", "t"],
        ),
    )
    table = TableModel.parse(table, region="circles", region_key="of", instance_key="id")
    return SpatialData.init_from_elements({"circles": circles, "table": table})


def test_places_of_others_come_through_their_system_of_micrometres(foreign):
    cells = spatial.cells_of(foreign)
    assert cells[["x_um", "y_um"]].to_numpy().tolist() == [[50, 200], [10, 20], [30, 20]]
    assert list(cells.index) == ["r", "s", "t"]
    graph = spatial.radius_graph(foreign, 20)
    assert graph.degree.tolist() == [0, 1, 1]


def test_an_object_in_pixels_alone_is_refused(foreign):
    from spatialdata.transformations import remove_transformation

    remove_transformation(foreign["circles"], "microns")
    with pytest.raises(TableError, match="no coordinate system of micrometres: found 'global'"):
        spatial.cells_of(foreign)


def test_one_of_several_tables_must_be_named(foreign):
    from anndata import AnnData

    foreign["bins"] = AnnData(np.zeros((2, 1)))
    with pytest.raises(TableError, match=r"2 tables \('table', 'bins'\)"):
        spatial.proximity(foreign, "a", "b")
    assert len(spatial.cells_of(foreign, table="table")) == 3
    with pytest.raises(TableError, match="No table 'cells'; found 'table', 'bins'"):
        spatial.cells_of(foreign, table="cells")
    with pytest.raises(TableError, match="Table 'bins' annotates no element"):
        spatial.cells_of(foreign, table="bins")


def test_a_row_of_no_element_is_refused(foreign):
    foreign["table"].obs["id"] = [9, 7, 5]
    with pytest.raises(TableError, match="Row 2 of the table annotates number 5 of 'circles'"):
        spatial.cells_of(foreign)
