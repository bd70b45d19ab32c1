"""Pixel kernels against scipy and brute force, and the same for a tile as for the whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi
from skimage.morphology import remove_small_holes

from macprox.image.filters import (
    box_mean,
    gaussian,
    highest_near,
    lowest_near,
    opened,
    without_small_holes,
)
from macprox.image.kernels import distance_inside, nearest_label
from macprox.segment.clustering import persistent_basins
from macprox.segment.objects import drop_small, first_pixels

SEEDS = st.integers(0, 2**32 - 1)
SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40))
RADII = st.integers(0, 12)


def noise(seed: int, shape: tuple[int, int], top: int = 60000) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, top, shape).astype(np.int32)


def specks(seed: int, shape: tuple[int, int], share: float) -> np.ndarray:
    return np.random.default_rng(seed).random(shape) < share


@settings(max_examples=60, deadline=None)
@given(SEEDS, SHAPES, st.floats(0.05, 4))
def test_gaussian_agrees_with_scipy(seed, shape, sigma_px):
    pixels = noise(seed, shape)
    expected = ndi.gaussian_filter(pixels.astype(float), sigma_px)
    np.testing.assert_allclose(gaussian(pixels, sigma_px), expected, rtol=2e-6)


@settings(max_examples=60, deadline=None)
@given(SEEDS, SHAPES, RADII)
def test_sliding_extremes_agree_with_scipy(seed, shape, radius):
    levels = noise(seed, shape) - 30000
    side = 2 * radius + 1
    np.testing.assert_array_equal(highest_near(levels, radius), ndi.maximum_filter(levels, side))
    np.testing.assert_array_equal(lowest_near(levels, radius), ndi.minimum_filter(levels, side))


@settings(max_examples=60, deadline=None)
@given(SEEDS, SHAPES, st.integers(0, 4), st.sampled_from([0.7, 0.9, 0.98]))
def test_opening_agrees_with_scipy(seed, shape, radius, share):
    mask = specks(seed, shape, share)
    square = np.ones((2 * radius + 1,) * 2, bool)
    eroded = ndi.binary_erosion(mask, square, border_value=1)
    np.testing.assert_array_equal(opened(mask, radius), ndi.binary_dilation(eroded, square))


@settings(max_examples=100, deadline=None)
@given(SEEDS, SHAPES, st.integers(0, 20), st.sampled_from([0.3, 0.5, 0.7]))
def test_filled_holes_agree_with_scikit_image(seed, shape, max_px, share):
    mask = specks(seed, shape, share)
    expected = remove_small_holes(mask, max_size=max_px) if max_px else mask
    np.testing.assert_array_equal(without_small_holes(mask, max_px), expected)


@settings(max_examples=60, deadline=None)
@given(SEEDS, SHAPES, RADII)
def test_box_mean_is_the_exact_sum_divided_once(seed, shape, radius):
    levels = noise(seed, shape, 2**30)
    padded = np.pad(levels.astype(np.int64), radius, mode="symmetric")
    side = 2 * radius + 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side))
    expected = (windows.sum((2, 3)) / side**2).astype(np.float32)
    np.testing.assert_array_equal(box_mean(levels, radius), expected)


@settings(max_examples=60, deadline=None)
@given(SEEDS, SHAPES, st.integers(1, 15), st.sampled_from([0.05, 0.5, 0.9, 1.0]))
def test_capped_distance_agrees_with_scipy(seed, shape, cap, share):
    mask = specks(seed, shape, share)
    # scipy needs some background: in the corner of a frame too wide for it to be felt.
    framed = np.pad(mask, cap, constant_values=True)
    framed[0, 0] = False
    expected = np.minimum(ndi.distance_transform_edt(framed), cap)[cap:-cap, cap:-cap]
    np.testing.assert_allclose(distance_inside(mask, cap), expected, rtol=1e-6)
    assert distance_inside(np.ones(shape, bool), cap).min() == cap


def nearest_by_search(labels: np.ndarray, radius_px: float) -> np.ndarray:
    found = np.zeros_like(labels)
    yy, xx = np.nonzero(labels)
    for y, x in np.ndindex(labels.shape):
        squared = (yy - y) ** 2 + (xx - x) ** 2
        if squared.size and squared.min() <= radius_px**2:
            found[y, x] = labels[yy, xx][squared == squared.min()].min()
    return found


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.tuples(st.integers(1, 18), st.integers(1, 18)), st.floats(0.3, 9))
def test_nearest_label_agrees_with_a_search_ties_included(seed, shape, radius_px):
    labels = noise(seed, shape, 90) * specks(seed + 1, shape, 0.06)
    labels = labels.astype(np.int32)
    np.testing.assert_array_equal(
        nearest_label(labels, radius_px), nearest_by_search(labels, radius_px)
    )


def test_nearest_labels_too_large_for_one_32_bit_number_are_found_alike():
    labels = noise(5, (60, 70), 90) * specks(6, (60, 70), 0.04)
    labels = labels.astype(np.int32)
    large = labels * 2**22
    assert int(large.max()) * 2 * 8**2 > 2**31  # control
    np.testing.assert_array_equal(nearest_label(large, 7.0), nearest_label(labels, 7.0) * 2**22)


def textbook_basins(levels: np.ndarray, mask: np.ndarray, persistence: int) -> np.ndarray:
    """ToMaTo as published: every pixel in falling order, a union-find that grows with them."""
    parent: dict[tuple[int, int], tuple[int, int]] = {}

    def root(pixel):
        while parent[pixel] != pixel:
            pixel = parent[pixel]
        return pixel

    def place(pixel):
        return -levels[pixel], pixel

    for pixel in sorted(zip(*np.nonzero(mask), strict=True), key=place):
        y, x = pixel
        around = [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
        earlier = [other for other in around if other in parent]
        parent[pixel] = root(min(earlier, key=place)) if earlier else pixel
        for other in earlier:
            high, low = sorted((root(pixel), root(other)), key=place)
            if high != low and levels[low] - levels[pixel] < persistence:
                parent[low] = high
    labels = np.zeros(levels.shape, np.int32)
    number: dict[tuple[int, int], int] = {}
    for pixel in sorted(parent):
        labels[pixel] = number.setdefault(root(pixel), len(number) + 1)
    return labels


@settings(max_examples=150, deadline=None)
@given(
    SEEDS, st.tuples(st.integers(1, 14), st.integers(1, 14)), st.integers(1, 12), st.integers(0, 6)
)
def test_basins_agree_with_the_textbook(seed, shape, top, persistence):
    levels, mask = noise(seed, shape, top), specks(seed + 1, shape, 0.8)
    np.testing.assert_array_equal(
        persistent_basins(levels, mask, persistence), textbook_basins(levels, mask, persistence)
    )


@settings(max_examples=60, deadline=None)
@given(SEEDS, SHAPES, st.integers(1, 8))
def test_objects_are_counted_and_placed_as_numpy_does(seed, shape, min_area_px):
    labels = noise(seed, shape, 20)
    n = int(labels.max())
    first = [np.flatnonzero(labels == label)[:1].tolist() or [-1] for label in range(1, n + 1)]
    assert first_pixels(labels, n)[1:].tolist() == [at for (at,) in first]
    kept = drop_small(labels, min_area_px)
    large = np.bincount(labels.ravel()) >= min_area_px
    np.testing.assert_array_equal(kept > 0, large[labels] & (labels > 0))
    # The same order without gaps.
    pairs = np.unique(np.column_stack([labels[kept > 0], kept[kept > 0]]), axis=0)
    assert pairs[:, 1].tolist() == list(range(1, len(pairs) + 1))


def reach_of(kernel: str) -> int:
    return {"gaussian": 8, "distance": 9}.get(kernel, 7)


KERNELS = {
    "gaussian": lambda levels: gaussian(levels, 2.0),
    "highest": lambda levels: highest_near(levels, 7),
    "lowest": lambda levels: lowest_near(levels, 7),
    "box": lambda levels: box_mean(levels, 7),
    "distance": lambda levels: distance_inside(levels % 23 > 0, 9),
    "nearest": lambda levels: nearest_label(levels * (levels % 41 == 0), 7.0),
}


@pytest.mark.parametrize("kernel", KERNELS)
@settings(max_examples=25, deadline=None)
@given(SEEDS, st.integers(0, 30), st.integers(0, 30), st.integers(0, 9), st.integers(0, 9))
def test_a_tile_sees_the_same_bits_as_the_whole(kernel, seed, y0, x0, y1, x1):
    levels = noise(seed, (67, 75))
    whole = KERNELS[kernel](levels)
    tile = np.s_[y0 : 67 - y1, x0 : 75 - x1]
    part = KERNELS[kernel](np.ascontiguousarray(levels[tile]))
    reach = reach_of(kernel)
    inner = np.s_[reach:-reach, reach:-reach]
    assert part[inner].size
    np.testing.assert_array_equal(part[inner], whole[tile][inner])
