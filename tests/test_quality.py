"""Where the image is poor: each artefact is found where it was put, and nowhere on clean slides."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pandas as pd
import pytest
import shapely
from scipy import ndimage as ndi

import scenes
import small_runs
from macprox.image.quality import (
    BlockJudge,
    SquareGrid,
    SquareMeter,
    Squares,
    artefact_flags,
    clipping,
    clipping_flags,
    constant,
    out_of_focus,
)
from macprox.image.stain import StainStatistics
from macprox.image.survey import area_average
from macprox.image.tiles import Box, tile_grid
from macprox.io.drawn_areas import read_drawn
from macprox.io.region_files import read_artefacts, write_artefacts
from macprox.pipeline.artefacts import facts_of, found_at
from macprox.regions import Regions
from macprox.regions.contours import as_multipolygon, polygons_from_squares
from macprox.results import open_result
from macprox.slide import Slide
from macprox.spatial import ProximityParameters, headline_without, slide_statistics
from macprox.window import Window

SIDE, PX_UM = 1024, 0.5
BLURRED = np.s_[256:768, 128:512]  # whole squares of 128 pixels
CHANNELS = ["DAPI", "CD68"]


@cache
def crowd() -> np.ndarray:
    """``(2, y, x)``: nuclei everywhere, some with a marker; as large as eight squares a side."""
    scene = scenes.crowd(512, 5)
    planes = [np.tile(p, (2, 2)) for p in (scene.nuclear, scene.marker)]
    return np.stack(planes)


def blurred(image: np.ndarray, sigma_um: float) -> np.ndarray:
    """A patch out of focus, with the camera's noise as before."""
    patch = ndi.gaussian_filter(image[0].astype(float), sigma_um / PX_UM)
    noise = np.random.default_rng(1).normal(0, scenes.NOISE, patch.shape)
    image = image.copy()
    image[0][BLURRED] = np.clip(np.rint(patch + noise), 0, 65535)[BLURRED]
    return image


def measured(image: np.ndarray, core_px: int = 4096, channels=CHANNELS) -> Squares:
    grid = SquareGrid(image.shape[1:], PX_UM)
    parts = []
    for tile in tile_grid(image.shape[1:], core_px, 24):
        meter = SquareMeter(grid, tile.core, channels, "DAPI")
        planes = zip(channels, (plane[tile.outer.slices] for plane in image), strict=True)
        assert [name for name, _ in meter.along(planes, tile.outer)] == list(channels)
        parts.append((tile.core, meter.squares.arrays()))
    return Squares.of_slide(grid, len(channels), parts)


def focus_of(image: np.ndarray) -> np.ndarray:
    stain = StainStatistics.from_sample(ndi.gaussian_filter(image[0].astype(float), 0.6))
    squares = measured(image)
    return out_of_focus(squares, stain, np.ones(squares.top.shape[1:], bool))


def test_squares_do_not_depend_on_the_tiles():
    image = crowd()[:, :900, :1000]  # ragged at the rim
    whole = measured(image)
    for core_px in (512, 1024):
        for a, b in zip(
            whole.arrays().values(), measured(image, core_px).arrays().values(), strict=True
        ):
            np.testing.assert_array_equal(a, b)
    assert np.isnan(whole.focus[:, -1]).all()  # the rim cuts these
    assert np.isfinite(whole.top).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32"])
def test_the_brightest_pixel_and_its_ties_are_counted_in_any_type(dtype):
    image = np.random.default_rng(0).integers(0, 90, (1, 256, 200)).astype(dtype)
    squares = measured(image, channels=["DAPI"])
    for row, column in ((0, 0), (1, 1)):
        part = image[0, row * 128 : (row + 1) * 128, column * 128 : (column + 1) * 128]
        assert squares.top[0, row, column] == part.max()
        assert squares.n_top[0, row, column] == np.sum(part == part.max())


