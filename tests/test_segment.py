import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi
from skimage.segmentation import expand_labels

import scenes
from macprox.errors import StudyError
from macprox.image.stain import StainStatistics
from macprox.image.tiles import Box, tile_grid
from macprox.segment import (
    MacrophageParameters,
    SegmentationParameters,
    segment_cells,
    segment_nuclei,
)
from macprox.segment.bodies import body_threshold, claiming_nuclei, marker_levels
from macprox.segment.cells import grow_cells
from macprox.segment.clustering import persistent_basins
from macprox.segment.nuclei import smooth
from macprox.segment.objects import anchors, keep_labels, too_wide, touches_frame
from macprox.segment.whole import halo_um, segment_tile, tiles_of

PX = scenes.PIXEL_SIZE_UM
WITH_BODIES = SegmentationParameters(macrophages=MacrophageParameters(channels=("CD68",)))


def body_marker(scene: scenes.Scene) -> np.ndarray:
    marker = scene.marker.astype(np.float32) - scenes.BACKGROUND
    return marker_levels(marker, 0.3 * scenes.STAINED, PX)


def same_up_to_names(a: np.ndarray, b: np.ndarray) -> bool:
    pairs = np.unique(np.column_stack([a.ravel(), b.ravel()]), axis=0)
    return len(pairs) == len(np.unique(a)) == len(np.unique(b)) and pairs[0].tolist() == [0, 0]


def mean_best_iou(truth: np.ndarray, found: np.ndarray) -> float:
    best = []
    for label in range(1, truth.max() + 1):
        mask = truth == label
        overlap = np.bincount(found[mask])
        overlap[0] = 0
        other = int(overlap.argmax())
        union = mask.sum() + (found == other).sum() - overlap[other]
        best.append(overlap[other] / union if overlap[other] else 0.0)
    return float(np.mean(best))


def test_touching_nuclei_stay_two():
    scene = scenes.two_touching_nuclei()
    assert ndi.label(scene.nuclear > 800)[1] == 1  # control: naive labelling merges them
    assert segment_nuclei(scene.nuclear, PX).max() == 2


def test_a_crowd_is_found_with_its_outlines():
    scene = scenes.crowd(320)
    naive = ndi.label(scene.nuclear > 800)[0]
    assert naive.max() < 0.8 * scene.n_nuclei  # control: many touch
    found = segment_nuclei(scene.nuclear, PX)
    assert abs(found.max() - scene.n_nuclei) <= 0.08 * scene.n_nuclei
    assert mean_best_iou(scene.truth, found) > 0.75 > mean_best_iou(scene.truth, naive)


def test_background_has_no_nuclei():
    assert segment_nuclei(np.full((64, 64), 300, np.uint16), PX).max() == 0
    assert segment_nuclei(scenes.empty().nuclear, PX).max() <= 1


def test_brightness_scale_does_not_matter():
    scene = scenes.crowd(256)
    once, thrice = (segment_nuclei(scene.nuclear * k, PX) for k in (1, 3))
    assert once.max() > 50
    assert np.mean((once > 0) == (thrice > 0)) > 0.999


@pytest.mark.parametrize("core_px", [128, 200, 512])
def test_tiles_agree_with_the_whole_to_the_pixel(core_px):
    scene = scenes.crowd()
    marker = body_marker(scene)
    statistics = StainStatistics.from_sample(smooth(scene.nuclear, PX))
    shape = scene.truth.shape

    def segmented(tiles):
        canvas = np.zeros((2, *shape), np.int64)
        measured = []
        for tile in tiles:
            window = tile.outer.slices
            labels = segment_tile(
                scene.nuclear[window], marker[window], tile.outer, (shape, PX), statistics,
                WITH_BODIES,
            )  # fmt: skip
            owned = labels.owned(tile.outer, tile.core, shape[1])
            assert not labels.cut[owned].any()
            measured.append(labels.anchor_px[owned])
            inside = tile.core.within(tile.outer)
            for layer, array in zip(canvas, (labels.nuclei, labels.cells), strict=True):
                layer[tile.core.slices] = (labels.anchor_px + 1)[array[inside]]
        return canvas, np.sort(np.concatenate(measured))

    whole, whole_anchors = segmented(tile_grid(shape, max(shape), 0))
    tiles = tiles_of(shape, core_px, PX, WITH_BODIES)
    assert len(tiles) > 1
    tiled, tiled_anchors = segmented(tiles)
    assert len(whole_anchors) > 300
    np.testing.assert_array_equal(tiled, whole)
    np.testing.assert_array_equal(tiled_anchors, whole_anchors)


def test_too_small_a_halo_is_noticed():
    scene = scenes.crowd()
    statistics = StainStatistics.from_sample(smooth(scene.nuclear, PX))
    cut = 0
    for tile in tile_grid(scene.truth.shape, 128, 4):
        labels = segment_tile(
            scene.nuclear[tile.outer.slices], None, tile.outer, (scene.truth.shape, PX),
            statistics, SegmentationParameters(),
        )  # fmt: skip
        cut += labels.cut[labels.owned(tile.outer, tile.core, scene.truth.shape[1])].sum()
    assert cut > 0


