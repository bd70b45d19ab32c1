"""Levels that the survey makes of a large slide whose file has none: for people, in no number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import macprox as mp
import scenes
import slide_files
from macprox.image import survey
from macprox.image.survey import SurveyGrid, area_average
from macprox.io.arrays import read_arrays
from macprox.io.images import open_slide
from macprox.io.own_pyramid import with_own_pyramid
from macprox.io.store import SlideFolder, slide_folder
from macprox.pipeline import RunOptions, Workers
from macprox.pipeline.survey import survey_slide
from macprox.slide import Slide
from macprox.study import ImageParameters

SHAPE = (901, 1230)


@pytest.fixture
def large_slides_are_small(monkeypatch):
    monkeypatch.setattr(survey, "WHOLE_PX", 10_000)
    monkeypatch.setattr(survey, "BLOCK_PX", 256)
    monkeypatch.setattr(survey, "PICTURE_SIDE_PX", 200)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    scene = scenes.crowd(max(SHAPE), seed=5)
    whole = np.stack([scene.nuclear, scenes.exposed(scene.truth % 5 == 1, 7)])
    return whole[:, : SHAPE[0], : SHAPE[1]]


def surveyed(slide: Slide, out: Path, workers: int = 2) -> SlideFolder:
    folder = slide_folder(out, "large")
    folder.work.mkdir(parents=True)
    options = RunOptions(workers=Workers(workers))
    survey_slide(slide, ImageParameters("DAPI"), folder, options)
    return folder


def slide_of(path: Path, image: np.ndarray, levels: int = 1, pixel_size_um: float = 0.5) -> Slide:
    names = ("DAPI", "CD68")
    return open_slide(slide_files.write_ome(path, image, names, levels, pixel_size_um))


@pytest.mark.parametrize(
    ("pixel_size_um", "factors"), [(0.5, (2, 4)), (0.325, (2, 4, 8)), (1.0, (2,)), (2.0, ())]
)
def test_a_large_slide_gets_the_levels_it_lacks(
    tmp_path, image, large_slides_are_small, pixel_size_um, factors
):
    slide = slide_of(tmp_path / "large.ome.tif", image, pixel_size_um=pixel_size_um)
    grid = SurveyGrid.of(slide)
    assert grid.pyramid_factors == factors
    assert all(grid.block_side_px % factor == 0 for factor in (grid.factor, *factors))
    assert len(grid.blocks()) > 4  # control: levels are put together
    folder = surveyed(slide, tmp_path / "out")
    own = with_own_pyramid(slide, folder.pyramid)
    assert len(own.level_shapes) == 1 + len(factors)
    for level, factor in enumerate(factors, start=1):
        for channel, plane in enumerate(image):
            pixels = own.read(channel, slice(None), slice(None), level)
            assert pixels.dtype == image.dtype
            np.testing.assert_array_equal(pixels, np.rint(area_average(plane, factor)))
    whole = own.read(1, slice(40, 90), slice(100, 300))
    np.testing.assert_array_equal(whole, image[1, 40:90, 100:300])


@pytest.mark.parametrize("levels", [1, 3])
def test_a_file_with_a_pyramid_and_a_small_slide_get_none(
    tmp_path, image, levels, large_slides_are_small, monkeypatch
):
    if levels == 1:
        monkeypatch.setattr(survey, "WHOLE_PX", 10**9)
    slide = slide_of(tmp_path / "large.ome.tif", image, levels)
    folder = surveyed(slide, tmp_path / "out")
    assert not folder.pyramid.exists()
    assert with_own_pyramid(slide, folder.pyramid) is slide


def test_a_level_too_coarse_to_be_used_is_replaced(tmp_path, image, large_slides_are_small):
    path = tmp_path / "large.ome.tif"
    slide = slide_of(path, np.tile(image, (1, 1, 2)), levels=6)
    only_coarse = Slide(**{**vars(slide), "level_shapes": (slide.shape, slide.level_shapes[5])})
    assert SurveyGrid.of(only_coarse).pyramid_factors == (2, 4)


def test_floats_keep_their_averages(tmp_path, image, large_slides_are_small):
    bright = (image / 7).astype(np.float32)
    slide = slide_of(tmp_path / "large.ome.tif", bright)
    own = with_own_pyramid(slide, surveyed(slide, tmp_path / "out").pyramid)
    pixels = own.read(0, slice(None), slice(None), 2)
    np.testing.assert_array_equal(pixels, area_average(bright[0], 4))


def test_no_number_of_the_survey_depends_on_the_levels(
    tmp_path, image, large_slides_are_small, monkeypatch
):
    slide = slide_of(tmp_path / "large.ome.tif", image)
    with_levels = surveyed(slide, tmp_path / "with")
    monkeypatch.setattr(survey, "WHOLE_PX", 10**9)
    without = surveyed(slide, tmp_path / "without", workers=1)
    assert with_levels.pyramid.exists()
    assert not without.pyramid.exists()
    assert with_levels.survey.read_bytes() == without.survey.read_bytes()
    assert with_levels.tissue.read_bytes() == without.tissue.read_bytes()
    sampled = [read_arrays(folder.sample) for folder in (with_levels, without)]
    for name, values in sampled[0].items():
        np.testing.assert_array_equal(values, sampled[1][name])
    seen = [mp.SlideResult(folder.path).overview().mean for folder in (with_levels, without)]
    np.testing.assert_array_equal(*seen)
