"""Outlines drawn on a crop of the labels, saved as one decision, seen in the class view."""

import numpy as np
import pytest
import shapely

pytest.importorskip("napari", reason="needs the napari extra")
pytest.importorskip("pytestqt", reason="needs the test extra")

from macprox.edits import CellsRedrawn
from napari_macprox.crop_layers import most_under
from napari_macprox.panels.outline_editor import OutlineEditor
from review_windows import let_run, log, settled

pytestmark = pytest.mark.usefixtures("screen")


@pytest.fixture
def editor(review, qtbot):
    editor = OutlineEditor(review)
    qtbot.addWidget(editor)
    editor.show()
    editor.begin()
    return editor


def round_cell(review, number=0):
    cells = review.session.called.cells
    cells = cells[(cells["solidity"] > 0.95) & cells["x_um"].between(60, 250)]
    return cells[cells["y_um"].between(60, 250)].iloc[number]


def test_a_crop_lies_on_the_slide_and_hides_the_cells(editor, review):
    cell = round_cell(review)
    layer = editor.layer
    place = np.rint(layer.world_to_data((cell.y_um, cell.x_um))).astype(int)
    assert layer.data[tuple(place)] == cell.cell_id
    assert not review.layers.cells.visible
    editor.discard()
    assert layer not in review.viewer.layers
    assert review.layers.cells.visible
    assert log(review) == []


def test_a_cell_that_is_split_is_two_in_the_labels_and_the_table(editor, review, qtbot):
    cell, n = round_cell(review), len(review.session.called.cells)
    ends = np.array([[cell.y_um, cell.x_um - 15], [cell.y_um, cell.x_um + 15]])
    editor._split_along(ends)
    settled(qtbot, review, editor.save)
    assert not editor.is_editing
    (said,) = log(review)
    assert isinstance(said, CellsRedrawn)
    assert (len(said.removed), len(said.added)) == (1, 2)
    assert len(review.session.called.cells) == n + 1
    above = review.layers.cell_id_at(cell.x_um, cell.y_um - 2)
    below = review.layers.cell_id_at(cell.x_um, cell.y_um + 2)
    assert above != below
    assert {above, below} <= set(review.session.called.cells["cell_id"])
    settled(qtbot, review, review.undo)
    assert review.layers.cell_id_at(cell.x_um, cell.y_um) == cell.cell_id


def test_tools_change_the_crop_and_its_own_undo_takes_it_back(editor, review):
    layer, before = editor.layer, editor.layer.data.copy()
    cell = round_cell(review)
    editor.remove()
    editor.click(cell.y_um, cell.x_um)
    assert cell.cell_id not in layer.data
    layer.undo()
    assert np.array_equal(layer.data, before)
    editor.redraw()
    editor.click(cell.y_um, cell.x_um)
    assert review.viewer.layers[-1].name == "the cell's outline"
    editor._redraw_area(cell.cell_id, shapely.Point(cell.x_um, cell.y_um).buffer(3))
    assert (layer.data == cell.cell_id).sum() == pytest.approx(np.pi * 9 / 0.25, rel=0.1)
    editor.brush()
    assert layer.mode == "paint"
    assert layer.selected_label not in layer.data


def test_two_clicks_merge_and_what_cannot_be_is_said(editor, review):
    layer = editor.layer
    first, second = round_cell(review, 0), round_cell(review, -1)
    editor.merge()
    editor.click(first.y_um, first.x_um)
    editor.click(second.y_um, second.x_um)
    assert any("do not touch" in text for _, text in review.problems)
    pairs = layer.data[:, :-1][(layer.data[:, :-1] > 0) & (layer.data[:, 1:] > 0)]
    touching = np.argwhere(
        (layer.data[:, :-1] != layer.data[:, 1:])
        & (layer.data[:, :-1] > 0)
        & (layer.data[:, 1:] > 0)
    )[0]
    assert len(pairs)
    one, other = (int(layer.data[touching[0], touching[1] + k]) for k in (0, 1))
    for k in (0, 1):
        editor.click(*layer.data_to_world((touching[0], touching[1] + k)))
    assert min(one, other) in layer.data
    assert max(one, other) not in layer.data


def test_an_area_drawn_on_background_becomes_a_cell_and_nothing_drawn_is_no_event(
    editor, review, qtbot
):
    editor.save()
    qtbot.waitUntil(lambda: not editor.is_editing, timeout=20_000)
    assert log(review) == []
    assert any("No outline was changed" in text for _, text in review.problems)
    editor.begin()
    n = int(editor.layer.data.max())
    editor.add()
    drawn = review.viewer.layers[-1]
    corners = np.array([[100, 100], [100, 112], [112, 112], [112, 100]], float)
    drawn.add_polygons(corners)
    let_run()
    assert drawn not in review.viewer.layers
    assert editor.layer.data.max() == n + 1 or any("no room" in t for _, t in review.problems)


def test_a_crop_layer_removed_by_hand_ends_the_editing(editor, review):
    review.viewer.layers.remove(editor.layer)
    assert not editor.is_editing
    assert review.layers.cells.visible


def test_the_cell_under_a_line_is_the_one_it_crosses_most():
    cells = np.zeros((10, 20), int)
    cells[3:7, 2:6], cells[3:7, 6:16] = 4, 9
    assert most_under(cells, np.array([[5.0, -3.0], [5.0, 30.0]])) == 9
    assert most_under(cells, np.array([[0.0, 0.0], [1.0, 19.0]])) == 0
