"""What people do by mistake with tables, exports and corrections ends in one clear sentence."""

import json

import numpy as np
import pandas as pd
import pytest

import macprox as mp
from macprox import spatial
from macprox.errors import MacproxError, ResultError, TableError
from macprox.io.atomic import replacing_folder
from macprox.review.returned import take_back
from small_runs import macprox

ASKED = ("--source", "Mac", "--target", "Tumour", "--quiet")


def table(**changes):
    rng = np.random.default_rng(1)
    columns = {
        "slide_id": "a",
        "cell_id": np.arange(1, 31),
        "x_um": rng.uniform(0, 100, 30),
        "y_um": rng.uniform(0, 100, 30),
        "phenotype": np.resize(["Mac", "Tumour", "Other"], 30),
    }
    return pd.DataFrame({**columns, **changes})


def area(*coordinates):
    return json.dumps({"type": "Polygon", "coordinates": [coordinates]})


def refused(tmp_path, *arguments):
    """The one line that `macprox stats` says; nothing is written."""
    out = tmp_path / "out"
    ended = macprox("stats", *arguments, *ASKED, "--out", out)
    assert ended.code == 2, ended.out
    assert not out.exists()
    (line,) = ended.err.strip().splitlines()
    return line


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"x_um": 1e300}, "a cell lies at 1e+300 µm, farther than any slide"),
        ({"x_um": np.nan}, "30 cells have no finite x_um"),
        ({"x_um": "a"}, "should hold numbers, but row 2 has 'a'"),
        ({"slide_id": None}, "row 2 has no slide_id"),
        ({"cell_id": 1}, "cell_id 1 occurs twice"),
        ({"in_window": "yes"}, "'in_window' should hold True or False, but row 2 has 'yes'"),
        ({"excluded": np.nan}, "'excluded' should hold True or False, but row 2 has nothing"),
        ({"phenotype": None}, "No cell is called 'Mac'; the tables name Other"),
    ],
    ids=str,
)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_of_ours_that_was_spoilt_is_refused(tmp_path, changes, said, suffix):
    path = tmp_path / f"cells.{suffix}"
    spoilt = table(**changes)
    spoilt.to_csv(path, index=False) if suffix == "csv" else spoilt.to_parquet(path)
    assert said in refused(tmp_path, path)


@pytest.mark.parametrize(
    ("window", "said"),
    [
        (area([0, 0], [1e300, 0], [1e300, 1e300], [0, 0]), "reaches to 1e+300 pixels"),
        (area([0, 0], [1, 1]), "is not GeoJSON"),
        (area([5000, 0], [5100, 0], [5100, 100], [5000, 0]), "lies inside its window"),
        (json.dumps({"type": "Feature", "geometry": None, "properties": {}}), "is not GeoJSON"),
        ("{}", "is JSON but not GeoJSON"),
        ("", "is not GeoJSON"),
        (None, "is a folder"),
    ],
    ids=["huge", "two points", "elsewhere", "null", "other JSON", "empty", "folder"],
)
def test_a_window_that_is_none_is_refused(tmp_path, window, said):
    path, cells = tmp_path / "window.geojson", tmp_path / "cells.csv"
    table().to_csv(cells, index=False)
    path.mkdir() if window is None else path.write_text(window, encoding="utf-8")
    assert said in refused(tmp_path, cells, "--window", path)


def test_the_table_of_a_store_is_not_named_for_a_file(tmp_path):
    table().to_csv(tmp_path / "cells.csv", index=False)
    said = refused(tmp_path, tmp_path / "cells.csv", "--table", "table")
    assert "is one table: --table names one of several in a SpatialData store" in said


def test_a_plain_table_of_ours_is_taken(tmp_path):  # control of all these
    table(in_window=1, excluded="FALSE").to_csv(tmp_path / "cells.csv", index=False)
    ended = macprox("stats", tmp_path / "cells.csv", *ASKED, "--out", tmp_path / "out")
    assert ended.code == 0, ended.err


def test_a_folder_of_other_files_is_not_replaced_by_a_store(tmp_path):
    mine = tmp_path / "cells.zarr"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    refusal = pytest.raises(ResultError, match="no zarr store that could be replaced")
    with refusal, replacing_folder(mine):
        raise AssertionError("nobody writes")
    assert (mine / "notes.txt").read_text() == "mine"
    (mine / "zarr.json").write_text("{}")  # control: a store is
    with replacing_folder(mine) as temporary:
        temporary.mkdir()
    assert list(mine.iterdir()) == []


def test_a_cell_in_two_classes_is_nobody_s_correction(small_copy, tmp_path):
    (path,) = mp.export(small_copy, "geojson", tmp_path)
    content = json.loads(path.read_text(encoding="utf-8"))
    first = content["features"][0]
    again = {**first, "properties": {**first["properties"], "classification": {"name": "Other"}}}
    assert first["properties"]["classification"]["name"] != "Other"
    content["features"].append(again)
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ResultError, match=r"has cell 1 several times, in different classes"):
        take_back(small_copy, path, "A")
    assert not small_copy.folder.edits.exists()


@pytest.mark.parametrize("given", [None, 5, "results", [5], pd.DataFrame({"a": [1]})], ids=str)
def test_anndata_is_made_of_slides_only(given):
    pytest.importorskip("anndata", reason="anndata is not installed here")
    with pytest.raises(MacproxError, match="Expected the results of slides"):
        mp.to_anndata(given)


def test_positions_that_are_words_are_no_positions():
    anndata = pytest.importorskip("anndata", reason="anndata is not installed here")
    names = [f"c{i}" for i in range(30)]
    cells = table().set_axis(names)[["slide_id", "phenotype"]].astype("category")
    words = pd.DataFrame({"x": ["a"] * 30, "y": ["b"] * 30}, index=names)
    made = anndata.AnnData(obs=cells, obsm={"spatial": words})
    with pytest.raises(TableError, match=r"obsm\['spatial'\] must hold numbers"):
        spatial.proximity(made, source="Mac", target="Tumour", window=None, radii_um=(20,))
