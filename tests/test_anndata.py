"""A slide, or a folder of slides, as AnnData: what lies where, in memory and read back."""

import builtins
import shutil
import tomllib

import numpy as np
import pandas as pd
import pytest

import macprox as mp
import small_runs
from macprox.errors import MacproxError, ResultError
from macprox.phenotype.colours import TUMOUR_COLOUR

anndata = pytest.importorskip("anndata", reason="anndata is not installed here")
# anndata 0.13 asks for options that pandas 3.1 retires.
pytestmark = pytest.mark.filterwarnings("ignore:The '.*' option is deprecated")


@pytest.fixture(scope="module")
def of_slide(small_result):
    return mp.to_anndata(small_result)


@pytest.fixture
def two_slides(small_result, tmp_path):
    """A result folder with the small slide twice, of patients in two groups."""
    results = tmp_path / "results"
    shutil.copytree(small_result.path.parents[1], results)
    first = results / "slides" / small_result.slide_id
    second = results / "slides" / "second"
    shutil.copytree(first, second)
    cells = pd.read_parquet(second / "cells.parquet").assign(slide_id="second")
    cells.iloc[: len(cells) // 2].to_parquet(second / "cells.parquet")
    for folder, patient, age in ((first, "007", "61"), (second, "B", "58.5")):
        manifest = folder / "manifest.json"
        content = small_runs.json.loads(manifest.read_text("utf-8"))
        sample = {"slide_id": folder.name, "patient": patient, "group": "early", "age": age}
        content |= {"slide_id": folder.name, "patient": patient, "sample": sample}
        manifest.write_text(small_runs.json.dumps(content), "utf-8")
    return results


def test_intensities_lie_in_the_gate_s_compartment_and_in_layers(of_slide, small_result):
    cells = small_result.cells()
    assert list(of_slide.var_names) == list(small_runs.CHANNELS)
    compartment = of_slide.var["compartment"]
    assert compartment["DAPI"] == "nucleus"
    for marker in small_runs.CHANNELS:
        means = cells[f"mean_{marker.lower()}_{compartment[marker]}"]
        np.testing.assert_array_equal(of_slide[:, marker].X[:, 0], means)
    for layer in ("nucleus", "ring", "cell"):
        np.testing.assert_array_equal(
            of_slide[:, "CD68"].layers[layer][:, 0], cells[f"mean_cd68_{layer}"]
        )
    assert not np.array_equal(of_slide.layers["ring"], of_slide.layers["cell"])  # control
    assert of_slide.var.loc["CD68", "gate"] == 300
    assert of_slide.var.loc["CD68", "gate_source"] == "study"


def test_the_other_columns_are_obs_and_places_are_obsm(of_slide, small_result):
    cells = small_result.cells()
    left_out = {"x_um", "y_um", *(name for name in cells if name.startswith("mean_"))}
    assert set(cells.columns) - left_out == set(of_slide.obs.columns)
    np.testing.assert_array_equal(of_slide.obsm["spatial"], cells[["x_um", "y_um"]])
    assert of_slide.obs_names[0] == f"{small_result.slide_id}_{cells['cell_id'].iloc[0]}"
    assert {str(dtype) for dtype in of_slide.obs.dtypes} & {"object", "string"} == set()
    assert list(of_slide.obs["phenotype"]) == list(cells["phenotype"])


def test_phenotypes_have_the_report_s_colours_in_the_order_of_categories(of_slide):
    names = list(of_slide.obs["phenotype"].cat.categories)
    assert names[0] == "Tumour"
    assert of_slide.uns["phenotype_colors"][0] == TUMOUR_COLOUR
    assert len(of_slide.uns["phenotype_colors"]) == len(names) == len(set(names))


def test_study_gates_and_statistics_come_along(of_slide, small_result):
    about = of_slide.uns["macprox"]
    assert about["spatial_unit"] == "um"
    assert tomllib.loads(about["study"])["image"]["nucleus"] == "DAPI"
    assert about["slides"].loc[small_result.slide_id, "pixel_size_um"] == 0.5
    assert list(about["gates"]["marker"]) == ["panCK", "CD68"]
    assert len(about["statistics"]) == len(small_result.statistics())


@pytest.mark.parametrize(
    ("to", "read"), [("anndata", "read_h5ad"), ("anndata-zarr", "read_zarr")], ids=str
)
def test_everything_survives_writing_and_reading(of_slide, small_result, tmp_path, to, read):
    (path,) = mp.export(small_result, to, tmp_path)
    again = getattr(anndata, read)(path)
    assert list(tmp_path.iterdir()) == [path]
    pd.testing.assert_frame_equal(again.obs, of_slide.obs, check_index_type=False)
    pd.testing.assert_frame_equal(again.var, of_slide.var, check_index_type=False)
    np.testing.assert_array_equal(again.X, of_slide.X)
    np.testing.assert_array_equal(again.obsm["spatial"], of_slide.obsm["spatial"])
    for table in ("slides", "gates", "statistics"):
        pd.testing.assert_frame_equal(
            again.uns["macprox"][table],
            of_slide.uns["macprox"][table],
            check_index_type=False,
            check_column_type=False,
        )
    assert again.uns["macprox"]["study"] == of_slide.uns["macprox"]["study"]
    mp.export(small_result, to, tmp_path)  # over what is there
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_of_results_is_one_object_with_patients(two_slides):
    ended = small_runs.macprox("export", two_slides, "--to", "anndata")
    assert ended.code == 0, ended.err
    both = anndata.read_h5ad(two_slides / "export" / "cells.h5ad")
    assert both.obs["slide_id"].nunique() == 2
    assert both.obs_names.is_unique
    age = both.obs.groupby("patient", observed=True)["age"].unique()
    assert {name: values.tolist() for name, values in age.items()} == {"007": [61.0], "B": [58.5]}
    assert set(both.uns["macprox"]["gates"]["slide_id"]) == {*both.obs["slide_id"].unique()}
    assert both.uns["macprox"]["slides"].loc["second", "patient"] == "B"


def test_other_formats_of_a_folder_are_written_slide_by_slide(two_slides, tmp_path):
    ended = small_runs.macprox("export", two_slides, "--to", "csv", "--out", tmp_path / "out")
    assert ended.code == 0, ended.err
    found = {path.parent.name for path in (tmp_path / "out").rglob("cells.csv")}
    assert len(found) == 2
    assert "second" in found


def test_a_slide_that_is_not_finished_is_left_out_and_named(two_slides):
    manifest = two_slides / "slides" / "second" / "manifest.json"
    content = small_runs.json.loads(manifest.read_text("utf-8"))
    del content["stages"]["analysis"]
    manifest.write_text(small_runs.json.dumps(content), "utf-8")
    ended = small_runs.macprox("export", two_slides, "--to", "anndata")
    assert ended.code == 0
    assert "second is not finished, and left out." in ended.err
    assert anndata.read_h5ad(ended.out.strip()).obs["slide_id"].nunique() == 1


def test_cells_of_a_table_alone_have_no_markers_and_all_else(small_result, tmp_path):
    cells = small_result.cells()[["cell_id", "x_um", "y_um", "phenotype"]]
    cells.to_csv(tmp_path / "a.csv", index=False)
    with small_runs.without_reports():
        ended = small_runs.macprox(
            *("stats", tmp_path / "a.csv", "--source", "Macrophage", "--target", "Tumour"),
            *("--out", tmp_path / "results", "--quiet"),
        )
    assert ended.code == 0, ended.err
    result = mp.open_result(tmp_path / "results" / "slides" / "a")
    (path,) = mp.export(result, "anndata")
    again = anndata.read_h5ad(path)
    assert again.shape == (len(cells), 0)
    assert set(again.obs["phenotype"]) == set(cells["phenotype"])


def test_a_slide_without_cells_is_an_empty_object(small_copy, tmp_path):
    path = small_copy.folder.cells
    pd.read_parquet(path).iloc[:0].to_parquet(path)
    (written,) = mp.export(small_copy, "anndata", tmp_path)
    assert anndata.read_h5ad(written).n_obs == 0


def test_a_file_in_the_place_of_a_store_is_left_alone(small_result, tmp_path):
    (tmp_path / "cells.zarr").write_text("mine")
    with pytest.raises(ResultError, match=r"Cannot write .*cells\.zarr"):
        mp.export(small_result, "anndata-zarr", tmp_path)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_slides_of_two_folders_are_not_mixed(small_result, small_copy):
    with pytest.raises(MacproxError, match="slides of one result folder"):
        mp.to_anndata([small_result, small_copy])


@pytest.mark.parametrize("take", [mp.to_anndata, lambda given: mp.export(given, "csv")])
def test_what_is_no_result_is_told(small_result, take):
    with pytest.raises(MacproxError, match="no slide to export"):
        take([])
    for given in (str(small_result.path), small_result.path, [small_result.path]):
        with pytest.raises(MacproxError, match=r"Expected the results.*open_result\(folder\)"):
            take(given)


def test_spatialdata_is_of_one_slide(small_result):
    with pytest.raises(MacproxError, match=r"made of one slide.*found list"):
        mp.to_spatialdata([small_result])


def test_a_slide_that_stopped_says_so(small_copy):
    small_copy.folder.cells.unlink()
    with pytest.raises(ResultError, match=r"has no cells\.parquet"):
        mp.to_anndata(small_copy)


@pytest.mark.parametrize(
    ("make", "library"), [(mp.to_anndata, "anndata"), (mp.to_spatialdata, "spatialdata")]
)
def test_a_library_that_is_missing_is_named(small_result, monkeypatch, make, library):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name.partition(".")[0] == library and not arguments[0]["__name__"].startswith(library):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MacproxError, match=rf'pip install "macprox\[{library}\]"'):
        make(small_result)
