"""The survey of large slides: averages from the file's pyramid, statistics from squares."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage as ndi

import scenes
import slide_files
from macprox.image import sampling, survey
from macprox.image.pyramid import averages, coarsest_level
from macprox.image.sampling import chosen_squares
from macprox.image.survey import SurveyGrid, area_average, sample_pixels
from macprox.image.tiles import Box
from macprox.io.images import open_slide
from macprox.io.store import SlideFolder, slide_folder
from macprox.pipeline import RunOptions, Workers
from macprox.pipeline.survey import Survey, survey_slide
from macprox.slide import Slide
from macprox.study import ImageParameters

PX = 0.5
SIDE = 1300  # 2.5 squares: a rim that no square covers


class Pyramid:
    """Pixels at several levels, each a whole or broken factor of the first."""

    def __init__(self, levels):
        self.levels = levels

    def read(self, level, channel, y, x):
        return self.levels[level][channel][y, x]


def slide_of(*levels: np.ndarray) -> Slide:
    whole = Slide.from_array(levels[0], [f"c{i}" for i in range(len(levels[0]))], PX)
    return replace(
        whole, source=Pyramid(levels), level_shapes=tuple(level.shape[1:] for level in levels)
    )


def halved(image: np.ndarray, factor: int) -> np.ndarray:
    return np.stack([area_average(plane, factor) for plane in image])


def test_sampled_pixels_are_those_of_the_filtered_image():
    pixels = np.random.default_rng(0).integers(0, 60000, (90, 71)).astype(np.uint16)
    rows, columns = np.arange(0, 90, 7), np.arange(2, 71, 5)
    smoothed, _ = sample_pixels(pixels, rows, columns, PX)
    sigma_px = survey.SAMPLE_SMOOTHING_UM / PX
    whole = ndi.gaussian_filter(pixels.astype(np.float32), sigma_px)
    np.testing.assert_array_equal(smoothed, whole[np.ix_(rows, columns)])


@pytest.mark.parametrize(
    ("shapes", "factor", "level"),
    [
        (((8192, 8192), (4096, 4096), (1024, 1024), (512, 512)), 8, 2),
        (((8192, 8192), (2048, 2048), (512, 512)), 8, 1),
        (((8191, 8191), (1023, 1024)), 8, 1),  # one side rounded down, one up
        (((8192, 8192), (512, 512)), 8, 0),
        (((8192, 8192),), 8, 0),
    ],
)
def test_the_coarsest_level_that_is_fine_enough(shapes, factor, level):
    assert coarsest_level(shapes, factor) == level


@pytest.mark.parametrize("side", [640, 645])  # the last pixel of ours whole, and cut
def test_averages_of_a_whole_level_are_those_of_full_resolution(side):
    image = np.random.default_rng(1).integers(0, 4000, (1, side, side)).astype(float)
    slide = slide_of(image, halved(image, 4))
    (found,) = averages(slide, 0, 1, Box(0, side, 0, side), (8,))
    inner = np.s_[: side // 8, : side // 8]  # at the rim a level's pixel has no size of its own
    np.testing.assert_allclose(found[inner], area_average(image[0], 8)[inner], rtol=1e-6)
    assert found.shape == area_average(image[0], 8).shape


def test_averages_are_the_same_for_every_block():
    image = np.random.default_rng(2).integers(0, 4000, (1, 700, 900)).astype(float)
    slide = slide_of(image, image[:, :233, :300])  # a third, and not quite
    whole, picture = averages(slide, 0, 1, Box(0, 700, 0, 900), (8, 4))
    (part,) = averages(slide, 0, 1, Box(160, 480, 320, 900), (8,))
    np.testing.assert_array_equal(part, whole[20:60, 40:])
    assert picture.shape == (175, 225)


def test_a_level_of_a_broken_factor_is_weighted_by_area():
    level = np.array([[[0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0]]])
    slide = slide_of(np.zeros((1, 1, 20)), level)  # 2.5 px a pixel
    (found,) = averages(slide, 0, 1, Box(0, 1, 0, 20), (4,))
    # The first four pixels hold 2.5 of the first and 1.5 of the second.
    np.testing.assert_allclose(found[0, :2], [15 / 4, (1 * 10 + 2.5 * 20 + 0.5 * 30) / 4])


def test_a_last_row_that_the_level_left_out_repeats_the_one_before():
    image = np.arange(82.0).reshape(1, 82, 1) * np.ones((1, 82, 80))
    slide = slide_of(image, halved(image, 8)[:, :10])
    (found,) = averages(slide, 0, 1, Box(0, 82, 0, 80), (8,))
    np.testing.assert_allclose(found[-3:, 0], [67.5, 75.5, 75.5])


def test_squares_lie_in_the_tissue_and_far_apart():
    grid = SurveyGrid((16384, 16384), PX, 8, 17, 3)
    stained = np.zeros(grid.overview_shape, bool)
    stained[: 1024 // 2, :] = True  # the upper quarter
    squares = chosen_squares(grid, stained)
    assert all(square.core.y1 <= 4096 for square in squares)
    n_px = sum(square.core.shape[0] * square.core.shape[1] for square in squares)
    assert sampling.LEAST_SAMPLE_PX <= n_px < 1.2 * sampling.SAMPLE_FRAC * 16384**2
    in_eighths = np.bincount([square.core.x0 // 2048 for square in squares], minlength=8)
    assert in_eighths.min() >= 0.5 * in_eighths.mean()
    assert chosen_squares(grid, np.zeros_like(stained))[-1].core.y0 > 12000  # no tissue: anywhere


def tissue_file(folder: Path, side: int = SIDE) -> Path:
    scene = scenes.crowd(side, seed=5)
    marker = scenes.exposed(scene.truth % 5 == 1, 7)
    image = np.stack([scene.nuclear, marker])
    return slide_files.write_ome(folder / "large.ome.tif", image, ("DAPI", "CD68"), levels=3)


def surveyed(path: Path, out: Path, workers: int = 1) -> tuple[Survey, SlideFolder]:
    folder = slide_folder(out, "large")
    folder.work.mkdir(parents=True)
    options = RunOptions(workers=Workers(workers))
    return survey_slide(open_slide(path), ImageParameters("DAPI"), folder, options), folder


@pytest.fixture
def large_slides_are_small(monkeypatch):
    monkeypatch.setattr(survey, "WHOLE_PX", 1000**2)
    monkeypatch.setattr(survey, "PYRAMID_BLOCK_PX", 64)
    monkeypatch.setattr(survey, "PICTURE_SIDE_PX", 100)
    monkeypatch.setattr(sampling, "LEAST_SAMPLE_PX", 2 * 512**2)


def test_a_sampled_survey_finds_what_reading_everything_finds(
    tmp_path, large_slides_are_small, monkeypatch
):
    path = tissue_file(tmp_path)
    sampled, in_squares = surveyed(path, tmp_path / "sampled")
    monkeypatch.setattr(survey, "WHOLE_PX", 10**9)
    whole, folder = surveyed(path, tmp_path / "whole")
    assert len(sampled.sample["DAPI"]) != len(whole.sample["DAPI"])  # control: another sample
    for channel in ("DAPI", "CD68"):
        a, b = (one.correction.stains[channel] for one in (sampled, whole))
        assert a.background == pytest.approx(b.background, rel=0.05)
        assert a.threshold == pytest.approx(b.threshold, rel=0.05)
    areas = [SlideFolder(one.path).tissue.read_text() for one in (in_squares, folder)]
    assert all("coordinates" in area for area in areas)


def test_a_sampled_survey_does_not_depend_on_workers(tmp_path, large_slides_are_small):
    path = tissue_file(tmp_path)
    (one, first), (two, second) = (surveyed(path, tmp_path / str(n), workers=n) for n in (1, 2))
    assert one.correction.to_dict() == two.correction.to_dict()
    np.testing.assert_array_equal(one.sample["DAPI"], two.sample["DAPI"])
    assert first.tissue.read_bytes() == second.tissue.read_bytes()
