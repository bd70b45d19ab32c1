"""The built-in network: its grid, its outlines, and what it finds."""

import hashlib
import re
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi

import scenes
from macprox.image.stain import StainStatistics
from macprox.image.tiles import Box
from macprox.segment import SegmentationParameters, segment_nuclei, unet
from macprox.segment.contrast import own_contrast
from macprox.segment.network_grid import NetworkGrid
from macprox.segment.nuclei import describe
from macprox.segment.unet import MODEL, UNet, normalise

PX = scenes.PIXEL_SIZE_UM
WITH_NETWORK = SegmentationParameters(method="unet")


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_the_card_names_the_weights_that_are_shipped():
    weights = files("macprox.segment").joinpath("weights")
    digest = hashlib.sha256(weights.joinpath(MODEL).read_bytes()).hexdigest()
    card = weights.joinpath("README.md").read_text(encoding="utf-8")
    assert re.findall(r"`([0-9a-f]{64})`", card) == [digest]


def test_background_is_zero_and_a_bright_nucleus_one():
    stain = np.array([[-500.0, 100, 350, 600, 1e6]])
    seen = normalise(stain, background=100, bright=600)[0]
    assert seen[1] == 0
    assert seen[3] == 1
    assert np.all(np.diff(seen) > 0)
    assert seen[-1] < 2
    np.testing.assert_array_equal(normalise(7 * stain + 3, 703, 4203)[0][1:4], seen[1:4])


def test_two_touching_nuclei_are_two():
    scene = scenes.two_touching_nuclei()
    assert ndi.label(scene.nuclear > 800)[1] == 1  # control: one area above threshold
    assert segment_nuclei(scene.nuclear, PX, WITH_NETWORK).max() == 2


@pytest.mark.parametrize("pixel_size_um", [0.25, 0.325, 0.5, 0.65])
def test_a_crowd_is_found_at_every_scale(pixel_size_um):
    scene = scenes.crowd(400)
    zoom = PX / pixel_size_um
    stain = ndi.zoom(scene.nuclear.astype(float), zoom, order=1, grid_mode=True, mode="nearest")
    found = segment_nuclei(stain, pixel_size_um, WITH_NETWORK)
    assert found.shape == stain.shape
    assert abs(found.max() - scene.n_nuclei) <= 0.08 * scene.n_nuclei


def test_noise_and_nothing_hold_no_nuclei():
    noise = np.random.default_rng(0).normal(300, 20, (300, 300))
    assert segment_nuclei(noise, PX, WITH_NETWORK).max() == 0
    assert segment_nuclei(np.full((64, 64), 7), PX, WITH_NETWORK).max() == 0


def test_faint_folds_with_the_shape_of_nuclei_are_left_out():
    bright = scenes.discs([(60, 60), (60, 140)], 9, (200, 200)) > 0
    faint = scenes.discs([(140, 60), (140, 140)], 9, (200, 200)) > 0
    rng = np.random.default_rng(4)
    stain = ndi.gaussian_filter(1500.0 * bright + 120.0 * faint, 1) + rng.normal(200, 4, (200, 200))
    found = segment_nuclei(stain, PX, WITH_NETWORK)
    assert found.max() == 2
    assert not found[faint].any()


def test_a_nucleus_stands_out_and_haze_does_not():
    labels = scenes.discs([(40, 40), (40, 110)], 9, (80, 150))
    haze = np.where(np.arange(150) > 75, 600.0, 0.0)[None]
    stain = 200.0 + np.where(labels == 1, 800.0, haze + 100.0 * (labels == 2))
    stain += np.random.default_rng(0).normal(0, 4, stain.shape)
    statistics = StainStatistics(background=200, noise=4, threshold=500, bright=1000)
    contrast = own_contrast(labels, stain, PX, statistics)
    assert contrast[1] == pytest.approx(1, abs=0.02)
    assert contrast[2] == pytest.approx(100 / 700, abs=0.02)
    packed = np.ones((40, 40), np.int32)
    assert own_contrast(packed, np.full((40, 40), 900.0), PX, statistics)[1] == np.inf


def test_units_of_the_camera_do_not_matter():
    scene = scenes.crowd(200)
    found = segment_nuclei(scene.nuclear, PX, WITH_NETWORK)
    brighter = segment_nuclei(scene.nuclear * 8.0 + 1000, PX, WITH_NETWORK)
    assert abs(found.max() - brighter.max()) <= 1
    assert iou(found > 0, brighter > 0) > 0.99


