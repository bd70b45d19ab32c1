"""Blinded verification: a random sample of cells, named one by one without seeing their call."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QGridLayout,
    QHeaderView,
    QLabel,
    QProgressBar,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from macprox.errors import MacproxError
from macprox.review.verification.agreement import UNSURE, Agreement, agreement
from macprox.review.verification.blind import BlindCell, Verification
from macprox.review.verification.sample import PER_PHENOTYPE, Sample, answers_of, draw_sample
from macprox.review.verification.wording import COLUMN_TIPS, COLUMNS, kappa_text, table_rows
from napari_macprox.keys import Keys
from napari_macprox.panels.card_view import emptied
from napari_macprox.panels.furniture import button, column, heading, row, sentence
from napari_macprox.review import Review

UM2_PER_MM2 = 1e6

CLOSE_UP_UM = 80.0
INTRODUCTION = (
    "How often are the phenotypes right? A random sample of cells is shown one by one; nobody sees "
    "what they were called. A colleague can read the same cells: enter the other name at the top."
)


class VerificationPanel(QWidget):
    """The latest sample of the open slide, as the present reviewer reads it."""

    def __init__(self, review: Review) -> None:
        super().__init__()
        self._review = review
        self._readings: Verification | None = None
        self._cell: BlindCell | None = None
        self._before: list[BlindCell] = []
        self._answers: tuple[str, ...] = ()
        digits = {str(n): partial(self._say_number, n - 1) for n in range(1, 10)}
        self._keys = Keys(
            review.viewer,
            self,
            digits | {"0": partial(self.say, UNSURE), "Backspace": self.go_back},
        )
        self._build()
        review.opened.connect(self._show_slide)
        review.reviewer_changed.connect(lambda _: self.stop())
        self._show_slide()

    def _build(self) -> None:
        layout = column(self)
        layout.addWidget(heading("Check phenotypes without seeing them"))
        layout.addWidget(sentence(INTRODUCTION))
        self._per_phenotype = QSpinBox()
        self._per_phenotype.setRange(5, 200)
        self._per_phenotype.setValue(PER_PHENOTYPE)
        self._per_phenotype.setToolTip("More cells make the percentages surer, and take longer")
        self._draw = button("Draw a sample", "Choose the cells at random", self.draw)
        layout.addLayout(row(QLabel("Cells a phenotype"), self._per_phenotype, self._draw))
        self._state = sentence()
        self._bar = QProgressBar()
        self._bar.setFormat("%v of %m")
        self._go = button("Read cells", "Start, or go on where you stopped", self.start)
        layout.addWidget(self._state)
        layout.addWidget(self._bar)
        layout.addWidget(self._go)
        self._question = heading("What is the outlined cell?")
        layout.addWidget(self._question)
        self._choices = QWidget()
        self._grid = QGridLayout(self._choices)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(4)
        layout.addWidget(self._choices)
        self._back = button("Back", "The cell before, to say it again  (Backspace)", self.go_back)
        self._stop = button("Pause", "Every answer is saved; go on whenever you like", self.stop)
        self._ends = QWidget()
        self._ends.setLayout(row(self._back, self._stop))
        layout.addWidget(self._ends)
        self._results = QWidget()
        self._results_layout = column(self._results)
        self._results_layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._results)
        layout.addStretch(1)

    def showEvent(self, event: QShowEvent) -> None:
        self._show()
        super().showEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        self.stop()
        super().hideEvent(event)

    # Drawing and reading.

    @property
    def is_reading(self) -> bool:
        return self._cell is not None

    @property
    def cell(self) -> BlindCell | None:
        """The cell that is asked about."""
        return self._cell

    def draw(self) -> None:
        """Draw a new sample; readings of the one before are kept, but no longer asked for."""
        session = self._review.session
        if session is None or self._readings is None:
            return
        readings = self._readings
        try:
            # The seed moves on with every sample: else a second one would be the first again.
            seed = session.study.proximity.seed + len(readings.samples)
            sample = draw_sample(session.called, session.study, self._per_phenotype.value(), seed)
            readings.start(sample, self._review.reviewer)
        except MacproxError as error:
            self._review.said.emit(str(error), "warning")
            return
        self._show()

    def start(self) -> None:
        """Show the first cell that this reader has not named."""
        if not self._review.reviewer:
            self._review.said.emit("Enter your name at the top first: who reads?", "warning")
            return
        self._before = []
        self._review.select(None)
        self._review.layers.queue(None)
        self._review.layers.blind(True)
        self._keys.bind()
        self._next()

    def say(self, answer: str) -> None:
        """Name the cell that is shown, and go on to the next."""
        session, sample, cell = self._review.session, self._sample, self._cell
        if session is None or sample is None or cell is None or self._readings is None:
            return
        try:
            self._readings.say(sample, cell.number, answer, self._review.reviewer, session.study)
        except MacproxError as error:
            self._review.said.emit(str(error), "warning")
            return
        self._before.append(cell)
        self._next()

    def go_back(self) -> None:
        """Show the cell before; what is said of it then counts."""
        if self._before:
            self._ask(self._before.pop())

    def stop(self) -> None:
        """Show what was hidden again."""
        self._keys.release()
        if self._cell is not None:
            self._review.layers.mark_cell(None)
        self._cell, self._before = None, []
        self._review.layers.blind(False)
        self._show()

    def _next(self) -> None:
        session, sample = self._review.session, self._sample
        if session is None or sample is None or self._readings is None:
            return
        cells = session.called.cells
        following = self._readings.next_cell(sample, self._review.reviewer, cells)
        if following is None:
            self.stop()
        else:
            self._ask(following)

    def _ask(self, cell: BlindCell) -> None:
        self._cell = cell
        self._review.go_to(cell.x_um, cell.y_um, CLOSE_UP_UM)
        self._review.layers.mark_cell(cell.cell_id, (cell.x_um, cell.y_um))
        self._show()

    def _say_number(self, number: int) -> None:
        if number < len(self._answers):
            self.say(self._answers[number])

    # What is shown.

    @property
    def _sample(self) -> Sample | None:
        return None if self._readings is None else self._readings.latest

    def _show_slide(self) -> None:
        session = self._review.session
        self._readings, self._cell = None, None
        if session is not None:
            try:
                self._readings = Verification(session.result.folder)
            except MacproxError as error:
                self._review.said.emit(str(error), "warning")
            self._answers = answers_of(session.study)
            self._show_choices()
        self.stop()

    def _show_choices(self) -> None:
        emptied(self._grid)
        for number, name in enumerate(self._answers):
            key = f"{number + 1}  " if number < 9 else ""
            choice = button(f"{key}{name}", f"It is: {name}", partial(self.say, name))
            choice.setStyleSheet("text-align: left;")
            self._grid.addWidget(choice, number // 2, number % 2)
        unsure = button(f"0  {UNSURE}", "Better than to guess", partial(self.say, UNSURE))
        self._grid.addWidget(unsure, 1 + len(self._answers) // 2, 0, 1, 2)

    def _show(self) -> None:
        session, sample = self._review.session, self._sample
        can_draw = session is not None and self._readings is not None and not self.is_reading
        self._draw.setEnabled(can_draw)
        for widget in (self._question, self._choices, self._ends):
            widget.setVisible(self.is_reading)
        self._back.setEnabled(bool(self._before))
        self._bar.setVisible(sample is not None)
        self._go.setVisible(sample is not None and not self.is_reading)
        self._clear_results()
        if session is None or sample is None or self._readings is None:
            self._state.setText("" if session is None else "No sample has been drawn here yet.")
            return
        reader, cells = self._review.reviewer, session.called.cells
        progress = self._readings.progress(sample, reader, cells)
        self._bar.setRange(0, max(1, progress.total))
        self._bar.setValue(progress.done)
        is_done = progress.done >= progress.total
        self._go.setVisible(not self.is_reading and not is_done)
        gone = f" {progress.gone} cells are gone since." if progress.gone else ""
        who = reader or "you"
        self._state.setText(
            f"A sample of {len(sample)} cells; {who} read {progress.done}.{gone}"
            if not is_done
            else f"{who} read all {progress.total} cells.{gone}"
        )
        if is_done and not self.is_reading:
            readings = self._readings.readings(sample)
            area_mm2 = session.called.regions.observed.area / UM2_PER_MM2
            self._show_results(agreement(sample, readings, area_mm2), reader)

    def _clear_results(self) -> None:
        emptied(self._results_layout)

    def _show_results(self, found: Agreement, reader: str) -> None:
        of_reader = found.readers.get(reader.strip())
        if of_reader is None:
            return
        self._results_layout.addWidget(heading("How far call and reader agree"))
        self._results_layout.addWidget(sentence(f"Over all: {kappa_text(of_reader.kappa)}"))
        self._results_layout.addWidget(results_table(table_rows(of_reader)))
        for (one, other), kappa in found.between.items():
            self._results_layout.addWidget(sentence(f"{one} and {other}: {kappa_text(kappa)}"))
        if of_reader.n_unsure:
            n = of_reader.n_unsure
            self._results_layout.addWidget(
                sentence(
                    f"{n} {'cell' if n == 1 else 'cells'} could not be told, and count for neither."
                )
            )


def results_table(rows: list[tuple[str, ...]]) -> QTableWidget:
    """One phenotype a row; what a column means is in its tooltip."""
    table = QTableWidget(len(rows), len(COLUMNS))
    for number, (name, tip) in enumerate(zip(COLUMNS, COLUMN_TIPS, strict=True)):
        title = QTableWidgetItem(name)
        title.setToolTip(tip)
        table.setHorizontalHeaderItem(number, title)
    table.verticalHeader().setVisible(False)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setWordWrap(True)
    for i, texts in enumerate(rows):
        for j, text in enumerate(texts):
            item: Any = QTableWidgetItem(text)
            if j:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            table.setItem(i, j, item)
    header = table.horizontalHeader()
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    for i in range(len(rows)):
        table.setRowHeight(i, 2 * table.fontMetrics().lineSpacing() + 8)
    height = table.horizontalHeader().sizeHint().height() + 4
    table.setMinimumHeight(height + int(np.sum([table.rowHeight(i) for i in range(len(rows))])))
    return table
