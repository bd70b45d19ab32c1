"""Which slides get a gate: what it would do on each, before it is done."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QDialog,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from macprox.phenotype.gate_table import gate_name
from macprox.review.gates.copying import GateCopy, Target
from macprox.review.gates.states import gate_text, percent_text
from napari_macprox.panels.furniture import button, column, row, sentence, tip_text

COLUMNS = ("Slide", "Gate now", "Positive now", "With this gate")


class CopyDialog(QDialog):
    """A list of slides with a tick each.

    Signals
    -------
    chosen : list of str
        The slides that were ticked when the copy was asked for.
    """

    chosen = Signal(list)

    def __init__(
        self, copied: GateCopy, targets: list[Target], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        name = gate_name(copied.marker, copied.parent)
        self.setWindowTitle(f"Copy the gate of {name}")
        self._ticks: dict[str, QTableWidgetItem] = {}
        layout = column(self)
        layout.addWidget(
            sentence(
                f"The gate of {name}, {gate_text(copied.value)}, on other slides. It only means "
                "the same where staining and exposure were the same: compare the per cent before "
                "and after. On each slide it counts as set, not as confirmed."
            )
        )
        self._table = self._make_table(targets)
        layout.addWidget(self._table, 1)
        self._all = button("Tick all", "Tick every slide that can take the gate", self._tick_all)
        self._none = button("Tick none", "Take every tick away", self._tick_none)
        self._cancel = button("Cancel", "Copy nothing", self.reject)
        self._copy = button("Copy", "Write the gate into the log of each ticked slide", self.accept)
        layout.addLayout(row(self._all, self._none, QLabel(), self._cancel, self._copy))
        self._table.itemChanged.connect(lambda _: self._count())
        self._count()
        self.resize(560, 360)

    def slide_ids(self) -> list[str]:
        """The ticked slides."""
        ticked = Qt.CheckState.Checked
        return [name for name, item in self._ticks.items() if item.checkState() == ticked]

    def accept(self) -> None:
        self.chosen.emit(self.slide_ids())
        super().accept()

    def _make_table(self, targets: list[Target]) -> QTableWidget:
        table = QTableWidget(len(targets), len(COLUMNS))
        table.setHorizontalHeaderLabels(list(COLUMNS))
        table.verticalHeader().setVisible(False)
        table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        table.setToolTip("Tick the slides that get the gate")
        for i, target in enumerate(targets):
            for j, text in enumerate(_texts(target)):
                item = QTableWidgetItem(text)
                if j == 0 and not target.refusal:
                    item.setCheckState(Qt.CheckState.Unchecked)
                    self._ticks[target.slide_id] = item
                elif j:
                    item.setTextAlignment(
                        Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                    )
                if target.refusal:
                    item.setFlags(Qt.ItemFlag.NoItemFlags)
                    item.setToolTip(tip_text(target.refusal))
                table.setItem(i, j, item)
        return table

    def _tick_all(self) -> None:
        self._tick(Qt.CheckState.Checked)

    def _tick_none(self) -> None:
        self._tick(Qt.CheckState.Unchecked)

    def _tick(self, state: Qt.CheckState) -> None:
        for item in self._ticks.values():
            item.setCheckState(state)

    def _count(self) -> None:
        n = len(self.slide_ids())
        self._copy.setEnabled(n > 0)
        self._copy.setText("Copy" if not n else f"Copy to {n} slide{'s' if n > 1 else ''}")


def _texts(target: Target) -> list[str]:
    if target.refusal:
        return [target.slide_id, "–", "–", "cannot take it"]
    gate = "–" if target.gate is None else gate_text(target.gate)
    gate += " ✓" if target.is_confirmed else ""
    now, then = percent_text(target.percent_now), percent_text(target.percent_then)
    return [target.slide_id, gate, now, then]
