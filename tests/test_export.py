"""What leaves macprox can be read by others, and is harmless in a spreadsheet."""

import json

import numpy as np
import pandas as pd
import pytest

from macprox.exports.geojson import phenotype_colours, write_geojson
from macprox.exports.text import write_csv
from macprox.io.spreadsheet import without_formulas
from macprox.io.tables import read_cells

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


def test_each_phenotype_has_its_colour():
    colours = phenotype_colours(pd.Series(["a", "b", "c", "Other"]))
    assert len(set(colours.values())) == 5
    assert colours["Other"] == (160, 160, 160)