def test_a_pixel_without_a_number_is_not_judged():
    image = crowd().astype(np.float32)
    image[:, 5, 5] = np.nan
    squares = measured(image)
    assert np.isnan(squares.focus[:, 0, 0]).any()
    assert np.isfinite(squares.focus[:, 0, 1]).all()
    assert np.isfinite(squares.top).all()
    stain = StainStatistics.from_sample(crowd()[0].astype(float))
    assert not out_of_focus(squares, stain, np.ones((8, 8), bool)).any()


@pytest.mark.parametrize(
    ("pixel_size_um", "side_px"), [(0.1, 512), (0.25, 256), (0.325, 256), (0.5, 128), (12.0, 32)]
)
def test_a_square_is_about_64_um_and_divides_a_label_chunk(pixel_size_um, side_px):
    grid = SquareGrid((4000, 4000), pixel_size_um)
    assert grid.side_px == side_px
    assert 512 % grid.side_px == 0
    assert grid.side_px % grid.fine_px == 0
    assert grid.fine_px % 2 == 0
    assert grid.n_px.sum() == 4000 * 4000


def test_a_blurred_patch_is_found_and_nothing_else():
    truth = np.zeros((SIDE, SIDE), bool)
    truth[BLURRED] = True
    truth = truth[::128, ::128]
    assert not focus_of(crowd()).any()  # control: all in focus
    for sigma_um in (2.0, 4.0):
        np.testing.assert_array_equal(focus_of(blurred(crowd(), sigma_um)), truth)
    assert not focus_of(blurred(crowd(), 0.3))[~truth].any()


def test_a_slide_that_is_blurred_everywhere_is_found_without_a_sharp_square():
    image = crowd().copy()
    noise = np.random.default_rng(2).normal(0, scenes.NOISE / 4, image[0].shape)
    image[0] = np.rint(ndi.gaussian_filter(image[0].astype(float), 2.5 / PX_UM) + noise)
    assert focus_of(image).mean() > 0.9


def test_squares_without_nuclei_are_not_called_blurred():
    image = crowd().copy()
    rng = np.random.default_rng(3)
    image[0][:, :384] = np.rint(rng.normal(scenes.BACKGROUND, scenes.NOISE, (SIDE, 384)))
    assert not focus_of(image).any()
    constant_stain = StainStatistics.from_sample(np.full(10, 3.0))
    assert not out_of_focus(measured(image), constant_stain, np.ones((8, 8), bool)).any()


def test_real_slides_raise_no_alarm_on_focus_or_saturation(shared_data):
    from macprox.io.images import open_slide

    judged = 0
    for folder in sorted((shared_data / "mibi_breast").glob("Point*"))[:3]:
        slide = open_slide(folder, pixel_size_um=0.488)
        nuclei = slide.read("HH3", slice(0, 1024), slice(0, 1024))
        meter = SquareMeter(SquareGrid.of(slide), Box(0, 1024, 0, 1024), ["HH3"], "HH3")
        meter.measure("HH3", nuclei, Box(0, 1024, 0, 1024))
        stain = StainStatistics.from_sample(ndi.gaussian_filter(nuclei.astype(np.float32), 0.6))
        tissue = np.ones((8, 8), bool)
        assert not out_of_focus(meter.squares, stain, tissue).any(), folder.name
        found = clipping(meter.squares, 0, SquareGrid.of(slide), tissue, False)
        assert np.isnan(found.ceiling)  # many pixels share the top: ions are counted
        judged += 1
    assert judged == 3


def clipped(image: np.ndarray, channel: int = 1):
    squares, grid = measured(image), SquareGrid(image.shape[1:], PX_UM)
    tissue = np.ones(grid.squares_shape, bool)
    is_float = image.dtype.kind == "f"
    return clipping(squares, channel, grid, tissue, is_float)


@pytest.mark.parametrize(("dtype", "ceiling"), [("uint16", 4095), ("uint16", 65535), ("f4", 1.5)])
def test_a_ceiling_is_found_be_it_of_the_type_the_camera_or_a_rescaling(dtype, ceiling):
    image = crowd().astype(dtype)
    image[1] = image[1] * (ceiling / image[1].max()) * 0.99
    assert np.isnan(clipped(image).ceiling)  # control: one pixel is the brightest
    image[1, 256:384, 384:448] = ceiling  # half a square
    found = clipped(image)
    assert found.ceiling == ceiling
    assert found.tissue_frac == pytest.approx(128 * 64 / SIDE**2)
    assert np.argwhere(found.saturated).tolist() == [[2, 3]]


