import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi

import scenes
from macprox.image.correction import Correction, clipped_px
from macprox.image.quality import channel_flags, scale_flags
from macprox.image.stain import StainStatistics, bleed_through
from macprox.image.survey import SurveyGrid, area_average, survey_block
from macprox.image.tiles import tile_grid, whole_multiple
from macprox.image.tissue import find_tissue
from macprox.segment.nuclei import describe
from macprox.slide import Slide


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 128), st.integers(0, 40))
def test_cores_partition_the_slide_and_halos_stay_inside(height, width, core, halo):
    owner = np.zeros((height, width), int)
    for tile in tile_grid((height, width), core, halo):
        owner[tile.core.slices] += 1
        assert tile.outer.y0 <= tile.core.y0 < tile.core.y1 <= tile.outer.y1 <= height
        assert tile.core.shape == owner[tile.outer.slices][tile.core.within(tile.outer)].shape
    assert (owner == 1).all()


def test_tile_sizes_are_rounded_to_whole_chunks():
    assert [whole_multiple(size, 512) for size in (1, 700, 800, 2048)] == [512, 512, 1024, 2048]


def test_area_average_keeps_the_mean_and_handles_a_ragged_rim():
    pixels = np.arange(35.0).reshape(5, 7)
    small = area_average(pixels, 3)
    assert small.shape == (2, 3)
    assert small[0, 0] == pixels[:3, :3].mean()
    assert small[1, 2] == pixels[3:, 6:].mean()


def test_the_survey_does_not_depend_on_its_blocks(monkeypatch):
    scene = scenes.crowd(320)
    slide = Slide.from_array(np.stack([scene.nuclear, scene.marker]), ["DAPI", "CD68"], 0.5)

    def surveyed(block_px):
        monkeypatch.setattr("macprox.image.survey.BLOCK_PX", block_px)
        monkeypatch.setattr("macprox.image.survey.SAMPLE_SIZE", 5000)
        grid = SurveyGrid.of(slide)
        overview = np.full((2, *grid.overview_shape), np.nan)
        sample, rough = np.full((2, 2, *grid.sample_shape), np.nan)
        picture = np.full((2, *slide.shape), np.nan)
        for block in grid.blocks():
            found = survey_block(slide, grid, block)
            overview[(slice(None), *grid.overview_box(block.core).slices)] = found.overview
            box = grid.overview_box(block.core, grid.picture_factor).slices
            picture[(slice(None), *box)] = found.picture
            inside = (slice(None), *grid.sample_box(block.core).slices)
            sample[inside], rough[inside] = found.sample, found.roughness
        return overview, picture, sample, rough

    whole, tiled = surveyed(4096), surveyed(96)
    for a, b in zip(whole, tiled, strict=True):
        assert np.isfinite(a).all()
        np.testing.assert_array_equal(a, b)


def test_statistics_find_background_noise_and_a_threshold_between():
    rng = np.random.default_rng(0)
    pixels = np.r_[rng.normal(200, 10, 9000), rng.normal(1500, 200, 1000)]
    stain = StainStatistics.from_sample(pixels)
    assert abs(stain.background - 200) < 15
    assert 220 < stain.floor < stain.threshold < 1000


@pytest.mark.parametrize("share", [0.0, 0.0005])
def test_noise_alone_puts_the_threshold_outside_the_noise(share):
    rng = np.random.default_rng(1)
    pixels = rng.normal(200, 10, 20000)
    pixels[: int(share * pixels.size)] = 1000
    stain = StainStatistics.from_sample(pixels)
    assert stain.noise == pytest.approx(10, rel=0.05)
    assert stain.threshold == pytest.approx(280, rel=0.02)


def test_grain_tells_counted_ions_from_a_camera():
    rng = np.random.default_rng(5)
    nuclei = ndi.gaussian_filter((scenes.crowd(256).truth > 0).astype(float), 1.0)
    camera = rng.poisson(20 + 400 * nuclei)
    counts = rng.poisson(5 * nuclei)
    assert describe(camera, 0.5).grain < 0.15
    assert describe(counts, 0.5).grain > 0.35
    assert describe(np.zeros((9, 9)), 0.5).grain == 0


def test_a_constant_channel_is_told_and_survives_json():
    stain = StainStatistics.from_sample(np.full(100, 7.0))
    assert stain.constant
    again = StainStatistics.from_dict(json.loads(json.dumps(stain.to_dict(), allow_nan=False)))
    assert again == stain
    assert StainStatistics.from_sample(np.array([])).constant


