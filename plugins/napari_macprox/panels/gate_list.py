"""Every gate of a slide in a list: its value, who is positive, who stands by it."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Qt, QTimer, Signal
from qtpy.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem

from macprox.review.gates.states import (
    CONFIRMED,
    PROPOSAL,
    SET,
    GateState,
    gate_text,
    percent_text,
)
from napari_macprox.panels.furniture import tip_text

SIGNS = {PROPOSAL: "○ proposal", SET: "◐ set", CONFIRMED: "✓ confirmed"}
SHOWN_ROWS = 7
KEY = Qt.ItemDataRole.UserRole

Key = tuple[str, str]  # marker, and parent or ""


class GateList(QTreeWidget):
    """One line a gate, those among a parent's cells after the marker's own.

    Signals
    -------
    chosen : (str, str)
        Marker and parent of the line that somebody went to.
    """

    chosen = Signal(str, str)

    def __init__(self) -> None:
        super().__init__()
        self.setHeaderLabels(["Marker", "Gate", "Positive", "State"])
        self.setRootIsDecorated(False)
        self.setIndentation(14)
        self.setToolTip("Every gate of this slide; choose one to look at it")
        self.header().setStretchLastSection(False)
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for place in (1, 2, 3):
            resize = QHeaderView.ResizeMode.ResizeToContents
            self.header().setSectionResizeMode(place, resize)
        self.currentItemChanged.connect(self._on_chosen)

    def fill(self, states: list[GateState], current: Key) -> None:
        """Show these gates, and which of them is looked at."""
        with QSignalBlocker(self):
            self.clear()
            for state in states:
                item = _line(state)
                self.addTopLevelItem(item)
                if (state.marker, state.parent) == current:
                    self.setCurrentItem(item)
        rows = min(max(len(states), 2), SHOWN_ROWS)
        high = self.sizeHintForRow(0) * rows + self.header().sizeHint().height() + 8
        self.setFixedHeight(high)

    def show_current(self, gate: float, percent: float) -> None:
        """What the gate that is looked at would be, while it is dragged."""
        item = self.currentItem()
        if item is not None:
            item.setText(1, gate_text(gate))
            item.setText(2, percent_text(percent))

    def _on_chosen(self, item: QTreeWidgetItem | None) -> None:
        if item is not None:
            # Filling the list anew inside its own signal would delete the item it speaks of.
            key = item.data(0, KEY)
            QTimer.singleShot(0, self, lambda: self.chosen.emit(*key))


def _line(state: GateState) -> QTreeWidgetItem:
    name = f"    among {state.parent}+" if state.parent else state.marker
    sign = SIGNS[state.state] if state.is_own else "as all cells"
    item = QTreeWidgetItem(
        [name, gate_text(state.value), percent_text(state.percent_positive), sign]
    )
    item.setData(0, KEY, (state.marker, state.parent))
    for place in (1, 2):
        item.setTextAlignment(place, Qt.AlignmentFlag.AlignRight)
    for place in range(4):
        item.setToolTip(place, tip_text(f"{state.title}: {state.words}"))
    return item
