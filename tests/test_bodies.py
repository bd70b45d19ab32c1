"""Macrophage bodies on scenes that can be judged by eye."""

import numpy as np
import pytest
from benchmarks.bodies import Truth, row, scores
from scipy import ndimage as ndi

import scenes
from macprox.errors import StudyError
from macprox.image.filters import gaussian
from macprox.image.tiles import Box
from macprox.segment import MacrophageParameters, SegmentationParameters, bodies, segment_cells
from macprox.segment.bodies import MARKER_STEPS, macrophage_bodies, marker_levels
from macprox.segment.cells import grow_cells
from macprox.segment.fronts import budget, spread
from macprox.segment.lone_bodies import lone_bodies
from macprox.segment.patches import patches

PX = scenes.PIXEL_SIZE_UM
PARAMETERS = MacrophageParameters(channels=("CD68",))


def bodies_of(nuclei, marker, parameters=PARAMETERS, corner=(0, 0)):
    y, x = corner
    box = Box(y, y + nuclei.shape[0], x, x + nuclei.shape[1])
    cells = grow_cells(nuclei, 4.0, PX)
    return macrophage_bodies(nuclei, cells, marker, (box, PX), parameters)


def disc(centre, radius_px, shape=(160, 240)):
    return scenes.discs([centre], radius_px, shape) > 0


def test_two_macrophages_meet_in_the_valley_of_their_marker():
    nuclei = scenes.discs([(80, 60), (80, 120)], 8, (160, 240))
    both = disc((80, 60), 34) | disc((80, 120), 34)
    valley = np.abs(np.arange(240) - 78) <= 2  # not halfway: the left macrophage is smaller
    bright = np.where(both, 10 * MARKER_STEPS, 0).astype(np.int32)
    marker = np.where(both & valley, MARKER_STEPS, bright)

    def border_px(levels):
        row = bodies_of(nuclei, levels).cells[80, 60:121]
        return 60 + int(np.flatnonzero(row == 2)[0])

    assert border_px(bright) == pytest.approx(90, abs=1)  # control: by distance alone
    assert 78 <= border_px(marker) <= 83


def test_a_body_ends_where_its_reach_ends():
    nuclei = scenes.discs([(20, 20)], 8, (40, 200))
    marker = disc((20, 20), 12, nuclei.shape) | (np.abs(np.arange(40) - 20) <= 1)[:, None]
    cells = bodies_of(nuclei, marker).cells
    assert np.flatnonzero(cells[20] == 1).max() == 28 + 15 / PX