def test_small_counts_that_share_the_top_value_are_not_cut_off():
    image = np.random.default_rng(0).poisson(0.5, (2, 512, 512)).astype(np.uint8)
    image = np.minimum(image, 3)
    assert np.isnan(clipped(image).ceiling)


def test_a_channel_of_one_value_is_not_saturated_and_a_lost_field_has_no_data():
    image = crowd().copy()
    image[1] = 65535
    assert np.isnan(clipped(image).ceiling)
    image[:, 128:256, :128] = 0
    lost = constant(measured(image), SquareGrid(image.shape[1:], PX_UM))
    assert np.argwhere(lost).tolist() == [[1, 0]]


def panel(seed: int = 0, side: int = 120) -> np.ndarray:
    """``(6, y, x)`` block means: nuclei and matrix everywhere, four markers here and there."""
    rng = np.random.default_rng(seed)
    nuclei = 100 + 300 * rng.gamma(4, 0.25, (side, side))
    blank = 100 + 60 * rng.gamma(9, 1 / 9, (side, side))
    markers = [
        100 + 0.5 * (blank - 100) + 900 * (rng.random((side, side)) < share) + rng.normal(0, 2)
        for share in (0.3, 0.05, 0.03, 0.01)
    ]
    return np.stack([nuclei, *markers, blank])


NAMES = ["DAPI", "panCK", "CD68", "CD3", "FOXP3", "AF"]


def judged(image: np.ndarray, blank: str | None = "AF", n: int = 6) -> BlockJudge:
    judge = BlockJudge(np.ones(image.shape[1:], bool), "DAPI", blank)
    for name, plane in zip(NAMES[:n], image, strict=False):
        judge.add(name, plane)
    return judge


def test_clean_blocks_are_neither_fold_nor_debris_nor_hole():
    judge = judged(panel())
    assert not (judge.debris() | judge.folds() | judge.holes()).any()


def test_a_fibre_that_glows_in_every_channel_is_debris_and_no_fold():
    image, fibre = panel(), np.zeros((120, 120), bool)
    fibre[40, 20:60] = True
    top = np.percentile(image, 99.7, axis=(1, 2))[:, None, None]
    image = np.where(fibre, image + 3 * top, image)
    judge = judged(image)
    np.testing.assert_array_equal(judge.debris(), fibre)
    assert not judge.folds().any()
    one = panel()
    one[2][fibre] += 3 * top[2, 0]  # control: macrophages in a row
    assert not judged(one).debris().any()


def test_tissue_lying_double_is_a_fold_where_a_blank_channel_shows_it():
    image, fold = panel(), np.zeros((120, 120), bool)
    fold[30:90, 50:55] = True
    doubled = image + np.roll(image, (7, 11), (1, 2)) - 100
    image = np.where(fold, image + 1.5 * (doubled - image), image)
    found = judged(image).folds()
    assert found[fold].mean() > 0.8
    assert not found[~ndi.binary_dilation(fold, iterations=2)].any()
    assert not judged(image, blank=None).folds().any()


def test_a_hole_is_dark_in_every_channel():
    image = panel()
    image[:, 10:20, 10:20] = 100
    hole = np.zeros((120, 120), bool)
    hole[10:20, 10:20] = True
    np.testing.assert_array_equal(judged(image).holes(), hole)
    image[2, 10:20, 10:20] = 150  # something is there
    assert not judged(image).holes().any()


def test_two_channels_few_blocks_or_flat_ones_judge_nothing():
    bright = panel()
    bright[:, 5:9, 5:9] *= 20
    assert judged(bright).debris().any()  # control
    assert not judged(bright, n=2).debris().any()
    assert not judged(bright[:, :7, :7]).debris().any()
    assert not judged(np.ones((6, 30, 30))).debris().any()