def test_bleed_through_is_recovered_although_a_marker_sits_on_half_of_it():
    rng = np.random.default_rng(2)
    blank = np.r_[rng.normal(0, 1, 5000), rng.gamma(4, 10, 1000)]
    marker = 0.4 * blank + rng.normal(0, 1, 6000)
    marker[5000:5500] += 100
    assert bleed_through(marker, blank) == pytest.approx(0.4, abs=0.06)
    assert bleed_through(marker, np.zeros(6000)) == 0


def test_correction_takes_background_and_autofluorescence_off():
    rng = np.random.default_rng(3)
    blank = np.r_[rng.normal(100, 2, 5000), 100 + rng.gamma(4, 50, 1000)]
    sample = {
        "DAPI": rng.normal(300, 20, 6000) + 800 * (rng.random(6000) < 0.2),
        "CD68": 50 + 0.5 * (blank - 100) + rng.normal(0, 2, 6000),
        "AF": blank,
    }
    correction = Correction.from_sample(sample, "AF")
    before, after = sample["CD68"], correction.apply("CD68", sample["CD68"], blank)
    assert np.corrcoef(before, blank)[0, 1] > 0.9
    assert abs(np.median(after)) < 5
    assert np.percentile(after, 99.5) < 0.3 * (np.percentile(before, 99.5) - 50)
    assert correction.bleed["AF"] == 0
    assert Correction.from_dict(json.loads(json.dumps(correction.to_dict()))) == correction


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64"])
def test_correction_is_one_formula_for_pixels_and_means_of_any_type(dtype):
    rng = np.random.default_rng(6)
    raw, blank = rng.integers(0, 256, (2, 40, 30)).astype(dtype)
    stains = {name: StainStatistics(at, 1.0, 99.0) for name, at in (("m", 20.5), ("AF", 10.25))}
    correction = Correction(stains, {"m": 0.3, "AF": 0.0}, "AF")
    expected = (raw - 20.5) - 0.3 * (blank - 10.25)
    found = correction.apply("m", raw, blank)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(correction.apply("m", raw), raw - 20.5, atol=1e-4)
    means = raw.mean(axis=1, dtype=float), blank.mean(axis=1, dtype=float)
    of_means = correction.apply_to_means("m", *means)
    np.testing.assert_allclose(of_means, expected.mean(axis=1, dtype=float), rtol=1e-5)
    np.testing.assert_allclose(of_means, (means[0] - 20.5) - 0.3 * (means[1] - 10.25), rtol=1e-12)
    np.testing.assert_allclose(correction.apply_to_means("AF", means[1]), means[1] - 10.25)


def test_clipped_pixels_are_those_at_the_top_of_either_channel():
    raw, blank = np.array([[255, 7, 0, 3]], np.uint8), np.array([[1, 255, 0, 255]], np.uint8)
    assert clipped_px(raw) == 1
    assert clipped_px(raw, blank) == 3
    assert clipped_px(raw.astype(np.float32), blank.astype(np.float32)) == 0


def test_tissue_leaves_out_glass_and_keeps_airspaces():
    side, px = 300, 4.0  # 1200 um
    nuclear = np.zeros((side, side))
    yy, xx = np.mgrid[:side, :side]
    tissue = (yy > 70) & (yy < 230) & (xx > 70) & (xx < 160)
    hole = (yy - 150) ** 2 + (xx - 115) ** 2 < 15**2
    nuclei = tissue & ~hole & (yy % 3 == 0) & (xx % 3 == 0)
    nuclear[nuclei] = 100
    masks = find_tissue(nuclear, nuclear, 50, px)
    assert masks.footprint[150, 115]  # the airspace
    assert not masks.footprint[150, 220]  # glass
    assert masks.airspace[150, 115]
    assert not masks.airspace[90, 115]
    beyond_um = ndi.distance_transform_edt(~tissue)[masks.footprint].max() * px
    assert 0 < beyond_um < 30
    assert masks.footprint[tissue].mean() > 0.99


def test_no_nuclei_is_no_tissue():
    masks = find_tissue(np.zeros((50, 50)), np.zeros((50, 50)), 1, 4.0)
    assert not masks.footprint.any()
    assert not masks.airspace.any()


def test_a_field_full_of_tissue_is_tissue_to_its_rim():
    rng = np.random.default_rng(4)
    nuclear = rng.choice([0.0, 100.0], (60, 60), p=[0.7, 0.3])
    assert find_tissue(nuclear, nuclear, 50, 4.0).footprint.all()


def test_quality_flags_say_what_is_wrong():
    sample = {"a": np.zeros(100), "b": np.r_[np.arange(98), 65535, 65535]}
    stains = {name: StainStatistics.from_sample(pixels) for name, pixels in sample.items()}
    flags = channel_flags(sample, stains)
    assert [(flag.flag, flag.message.split()[1]) for flag in flags] == [("constant_channel", "a")]
    assert [flag.flag for flag in scale_flags(12.0)] == ["implausible_pixel_size"]
