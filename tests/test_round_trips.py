"""What macprox exports and reads back is the same cells, and gives the same numbers."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import macprox as mp
import small_runs

# Where each export's cells are, and micrometres per unit of their places if the file does not say.
FILES = {
    "csv": ("cells.csv", None),
    "parquet": ("cells.parquet", None),
    "geojson": ("cells.geojson", "pixel"),
    "anndata": ("cells.h5ad", None),
    "anndata-zarr": ("cells.zarr", None),
}
KEYS = ["roi_id", "statistic", "source", "target", "region", "r_um", "correction", "eligible"]
NUMBERS = ["value", "expected", "n_source", "n_target"]
OF_LABELS = ["contact_count", "contact_fraction"]  # who touches whom is in the labels alone
ODD = (
    *("Mac", "Tumour", "Other", "Ambiguous", "AM/TRM-like", "CD68+ CD3-", 'A, "B"', "µ-glia", "🦠"),
    *("=1+1", "'=1+1", "+plus", "-minus", "@at", "'apostrophe", "a;b", "NA", "None", "nan", "1.0"),
)
ODD_IDS = ("007", "1e5", "NA", "-a", "Zürich")


def stats(*arguments):
    ended = small_runs.macprox("stats", *arguments, "--quiet")
    assert ended.code == 0, ended.err
    return ended


def there_and_back(result, to, out: Path, *options):
    """The result of `macprox stats` on an export of a result."""
    if to.startswith("anndata"):
        pytest.importorskip("anndata", reason="anndata is not installed here")
    name, unit = FILES[to]
    ended = small_runs.macprox("export", result.path, "--to", to, "--out", out)
    assert ended.code == 0, ended.err
    size = ("--pixel-size", result.pixel_size_um) if unit else ()
    stats(out / name, *options, *size, "--out", out / "again")
    (folder,) = (out / "again" / "slides").iterdir()
    return mp.open_result(folder)


def assert_same_cells(result, again):
    own, read = result.cells(), again.cells()
    own = own.sort_values("cell_id", ignore_index=True)
    read = read.sort_values("cell_id", ignore_index=True)
    assert again.slide_id == result.slide_id
    assert list(read["cell_id"]) == list(own["cell_id"])
    assert list(read["phenotype"]) == list(own["phenotype"])
    places = own[["x_um", "y_um"]]
    np.testing.assert_allclose(read[["x_um", "y_um"]], places, rtol=0, atol=1e-6)
    seen = [name for name in own if name.startswith(("nearest_", "n_")) and name in read]
    assert any(name.endswith("_um") for name in seen)
    for name in seen:
        np.testing.assert_allclose(read[name], own[name], rtol=0, atol=1e-9, err_msg=name)


def numbers_of(result, *without):
    table = result.statistics()
    table = table[~table["statistic"].isin([*OF_LABELS, *without])]
    assert not table.duplicated(KEYS).any()
    return table.set_index(KEYS)[NUMBERS].sort_index()


@pytest.fixture(scope="module")
def measured(small_result, tmp_path_factory):
    """A slide from pixels, a corner of which is left out, and some of whose cells are corrected."""
    results = tmp_path_factory.mktemp("measured") / "results"
    shutil.copytree(small_result.path.parents[1], results)
    corner = [[0, 0], [300, 0], [300, 120], [0, 120], [0, 0]]
    feature = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [corner]},
        "properties": {"classification": {"name": "Necrosis"}},
    }
    (results / "out.geojson").write_text(json.dumps(feature), encoding="utf-8")
    study = small_runs.write_study(
        results.parent / "study.toml",
        ("[phenotypes]", f'[regions]\nexclusions = "{results / "out.geojson"}"\n[phenotypes]'),
    )
    with small_runs.without_reports():
        ended = small_runs.macprox("update", results, "--study", study, "--quiet")
    assert ended.code == 0, ended.err
    result = mp.open_result(results / "slides" / small_result.slide_id)
    assert 10 < result.cells()["excluded"].sum() < len(result.cells()) / 2  # control
    return result


@pytest.mark.parametrize("to", FILES)
def test_a_slide_s_export_gives_the_slide_s_own_numbers(measured, tmp_path, to):
    areas = measured.path / "regions.geojson"
    radii = ",".join(f"{r:g}" for r in measured.study.proximity.radii_um)
    asked = ("--source", "Macrophage", "--target", "Tumour", "--radii", radii)
    size = () if FILES[to][1] else ("--pixel-size", measured.pixel_size_um)  # of the areas
    again = there_and_back(
        measured, to, tmp_path, *asked, *size, "--window", areas, "--tumour", areas
    )
    assert_same_cells(measured, again)
    expected = numbers_of(measured)
    found = numbers_of(again)
    assert len(expected) > 150
    pd.testing.assert_frame_equal(found, expected, rtol=1e-9, atol=1e-9, check_dtype=False)
    assert list(again.cells()["excluded"]) == list(measured.cells()["excluded"])


def test_a_changed_export_gives_other_numbers(measured, tmp_path):
    small_runs.macprox("export", measured.path, "--to", "csv", "--out", tmp_path)
    table = pd.read_csv(tmp_path / "cells.csv")
    table["x_um"] += np.where(table["phenotype"] == "Macrophage", 1.0, 0.0)
    table.to_csv(tmp_path / "moved.csv", index=False)
    asked = ("--source", "Macrophage", "--target", "Tumour", "--radii", "10,20")
    values = []
    for name in ("cells", "moved"):
        stats(tmp_path / f"{name}.csv", *asked, "--out", tmp_path / name)
        result = mp.open_result(tmp_path / name / "slides" / measured.slide_id)
        values.append(numbers_of(result).xs("nearest_mean_um", level="statistic")["value"])
    assert not np.allclose(*values, rtol=1e-9)


# --- cells of a table, with names that files like to change


def odd_table(slide_id, names=ODD, n=120):
    rng = np.random.default_rng(4)
    return pd.DataFrame(
        {
            "slide": slide_id,
            "field": np.resize(np.array(["01", "NA"], object), n),
            "x_um": rng.uniform(0, 300, n),
            "y_um": rng.uniform(0, 300, n),
            "who": np.resize(np.array(names, object), n),
        }
    )


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """Results of slides whose names, fields and phenotypes look like something else."""
    folder = tmp_path_factory.mktemp("odd")
    tables = [odd_table(slide_id) for slide_id in ODD_IDS]
    tables.append(odd_table("one", ("Mac",), 1))
    pd.concat(tables, ignore_index=True).to_parquet(folder / "in.parquet")
    columns = {"--slide-column": "slide", "--roi-column": "field", "--x": "x_um", "--y": "y_um"}
    options = [word for pair in columns.items() for word in pair]
    with small_runs.without_reports():
        stats(folder / "in.parquet", *options, "--phenotype", "who", "--source", "Mac",
              "--target", "Tumour", "--out", folder / "results")  # fmt: skip
    slides = sorted((folder / "results" / "slides").iterdir())
    return SimpleNamespace(path=folder, slides=[mp.open_result(path) for path in slides])


@pytest.mark.parametrize("to", FILES)
def test_names_that_files_like_to_change_come_back(odd, tmp_path, to):
    for result in odd.slides[:-1]:
        with small_runs.without_reports():
            again = there_and_back(
                result, to, tmp_path / result.slide_id, "--source", "Mac", "--target", "Tumour"
            )
        assert_same_cells(result, again)
        assert list(again.cells()["roi_id"]) == list(result.cells()["roi_id"])
        pd.testing.assert_frame_equal(
            numbers_of(again), numbers_of(result), rtol=1e-9, atol=1e-9, check_dtype=False
        )
    names = set(odd.slides[0].cells()["phenotype"])
    assert {"NA", "1.0", "=1+1", "'=1+1"} <= names  # control


@pytest.mark.parametrize("to", ["csv", "parquet", "geojson", "anndata"])
def test_a_slide_with_one_cell_and_no_tumour_comes_back_as_that(odd, tmp_path, to):
    (one,) = [result for result in odd.slides if result.slide_id == "one"]
    name, unit = FILES[to]
    small_runs.macprox("export", one.path, "--to", to, "--out", tmp_path)
    size = ("--pixel-size", 1) if unit else ()
    asked = (tmp_path / name, "--source", "Mac", "--target", "Tumour", *size)
    ended = small_runs.macprox("stats", *asked, "--out", tmp_path / "again")
    assert ended.code == 2
    assert ended.err.strip() == "macprox: No cell is called 'Tumour'; the tables name Mac."
    assert not (tmp_path / "again").exists()
