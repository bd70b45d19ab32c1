"""Drawing cells: on arrays, as the log's runs, and into labels and back, without a slide."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi

import scenes
from macprox.edits import CellsRedrawn
from macprox.errors import MacproxError, ResultError
from macprox.image.tiles import Box
from macprox.io.drawn_pixels import box_of, changed_runs, mask_of, runs_of
from macprox.io.label_edit import paint, read_labels
from macprox.io.labels import LabelImage
from macprox.pipeline.redrawing.drawings import Drawing, place
from macprox.review.outlines.crop import Crop, crop_edit
from macprox.review.outlines.shapes import (
    add,
    area_within,
    fill_holes,
    merge,
    redraw,
    remove,
    split,
)

SLIDE_SHAPE = (700, 900)
BOX = Box(300, 428, 500, 628)
SIZE_UM = 0.5


def crop_of(cells: np.ndarray, nuclei: np.ndarray | None = None, **changes) -> Crop:
    nuclei = np.zeros_like(cells) if nuclei is None else nuclei
    crop = Crop(BOX, cells, nuclei, SLIDE_SHAPE, SIZE_UM, min_area_um2=6.0)
    return replace(crop, **changes)


def three_cells() -> Crop:
    """Cells 1 and 2 touch, 3 lies apart; 1 and 3 have a nucleus."""
    centres = [(40, 40), (40, 58), (90, 90)]
    nuclei = scenes.discs(centres, 5, (128, 128))
    return crop_of(scenes.discs(centres, 10, (128, 128)), np.where(nuclei == 2, 0, nuclei))


def disc(y: float, x: float, radius_px: float = 10) -> np.ndarray:
    return scenes.discs([(y, x)], radius_px, (128, 128)) > 0


def painted(cell: dict) -> np.ndarray:
    return mask_of(cell["cell"], BOX)


# --- arrays


def test_a_split_parts_a_cell_along_the_line_and_loses_no_pixel():
    cells = three_cells().cells
    parted = split(cells, 1, [(20, 40), (60, 40)])
    ids = np.unique(parted[cells == 1])
    assert ids.tolist() == [1, 4]
    assert not (parted == 4)[:, :38].any() or not (parted == 4)[:, 42:].any()
    np.testing.assert_array_equal(parted[cells != 1], cells[cells != 1])
    for number in ids:
        assert ndi.label(parted == number, np.ones((3, 3)))[1] == 1


@pytest.mark.parametrize("slope", [0.0, 0.4, 1.0, -1.0, 2.5])
def test_no_corner_slips_through_a_line(slope):
    cells = three_cells().cells
    line = [(40 - 25 * slope, 15), (40 + 25 * slope, 65)]
    assert len(np.unique(split(cells, 1, line)[cells == 1])) == 2


def test_a_bent_line_can_cut_a_cell_in_three():
    cells = three_cells().cells
    parted = split(cells, 1, [(20, 37), (60, 37), (60, 44), (20, 44)])
    assert len(np.unique(parted[cells == 1])) == 3


@pytest.mark.parametrize("line", [[(40, 36), (40, 44)], [(5, 5), (9, 9)]])
def test_a_line_that_ends_inside_or_misses_parts_nothing(line):
    with pytest.raises(MacproxError, match="does not part the cell"):
        split(three_cells().cells, 1, line)


def test_touching_cells_merge_to_their_union():
    cells = three_cells().cells
    merged = merge(cells, [2, 1])
    np.testing.assert_array_equal(merged == 1, (cells == 1) | (cells == 2))
    assert not (merged == 2).any()


def test_a_seam_between_halves_is_bridged_and_a_third_cell_is_not():
    cells = scenes.discs([(60, 40)], 12, (128, 128))
    cells[:, 39:42] = 0
    halves = np.where(np.arange(128) < 40, cells, 2 * cells)
    halves[58:60, 39:42] = 3  # somebody else's pixels in the gap
    assert ndi.label(np.isin(halves, [1, 2]))[1] == 2
    merged = merge(halves, [1, 2])
    assert ndi.label(merged == 1, np.ones((3, 3)))[1] == 1
    np.testing.assert_array_equal(merged == 3, halves == 3)


def test_cells_far_apart_do_not_become_one():
    with pytest.raises(MacproxError, match="do not touch"):
        merge(three_cells().cells, [1, 3])
    with pytest.raises(MacproxError, match="two cells or more"):
        merge(three_cells().cells, [1, 1, 0])


def test_a_new_cell_takes_background_only_unless_told_otherwise():
    cells, area = three_cells().cells, disc(40, 49)
    beside, over = add(cells, area), add(cells, area, over_others=True)
    assert ((beside == 4) <= (cells == 0)).all()
    np.testing.assert_array_equal(over == 4, area)
    with pytest.raises(MacproxError, match="no room"):
        add(cells, disc(40, 40, 3))


def test_a_cell_drawn_anew_takes_from_its_neighbour():
    cells = three_cells().cells
    drawn = redraw(cells, 1, disc(40, 46))
    np.testing.assert_array_equal(drawn == 1, disc(40, 46))
    assert 0 < (drawn == 2).sum() < (cells == 2).sum()
    with pytest.raises(MacproxError, match="no pixel"):
        redraw(cells, 1, np.zeros_like(area_within([(0, 0)] * 3, cells.shape)))
    with pytest.raises(MacproxError, match="no cell 9"):
        redraw(cells, 9, disc(40, 46))


def test_holes_are_filled_with_the_cell_around_them_only():
    cells = three_cells().cells
    cells[88:92, 88:92] = 0
    cells[38:42, 38:42] = 7  # not background
    filled = fill_holes(cells, [1, 3])
    assert (filled[88:92, 88:92] == 3).all()
    assert (filled[38:42, 38:42] == 7).all()


def test_an_outline_holds_the_pixels_whose_middle_lies_inside():
    inside = area_within([(1.5, 0.5), (1.5, 3.5), (4.5, 3.5), (4.5, 0.5)], (6, 6))
    assert np.argwhere(inside).min(axis=0).tolist() == [2, 1]
    assert inside.sum() == 9


# --- what was drawn, for the log


def test_nothing_drawn_is_no_edit():
    crop = three_cells()
    assert not crop_edit(crop, crop.cells.copy())
    with pytest.raises(ValueError, match="expected labels"):
        crop_edit(crop, crop.cells[1:])


def test_an_event_names_cells_as_the_table_does():
    crop = three_cells()
    edit = crop_edit(crop, remove(crop.cells, [2, 3]))
    two, three = edit.removed
    assert edit.added == ()
    assert edit.remarks == ()
    y, x = (np.argwhere(crop.nuclei == 3) + np.array([BOX.y0, BOX.x0])).T
    assert three["anchor_px"] == y[0] * SLIDE_SHAPE[1] + x[0]
    assert (three["x_um"], three["y_um"]) == ((590 + 0.5) * SIZE_UM, (390 + 0.5) * SIZE_UM)
    np.testing.assert_array_equal(painted(three), crop.cells == 3)
    assert two["nucleus"] == []  # its place is that of the body then
    first = np.flatnonzero(crop.cells.ravel() == 2)[0]
    assert two["anchor_px"] == (first // 128 + BOX.y0) * SLIDE_SHAPE[1] + first % 128 + BOX.x0


def test_a_neighbour_that_lost_pixels_is_drawn_anew_too():
    crop = three_cells()
    edit = crop_edit(crop, redraw(crop.cells, 1, disc(40, 46)))
    assert len(edit.removed) == len(edit.added) == 2
    assert (
        sum(map(lambda cell: painted(cell).sum(), edit.added))
        == ((crop.cells == 2) | disc(40, 46)).sum()
    )


def test_pieces_that_do_not_touch_are_cells_of_their_own():
    crop = three_cells()
    cut = crop.cells.copy()
    cut[:, 38:42] = np.where(cut[:, 38:42] == 1, 0, cut[:, 38:42])
    edit = crop_edit(crop, cut)
    assert len(edit.removed) == 1
    assert len(edit.added) == 2
    cut[:, 32:] = np.where(cut[:, 32:] == 1, 0, cut[:, 32:])  # leaves a sliver of 1
    assert 0 < (cut == 1).sum() < crop.min_area_px
    edit = crop_edit(crop, cut)
    assert len(edit.removed) == 1
    assert edit.added == ()
    assert edit.remarks[0].startswith("A piece was left out: no cell is smaller than 6 µm²")


def test_a_number_used_again_elsewhere_leaves_its_first_cell_alone():
    crop = three_cells()
    edit = crop_edit(crop, np.where(disc(100, 30), 3, crop.cells))
    assert edit.removed == ()
    np.testing.assert_array_equal(painted(*edit.added), disc(100, 30))


def test_cells_that_the_frame_cuts_stay_as_they_are():
    crop = three_cells()
    crop.cells[:20, 100:110] = 8
    merged = np.where(np.isin(crop.cells, [8]), 0, crop.cells)
    assert not (edit := crop_edit(crop, merged))
    assert edit.remarks == (
        "A cell that reaches beyond the frame stays as it was; move the frame to change it.",
    )
    over = np.where(disc(24, 105), 9, crop.cells)  # takes pixels from it, and background
    (added,) = crop_edit(crop, over).added
    np.testing.assert_array_equal(painted(added), disc(24, 105) & (crop.cells == 0))


def test_a_cell_drawn_up_to_the_frame_is_left_out_and_nobody_loses_pixels_to_it():
    crop = three_cells()
    edit = crop_edit(crop, np.where(disc(40, 66, 70) & disc(0, 60, 45), 9, crop.cells))
    assert not edit
    assert "drawn up to the frame was left out" in edit.remarks[0]


def test_the_slides_own_rim_is_no_frame():
    crop = replace(three_cells(), box=Box(0, 128, 0, 128), slide_shape=(128, 128))
    crop = replace(crop, stained=lambda: np.zeros_like(crop.cells))
    edit = crop_edit(crop, np.where(disc(0, 90), 9, crop.cells))
    assert len(edit.added) == 1
    assert edit.remarks == ()


def test_a_new_cells_nucleus_is_the_known_one_else_that_of_the_stain():
    crop, stain = three_cells(), np.where(disc(100, 30, 4), 5, 0).astype(np.int32)
    asked = []

    def stained():
        asked.append(1)
        return stain

    crop = replace(crop, stained=stained)
    (merged,) = crop_edit(crop, merge(crop.cells, [1, 2])).added
    np.testing.assert_array_equal(mask_of(merged["nucleus"], BOX), crop.nuclei == 1)
    assert asked == []
    (new,) = crop_edit(crop, add(crop.cells, disc(100, 30))).added
    np.testing.assert_array_equal(mask_of(new["nucleus"], BOX), disc(100, 30, 4))
    unread = crop_edit(replace(crop, stained=lambda: None), add(crop.cells, disc(100, 30)))
    assert unread.added[0]["nucleus"] == []
    assert "no nucleus was looked for" in unread.remarks[0]


def test_the_rim_of_a_neighbours_nucleus_is_none():
    crop = three_cells()
    taken = redraw(crop.cells, 2, disc(40, 54))
    assert 0 < (crop.nuclei[taken == 2] > 0).sum() < crop.min_area_px
    by_place = {painted(cell)[40, 60]: cell for cell in crop_edit(crop, taken).added}
    assert by_place[True]["nucleus"] == []


# --- runs


masks = st.builds(
    lambda bits, width: np.array(bits + [0] * (-len(bits) % width), bool).reshape(-1, width),
    st.lists(st.integers(0, 1), min_size=1, max_size=120),
    st.integers(1, 12),
)


@given(masks, st.integers(0, 9), st.integers(0, 9))
def test_runs_hold_every_pixel_once(mask, y0, x0):
    box = Box(y0, y0 + mask.shape[0], x0, x0 + mask.shape[1])
    runs = runs_of(mask, box)
    np.testing.assert_array_equal(mask_of(runs, box), mask)
    assert (
        sum(stop - start for start, stop in zip(runs[1::3], runs[2::3], strict=True)) == mask.sum()
    )
    smaller = Box(y0, y0 + 1, x0 + 1, x0 + 3)  # partly outside: cut off
    whole = np.pad(mask, ((0, 1), (0, 3)))[:1, 1:3]
    np.testing.assert_array_equal(mask_of(runs, smaller), whole)
    if mask.any():
        assert mask_of(runs, box_of(runs)).sum() == mask.sum()


def test_no_runs_are_no_box():
    assert box_of([]) == Box(0, 0, 0, 0)


# --- labels on the disk


def write_image(folder, ids: np.ndarray) -> None:
    for name in ("nuclei", "cells"):
        image = LabelImage(folder / name, ids.shape, 512)
        image.create()
        for y in range(0, ids.shape[0], 512):
            for x in range(0, ids.shape[1], 512):
                image.write_tile(y, x, ids[y : y + 512, x : x + 512])
        image.finish(SIZE_UM)


def levels(folder, name: str = "cells") -> list[np.ndarray]:
    group = zarr.open_group(str(folder / name), mode="r")
    return [np.asarray(group[key]) for key in sorted(group.array_keys())]


LABEL_SHAPE = (530, 1037)  # three levels, the last chunk of each row and column a rest


def blobs(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    ids = np.zeros(LABEL_SHAPE, np.uint32)
    for number in range(1, 40):
        y, x = rng.integers(0, LABEL_SHAPE)
        ids[max(y - 20, 0) : y + 20, max(x - 15, 0) : x + 25] = number
    return ids


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[Path, list[np.ndarray]]:
    """Label images as a run leaves them, and every level of one."""
    folder = tmp_path_factory.mktemp("labels") / "labels.zarr"
    write_image(folder, blobs(1))
    return folder, levels(folder)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_paint_and_paint_back_leave_every_level_as_it_was(written, seed):
    folder, untouched = written
    assert len(untouched) == 3
    before, rng = blobs(1), np.random.default_rng(seed)
    after = before.copy()
    for number in range(3):
        y, x = rng.integers(0, LABEL_SHAPE)
        after[max(y - 30, 0) : y + 9, max(x - 9, 0) : x + 30] = rng.integers(0, 3) * 1000 + number
    runs = changed_runs((before, after), before != after, Box(0, LABEL_SHAPE[0], 0, LABEL_SHAPE[1]))
    for _ in range(2):  # twice is once
        paint(folder / "cells", runs[:, [0, 1, 2, 4]])
    for number, found in enumerate(levels(folder)):
        np.testing.assert_array_equal(found, after[:: 1 << number, :: 1 << number])
    for found, expected in zip(levels(folder, "nuclei"), untouched, strict=True):
        np.testing.assert_array_equal(found, expected)
    paint(folder / "cells", runs[:, [0, 1, 2, 3]])
    for found, expected in zip(levels(folder), untouched, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_labels_that_are_not_there_are_named(tmp_path):
    with pytest.raises(ResultError, match="Copy the whole slide's folder"):
        paint(tmp_path / "cells", np.array([[0, 0, 1, 1]]))
    with pytest.raises(ResultError, match="labels that are missing"):
        read_labels(tmp_path, Box(0, 1, 0, 1))


# --- a drawing on labels that may be others than those it was made on


def drawing_of(edit, first_id: int = 100) -> Drawing:
    event = CellsRedrawn(
        slide_id="a", reviewer="A. Reviewer", time="2026-11-22T10:00:00+00:00",
        redraw_id="r1", removed=edit.removed, added=edit.added,
    )  # fmt: skip
    return Drawing(event, first_id)


def known_of(crop: Crop) -> pd.DataFrame:
    """The places of a crop's cells."""
    edit = crop_edit(crop, np.zeros_like(crop.cells))
    ids = np.unique(crop.cells[crop.cells > 0])
    return pd.DataFrame(edit.removed)[["anchor_px", "x_um", "y_um"]].assign(cell_id=ids)


