"""Single cells: click one, see why it is called what it is, and correct it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import shapely
from qtpy.QtGui import QColor, QHideEvent, QIcon, QPixmap, QShowEvent
from qtpy.QtWidgets import QCheckBox, QGridLayout, QMenu, QMessageBox, QPushButton, QWidget

from macprox.celltable import AMBIGUOUS
from macprox.errors import MacproxError
from macprox.review.cells.card import CellCard, cell_at, cell_card
from macprox.review.cells.queue import review_queue
from napari_macprox.crop_layers import OutlineEditor
from napari_macprox.drawing import DrawingTool
from napari_macprox.keys import Keys
from napari_macprox.panels.card_view import MarkerRows, backdrops, emptied
from napari_macprox.panels.furniture import button, column, heading, row, sentence
from napari_macprox.review import Review

ARTEFACT_REASONS = (
    *("debris", "autofluorescent", "out of focus"),
    *("two cells as one", "not a cell", "other"),
)
N_QUEUE = 500
N_RINGED = 30  # of the queue, on the image: what comes next
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
    return QMessageBox.question(parent, "macprox", question, yes | no, yes) == yes


class CellsPanel(QWidget):
    """The cell that is selected, or the group that was drawn around."""

    def __init__(self, review: Review) -> None:
        super().__init__()
        self._review = review
        self._group: np.ndarray | None = None
        self._queue: pd.DataFrame | None = None
        self._visited: set[int] = set()
        self._phenotypes: tuple[str, ...] = ()
        self._buttons: list[QPushButton] = []
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
        layout.addWidget(heading("It is in fact…"))
        self._choices = QGridLayout()
        self._choices.setSpacing(4)
        layout.addLayout(self._choices)
        self._rules = button(
            "0  as the rules say", "Take back what was said by hand  (0)", self._give_back
        )
        self._delete = button("Delete", "This is no cell  (Delete)", self._delete_cells)
        self._artefact = QPushButton("Artefact")
        self._artefact.setToolTip("Keep the cell in the table, out of every number: why?  (A)")
        menu = QMenu(self)
        for reason in ARTEFACT_REASONS:
            menu.addAction(reason, partial(self.mark, reason))
        menu.addSeparator()
        menu.addAction("no artefact after all", partial(self.mark, None))
        self._artefact.setMenu(menu)
        layout.addLayout(row(self._rules, self._delete, self._artefact))
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
        self._progress = sentence()
        layout.addWidget(self._progress)
        self._outlined, self._shown = QCheckBox("Outlines only"), QCheckBox("Show cells")
        self._outlined.setToolTip("Draw the cells' outlines and leave the stain visible  (O)")
        self._shown.setToolTip("Hide or show what cells are called  (C)")
        self._shown.setChecked(True)
        self._outlined.toggled.connect(self._review.layers.outline_cells)
        self._shown.toggled.connect(self._show_cells)
        layout.addLayout(row(self._outlined, self._shown))
        layout.addWidget(self._outlines)
        layout.addWidget(heading("Keys"))
        layout.addWidget(sentence("\n".join(f"{key}   {what}" for key, what in SHORTCUTS)))
        layout.addStretch(1)

    def _actions(self) -> dict[str, Any]:
        digits = {str(n): partial(self._relabel_number, n - 1) for n in range(1, 10)}
        return digits | {
            "0": self._give_back,
            "Delete": self._delete_cells,
            "Backspace": self._delete_cells,
            "A": lambda: self._artefact.showMenu() if self._artefact.isEnabled() else None,
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
        session = self._review.session
        if session is None:
            return
        if self._queue is None:
            self._review.in_background(
                review_queue, session.called, session.study, N_QUEUE,
                done=self._take_queue, text="Looking for uncertain cells…",
            )  # fmt: skip
        else:
            self._step()

    def _take_queue(self, queue: pd.DataFrame) -> None:
        self._queue = queue
        self._step()

    def _step(self) -> None:
        queue, session = self._queue, self._review.session
        if queue is None or session is None:
            return
        left = queue[~queue["cell_id"].isin(self._visited)]
        there = left[left["cell_id"].isin(session.called.cells["cell_id"])]
        self._review.layers.queue(there.iloc[:N_RINGED])
        if not len(there):
            self._progress.setText("No uncertain cell is left to look at.")
            return
        cell = there.iloc[0]
        self._visited.add(int(cell.cell_id))
        hangs_on = f" on {cell.marker}" if str(cell.get("marker", "")) else ""
        self._progress.setText(
            f"{len(there) - 1} more uncertain cells after this one, which hangs{hangs_on}."
        )
        self._review.go_to(float(cell.x_um), float(cell.y_um))
        self._review.select(int(cell.cell_id))

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
        if number < len(self._phenotypes):
            self.relabel(self._phenotypes[number])

    def _decide(self, question: str, action: Any) -> None:
        ids = self.chosen
        if not len(ids) or self._outlines.is_editing:
            return
        if self._group is None or confirmed(self, question.format(f"these {len(ids):,} cells")):
            self._review.do(lambda session: action(session, ids))

    # What is shown.

    def _show_slide(self) -> None:
        session = self._review.session
        self._group, self._queue, self._visited = None, None, set()
        self._progress.setText("")
        self._lasso.stop()
        named = () if session is None else session.phenotypes
        self._phenotypes = tuple(name for name in named if name != AMBIGUOUS)
        emptied(self._choices)
        self._buttons.clear()
        for number, name in enumerate(self._phenotypes):
            key = f"{number + 1}  " if number < 9 else ""
            choice = button(f"{key}{name}", f"Relabel as {name}", partial(self.relabel, name))
            self._buttons.append(choice)
            choice.setIcon(swatch(self._review.layers.colours.get(name, "#808080")))
            choice.setStyleSheet("text-align: left;")
            self._choices.addWidget(choice, number, 0)  # side by side, long names are cut
        self._review.layers.outline_cells(self._outlined.isChecked())
        self._show_cells(self._shown.isChecked())
        self._selected()

    def _cells_changed(self) -> None:
        self._queue = None  # what is uncertain hangs on the cuts
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
        self._place.setText(place_text(card))
        self._enable(True)
        towards = card.nearest_tumour_xy_um
        self._review.layers.mark_cell(card.cell_id, (card.x_um, card.y_um), towards)

    def _show_group(self, cells: pd.DataFrame) -> None:
        counts = cells["phenotype"].value_counts()
        self._show_nothing(f"{len(cells):,} cells chosen" if len(cells) else "No cell lies inside.")
        self._why.setText(", ".join(f"{n:,} {name}" for name, n in counts.items() if n))
        self._enable(len(cells) > 0)

    def _show_nothing(self, title: str) -> None:
        self._title.setText(title)
        self._why.setText("")
        self._place.setText("")
        self._rows.show_card(None, {})
        self._review.layers.mark_cell(None)
        self._enable(False)

    def _enable(self, enabled: bool) -> None:
        for widget in (*self._buttons, self._rules, self._delete, self._artefact):
            widget.setEnabled(enabled)

    def _show_cells(self, shown: bool) -> None:
        cells = self._review.layers.cells
        if cells is not None:
            cells.visible = shown


def place_text(card: CellCard) -> str:
    """Where a cell is, and what to be careful about."""
    if np.isfinite(card.nearest_tumour_um):
        text = f"Nearest tumour cell: {card.nearest_tumour_um:.1f} µm away."
    else:
        text = "There is no tumour cell on this slide."
    if np.isfinite(card.border_um):
        side = "inside" if card.border_um < 0 else "outside"
        text += f" {abs(card.border_um):.0f} µm {side} the tumour border"
        text += f", in {card.compartment}." if card.compartment else "."
    return text + "".join(f"\n⚠ {flag}" for flag in card.flags)


def swatch(colour: str) -> QIcon:
    """A square of one colour."""
    square = QPixmap(14, 14)
    square.fill(QColor(colour))
    return QIcon(square)
