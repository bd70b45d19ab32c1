"""Views of overlapping tiles become one label image, and their disagreement a number."""

import numpy as np
import pytest

import scenes
from macprox.errors import SlideError
from macprox.image.tiles import Box, tile_grid
from macprox.segment.given import MAX_EXTENT_UM, LabelledObjects, nuclei_of_cells
from macprox.segment.seams import View, join_views, neighbours, overlapping_objects, paint_core

SHAPE = (256, 384)
TILES = tile_grid(SHAPE, 128, 32)


def crowd_labels() -> np.ndarray:
    return scenes.crowd(384).truth[: SHAPE[0]]


def joined(labels_of) -> tuple[np.ndarray, object]:
    """The label image from ``labels_of(tile)``, and the counts."""
    labels = [labels_of(tile) for tile in TILES]
    views = [View.of(array, tile) for array, tile in zip(labels, TILES, strict=True)]
    twins = [
        (tile.index, other.index, overlapping_objects(
            labels[tile.index][box.within(tile.outer)],
            labels[other.index][box.within(other.outer)],
        ))
        for tile in TILES
        for other, box in neighbours(tile, TILES)
        if other.index > tile.index
    ]  # fmt: skip
    names, counts = join_views(views, twins)
    painted = np.zeros(SHAPE, np.uint32)
    for tile in TILES:
        order = [(tile, tile.core)]
        for other, _ in neighbours(tile, TILES):
            y0, y1 = max(tile.core.y0, other.outer.y0), min(tile.core.y1, other.outer.y1)
            x0, x1 = max(tile.core.x0, other.outer.x0), min(tile.core.x1, other.outer.x1)
            if y0 < y1 and x0 < x1:
                order.append((other, Box(y0, y1, x0, x1)))
        named = [(box, names[t.index][labels[t.index][box.within(t.outer)]]) for t, box in order]
        painted[tile.core.slices] = paint_core(named, tile.core)
    return painted, counts


def same_up_to_names(a: np.ndarray, b: np.ndarray) -> bool:
    pairs = np.unique(np.column_stack([a.ravel(), b.ravel()]), axis=0)
    return len(pairs) == len(np.unique(a)) == len(np.unique(b)) and pairs[0].tolist() == [0, 0]


def seen_in(whole: np.ndarray, tile) -> np.ndarray:
    """A tile's view of one labelling, numbered by itself."""
    part = whole[tile.outer.slices]
    return np.unique(part, return_inverse=True)[1].reshape(part.shape).astype(np.int32)


def test_views_that_agree_give_the_whole_back():
    whole = crowd_labels()
    assert whole.max() > 200
    painted, counts = joined(lambda tile: seen_in(whole, tile))
    assert same_up_to_names(painted, whole)
    assert counts.crossing > 20  # control: there are objects across seams
    n = len(np.unique(whole)) - 1
    assert (counts.without_twin, counts.unmatched, counts.objects) == (0, 0, n)


def test_naming_tiles_apart_would_cut_what_lies_across_a_seam():
    whole = crowd_labels()
    apart = np.zeros(SHAPE, np.int64)
    for tile in TILES:
        own = seen_in(whole, tile)[tile.core.within(tile.outer)].astype(np.int64)
        apart[tile.core.slices] = np.where(own > 0, own + 10_000 * tile.index, 0)
    assert not same_up_to_names(apart, whole)


def test_views_that_differ_in_outline_are_one_object_and_counted():
    """The left tile sees a disc of radius 10 on the seam, the right one of radius 8."""

    def labels_of(tile):
        radius = 10 if tile.index == 0 else 8
        return scenes.discs([(64, 126)], radius, SHAPE)[tile.outer.slices]

    painted, counts = joined(labels_of)
    assert len(np.unique(painted)) == 2
    assert (counts.objects, counts.crossing, counts.without_twin, counts.joined) == (1, 1, 1, 1)
    assert (painted > 0).sum() == (scenes.discs([(64, 126)], 10, SHAPE) > 0).sum()
    assert counts.disagreement_frac == 1