def placed_on(crop: Crop, drawing: Drawing):
    return place(drawing, {"cells": crop.cells, "nuclei": crop.nuclei}, BOX, known_of(crop))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_drawing_placed_where_it_was_made_is_what_was_drawn(data):
    crop = three_cells()
    kind = data.draw(st.sampled_from(["add", "redraw", "remove", "merge", "split"]))
    y, x = data.draw(st.integers(20, 108)), data.draw(st.integers(20, 108))
    area = disc(y, x, data.draw(st.integers(5, 14)))
    drawn = {
        "add": lambda: add(crop.cells, area | disc(20, 105, 4), over_others=True),
        "redraw": lambda: redraw(crop.cells, 1, area),
        "remove": lambda: remove(crop.cells, [1, 3]),
        "merge": lambda: merge(crop.cells, [1, 2]),
        "split": lambda: split(crop.cells, 3, [(60, 90), (120, 90 + y % 7)]),
    }[kind]()
    edit = crop_edit(crop, drawn)
    placed = placed_on(crop, drawing_of(edit))
    assert placed.lost == ""
    expected = np.zeros_like(crop.cells)
    for number, cell in enumerate(edit.added, start=100):
        expected[painted(cell)] = number
    kept = ~np.isin(crop.cells, placed.gone) & (crop.cells > 0)
    np.testing.assert_array_equal(placed.labels["cells"], np.where(kept, crop.cells, expected))
    in_cell = placed.labels["nuclei"] > 0
    assert (placed.labels["nuclei"] == placed.labels["cells"])[in_cell].all()
    assert len(placed.gone) == len(edit.removed)