def test_dask_gives_the_objects_of_numpy_whatever_the_chunks():
    stain = scenes.crowd().nuclear
    statistics = StainStatistics.from_sample(smooth(stain, PX))
    whole = segment_nuclei(stain, PX, statistics=statistics)
    for chunks in (160, (640, 320)):
        lazy = segment_nuclei(da.from_array(stain, chunks=chunks), PX, statistics=statistics)
        assert lazy.chunks == da.from_array(stain, chunks=chunks).chunks
        assert same_up_to_names(whole, lazy.compute())


def test_dask_estimates_the_same_statistics_as_numpy():
    stain = scenes.crowd().nuclear
    assert same_up_to_names(
        segment_nuclei(stain, PX), segment_nuclei(da.from_array(stain, chunks=256), PX).compute()
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_basins_do_not_depend_on_the_frame(seed, persistence):
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 9, (14, 17)).astype(np.int32)
    mask = rng.random(levels.shape) < 0.7
    pad = np.pad(levels, ((3, 2), (5, 1))), np.pad(mask, ((3, 2), (5, 1)))
    framed = persistent_basins(*pad, persistence)[3:-2, 5:-1]
    np.testing.assert_array_equal(framed, persistent_basins(levels, mask, persistence))


def test_basins_merge_below_the_persistence_and_not_above():
    levels = np.array([[5, 9, 6, 8, 4]], np.int32)
    mask = np.ones_like(levels, bool)
    assert persistent_basins(levels, mask, 2).max() == 2
    assert persistent_basins(levels, mask, 3).max() == 1


def test_growth_agrees_with_an_independent_expansion():
    truth = scenes.crowd(256).truth
    grown = grow_cells(truth, 4.0, PX)
    other = expand_labels(truth, 8)
    assert (grown > 0).sum() == (other > 0).sum()
    assert np.mean(grown == other) > 0.97  # the rest are ties, which we break by position


def test_a_macrophage_takes_its_body_and_its_neighbour_keeps_its_own():
    scene = scenes.macrophage_beside_lymphocyte()
    marker = body_marker(scene)
    assert claiming_nuclei(scene.truth, marker > 0, PX).tolist() == [False, True, False]
    without = segment_cells(scene.truth, PX)
    cells = segment_cells(scene.truth, PX, marker, WITH_BODIES)
    assert (cells == 1).sum() > 1.5 * (without == 1).sum()
    assert ((cells == 2) & (scene.truth == 2)).sum() == (scene.truth == 2).sum()
    assert cells.max() == 2


def test_a_body_without_a_nucleus_becomes_a_cell():
    scene = scenes.body_without_nucleus()
    assert segment_cells(scene.truth, PX).max() == 1  # control
    cells = segment_cells(scene.truth, PX, body_marker(scene), WITH_BODIES)
    assert cells.max() == 2
    assert (cells == 2).sum() == pytest.approx(np.pi * 14**2, rel=0.15)


def test_a_large_marker_area_is_split():
    marker = np.zeros((300, 300), bool)
    marker[60:240, 60:240] = True
    marker[140:160, :150] = False  # a bay
    cells = segment_cells(np.zeros((300, 300), np.int32), PX, marker, WITH_BODIES)
    assert cells.max() >= 1
    assert set(np.unique(cells[~marker])) == {0}


def test_a_constant_marker_has_no_body():
    assert body_threshold(np.zeros(100)) == np.inf
    assert body_threshold(np.r_[np.zeros(900), np.full(100, 50.0)]) < 50


def test_anchors_are_raster_positions_on_the_slide():
    labels = np.array([[0, 2, 0], [1, 2, 0]], np.int32)
    assert anchors(labels, Box(10, 12, 20, 23), 100).tolist() == [-1, 1120, 1021]


def test_only_the_inner_sides_of_a_tile_can_cut():
    labels = np.array([[1, 0], [0, 2]], np.int32)
    assert touches_frame(labels, Box(0, 2, 0, 2), (2, 2)).tolist() == [False, False, False]
    assert touches_frame(labels, Box(0, 2, 0, 2), (9, 9)).tolist() == [False, False, True]


def test_bodies_widen_the_halo():
    assert halo_um(WITH_BODIES, PX) > halo_um(SegmentationParameters(), PX)


@pytest.mark.parametrize("name", ["nucleus_diameter_um", "min_nucleus_area_um2", "expansion_um"])
def test_lengths_must_be_positive(name):
    with pytest.raises(StudyError, match=f"{name} must be a positive number, found -1"):
        SegmentationParameters(**{name: -1})


def test_objects_that_reach_too_far_are_too_wide_whatever_their_area():
    labels = np.zeros((40, 60), np.int32)
    labels[2, 5:45] = 1  # thin and long
    labels[10:30, 10:30] = 2
    labels[30:39, 50] = 3
    assert too_wide(labels, 20).tolist() == [False, True, False, False]
    assert not too_wide(labels, 40).any()
    kept = keep_labels(labels, ~too_wide(labels, 20))
    np.testing.assert_array_equal(kept > 0, labels > 1)
