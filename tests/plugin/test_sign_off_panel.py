"""Signing: with a name, with what is still open in view, and taken back as easily."""

import pytest

pytest.importorskip("napari", reason="needs the napari extra")
pytest.importorskip("pytestqt", reason="needs the test extra")

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractButton, QLabel, QLineEdit, QTextEdit

import small_runs
from macprox.edits import SignedOff, SignOffWithdrawn
from napari_macprox import remembered
from napari_macprox.panels.sign_off import SignOffPanel
from review_bench import BenchReview, button, logged, on_bench

pytestmark = pytest.mark.usefixtures("screen")

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def panel(qtbot, moved) -> SignOffPanel:
    return on_bench(qtbot, SignOffPanel, moved)


def texts(panel) -> str:
    return " ".join(label.text() for label in panel.findChildren(QLabel))


def test_signing_writes_name_and_comment(qtbot, panel):
    comment = panel.findChild(QTextEdit)
    comment.setPlainText("gates looked at\non all markers")
    qtbot.mouseClick(button(panel, "Sign off"), LEFT)
    (event,) = logged(panel)
    assert isinstance(event, SignedOff)
    assert event.reviewer == "A. Reviewer"
    assert event.comment == "gates looked at\non all markers"
    assert comment.toPlainText() == ""
    assert "field is signed off by A. Reviewer" in texts(panel)
    assert "gates looked at" in texts(panel)
    qtbot.mouseClick(button(panel, "Withdraw"), LEFT)
    assert isinstance(logged(panel)[-1], SignOffWithdrawn)
    assert "field is not signed off." in texts(panel)
    assert not button(panel, "Withdraw").isEnabled()


def test_a_change_after_signing_asks_for_it_again(qtbot, panel):
    qtbot.mouseClick(button(panel, "Sign off"), LEFT)
    panel.review.do(lambda session: session.move_gate("CD68", 320.0))
    assert "It was changed since" in texts(panel)
    assert "The gate of CD68 is not confirmed." in texts(panel)
    assert button(panel, "Sign off again").isEnabled()


def test_without_a_name_nothing_is_signed_and_the_comment_stays(qtbot, panel):
    panel.review.rename_reviewer("")
    panel.findChild(QTextEdit).setPlainText("fine")
    qtbot.mouseClick(button(panel, "Sign off"), LEFT)
    assert logged(panel) == []
    assert "Enter your name" in panel.review.sentences[-1]
    assert panel.findChild(QTextEdit).toPlainText() == "fine"


def test_the_name_is_remembered_for_the_next_time(qtbot, panel):
    name = panel.findChild(QLineEdit)
    name.clear()
    qtbot.keyClicks(name, "Dr. B. Next ")
    assert panel.review.session.reviewer == "Dr. B. Next"
    assert remembered.reviewer() == "Dr. B. Next"
    again = BenchReview()
    other = SignOffPanel(again)
    qtbot.addWidget(other)
    qtbot.waitUntil(lambda: again.reviewer == "Dr. B. Next")
    assert other.findChild(QLineEdit).text() == "Dr. B. Next"


def test_a_name_that_is_there_already_is_not_replaced(qtbot):
    remembered.remember_reviewer("Old Name")
    review = BenchReview()
    review.rename_reviewer("New Name")
    panel = SignOffPanel(review)
    qtbot.addWidget(panel)
    qtbot.wait(20)
    assert review.reviewer == "New Name"
    assert panel.findChild(QLineEdit).text() == "New Name"


def test_numbers_are_updated_by_a_button(qtbot, panel):
    assert "They show every decision so far." in texts(panel)
    assert not button(panel, "Update all numbers").isEnabled()
    panel.review.do(lambda session: session.move_gate("CD68", 500.0))
    assert "do not show your last decisions yet" in texts(panel)
    with small_runs.without_reports():
        qtbot.mouseClick(button(panel, "Update all numbers"), LEFT)
    gates = panel.review.session.result.gates().set_index("marker")
    assert gates["value"]["CD68"] == 500.0
    assert "They show every decision so far." in texts(panel)


def test_a_folder_that_cannot_be_written_can_only_be_looked_at(qtbot, moved, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    review = BenchReview()
    panel = SignOffPanel(review)
    qtbot.addWidget(panel)
    review.show(moved)
    assert not button(panel, "Sign off").isEnabled()
    assert not button(panel, "Update all numbers").isEnabled()


def test_every_control_says_what_it_does(panel):
    named = [panel.findChild(QLineEdit), panel.findChild(QTextEdit)]
    for widget in (*panel.findChildren(QAbstractButton), *named):
        assert widget.toolTip()
