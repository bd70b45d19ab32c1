"""Slides and results as layer tuples, without a viewer."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import shapely

import macprox as mp
import slide_files
import small_runs
from macprox.image import survey
from macprox.image.survey import area_average
from macprox.io.region_files import write_regions
from macprox.io.tables import ColumnMapping
from macprox.pipeline.given import TableRequest, run_tables
from macprox.report import overview
from macprox.sample_data import CHECKOUT
from macprox.slide import Slide
from napari_macprox import conversion
from napari_macprox.conversion import classes_of, result_layers, slide_layers


def by_name(layers) -> dict:
    return {about["name"]: (data, about, kind) for data, about, kind in layers}


def at(layer, x_um: float, y_um: float):
    """The value of a pyramid's finest level at a point, as napari places pixels."""
    data, about, _ = layer
    place = (np.array([y_um, x_um]) - about["translate"]) / about["scale"]
    return data[0][tuple(np.round(place).astype(int))]


def lines_of(layer) -> list:
    """The strokes of a layer, in (x, y)."""
    starts, ways = layer[0][:, 0, ::-1], layer[0][:, 1, ::-1]
    return list(shapely.linestrings(np.stack([starts, starts + ways], axis=1)))


@pytest.fixture(scope="module")
def layers(result):
    return by_name(result_layers(result)[0])