def test_squares_keep_their_corners_and_join():
    mask = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1]], bool)
    area = polygons_from_squares(mask, 64.0)
    assert area.area == 4 * 64**2
    assert len(area.geoms) == 2
    assert shapely.contains_xy(area, 127.9, 127.9)
    assert polygons_from_squares(np.zeros((3, 3), bool), 64.0).is_empty


def test_artefacts_survive_their_file_and_may_be_given_as_exclusions(tmp_path):
    areas = (
        ("out of focus", shapely.MultiPolygon([shapely.box(0, 0, 64, 64)])),
        ("saturated CD68", shapely.MultiPolygon([shapely.box(32, 0, 96, 64)])),
    )
    path = tmp_path / "quality.geojson"
    write_artefacts(path, areas, 0.5)
    again = read_artefacts(path, 0.5)
    assert [(reason, area.area) for reason, area in again] == [
        ("out of focus", 4096.0),
        ("saturated CD68", 4096.0),
    ]
    drawn = read_drawn(path, 0.5, "exclusion")
    assert [reason for reason, _ in drawn.by_reason] == ["out of focus", "saturated CD68"]
    reasons = found_at(again, np.array([[10.0, 10.0], [40.0, 10.0], [80.0, 10.0], [500.0, 1.0]]))
    both = "out of focus; saturated CD68"
    assert reasons.tolist() == ["out of focus", both, "saturated CD68", ""]
    whole = Regions(as_multipolygon(shapely.box(0, 0, 1000, 1000)))
    facts = facts_of(again, reasons, whole)
    assert [found["cells"] for found in facts] == [2, 2]
    assert [found["counted_frac"] for found in facts] == [0.004096] * 2
    (kept, gone) = facts_of(again, reasons, whole.with_exclusion(shapely.box(64, 0, 96, 64), ""))
    assert kept["counted_frac"] > 0.004096  # of less tissue
    assert gone["counted_frac"] == pytest.approx(0.5 * kept["counted_frac"])
    nothing = whole.with_exclusion(whole.tissue_window, "all")
    assert facts_of(again, reasons, nothing)[0]["counted_frac"] == 0.0


def test_flags_tell_share_area_and_cells():
    found = {"reason": "saturated CD68", "area_mm2": 0.0123, "tissue_frac": 0.004, "cells": 1}
    found["counted_frac"] = 0.004
    small, large = artefact_flags(
        [found, {**found, "tissue_frac": 0.2, "counted_frac": 0.2, "cells": 7}]
    )
    assert small.message == "Saturated CD68: 0.4% of the tissue (0.0123 mm²) with 1 cell."
    assert (small.flag, small.level, large.level) == ("saturated_CD68", "info", "warning")
    flags = clipping_flags({"CD68": 0.02, "AF": 0.01, "CD3": 0.0001}, "AF")
    assert [flag.message.split()[1] for flag in flags] == ["CD68", "AF"]
    assert "too dark" in flags[0].message
    assert "every other channel" in flags[1].message


def two_kinds(n: int = 600) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    xy = rng.uniform(0, 600, (n, 2))
    kind = rng.choice(["Tumour", "Macrophage", "Other"], n, p=[0.4, 0.2, 0.4])
    frame = {"slide_id": "S", "x_um": xy[:, 0], "y_um": xy[:, 1], "phenotype": kind}
    return pd.DataFrame({**frame, "region": "core", "compartment": "tissue"})


