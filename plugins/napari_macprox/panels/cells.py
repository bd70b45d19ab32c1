"""Single cells: click one, see why it is called what it is, and correct it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import shapely
from qtpy.QtCore import Qt
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QCheckBox, QMessageBox, QVBoxLayout, QWidget

from macprox.celltable import AMBIGUOUS
from macprox.errors import MacproxError
from macprox.review.cells.card import cell_at, cell_card
from napari_macprox.drawing import DrawingTool
from napari_macprox.keys import Keys
from napari_macprox.panels.card_view import MarkerRows, backdrops
from napari_macprox.panels.furniture import button, column, heading, row, sentence
from napari_macprox.panels.outline_editor import OutlineEditor
from napari_macprox.panels.uncertain import UncertainCells
from napari_macprox.panels.verdicts import Verdicts
from napari_macprox.review import Review

CLICK_PX = 4  # a mouse that moved farther between press and release was moving the image
START = "Click a cell in the image, or press U for the cell that is most uncertain."
SHORTCUTS = (
    ("1 … 9", "relabel: the number beside the phenotype"),
    ("0", "let the rules decide again"),
    ("Delete", "no cell at all: delete"),
    ("A", "mark as artefact: choose why"),
    ("G", "draw around a group of cells"),
    ("U", "next uncertain cell"),
    ("O", "outlines, or filled cells"),
    ("C", "show or hide the cells' colours"),
    ("Esc", "let go of the selected cells"),
    ("Ctrl+Z / Ctrl+Shift+Z", "undo / redo"),
)


def confirmed(parent: QWidget, question: str) -> bool:
    """Whether the person says yes."""
    yes, no = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No
    box = QMessageBox(QMessageBox.Icon.Question, "macprox", question, yes | no, parent)
    box.setTextFormat(Qt.TextFormat.PlainText)  # names from files are no markup
    box.setDefaultButton(yes)
    return box.exec() == yes


class CellsPanel(QWidget):
    """The cell that is selected, or the group that was drawn around."""

    def __init__(self, review: Review) -> None:
        super().__init__()
        self._review = review
        self._group: np.ndarray | None = None
        self._progress = sentence()
        self._uncertain = UncertainCells(review, self._progress)
        self._lasso = DrawingTool(review.viewer, self)
        self._lasso.gave_up.connect(self.let_go)
        self._outlines = OutlineEditor(review)
        self._keys = Keys(review.viewer, self, self._actions())
        self._build()
        review.opened.connect(self._show_slide)
        review.cells_changed.connect(self._cells_changed)
        review.selected_changed.connect(self._selected)
        self._show_slide()

    # What is there.

    def _build(self) -> None:
        layout = column(self)
        self._title, self._why, self._place = heading(START), sentence(), sentence()
        self._rows = MarkerRows()
        for widget in (self._title, self._why, self._rows, self._place):
            layout.addWidget(widget)
        self._verdicts = Verdicts()
        self._verdicts.named.connect(self.relabel)
        self._verdicts.marked.connect(self.mark)
        self._verdicts.deleted.connect(self._delete_cells)
        layout.addWidget(heading("It is in fact…"))
        layout.addWidget(self._verdicts)
        self._build_finding(layout)
        layout.addWidget(self._outlines)
        layout.addWidget(heading("Keys"))
        layout.addWidget(sentence("\n".join(f"{key}   {what}" for key, what in SHORTCUTS)))
        layout.addStretch(1)

    def _build_finding(self, layout: QVBoxLayout) -> None:
        layout.addWidget(heading("Find cells"))
        self._around = button(
            "Draw around a group",
            "Hold the mouse button and draw around cells; what is said next holds for all  (G)",
            self.draw_around,
        )
        self._next = button(
            "Next uncertain",
            "Go to the cell whose phenotype hangs most on where a cut is  (U)",
            self.next_uncertain,
        )
        layout.addLayout(row(self._around, self._next))
        layout.addWidget(self._progress)
        self._outlined, self._shown = QCheckBox("Outlines only"), QCheckBox("Show cells")
        self._outlined.setToolTip("Draw the cells' outlines and leave the stain visible  (O)")
        self._shown.setToolTip("Hide or show what cells are called  (C)")
        self._shown.setChecked(True)
        self._outlined.toggled.connect(self._review.layers.outline_cells)
        self._shown.toggled.connect(self._show_cells)
        layout.addLayout(row(self._outlined, self._shown))

    def _actions(self) -> dict[str, Any]:
        digits = {str(n): partial(self._relabel_number, n - 1) for n in range(1, 10)}
        return digits | {
            "0": self._give_back,
            "Delete": self._delete_cells,
            "Backspace": self._delete_cells,
            "A": lambda: self._verdicts.ask_why(),
            "G": self.draw_around,
            "U": self.next_uncertain,
            "O": lambda: self._outlined.toggle(),
            "C": lambda: self._shown.toggle(),
            "Escape": self.let_go,
        }

    def showEvent(self, event: QShowEvent) -> None:
        self._keys.bind()
        callbacks = self._review.viewer.mouse_drag_callbacks
        if self._clicked not in callbacks:
            callbacks.append(self._clicked)
        super().showEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        self._keys.release()
        self._lasso.stop()
        self._review.layers.queue(None)
        callbacks = self._review.viewer.mouse_drag_callbacks
        if self._clicked in callbacks:
            callbacks.remove(self._clicked)
        super().hideEvent(event)

    # Which cells.

    @property
    def chosen(self) -> np.ndarray:
        """``cell_id`` of what the next decision is about."""
        if self._group is not None:
            return self._group
        selected = self._review.selected
        return np.array([] if selected is None else [selected], np.int64)

    def let_go(self) -> None:
        """Select nothing, and draw nothing."""
        self._lasso.stop()
        self._review.select(None)

    def select_at(self, x_um: float, y_um: float) -> None:
        """Select the cell at a point, if there is one."""
        session = self._review.session
        if session is None:
            return
        cells = session.called.cells
        cell_id = self._review.layers.cell_id_at(x_um, y_um)
        if not self._review.layers.has_labels:
            cell_id = cell_at(cells, x_um, y_um)
        known = cell_id and (cells["cell_id"].to_numpy() == cell_id).any()
        self._review.select(int(cell_id) if known else None)

    def _clicked(self, viewer: Any, event: Any) -> Iterator[None]:
        """A click selects; a drag moves the image, as everywhere."""
        if event.button != 1 or self._lasso.is_drawing or self._outlines.is_editing:
            return
        start = np.array(event.pos)
        yield
        while event.type == "mouse_move":
            yield
        if np.abs(np.array(event.pos) - start).max() <= CLICK_PX:
            y_um, x_um = event.position[-2:]
            self.select_at(float(x_um), float(y_um))

    def draw_around(self) -> None:
        """Let a line be drawn around the cells of the next decision."""
        if self._review.session is not None and not self._outlines.is_editing:
            self._title.setText("Hold the mouse button and draw around the cells…")
            self._lasso.draw("around these cells", self.choose_inside)

    def choose_inside(self, area_um: shapely.Polygon) -> None:
        """Choose every cell whose centroid lies in an area."""
        session = self._review.session
        if session is None:
            return
        cells, area = session.called.cells, shapely.make_valid(area_um)
        shapely.prepare(area)
        inside = shapely.contains_xy(area, cells[["x_um", "y_um"]].to_numpy(float))
        self._review.select(None)
        self._group = cells["cell_id"].to_numpy()[inside]
        self._show_group(cells[inside])

    def next_uncertain(self) -> None:
        """Go on to the cell that is most uncertain of those not yet visited."""
        self._uncertain.next()

    # Decisions.

    def relabel(self, phenotype: str | None) -> None:
        """Say what the chosen cells are; None leaves it to the rules."""
        as_what = "as the rules say" if phenotype is None else f"as {phenotype}"
        self._decide(f"Relabel {{}} {as_what}?", lambda s, ids: s.set_phenotype(ids, phenotype))

    def mark(self, reason: str | None) -> None:
        """Leave the chosen cells out of every number; None takes that back."""
        what = f"Leave {{}} out of every number ({reason})?" if reason else "Count {} again?"
        self._decide(what, lambda s, ids: s.mark_artefact(ids, reason))

    def _delete_cells(self) -> None:
        self._decide("Delete {}?", lambda s, ids: s.delete(ids))

    def _give_back(self) -> None:
        self.relabel(None)

    def _relabel_number(self, number: int) -> None:
        if number < len(self._verdicts.phenotypes):
            self.relabel(self._verdicts.phenotypes[number])

    def _decide(self, question: str, action: Any) -> None:
        ids = self.chosen
        if not len(ids) or self._outlines.is_editing:
            return
        if self._group is None or confirmed(self, question.format(f"these {len(ids):,} cells")):
            self._review.do(lambda session: action(session, ids))

    # What is shown.

    def _show_slide(self) -> None:
        session = self._review.session
        self._group = None
        self._uncertain.begin_anew()
        self._lasso.stop()
        named = () if session is None else session.phenotypes
        phenotypes = tuple(name for name in named if name != AMBIGUOUS)
        self._verdicts.offer(phenotypes, self._review.layers.colours)
        self._review.layers.outline_cells(self._outlined.isChecked())
        self._show_cells(self._shown.isChecked())
        self._selected()

    def _cells_changed(self) -> None:
        self._uncertain.forget_order()
        if self._group is None:
            self._show_selected()
        else:
            self._review.select(None)

    def _selected(self) -> None:
        self._group = None
        self._show_selected()

    def _show_selected(self) -> None:
        session, selected = self._review.session, self._review.selected
        if session is None or selected is None:
            self._show_nothing(START)
            return
        try:
            card = cell_card(session.called, session.study, selected)
        except MacproxError as gone:
            self._show_nothing(str(gone))
            return
        said = {"reviewer": " (named by hand)"}.get(card.source, "")
        self._title.setText(f"{card.phenotype}{said} · cell {card.cell_id}")
        self._why.setText(card.why)
        self._rows.show_card(card, backdrops(session.called, card))
        self._place.setText(card.place_text)
        self._verdicts.setEnabled(True)
        towards = card.nearest_tumour_xy_um
        self._review.layers.mark_cell(card.cell_id, (card.x_um, card.y_um), towards)

    def _show_group(self, cells: pd.DataFrame) -> None:
        counts = cells["phenotype"].value_counts()
        self._show_nothing(f"{len(cells):,} cells chosen" if len(cells) else "No cell lies inside.")
        self._why.setText(", ".join(f"{n:,} {name}" for name, n in counts.items() if n))
        self._verdicts.setEnabled(len(cells) > 0)

    def _show_nothing(self, title: str) -> None:
        self._title.setText(title)
        self._why.setText("")
        self._place.setText("")
        self._rows.show_card(None, {})
        self._review.layers.mark_cell(None)
        self._verdicts.setEnabled(False)

    def _show_cells(self, shown: bool) -> None:
        cells = self._review.layers.cells
        if cells is not None:
            cells.visible = shown
