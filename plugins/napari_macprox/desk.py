"""The review window: who reviews which slide, what is saved, and one panel a task."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import napari
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QButtonGroup,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from macprox.io.slide_names import is_tiff
from macprox.review.slides.notices import INFO, Notice
from macprox.slide import location
from napari_macprox.keys import Keys
from napari_macprox.messages import Messages
from napari_macprox.panels.cells import CellsPanel
from napari_macprox.panels.furniture import tip_text
from napari_macprox.panels.gates import GatesPanel
from napari_macprox.panels.proximity import ProximityPanel
from napari_macprox.panels.regions import RegionsPanel
from napari_macprox.panels.sign_off import SignOffPanel
from napari_macprox.panels.slides import SlidesPanel
from napari_macprox.panels.verification import VerificationPanel
from napari_macprox.review import Review

PANELS: dict[str, tuple[Callable[[Review], QWidget], str]] = {
    "Slides": (SlidesPanel, "All slides of the folder: open one, see what is left to do"),
    "Gates": (GatesPanel, "Where each marker becomes positive"),
    "Cells": (CellsPanel, "Look at single cells and correct them"),
    "Regions": (RegionsPanel, "Draw tumour, and what is to be left out"),
    "Proximity": (ProximityPanel, "How near macrophages and tumour cells are, and what is chance"),
    "Check": (VerificationPanel, "Read a random sample of cells without seeing their call"),
    "Sign-off": (SignOffPanel, "Stand by the slide, and bring the results up to date"),
}  # fmt: skip
COLUMNS = 4
WIDTH_PX = 400
TAB_STYLE = """
QPushButton { padding: 5px 2px; }
QPushButton:checked { background: #0b6e99; color: white; font-weight: bold; }
"""


class Desk(QWidget):
    """The dock widget.

    Attributes
    ----------
    review : Review
    messages : Messages
    """

    def __init__(self, napari_viewer: napari.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumWidth(WIDTH_PX)
        self.review = Review(napari_viewer, self)
        self.messages = Messages()
        self._pages = QStackedWidget()
        self._buttons = QButtonGroup(self)
        self._panels: dict[str, QWidget] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addLayout(self._who())
        layout.addLayout(self._state())
        layout.addWidget(self.messages)
        layout.addLayout(self._tabs())
        layout.addWidget(self._pages, 1)
        self._connect()
        self._bind_keys()
        self.turn_to("Slides")

    def turn_to(self, name: str) -> QWidget:
        """Show a panel, and return it."""
        self._buttons.button([*PANELS].index(name)).setChecked(True)
        return self.panel(name)

    def panel(self, name: str) -> QWidget:
        return self._panels[name]

    # What is there.

    def _who(self) -> QHBoxLayout:
        self._name = QLineEdit()
        self._name.setPlaceholderText("Your name")
        self._name.setToolTip("Every decision is saved with the name of who made it")
        self._undo = _button("Undo", "Take the last decision back  (Ctrl+Z)")
        self._redo = _button("Redo", "Make it again  (Ctrl+Shift+Z)")
        row = QHBoxLayout()
        row.addWidget(QLabel("Reviewer"))
        row.addWidget(self._name, 1)
        row.addWidget(self._undo)
        row.addWidget(self._redo)
        return row

    def _state(self) -> QHBoxLayout:
        self._slide = QLabel("No slide is open", textFormat=Qt.TextFormat.PlainText)
        self._slide.setStyleSheet("font-weight: bold;")
        self._saved = QLabel("")
        self._saved.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._saved.setToolTip("Every decision is written to the disk at once (edits.jsonl)")
        row = QHBoxLayout()
        row.addWidget(self._slide, 1)
        row.addWidget(self._saved)
        return row

    def _tabs(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(3)
        for number, (name, (panel, purpose)) in enumerate(PANELS.items()):
            button = QPushButton(name)
            button.setToolTip(f"{purpose}  (Alt+{number + 1})")
            button.setCheckable(True)
            button.setStyleSheet(TAB_STYLE)
            button.setShortcut(QKeySequence(f"Alt+{number + 1}"))
            self._buttons.addButton(button, number)
            grid.addWidget(button, number // COLUMNS, number % COLUMNS)
            self._panels[name] = panel(self.review)
            self._pages.addWidget(_scrolled(self._panels[name]))
        self._buttons.setExclusive(True)
        return grid

    def _connect(self) -> None:
        review = self.review
        self._buttons.idToggled.connect(self._turned)
        self._name.textChanged.connect(review.rename_reviewer)
        self._undo.clicked.connect(review.undo)
        self._redo.clicked.connect(review.redo)
        review.opened.connect(self._show_slide)
        review.log_changed.connect(self._show_saved)
        review.said.connect(self.messages.say)
        review.noticed.connect(self._notice)
        review.busy.connect(self.messages.busy)
        review.reviewer_changed.connect(self._name.setText)

    def _bind_keys(self) -> None:
        actions = {"Ctrl+Z": self.review.undo, "Ctrl+Shift+Z": self.review.redo}
        self._keys = Keys(self.review.viewer, self, actions)
        self._keys.bind()

    # What happens.

    def _turned(self, number: int, is_on: bool) -> None:
        if is_on:
            self._pages.setCurrentIndex(number)

    def _show_slide(self) -> None:
        session = self.review.session
        if session is not None:
            self.messages.clear()  # they were about another slide
            self._slide.setText(session.slide_id)
            self._slide.setToolTip(tip_text(str(session.result.path)))
            self._saved.setText("cannot be changed" if session.read_only else "nothing to save")
            self._show_undo()

    def _notice(self, notice: Notice) -> None:
        self.messages.say(notice.text, notice.level)
        if notice.about == "image" and notice.level != INFO:
            self.messages.offer(
                notice.text, "Find the image…", "Say where the slide's image is now",
                self._find_image,
            )  # fmt: skip

    def _find_image(self) -> None:
        session = self.review.session
        if session is None:
            return
        before = location(session.result.manifest["source"]["path"])
        title = f"Where is the image of {session.slide_id}? It was {before}"
        if is_tiff(before):
            chosen, _ = QFileDialog.getOpenFileName(self, title)
        else:
            chosen = QFileDialog.getExistingDirectory(self, title)
        if chosen:
            self.review.find_image(chosen)

    def _show_saved(self) -> None:
        session = self.review.session
        if session is not None:
            when = session.saved_at
            self._saved.setText(f"✓ saved {when}" if when else "nothing to save")
            self._show_undo()

    def _show_undo(self) -> None:
        session = self.review.session
        for button, text, key in (
            (self._undo, session.undo_text if session else "", "Ctrl+Z"),
            (self._redo, session.redo_text if session else "", "Ctrl+Shift+Z"),
        ):
            button.setEnabled(bool(text))
            button.setToolTip(tip_text(f"{button.text()}: {text or 'nothing'}  ({key})"))


def _button(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setEnabled(False)
    return button


def _scrolled(panel: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidget(panel)
    area.setWidgetResizable(True)
    area.setFrameShape(QScrollArea.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return area


def desk_in(viewer: napari.Viewer) -> Desk:
    """The window's desk; made where there is none yet."""
    for widget in viewer.window.dock_widgets.values():
        if isinstance(widget, Desk):
            return widget
    _, desk = viewer.window.add_plugin_dock_widget("macprox", "Review")
    return desk


def review_in(viewer: napari.Viewer, path: str | Path) -> Desk:
    """Open a result folder, or one slide of it, in a window."""
    desk = desk_in(viewer)
    desk.review.open_results(path)
    return desk