def test_faint_marker_shortens_the_reach():
    seeds = np.zeros((1, 40), np.int32)
    seeds[0, 0] = 1
    even = np.full(seeds.shape, 8, np.int32)
    owner, cost = spread(seeds, even, even, budget(10.0, 1.0))
    assert owner[0].sum() == 11
    assert cost[0, :3].tolist() == [0, 80, 160]
    owner, _ = spread(seeds, even // 2, even, budget(10.0, 1.0))
    assert owner[0].sum() == 1 + int(10 / 1.5)


def test_growth_does_not_depend_on_the_order_of_visits():
    """Against the definition: the cheapest path to every pixel, seed by seed."""
    rng = np.random.default_rng(4)
    marker = rng.integers(0, 4, (24, 30)).astype(np.int32)
    peak = np.full_like(marker, 3)
    seeds = np.zeros_like(marker)
    seeds[rng.integers(0, 24, 6), rng.integers(0, 30, 6)] = np.arange(1, 7)
    cap = budget(6.0, 1.0)
    owner, cost = spread(seeds, marker, peak, cap)
    blocked = np.where(seeds > 0, 0, marker)
    alone = np.stack([
        np.where((seeds > 0) & (seeds != k), cap + 1,
                 spread(np.where(seeds == k, seeds, 0), blocked, peak, cap)[1])
        for k in range(1, 7)
    ])  # fmt: skip
    reached = alone.min(axis=0) <= cap
    np.testing.assert_array_equal(owner, np.where(reached, alone.argmin(axis=0) + 1, 0))
    np.testing.assert_array_equal(cost, alone.min(axis=0))
    assert 0.2 < reached.mean() < 0.95


def test_a_body_without_a_nucleus_beside_a_macrophage_stays_its_own():
    nuclei = scenes.discs([(80, 70)], 8, (160, 240))
    marker = disc((80, 70), 20) | disc((80, 109), 20)
    cells = bodies_of(nuclei, marker).cells
    lone = cells == 2
    assert cells.max() == 2
    union = (lone | disc((80, 109), 20)).sum()
    assert (lone & disc((80, 109), 20)).sum() / union > 0.8


def test_a_large_macrophage_is_not_split():
    nuclei = scenes.discs([(80, 70)], 8, (160, 240))
    assert bodies_of(nuclei, disc((80, 76), 28)).cells.max() == 1  # 28 um across


def test_a_process_is_no_body():
    nuclei = scenes.discs([(80, 70)], 8, (160, 240))
    marker = disc((80, 70), 18)
    marker[77:83, 80:150] = True
    assert bodies_of(nuclei, marker).cells.max() == 1


@pytest.mark.parametrize(("side_px", "n"), [(9, 0), (12, 1)])
def test_bodies_without_a_nucleus_have_a_smallest_area(side_px, n):
    """20 and 36 um2, of at least 30."""
    marker = np.zeros((60, 60), bool)
    marker[20 : 20 + side_px, 20 : 20 + side_px] = True
    assert bodies_of(np.zeros((60, 60), np.int32), marker).cells.max() == n


@pytest.mark.parametrize("corner", [(0, 0), (317, 90)])
def test_an_area_too_wide_for_one_macrophage_is_cut_and_flagged(corner):
    marker = np.zeros((420, 420), bool)
    marker[30:390, 30:390] = True  # 180 um
    found = bodies_of(np.zeros(marker.shape, np.int32), marker, corner=corner)
    n = found.cells.max()
    assert n >= 9
    assert found.clump.tolist() == [False, *[True] * n]
    assert (found.cells > 0).sum() == marker.sum()
    for label in range(1, n + 1):
        rows, columns = np.nonzero(found.cells == label)
        assert max(np.ptp(rows), np.ptp(columns)) * PX <= PARAMETERS.max_diameter_um + 1


def test_a_clump_is_cut_alike_wherever_a_tile_begins():
    y, x = np.mgrid[:500, :500]
    marker = (y - 240) ** 2 + (x - 260) ** 2 < 170**2
    whole = bodies_of(np.zeros(marker.shape, np.int32), marker).cells
    tile = np.s_[37:467, 53:463]
    part = bodies_of(np.zeros((430, 410), np.int32), marker[tile], corner=(37, 53)).cells
    inside = np.s_[160:340, 180:340]
    pairs = np.unique(np.stack([whole[tile][inside], part[inside]]).reshape(2, -1), axis=1)
    assert len(pairs.T) == len(np.unique(pairs[0])) == len(np.unique(pairs[1])) > 3


def test_two_bodies_that_touch_are_parted_at_the_neck_and_are_no_clump():
    solid = disc((80, 70), 20) | disc((80, 106), 20)
    labels, clump = lone_bodies(solid, (Box(0, 160, 0, 240), PX), PARAMETERS)
    assert labels.max() == 2
    assert not clump.any()
    assert labels[80, 80] == 1 != labels[80, 96]


def crowded_marker(seed):
    """Nuclei and grainy marker in blobs of all sizes: with debris, rims and neighbours near."""
    rng = np.random.default_rng(seed)
    fields = [gaussian(rng.normal(size=(420, 560)), sigma) for sigma in (8.0, 5.0)]
    blobs, nuclei = (field / field.std() for field in fields)
    levels = np.where(blobs > 1.2, MARKER_STEPS + 40 * (blobs - 1.2), 0)
    grain = rng.uniform(0.5, 1.5, levels.shape)
    return ndi.label(nuclei > 1.6)[0].astype(np.int32), (levels * grain).astype(np.int32)


@pytest.mark.parametrize("seed", range(3))
def test_bodies_are_the_same_in_patches_as_in_the_whole_tile(seed, monkeypatch):
    nuclei, marker = crowded_marker(seed)
    n_patches = []

    def counted(*arguments):
        found = list(patches(*arguments))
        n_patches.append(len(found))
        return found

    def undivided(nuclei, marker, claims, apart_px, least_px):
        return counted(nuclei, marker, claims, max(nuclei.shape), least_px)

    in_patches, whole = [], []
    for way, results in ((counted, in_patches), (undivided, whole)):
        monkeypatch.setattr(bodies, "patches", way)
        found = bodies_of(nuclei, marker)
        results += [found.cells, found.clump]
    assert n_patches[0] > 10  # control
    assert n_patches[1] == 1
    assert in_patches[0].max() > nuclei.max() + 2  # control: several without a nucleus
    for one, other in zip(in_patches, whole, strict=True):
        np.testing.assert_array_equal(one, other)


def test_marker_levels_say_how_far_above_the_threshold():
    marker = np.full((40, 40), 30.0, np.float32)
    marker[:, 20:] = 10.0
    levels = marker_levels(marker, 20.0, PX)
    assert levels[20, 2] == 1.5 * MARKER_STEPS
    assert levels[20, 35] == 0
    assert not marker_levels(marker, np.inf, PX).any()


def test_small_vacuoles_are_filled_and_large_ones_are_not():
    marker = np.full((80, 80), 100.0, np.float32)
    marker[20:23, 20:23] = marker[40:60, 40:60] = 0
    levels = marker_levels(marker, 60.0, PX)
    assert levels[21, 21] >= MARKER_STEPS
    assert levels[50, 50] == 0


def test_a_mask_is_a_marker_too():
    nuclei = scenes.discs([(64, 64)], 8, (128, 128))
    parameters = SegmentationParameters(macrophages=PARAMETERS)
    mask = scenes.discs([(64, 64)], 20, (128, 128)) > 0
    by_mask = segment_cells(nuclei, PX, mask, parameters)
    np.testing.assert_array_equal(by_mask, segment_cells(nuclei, PX, 7 * mask, parameters))


def test_a_pixel_threshold_is_positive():
    with pytest.raises(StudyError, match="pixel_threshold must be a positive number, found -3"):
        MacrophageParameters(pixel_threshold=-3.0)


def test_the_benchmark_counts_by_hand():
    bodies = np.zeros((20, 60), np.int64)
    bodies[5:15, 5:15] = 1  # with a nucleus; the found cell is half as large again
    bodies[5:15, 30:40] = 2  # without
    bodies[0:8, 50:58] = 3  # cut by the rim: not judged
    truth = Truth(bodies, np.array([False, True, False, True]), px_um2=1.0)
    nuclei, cells = np.zeros_like(bodies), np.zeros_like(bodies)
    nuclei[8:12, 8:12] = 1
    cells[5:15, 5:20] = 1
    cells[5:15, 30:36] = 2
    cells[16:19, 30:40] = 3  # nothing there
    found = scores(truth, nuclei, cells)
    assert found["iou"] == pytest.approx([2 / 3])
    assert found["area_error"] == pytest.approx([0.5])
    assert found["found"].tolist() == [True]
    assert found["false"].tolist() == [False, True]
    assert row([found, found])["anucleate false"] == "2 of 4"
