"""What leaves macprox can be read by others, and is harmless in a spreadsheet."""

import json
import uuid

import numpy as np
import pandas as pd
import pytest
import shapely.geometry

import macprox as mp
import small_runs
from macprox.exports import outlines
from macprox.exports.geojson import write_geojson
from macprox.exports.text import write_csv
from macprox.io.spreadsheet import without_formulas
from macprox.io.tables import read_cells
from macprox.phenotype.colours import phenotype_colours


def read(path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["features"]


STATISTICS = pd.DataFrame({"statistic": ["g"], "value": [-0.5], "reason": [None]})


@pytest.fixture
def cells():
    return pd.DataFrame(
        {
            "slide_id": ["a", "a", "a"],
            "cell_id": [1, 2, 3],
            "x_um": [0.25, 1 / 3, 5.0],
            "y_um": [1.0, 2.0, 3.0],
            "phenotype": pd.Categorical(["CD68+", "=1+1", "Other"]),
            "tumour_border_distance_um": [-12.5, np.nan, 3.0],
            "nearest_tumour_um": [1.0, 2.0, np.nan],
            "cd68_positive": [True, False, False],
        }
    )


def test_a_csv_reads_back_as_the_same_numbers(cells, tmp_path):
    written = write_csv({"cells": cells, "statistics": STATISTICS}, tmp_path / "new")
    assert [path.name for path in written] == ["cells.csv", "statistics.csv"]
    again = pd.read_csv(written[0])
    for column in ("x_um", "y_um", "tumour_border_distance_um", "cd68_positive"):
        pd.testing.assert_series_equal(again[column], cells[column])
    assert pd.read_csv(written[1])["value"].tolist() == [-0.5]  # negative, and still a number
    assert read_cells(written[0])["phenotype"].tolist()[0] == "CD68+"
    assert list(tmp_path.rglob("*.tmp*")) == []


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_text_that_a_spreadsheet_would_run_is_quoted(text):
    table = without_formulas(pd.DataFrame({"phenotype": [text], text: [1]}))
    assert table.iloc[0, 0] == "'" + text
    assert table.columns[1] == "'" + text


def test_phenotypes_of_plus_and_minus_stay_as_they_are(cells):
    assert without_formulas(cells)["phenotype"].tolist() == ["CD68+", "'=1+1", "Other"]
    assert cells["phenotype"].tolist()[1] == "=1+1"  # the input is unchanged
    plain = pd.DataFrame({"p": ["panCK+ CD68-", "a=b", ""], "n": [-1.0, 2.0, np.nan]})
    pd.testing.assert_frame_equal(without_formulas(plain), plain, check_dtype=False)


def test_cells_are_points_in_pixels_with_class_and_distances(cells, tmp_path):
    path = write_geojson(cells, 0.5, tmp_path / "cells.geojson")
    features = json.loads(path.read_text(encoding="utf-8"))["features"]
    assert len(features) == 3
    first = features[0]
    assert first["geometry"] == {"type": "Point", "coordinates": [0.5, 2.0]}
    assert first["properties"]["objectType"] == "detection"
    assert first["properties"]["classification"]["name"] == "CD68+"
    assert first["properties"]["metadata"] == {
        "cell_id": "1",
        "slide_id": "a",
        "phenotype": "CD68+",
    }
    assert first["properties"]["measurements"] == {
        "tumour_border_distance_um": -12.5,
        "nearest_tumour_um": 1.0,
    }
    # what is not known is absent: NaN is no JSON
    assert features[1]["properties"]["measurements"] == {"nearest_tumour_um": 2.0}
    assert len({feature["id"] for feature in features}) == 3


def test_ids_are_the_same_each_time(cells, tmp_path):
    first = write_geojson(cells, 0.5, tmp_path / "1.geojson").read_bytes()
    assert write_geojson(cells, 0.5, tmp_path / "2.geojson").read_bytes() == first


def test_no_cells_is_still_geojson(cells, tmp_path):
    path = write_geojson(cells.iloc[:0], 0.5, tmp_path / "none.geojson")
    assert json.loads(path.read_text()) == {"type": "FeatureCollection", "features": []}


def test_a_phenotype_has_its_own_colour_or_a_grey_one(cells, tmp_path):
    colours = {"CD68+": "#d1450b", "=1+1": "#56a8d8"}
    features = read(write_geojson(cells, 0.5, tmp_path / "c.geojson", colours))
    found = [feature["properties"]["classification"]["color"] for feature in features]
    assert found == [[0xD1, 0x45, 0x0B], [0x56, 0xA8, 0xD8], [127, 127, 127]]


# --- outlines ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return small_runs.finished_slide(tmp_path_factory.mktemp("run"))


def test_cells_are_outlined_with_class_id_and_nucleus(result, tmp_path, monkeypatch):
    monkeypatch.setattr(outlines, "TILE_PX", 256)  # several tiles, and cells across their seams
    (path,) = mp.export(result, "geojson", tmp_path)
    features, cells = read(path), result.cells().set_index("cell_id")
    assert len(features) == len(cells) > 500
    assert {feature["properties"]["objectType"] for feature in features} == {"cell"}
    colours = phenotype_colours(
        list(result.study.phenotypes), "Tumour", result.study.proximity.macrophages
    )
    for feature in features:
        properties = feature["properties"]
        cell = cells.loc[int(properties["name"])]
        assert properties["metadata"] == {
            "cell_id": properties["name"],
            "slide_id": "a",
            "phenotype": cell["phenotype"],
        }
        assert properties["classification"]["name"] == cell["phenotype"]
        red, green, blue = properties["classification"]["color"]
        assert f"#{red:02x}{green:02x}{blue:02x}" == colours[cell["phenotype"]]
        outline = shapely.geometry.shape(feature["geometry"])
        assert outline.area * 0.25 == pytest.approx(cell["cell_area_um2"])
        nucleus = feature.get("nucleusGeometry")
        assert (nucleus is not None) == cell["has_nucleus"]
        middle = shapely.geometry.shape(nucleus or feature["geometry"]).centroid
        assert (middle.x / 2, middle.y / 2) == pytest.approx((cell["x_um"], cell["y_um"]))
        assert properties["measurements"]["mean_cd68_cell"] == pytest.approx(
            cell["mean_cd68_cell"], rel=1e-5
        )
    assert len({feature["id"] for feature in features}) == len(features)
    assert str(uuid.UUID(features[0]["id"])) == features[0]["id"]


def test_what_is_a_measurement_and_what_is_none(result, tmp_path):
    (path,) = mp.export(result, "geojson", tmp_path)
    measured = {name for feature in read(path) for name in feature["properties"]["measurements"]}
    assert {"nearest_tumour_um", "tumour_border_distance_um", "cell_area_um2"} <= measured
    assert "n_tumour_20um" in measured
    assert not measured & {"cell_id", "anchor_px", "x_um", "y_um", "lesion_id", "cd68_positive"}


def test_tiles_do_not_show_in_the_outlines(result, monkeypatch):
    ids = result.cells()["cell_id"].to_numpy()
    found = {}
    for side in (256, 2048):
        monkeypatch.setattr(outlines, "TILE_PX", side)
        parts = list(outlines.cell_outlines(result, ids))
        found[side] = {
            i: cell.wkb
            for part in parts
            for i, cell in zip(part.cell_id.tolist(), shapely.normalize(part.cells), strict=True)
        }
        assert len(parts) == (1 if side == 2048 else 9)
    assert found[256] == found[2048]
    assert len(found[256]) == len(ids)


def test_only_cells_of_the_table_are_outlined(result):
    ids = result.cells()["cell_id"].to_numpy()[5:8]
    (part,) = outlines.cell_outlines(result, ids)
    assert part.cell_id.tolist() == sorted(ids)