def test_the_tile_that_holds_the_centre_decides_alone():
    """What only the other tile sees across the seam is not there; what it sees is."""
    disc = scenes.discs([(64, 126)], 8, SHAPE)
    seen, counts = joined(lambda tile: disc[tile.outer.slices] * (tile.index == 0))
    assert seen.any()
    assert (counts.objects, counts.unmatched) == (1, 1)
    unseen, counts = joined(lambda tile: disc[tile.outer.slices] * (tile.index == 1))
    assert not unseen.any()
    assert np.isnan(counts.disagreement_frac)


def test_two_halves_against_one_are_settled_by_the_centre():
    """The left tile sees one long object, the right one two halves of it."""
    whole = np.zeros(SHAPE, np.int32)
    whole[60:68, 118:136] = 1
    halves = whole.copy()
    halves[64:68][halves[64:68] > 0] = 2
    painted, counts = joined(lambda t: (whole if t.index == 0 else halves)[t.outer.slices])
    assert len(np.unique(painted)) == 2
    assert counts.unmatched == 1


def test_objects_are_values_in_pieces_or_not_numbered_by_first_pixel():
    image = np.array([[0, 9, 9, 0], [700, 0, 0, 9], [700, 0, 3, 0]], np.uint16)
    found = LabelledObjects.in_region(image, Box(10, 13, 20, 24), 100)
    assert found.value.tolist() == [3, 9, 700]
    assert found.first_px.tolist() == [1222, 1021, 1120]
    assert found.span.tolist() == [[12, 13, 22, 23], [10, 12, 21, 24], [11, 13, 20, 21]]
    assert found.extent_px.tolist() == [1, 3, 2]
    assert found.name_in(image).tolist() == [[0, 1, 1, 0], [2, 0, 0, 1], [2, 0, 3, 0]]


@pytest.mark.parametrize("step", [7, 50, 400])
def test_regions_join_to_the_whole(step):
    whole = crowd_labels()
    height, width = whole.shape
    boxes = [
        Box(y, min(y + step, height), x, min(x + step, width))
        for y in range(0, height, step)
        for x in range(0, width, step)
    ]
    parts = [LabelledObjects.in_region(whole[b.slices], b, width) for b in boxes]
    found = LabelledObjects.joined(parts)
    at_once = LabelledObjects.in_region(whole, Box(0, height, 0, width), width)
    for name in ("value", "first_px", "span"):
        np.testing.assert_array_equal(getattr(found, name), getattr(at_once, name))
    assert len(found) == len(np.unique(whole)) - 1


def test_an_empty_region_has_no_objects():
    nothing = LabelledObjects.in_region(np.zeros((4, 5), np.uint8), Box(0, 4, 0, 5), 5)
    assert len(LabelledObjects.joined([nothing, nothing])) == 0
    assert not nothing.name_in(np.full((4, 5), 3, np.uint8)).any()
    assert len(nothing.small_enough(0.5)) == 0


def test_negative_values_are_background():
    image = np.array([[-1, 2], [2, -7]], np.int32)
    found = LabelledObjects.in_region(image, Box(0, 2, 0, 2), 2)
    assert found.value.tolist() == [2]
    assert found.name_in(image).tolist() == [[0, 1], [1, 0]]


def test_a_value_that_is_used_twice_far_apart_is_left_out():
    image = np.zeros((20, 400), np.uint16)
    image[2:5, 2:5], image[2:5, 390:395] = 65535, 65535
    image[10:14, 100:104] = 8
    found = LabelledObjects.in_region(image, Box(0, 20, 0, 400), 400)
    kept = found.small_enough(0.5)
    assert (len(found), kept.value.tolist()) == (2, [8])
    assert MAX_EXTENT_UM < 400 * 0.5
    assert kept.name_in(image).max() == 1


def test_a_mask_is_no_label_image():
    mask = np.ones((400, 400), np.uint8)
    found = LabelledObjects.in_region(mask, Box(0, 400, 0, 400), 400)
    with pytest.raises(SlideError, match=r"All 1 values .* over more than 150 um.*a mask\?"):
        found.small_enough(0.5)


def test_the_nucleus_of_a_given_cell_is_the_stain_inside_it():
    cells = np.array([[1, 1, 1, 2, 2, 0]], np.int32)
    stained = np.array([[0, 1, 1, 1, 0, 3]], np.int32)
    assert nuclei_of_cells(cells, stained, 2).tolist() == [[0, 1, 1, 0, 0, 0]]
    assert nuclei_of_cells(cells, stained, 1).tolist() == [[0, 1, 1, 2, 0, 0]]
