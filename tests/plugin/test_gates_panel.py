"""The gates panel passes on what is decided, shows what is known, and lights what is positive."""

import math
import shutil
import time

import numpy as np
import pytest

pytest.importorskip("napari", reason="needs the napari extra")
pytest.importorskip("pytestqt", reason="needs the test extra")

from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QAbstractButton, QComboBox, QTreeWidget

import macprox as mp
from macprox.edits import EditLog, GateConfirmed, GateMoved
from macprox.review.gates.copying import GateCopy, Target
from napari_macprox.histogram import GateHistogram
from napari_macprox.panels.copy_dialog import CopyDialog
from napari_macprox.panels.gates import GatesPanel
from review_bench import BenchReview, button, logged, on_bench

pytestmark = pytest.mark.usefixtures("screen")

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def study_is_auto(moved):
    """The same slide, its gates proposed instead of given."""
    study = moved.path.parents[1] / "study.toml"
    text = study.read_text(encoding="utf-8")
    assert text.count("gate = 300.0") == 2
    study.write_text(text.replace("gate = 300.0", 'gate = "auto"'), encoding="utf-8")
    return mp.open_result(moved.path)


@pytest.fixture
def panel(qtbot, study_is_auto) -> GatesPanel:
    panel = on_bench(qtbot, GatesPanel, study_is_auto, (380, 700))
    panel.choose("CD68")
    return panel


def histogram(panel) -> GateHistogram:
    return panel.findChild(GateHistogram)


def x_of(panel, value: float) -> int:
    return round(histogram(panel).x_of(value))


def texts(panel) -> str:
    from qtpy.QtWidgets import QLabel

    shown = " ".join(label.text() for label in panel.findChildren(QLabel) if label.isVisible())
    return shown.replace("\u00a0", " ")


def rows(panel) -> list[list[str]]:
    tree = panel.findChild(QTreeWidget)
    items = (tree.topLevelItem(i) for i in range(tree.topLevelItemCount()))
    return [[item.text(column).strip() for column in range(4)] for item in items]


def test_every_marker_is_listed_with_gate_share_and_state(panel):
    gates = panel.review.session.called.gates
    assert [line[0] for line in rows(panel)] == gates["marker"].tolist()
    assert {line[3] for line in rows(panel)} == {"○ proposal"}
    shares = [f"{percent:.1f}\u00a0%" for percent in gates["percent_positive"]]
    assert [line[2] for line in rows(panel)] == shares
    assert "nobody has confirmed it yet" in texts(panel)


def test_a_drag_lights_cells_and_moves_numbers_and_only_the_release_is_an_event(qtbot, panel):
    session = panel.review.session
    gate = histogram(panel).gate
    before = texts(panel)
    qtbot.mousePress(histogram(panel), LEFT, pos=QPoint(x_of(panel, gate), 100))
    for target in (0.7 * gate, 0.4 * gate):
        qtbot.mouseMove(histogram(panel), QPoint(x_of(panel, target), 100))
        qtbot.wait(5)
        now = histogram(panel).gate
        assert now == pytest.approx(target, rel=0.1)
        cells = session.called.cells
        column = "mean_cd68_cell"
        expected = cells.loc[cells[column] > now, "cell_id"].to_numpy()
        lit = panel.review.layers.last("light")
        assert np.array_equal(np.flatnonzero(lit), np.sort(expected))
        assert f"{len(expected):,} of" in texts(panel)
    assert texts(panel) != before
    assert logged(panel) == []
    with qtbot.waitSignal(panel.review.answered):
        end = QPoint(x_of(panel, 0.4 * gate), 100)
        qtbot.mouseRelease(histogram(panel), LEFT, pos=end)
        (event,) = logged(panel)  # on the disk before anything is computed
    assert isinstance(event, GateMoved)
    assert (event.marker, event.parent, event.after) == ("CD68", None, histogram(panel).gate)
    assert rows(panel)[1][3] == "◐ set"
    assert "Set by A. Reviewer" in texts(panel)
    assert "The automatic proposal is" in texts(panel)