def test_a_removed_cell_is_found_by_place_else_by_what_it_covers():
    crop = three_cells()
    edit = crop_edit(crop, remove(crop.cells, [3]))
    shifted = crop_of(np.roll(crop.cells, 3, axis=1), np.roll(crop.nuclei, 3, axis=1))
    assert placed_on(shifted, drawing_of(edit)).gone.tolist() == [3]  # 1.5 um away
    grown = np.where(disc(90, 100) & (crop.cells == 0), 3, crop.cells)
    grown = crop_of(grown, np.where(disc(90, 104, 5), 3, 0).astype(np.int32))
    assert placed_on(grown, drawing_of(edit)).gone.tolist() == [3]  # its nucleus is 7 um away
    gone = placed_on(crop_of(remove(crop.cells, [3])), drawing_of(edit))
    assert gone.lost == (
        "Removal of the cell at x 295, y 195 µm (A. Reviewer, 2026-11-22): no cell lies there any "
        "more."
    )


def test_of_two_cells_near_one_place_the_anchor_decides():
    crop = crop_of(three_cells().cells)
    halves = split(crop.cells, 3, [(60, 90), (120, 90)])
    edit = crop_edit(crop_of(halves), remove(halves, [4]))
    known = known_of(crop_of(halves)).assign(x_um=295.0, y_um=195.0)
    event = edit.removed[0] | {"x_um": 295.0, "y_um": 195.0}
    drawing = drawing_of(replace(edit, removed=(event,)))
    found = place(drawing, {"cells": halves, "nuclei": crop.nuclei}, BOX, known)
    assert found.gone.tolist() == [4]