def test_the_headline_without_doubtful_cells_is_that_of_a_slide_that_never_had_them():
    cells = two_kinds()
    parameters = ProximityParameters(macrophages=("Macrophage",), n_permutations=0)
    doubtful = np.arange(len(cells)) % 7 == 0
    nobody = np.zeros(len(cells), bool)
    found = headline_without(cells, parameters, {"af_suspect": doubtful, "artefact": nobody})
    assert [(row["source"], row["target"]) for row in found] == [
        ("Macrophage", "Tumour"),
        ("Tumour", "Macrophage"),
    ]
    window = Window.from_polygon(shapely.box(0, 0, 600, 600))
    table = slide_statistics(cells[~doubtful], window, shapely.box(0, 0, 300, 300), parameters)
    for row in found:
        same = table[
            (table["statistic"] == "g")
            & (table["correction"] == "none")
            & (table["r_um"] == row["r_um"])
            & (table["source"] == row["source"])
        ].iloc[0]
        for key in ("value", "expected", "ratio", "n_source", "n_target"):
            assert row[key] == pytest.approx(same[key], rel=1e-12)
        assert row["n_left_out"] == doubtful.sum()
    assert headline_without(cells, ProximityParameters(), {"af_suspect": doubtful}) == []


@pytest.fixture(scope="module")
def poor_slide(tmp_path_factory):
    """A small slide whose left third is out of focus, and a saturated corner."""
    folder = tmp_path_factory.mktemp("poor")
    image = small_runs.tissue()
    for plane in image:
        patch = ndi.gaussian_filter(plane.astype(float), 5)
        patch += np.random.default_rng(0).normal(0, scenes.NOISE, patch.shape)
        plane[256:, :256] = np.clip(np.rint(patch), 0, 65535)[256:, :256]
    image[2, :128, 512:] = 65535
    slide = small_runs.write_slide(folder / "poor.ome.tif", image)
    study = small_runs.write_study(folder / "study.toml")
    with small_runs.without_reports():
        ended = small_runs.macprox("run", slide, "--study", study, "--out", folder / "r", "--quiet")
    assert ended.code == 0, ended.err
    return folder


def test_a_run_flags_its_cells_lists_the_areas_and_tells_the_headline_without(poor_slide):
    result = open_result(poor_slide / "r" / "slides" / "poor")
    cells, manifest = result.cells(), result.manifest
    reasons = {found["reason"]: found for found in manifest["artefacts"]}
    assert set(reasons) == {"out of focus", "saturated CD68"}
    assert dict(result.artefacts()).keys() == reasons.keys()
    blurred_cells = (cells["x_um"] < 128) & (cells["y_um"] > 128)
    assert (cells.loc[blurred_cells, "artefact"] == "out of focus").mean() > 0.9
    assert (cells.loc[~blurred_cells, "artefact"] == "out of focus").sum() == 0
    assert reasons["out of focus"]["cells"] == (cells["artefact"] == "out of focus").sum()
    assert manifest["clipped"]["CD68"]["ceiling"] == 65535
    assert not cells["excluded"].any()  # flagged, not left out
    flags = {flag["flag"] for flag in manifest["quality"]}
    assert {"out_of_focus", "saturated_CD68", "saturated_channel"} <= flags
    told = {row["left_out"] for row in manifest["sensitivity"]}
    assert told == {"artefact"}
    json.dumps(manifest["sensitivity"], allow_nan=False)


def test_a_study_may_leave_artefacts_out_without_reading_a_pixel(poor_slide):
    study = small_runs.write_study(
        poor_slide / "strict.toml",
        ("[phenotypes]", "[regions]\nexclude_artefacts = true\n[phenotypes]"),
    )
    before = open_result(poor_slide / "r" / "slides" / "poor").cells()
    with small_runs.without_reports(), small_runs.no_pixels():
        ended = small_runs.macprox("run", poor_slide / "poor.ome.tif", "--study", study,
                                   "--out", poor_slide / "r", "--quiet")  # fmt: skip
    assert ended.code == 0, ended.err
    result = open_result(poor_slide / "r" / "slides" / "poor")
    np.testing.assert_array_equal(result.cells()["excluded"], before["artefact"] != "")
    assert {reason for reason, _ in result.regions().exclusion_reasons} == {
        "out of focus",
        "saturated CD68",
    }
    assert result.manifest["sensitivity"] == []


def test_a_slide_knows_its_grid():
    slide = Slide.from_array(crowd(), CHANNELS, PX_UM)
    assert SquareGrid.of(slide).squares_shape == (8, 8)
    assert area_average(np.ones((9, 9)), 4).shape == (3, 3)
