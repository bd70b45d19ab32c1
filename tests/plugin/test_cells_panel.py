"""Clicking, relabelling, marking, drawing around cells; in a real viewer."""

import numpy as np
import pytest
import shapely

pytest.importorskip("napari", reason="needs the napari extra")
pytest.importorskip("pytestqt", reason="needs the test extra")

from napari.utils.key_bindings import coerce_keybinding

from macprox.edits import CellDeleted, CellMarked, PhenotypeSet
from napari_macprox.panels import cells as cells_module
from napari_macprox.panels.cells import CellsPanel
from review_windows import let_run, log, settled

pytestmark = pytest.mark.usefixtures("screen")


@pytest.fixture
def panel(review, qtbot):
    panel = CellsPanel(review)
    qtbot.addWidget(panel)
    panel.show()
    return panel


def round_cell(review, phenotype="Tumour", number=3):
    cells = review.session.called.cells
    return cells[(cells["phenotype"] == phenotype) & (cells["solidity"] > 0.95)].iloc[number]


def press(review, key):
    """A key, as napari finds what it means: the active layer first, then the viewer."""
    for place in (review.viewer.layers.selection.active, review.viewer):
        action = place.keymap.get(coerce_keybinding(key))
        if action is not None:
            return action(place)
    raise AssertionError(f"nothing is bound to {key}")


def test_a_click_shows_why_and_a_number_key_relabels(panel, review, qtbot):
    cell = round_cell(review)
    panel.select_at(cell.x_um, cell.y_um)
    assert review.selected == cell.cell_id
    assert panel._title.text().startswith("Tumour")
    assert "panCK+" in panel._why.text()
    assert [text.split(":")[0] for text in panel._rows.texts()] == ["panCK", "CD68"]
    assert "positive" in panel._rows.texts()[0]
    assert "Nearest tumour cell" in panel._place.text()
    assert "selected cell" in [layer.name for layer in review.viewer.layers]
    number = panel._verdicts.phenotypes.index("Macrophage") + 1
    settled(qtbot, review, lambda: press(review, str(number)))
    (said,) = log(review)
    assert isinstance(said, PhenotypeSet)
    assert (said.anchor_px, said.after) == (cell.anchor_px, "Macrophage")
    assert panel._title.text().startswith("Macrophage (named by hand)")
    settled(qtbot, review, lambda: press(review, "0"))  # as the rules say
    assert panel._title.text().startswith("Tumour ·")
    settled(qtbot, review, review.undo)
    assert panel._title.text().startswith("Macrophage")


def test_a_click_beside_every_cell_selects_nothing(panel, review):
    panel.select_at(*round_cell(review)[["x_um", "y_um"]])
    assert review.selected is not None  # control
    panel.select_at(-50.0, -50.0)
    assert review.selected is None
    assert not panel._verdicts.isEnabled()
    assert panel._title.text() == cells_module.START


def test_a_deleted_cell_is_gone_and_a_marked_one_stays(panel, review, qtbot):
    first, second = round_cell(review, number=1), round_cell(review, number=2)
    panel.select_at(first.x_um, first.y_um)
    settled(qtbot, review, panel._delete_cells)
    assert "not on this slide any more" in panel._title.text()
    panel.select_at(second.x_um, second.y_um)
    settled(qtbot, review, lambda: panel.mark("debris"))
    deleted, marked = log(review)
    assert isinstance(deleted, CellDeleted)
    assert isinstance(marked, CellMarked)
    assert marked.after == "debris"
    assert "debris" in panel._place.text()
    ids = set(review.session.called.cells["cell_id"])
    assert first.cell_id not in ids
    assert second.cell_id in ids


def test_what_is_drawn_around_is_asked_about_once_and_decided_together(
    panel, review, qtbot, monkeypatch
):
    asked = []

    def answer(_, question):
        asked.append(question)
        return len(asked) > 1

    monkeypatch.setattr(cells_module, "confirmed", answer)
    area = shapely.box(50, 50, 110, 100)
    cells = review.session.called.cells
    inside = shapely.contains_xy(area, cells[["x_um", "y_um"]].to_numpy())
    panel.draw_around()
    layer = review.viewer.layers[-1]
    layer.add_polygons(np.array([[50, 50], [50, 110], [100, 110], [100, 50]], float))
    let_run()
    assert layer not in review.viewer.layers
    assert sorted(panel.chosen) == sorted(cells["cell_id"][inside])
    assert panel._title.text() == f"{inside.sum()} cells chosen"
    panel.relabel("Macrophage")  # no, says the person
    assert log(review) == []
    settled(qtbot, review, lambda: panel.relabel("Macrophage"))
    assert asked[1] == f"Relabel these {inside.sum()} cells as Macrophage?"
    assert len(log(review)) == inside.sum()
    assert len(panel.chosen) == 0


def test_uncertain_cells_come_one_after_another(panel, review, qtbot):
    seen = []
    for _ in range(3):
        before = review.selected
        panel.next_uncertain()
        qtbot.waitUntil(lambda before=before: review.selected != before, timeout=20_000)
        seen.append(review.selected)
    assert len(set(seen)) == 3
    centre = review.viewer.scene.camera.center[-2:]
    cell = review.session.called.cells.set_index("cell_id").loc[seen[-1]]
    assert np.allclose(centre, (cell.y_um, cell.x_um))
    assert "more uncertain cells" in panel._progress.text()


def test_keys_belong_to_the_panel_that_is_seen(panel, review):
    assert press(review, "O") is None
    assert panel._outlined.isChecked()
    panel.hide()
    with pytest.raises(AssertionError, match="nothing is bound"):
        press(review, "O")


def test_without_a_name_nothing_is_decided_and_the_reviewer_is_told(panel, review):
    review.rename_reviewer("")
    cell = round_cell(review)
    panel.select_at(cell.x_um, cell.y_um)
    panel.relabel("Macrophage")
    assert any("Who are you?" in text for _, text in review.problems)
    assert log(review) == []