def test_a_drawing_where_another_cell_lies_now_is_lost_whole():
    crop = three_cells()
    edit = crop_edit(crop, add(remove(crop.cells, [1]), disc(100, 30)))
    other = crop_of(np.where(disc(104, 30), 7, crop.cells))
    assert (disc(104, 30) & disc(100, 30)).sum() > disc(100, 30).sum() / 2
    placed = placed_on(other, drawing_of(edit))
    assert placed.lost.startswith("Drawing of the cell at x 265, y 200 µm")
    assert placed.lost.endswith("another cell lies there now.")
    np.testing.assert_array_equal(placed.labels["cells"], other.cells)
    beside = crop_of(np.where(disc(100, 44), 7, crop.cells))
    placed = placed_on(beside, drawing_of(edit))
    assert placed.lost == ""
    assert placed.gone.tolist() == [1]
    np.testing.assert_array_equal(
        placed.labels["cells"] == 100, disc(100, 30) & (beside.cells != 7)
    )


def test_a_drawing_outside_the_image_is_lost():
    crop = three_cells()
    edit = crop_edit(crop, add(crop.cells, disc(100, 30)))
    far = tuple(cell | {"cell": [9000, 1, 5], "nucleus": []} for cell in edit.added)
    drawing = drawing_of(replace(edit, added=far))
    assert drawing.box(SLIDE_SHAPE, 10).shape[0] == 0
    assert "it lies outside the image" in placed_on(crop, drawing).lost
    empty = tuple(cell | {"cell": [], "nucleus": []} for cell in edit.added)
    assert drawing_of(replace(edit, added=empty)).box(SLIDE_SHAPE, 10).shape == (0, 0)
