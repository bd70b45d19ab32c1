"""The cohort: every slide of the folder, how far it has come, and the way to the next one."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from macprox.review.slides.listing import TITLES, Entry, entries, progress
from macprox.review.slides.table import slides_table
from napari_macprox.panels.furniture import button, column, row, sentence, tip_text
from napari_macprox.review import Review

SETTLE_MS = 600  # decisions that follow each other are looked up once
PATH = Qt.ItemDataRole.UserRole
ORDER = Qt.ItemDataRole.UserRole + 1
NUMBERS = ("Gates", "Cells")


class SlidesPanel(QWidget):
    """The slides of the result folder."""

    def __init__(self, review: Review) -> None:
        super().__init__()
        self._review = review
        self._is_looking = False
        self._items: list[tuple[str, _Item]] = []  # every field, by slide
        self._late = QTimer(self, singleShot=True, interval=SETTLE_MS)
        self._late.timeout.connect(self._look)
        layout = column(self)
        self._words = sentence()
        self._table = self._make_table()
        self._open = button("Open results…", "Choose the folder that macprox wrote", self._on_open)
        self._back = button("◀  Previous", "Open the slide before this one", self._on_back)
        self._next = button("Next  ▶", "Open the slide after this one", self._on_next)
        layout.addWidget(self._words)
        layout.addWidget(self._table, 1)
        layout.addLayout(row(self._back, self._next))
        layout.addWidget(self._open)
        review.listed.connect(self._show_slide)
        review.opened.connect(self._show_slide)
        review.log_changed.connect(self._late.start)
        self._show_slide()

    def _make_table(self) -> QTableWidget:
        table = QTableWidget(0, len(TITLES))
        table.setHorizontalHeaderLabels(list(TITLES))
        table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        table.verticalHeader().setVisible(False)
        table.setShowGrid(False)
        table.setMinimumHeight(220)
        resize = QHeaderView.ResizeMode.ResizeToContents
        table.horizontalHeader().setSectionResizeMode(resize)
        table.horizontalHeader().setToolTip("Click a title to sort by it")
        table.setSortingEnabled(True)
        table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        table.itemActivated.connect(self._on_chosen)
        return table

    def _show_slide(self) -> None:
        has_slides = self._review.results is not None
        self._back.setEnabled(has_slides)
        self._next.setEnabled(has_slides)
        self._mark_open()
        if self._review.results is None:
            self._words.setText("No result folder is open.")
        else:
            self._look()

    def _look(self) -> None:
        """Read every slide's state beside the window; one look at a time."""
        results = self._review.results
        if results is None or self._is_looking:
            return
        self._is_looking = True

        def found(table: pd.DataFrame) -> None:
            self._is_looking = False
            if results == self._review.results:
                self._show_table(table)
            else:
                self._look()

        def failed() -> None:
            self._is_looking = False
            if results != self._review.results:
                self._look()

        self._review.in_background(
            slides_table, results, done=found, failed=failed, text="Looking at the slides…"
        )

    def _show_table(self, table: pd.DataFrame) -> None:
        self._words.setText(progress(table))
        rows = table.to_dict("records")
        self._table.setSortingEnabled(False)  # a sorted table moves rows while they are filled
        self._table.setRowCount(len(rows))
        self._items.clear()
        for i, about in enumerate(rows):
            for j, entry in enumerate(entries(about)):
                item = _Item(entry, about["path"], TITLES[j] in NUMBERS)
                self._table.setItem(i, j, item)
                self._items.append((about["slide_id"], item))
        for name in ("patient", "group", "reviewer"):
            is_empty = not table[name].astype(bool).any()
            self._table.setColumnHidden(TITLES.index(name.capitalize()), is_empty)
        self._table.setSortingEnabled(True)
        self._mark_open()

    def _mark_open(self) -> None:
        """The open slide is bold, and in view."""
        session = self._review.session
        for slide_id, item in self._items:
            is_open = session is not None and slide_id == session.slide_id
            font = item.font()
            font.setBold(is_open)
            item.setFont(font)
            if is_open and item.column() == 0:
                self._table.scrollToItem(item)

    def _on_chosen(self, item: QTableWidgetItem) -> None:
        path = Path(item.data(PATH))
        session = self._review.session
        if session is None or path != session.result.folder.path:
            self._review.open_slide(path)

    def _on_back(self) -> None:
        self._review.step_slide(-1)

    def _on_next(self) -> None:
        self._review.step_slide(1)

    def _on_open(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "The folder that macprox wrote")
        if chosen:
            self._review.open_results(chosen)


class _Item(QTableWidgetItem):
    """A field that sorts by what it means, not by how it is written."""

    def __init__(self, entry: Entry, path: str, is_number: bool) -> None:
        super().__init__(entry.text)
        self.setToolTip(tip_text(entry.tip))
        self.setData(PATH, path)
        self.setData(ORDER, entry.order)
        if is_number:
            self.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

    def __lt__(self, other: QTableWidgetItem) -> bool:
        return self.data(ORDER) < other.data(ORDER)