def test_confirming_and_going_back(qtbot, panel):
    proposal = histogram(panel).gate
    qtbot.mouseClick(button(panel, "Confirm"), LEFT)
    assert isinstance(logged(panel)[-1], GateConfirmed)
    assert logged(panel)[-1].value == pytest.approx(proposal)
    assert not button(panel, "✓ Confirmed").isEnabled()
    assert rows(panel)[1][3] == "✓ confirmed"
    with qtbot.waitSignal(panel.review.answered):
        qtbot.mouseClick(button(panel, "Back to proposal"), LEFT)
    assert logged(panel)[-1].after is None
    assert rows(panel)[1][3] == "○ proposal"
    assert not button(panel, "Back to proposal").isEnabled()
    assert histogram(panel).gate == pytest.approx(proposal)


def test_a_double_click_is_the_way_back(qtbot, panel):
    panel.review.do(lambda session: session.move_gate("CD68", 5000.0))
    place = QPoint(x_of(panel, 100.0), 100)
    qtbot.mouseDClick(histogram(panel), LEFT, pos=place)
    assert logged(panel)[-1].after is None
    before = len(logged(panel))
    qtbot.mouseDClick(histogram(panel), LEFT, pos=place)
    assert len(logged(panel)) == before  # it stands at the proposal already


def test_undo_brings_the_line_back(qtbot, panel):
    before = histogram(panel).gate
    panel.review.do(lambda session: session.move_gate("CD68", 3 * before))
    assert histogram(panel).gate == 3 * before
    panel.review.undo()
    assert histogram(panel).gate == pytest.approx(before)


def test_without_a_name_the_line_goes_back_and_the_reason_is_said(qtbot, panel):
    panel.review.rename_reviewer("")
    before = histogram(panel).gate
    histogram(panel).released.emit(2 * before)
    assert logged(panel) == []
    assert "Enter your name" in panel.review.sentences[-1]
    assert histogram(panel).gate == before


def test_a_parent_s_gate_is_its_own(qtbot, panel):
    panel.choose("panCK")
    among = panel.findChild(QComboBox)
    among.setCurrentIndex(among.findData("CD68"))
    among.activated.emit(among.currentIndex())
    assert "No gate of its own" in texts(panel)
    assert rows(panel)[1][0] == "among CD68+"
    assert rows(panel)[1][3] == "as all cells"
    assert not button(panel, "Confirm").isEnabled()
    assert not button(panel, "Copy to other slides").isEnabled()
    n_parent = int(panel.review.session.called.cells["cd68_positive"].sum())
    assert f"of {n_parent:,} cells" in texts(panel)
    histogram(panel).released.emit(100.0)
    assert (logged(panel)[-1].marker, logged(panel)[-1].parent) == ("panCK", "CD68")
    assert [line[0] for line in rows(panel)] == ["panCK", "among CD68+", "CD68"]
    assert button(panel, "Confirm").isEnabled()
    qtbot.mouseClick(button(panel, "Back to all cells' gate"), LEFT)
    assert logged(panel)[-1].after is None


def test_choosing_in_the_list_shows_that_gate(qtbot, panel):
    tree = panel.findChild(QTreeWidget)
    tree.setCurrentItem(tree.topLevelItem(0))
    qtbot.waitUntil(lambda: "panCK, " in texts(panel))
    assert histogram(panel).gate == pytest.approx(
        panel.review.session.called.gates["value"].iloc[0]
    )


def test_light_goes_out_with_the_tick_and_with_the_panel(qtbot, panel):
    qtbot.wait(5)
    assert panel.review.layers.last("light") is not None
    qtbot.mouseClick(button(panel, "Light positive"), LEFT, pos=QPoint(8, 8))
    assert panel.review.layers.last("light") is None
    qtbot.mouseClick(button(panel, "Light positive"), LEFT, pos=QPoint(8, 8))
    assert panel.review.layers.last("light") is not None
    panel.hide()
    qtbot.wait(5)
    assert panel.review.layers.last("light") is None