def test_the_conversion_needs_no_napari():
    code = (
        "import sys, napari_macprox.reader, napari_macprox.sample;"
        "print([m for m in ('napari', 'qtpy', 'PySide6') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_slide_is_one_additive_pyramid_a_channel_in_micrometres():
    slide = mp.open_slide(CHECKOUT / "slides" / "P01_early.ome.tif")
    found = by_name(slide_layers(slide))
    assert tuple(found) == slide.channels
    data, about, kind = found["panCK"]
    assert kind == "image"
    assert about["multiscale"]
    assert about["blending"] == "additive"
    assert [level.shape for level in data] == list(slide.level_shapes)
    assert about["scale"] == (0.5, 0.5)
    assert about["translate"] == (0.25, 0.25)
    assert about["units"] == ("um", "um")


def test_channels_have_the_colours_of_the_report():
    slide = mp.open_slide(CHECKOUT / "slides" / "P01_early.ome.tif")
    found = by_name(slide_layers(slide))
    shown = {name: about["colormap"] for name, (_, about, _) in found.items() if about["visible"]}
    assert shown == {
        "DAPI": overview.NUCLEUS_COLOUR,
        "panCK": overview.TUMOUR_MARKER_COLOUR,
        **dict(zip(("CD68", "MARCO", "TREM2"), overview.MACROPHAGE_MARKER_COLOURS, strict=False)),
    }
    study = mp.Study.from_toml(CHECKOUT / "study.toml")
    by_study = {stain.channel: stain.colour for stain in overview.stains(slide.channels, study)}
    assert shown == by_study  # the names alone lead to what the study says


def test_channels_without_a_known_name_still_show_something():
    slide = Slide.from_array(np.zeros((2, 8, 8), np.uint16), ["Alpha", "Beta"], 0.5)
    found = by_name(slide_layers(slide))
    assert [about["visible"] for _, about, _ in found.values()] == [True, False]


def test_contrast_is_that_of_the_report_and_never_empty():
    image = np.zeros((2, 64, 64), np.uint16)
    image[0] = np.arange(64 * 64).reshape(64, 64)
    slide = Slide.from_array(image, ["DAPI", "flat"], 0.5)
    found = by_name(slide_layers(slide))
    assert found["DAPI"][1]["contrast_limits"] == overview.contrast_limits(image[0])
    black, white = found["flat"][1]["contrast_limits"]
    assert white > black  # napari refuses equal limits


def test_the_contrast_of_a_large_plane_without_a_pyramid_is_judged_on_boxes(monkeypatch):
    monkeypatch.setattr(conversion, "GLIMPSE_PX", 100)
    image = np.random.default_rng(0).normal(500, 20, (1, 1200, 700)).astype(np.uint16)
    slide = Slide.from_array(image, ["DAPI"], 0.5)
    ((data, about, _),) = slide_layers(slide)
    assert not about["multiscale"]
    assert data.shape == (1200, 700)
    assert about["contrast_limits"] == pytest.approx(overview.contrast_limits(image[0]), rel=0.01)
    narrow = Slide.from_array(image[:, :, :40], ["DAPI"], 0.5)
    assert slide_layers(narrow)[0][1]["contrast_limits"][1] > 500


def test_a_result_is_pixels_then_cells_then_outlines(layers):
    assert list(layers) == ["DAPI", "panCK", "CD68", "cells", "tissue", "tumour border"]
    assert [kind for _, _, kind in layers.values()] == ["image"] * 3 + ["labels"] + ["vectors"] * 2


def test_every_cell_is_shown_in_its_phenotype_s_class_where_it_lies(result, layers):
    cells = result.cells()
    data, about, _ = layers["cells"]
    names = about["features"]["phenotype"]
    assert {"Tumour", "Macrophage"} <= set(cells["phenotype"])  # there is something to tell apart
    named = result.labels("cells").compute()
    classes = np.asarray(data[0])
    for cell in cells.itertuples():
        (number,) = np.unique(classes[named == cell.cell_id])
        assert names[number] == cell.phenotype
    assert not classes[named == 0].any()


def test_pixels_cells_and_outlines_agree_about_micrometres(result, layers):
    slide = mp.open_slide(result.manifest["source"]["path"])
    pixels = slide.read("DAPI", slice(None), slice(None))
    for x_um, y_um in [(0.25, 0.25), (100.25, 40.75), (318.0, 200.0)]:
        row, column = int(y_um / 0.5), int(x_um / 0.5)
        if (x_um / 0.5) % 1:  # a pixel's centre, not its corner
            assert at(layers["DAPI"], x_um, y_um) == pixels[row, column]
    inside = result.cells().query("has_nucleus and solidity > 0.95")
    seen = [at(layers["cells"], c.x_um, c.y_um) > 0 for c in inside.itertuples()]
    assert np.mean(seen) > 0.99
    drawn = shapely.union_all(
        shapely.get_parts(shapely.polygonize(lines_of(layers["tumour border"])))
    )
    tumour = result.cells().query("phenotype == 'Tumour'")
    held = shapely.contains_xy(drawn, tumour[["x_um", "y_um"]].to_numpy())
    assert held.mean() > 0.5


def test_levels_of_the_class_view_are_those_of_the_labels(result, layers):
    data, about, _ = layers["cells"]
    assert about["multiscale"]
    assert [view.shape for view in data] == [(640, 640), (320, 320)]
    assert data[0].dtype == np.uint8
    assert about["colormap"][0] == "transparent"
    assert len(about["colormap"]) == len(about["features"]["phenotype"])


def test_ids_that_no_row_has_are_background():
    cells = pd.DataFrame({"cell_id": [1, 4], "phenotype": ["B", "A"]})
    assert classes_of(cells, {"A": "", "B": ""}).tolist() == [0, 2, 0, 0, 1]
    assert classes_of(cells[:0], {"A": ""}).tolist() == [0]


def test_cells_that_are_in_no_number_are_grey_whatever_they_are(result):
    cells = result.cells()
    out = cells.assign(excluded=cells["cell_id"] == 3, in_window=cells["cell_id"] != 4)
    _, about, _ = conversion.cell_layer(result, out)[0]
    names = np.array(about["features"]["phenotype"])
    classes = classes_of(out, conversion.colours_of(result.study, out))
    assert names[classes[[3, 4]]].tolist() == ["left out", "left out"]
    assert (names[classes] == "left out").sum() == 2
    assert about["colormap"][classes[3]] == conversion.LEFT_OUT_COLOUR
    assert len(about["colormap"]) == len(names)


def test_holes_are_outlined_too(moved):
    regions = moved.regions()
    ring = shapely.box(20, 30, 120, 130) - shapely.box(50, 50, 70, 90)
    write_regions(moved.folder.regions, regions.with_tumour(ring, "reviewer"), 0.5)
    drawn = shapely.union_all(lines_of(by_name(result_layers(moved)[0])["tumour border"]))
    assert drawn.hausdorff_distance(ring.boundary) < 1e-6  # micrometres


def test_a_result_without_its_slide_shows_the_overview_and_says_why(moved):
    moved.manifest["source"]["path"] = "elsewhere/field.ome.tif"
    layers, lacking = result_layers(moved)
    found = by_name(layers)
    assert "low resolution" in lacking
    assert "elsewhere/field.ome.tif" in lacking
    data, about, _ = found["DAPI (overview)"]
    extent_um = np.array(data.shape) * about["scale"]
    assert np.allclose(extent_um, 320, atol=about["scale"][0])
    assert "cells" in found


def test_a_slide_that_changed_since_is_not_shown_under_old_cells(moved, tmp_path):
    other = slide_files.write_ome(
        tmp_path / "field.ome.tif", np.zeros((3, 640, 640), np.uint16), ("DAPI", "panCK", "CD68")
    )
    moved.manifest["source"]["path"] = str(other)
    layers, lacking = result_layers(moved)
    assert "no longer the file" in lacking
    assert "DAPI (overview)" in by_name(layers)


def test_a_table_of_another_tool_is_points(tmp_path, monkeypatch):
    rng = np.random.default_rng(2)
    table = pd.DataFrame(
        {
            "x_um": rng.uniform(0, 500, 300),
            "y_um": rng.uniform(0, 300, 300),
            "phenotype": rng.choice(["Macrophage", "Tumour", "B cell"], 300),
        }
    )
    table.to_csv(tmp_path / "cells.csv", index=False)
    (given,) = run_tables(
        [tmp_path / "cells.csv"],
        ColumnMapping(),
        TableRequest("Macrophage", "Tumour", (20.0,), seed=0),
        tmp_path / "results",
        pixel_size_um=1.0,
    )
    layers, lacking = result_layers(given)
    assert lacking is None
    ((points, about, kind),) = layers
    assert kind == "points"
    assert np.allclose(points, table[["y_um", "x_um"]])
    assert len(set(about["face_color"])) == 3
    monkeypatch.setattr(conversion, "MAX_POINTS", 100)
    ((points, about, _),) = result_layers(given)[0]
    assert len(points) == 100
    assert about["name"] == "cells (one of 3)"


def test_a_large_slide_without_a_pyramid_is_seen_at_the_levels_its_survey_made(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(survey, "WHOLE_PX", 10_000)
    monkeypatch.setattr(survey, "PICTURE_SIDE_PX", 64)
    image = small_runs.tissue(512)
    path = small_runs.write_slide(tmp_path / "field.ome.tif", image)
    study = small_runs.write_study(tmp_path / "study.toml")
    with small_runs.without_reports():
        (result,) = mp.run([path], study, tmp_path / "out")
    monkeypatch.setattr(conversion, "GLIMPSE_PX", 16)
    layers, lacking = conversion.pixel_layers(result)
    assert lacking is None
    levels = next(data for data, about, _ in layers if about["name"] == "CD68")
    assert [level.shape[0] for level in levels] == [512, 256, 128, 64]
    for level, factor in zip(levels, (1, 2, 4, 8), strict=True):
        np.testing.assert_array_equal(level[:, :], np.rint(area_average(image[2], factor)))
    (result.folder.pyramid / "4" / "c" / "2" / "0" / "0").write_bytes(b"no chunk")
    said: list[str] = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", said.append)
    assert not levels[2][:, :].any()
    assert "cannot be read and stays empty" in said[0]