@settings(max_examples=8, deadline=None)
@given(
    y=st.integers(0, 150), x=st.integers(0, 150), pixel_size_um=st.sampled_from([0.25, 0.4, 0.9])
)
def test_a_tile_sees_the_stain_as_the_slide_does(y, x, pixel_size_um):
    stain = np.random.default_rng(1).random((331, 347), np.float32)
    grid = NetworkGrid.of(pixel_size_um, 8.0)
    whole, tile = Box(0, 331, 0, 347), Box(y, y + 170, x, x + 190)
    box, part = (grid.covered(outer, stain.shape, 16) for outer in (whole, tile))
    all_of_it = grid.resample(stain, whole, box)
    piece = grid.resample(stain[tile.slices], tile, part)
    rim = int(np.ceil(2 / grid.factor)) + 1  # where the tile's own rim is repeated
    inner = Box(part.y0 + rim, part.y1 - rim, part.x0 + rim, part.x1 - rim)
    assert part.y0 % 16 == part.x0 % 16 == 0
    np.testing.assert_array_equal(piece[inner.within(part)], all_of_it[inner.within(box)])


@pytest.mark.parametrize("pixel_size_um", [0.25, 0.5, 0.9])
def test_resampling_keeps_levels_and_places(pixel_size_um):
    grid = NetworkGrid.of(pixel_size_um, 8.0)
    whole = Box(0, 300, 0, 300)
    box = grid.covered(whole, (300, 300), 16)
    column = np.tile(np.arange(300, dtype=np.float32), (300, 1))
    seen = grid.resample(column, whole, box)
    expected = (np.arange(box.x1) + 0.5) * grid.factor - 0.5
    inner = (expected > 4) & (expected < 295)
    np.testing.assert_allclose(seen[5][inner], expected[inner], atol=1e-3)


def test_labels_return_to_the_pixels_they_came_from():
    grid = NetworkGrid.of(0.25, 8.0)
    whole = Box(0, 64, 0, 64)
    labels = np.arange(1, 32 * 32 + 1, dtype=np.int32).reshape(32, 32)
    sure = np.full((32, 32), 64, np.int32)
    full = grid.enlarge(labels, sure, grid.covered(whole, (64, 64), 16), whole)
    corners = full[::63, ::63]
    np.testing.assert_array_equal(corners, labels[::31, ::31])
    disc = scenes.discs([(16, 16)], 8, (32, 32))
    y, x = np.mgrid[:32, :32]
    margin = np.rint(64 * (8 - np.hypot(y - 16, x - 16))).astype(np.int32)
    fine = grid.enlarge(disc, margin, grid.covered(whole, (64, 64), 16), whole)
    wanted = scenes.discs([(32.5, 32.5)], 16, (64, 64))
    blocky = disc.repeat(2, axis=0).repeat(2, axis=1)
    assert iou(fine > 0, wanted > 0) > 0.98 > iou(blocky > 0, wanted > 0)


def test_a_nucleus_does_not_depend_on_its_tile():
    scene = scenes.crowd(420)
    shape, whole = scene.nuclear.shape, Box(0, 420, 0, 420)
    statistics = describe(scene.nuclear, PX)
    stain = scene.nuclear.astype(np.float32)
    halo = int(np.ceil(UNet().halo_um(WITH_NETWORK, PX) / PX))
    reference = UNet().label(stain, whole, (shape, PX), statistics, WITH_NETWORK)
    core = Box(201, 307, 173, 291)
    outer = Box(core.y0 - halo, core.y1 + halo, core.x0 - halo, core.x1 + halo)
    assert outer.y0 > 0  # control: the tile does not see the slide's rim
    tile = UNet().label(stain[outer.slices], outer, (shape, PX), statistics, WITH_NETWORK)
    a, b = reference[core.slices], tile[core.within(outer)]
    pairs = np.unique(np.column_stack([a.ravel(), b.ravel()]), axis=0)
    assert len(pairs) == len(np.unique(a)) == len(np.unique(b))


@pytest.mark.parametrize("piece_px", [64, 104, 200])
def test_the_pieces_that_the_network_runs_on_leave_no_trace(piece_px, monkeypatch):
    stain = scenes.crowd(400).nuclear
    stain[:, 150:260] = scenes.BACKGROUND  # pieces where nothing is looked for
    whole = segment_nuclei(stain, PX, WITH_NETWORK)
    n_pieces = len(unet._pieces(stain.shape))
    monkeypatch.setattr(unet, "PIECE_PX", piece_px)
    assert len(unet._pieces(stain.shape)) > n_pieces  # control
    np.testing.assert_array_equal(segment_nuclei(stain, PX, WITH_NETWORK), whole)