def test_arrow_keys_left_open_are_decided_before_the_panel_goes(qtbot, panel):
    qtbot.keyClick(histogram(panel), Qt.Key.Key_Right)
    assert logged(panel) == []
    panel.choose("panCK")
    assert [event.marker for event in logged(panel)] == ["CD68"]


def test_a_step_of_a_drag_takes_less_than_a_tenth_of_a_second_at_100_000_cells(qtbot, panel):
    """Without the drawing of the canvas, which has its own limit in test_layers."""
    from dataclasses import replace

    import pandas as pd

    session = panel.review.session
    cells = session.called.cells
    many = pd.concat([cells] * math.ceil(100_000 / len(cells)), ignore_index=True)[:100_000]
    many = many.assign(cell_id=np.arange(1, len(many) + 1))
    session.called = replace(session.called, cells=many)
    panel.review.cells_changed.emit()
    gate = histogram(panel).gate
    started = time.process_time()
    for step in range(20):
        histogram(panel).dragged.emit(gate * (1 + step / 20))
        qtbot.wait(1)
    assert (time.process_time() - started) / 20 < 0.1
    assert len(panel.review.layers.last("light")) == 100_001


def test_the_other_slides_stand_behind_the_histogram(qtbot, study_is_auto):
    shutil.copytree(study_is_auto.path, study_is_auto.path.parent / "second")
    review = BenchReview()
    panel = GatesPanel(review)
    qtbot.addWidget(panel)
    review.show(study_is_auto)
    picture = histogram(panel)._picture
    assert np.array_equal(picture.cohort, picture.slide)
    assert picture.proposal == pytest.approx(histogram(panel).gate)


def test_a_gate_is_copied_to_the_slides_that_were_ticked(qtbot, panel):
    session = panel.review.session
    for name in ("second", "third"):
        shutil.copytree(session.result.path, session.result.path.parent / name)
    qtbot.mouseClick(button(panel, "Copy to other slides"), LEFT)
    dialog = panel.findChild(CopyDialog)
    assert not button(dialog, "Copy").isEnabled()
    qtbot.mouseClick(button(dialog, "Tick all"), LEFT)
    assert dialog.slide_ids() == ["second", "third"]
    dialog._ticks["third"].setCheckState(Qt.CheckState.Unchecked)
    qtbot.mouseClick(button(dialog, "Copy to 1 slide"), LEFT)
    (event,) = EditLog(session.result.path.parent / "second" / "edits.jsonl").read()
    assert (event.marker, event.after) == ("CD68", histogram(panel).gate)
    assert not (session.result.path.parent / "third" / "edits.jsonl").exists()
    assert "The gate stands on 1 slide now." in panel.review.sentences[-1]


def test_without_other_slides_there_is_nothing_to_copy_to(qtbot, panel):
    qtbot.mouseClick(button(panel, "Copy to other slides"), LEFT)
    assert panel.review.sentences[-1] == "This folder holds no other slide."


def test_a_slide_that_cannot_take_the_gate_cannot_be_ticked(qtbot):
    targets = [Target("a", 3.0, True, 10.0, 12.0), Target("b", refusal="It is not finished.")]
    dialog = CopyDialog(GateCopy("MARCO", "CD68", 4.0), targets)
    qtbot.addWidget(dialog)
    qtbot.mouseClick(button(dialog, "Tick all"), LEFT)
    assert dialog.slide_ids() == ["a"]
    assert dialog.windowTitle() == "Copy the gate of MARCO among CD68+"
    qtbot.mouseClick(button(dialog, "Tick none"), LEFT)
    assert dialog.slide_ids() == []


def test_every_control_says_what_it_does(panel):
    for widget in panel.findChildren(QAbstractButton):
        assert widget.toolTip() or not widget.text(), widget.text()


def test_before_a_slide_is_open_nothing_can_be_pressed(qtbot):
    panel = GatesPanel(BenchReview())
    qtbot.addWidget(panel)
    panel.show()
    assert not any(b.isEnabled() for b in panel.findChildren(QAbstractButton) if b.text())
