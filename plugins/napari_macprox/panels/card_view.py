"""A cell's markers as rows: where it lies among all cells of the slide, and where the cut is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QLayout, QSizePolicy, QToolTip, QWidget

from macprox.phenotype.intensity_axis import Axis
from macprox.pipeline.calling import CalledCells
from macprox.report.numbers import significant_text
from macprox.review.cells.card import CellCard, Reading
from macprox.review.gates.per_cell import values_of
from napari_macprox.palette import accent, faded, legible_font

ROW_PX = 30
N_BINS = 48
NAME_FRAC, WORDS_FRAC = 0.24, 0.30  # of the width, left and right of the histogram


@dataclass(frozen=True)
class Backdrop:
    """One marker in all cells: the axis, and the heights of its histogram (0 to 1)."""

    axis: Axis
    heights: np.ndarray


def backdrops(called: CalledCells, card: CellCard) -> dict[str, Backdrop]:
    """What each reading of a card is drawn on."""
    found = {}
    for reading in card.readings:
        values = values_of(called.cells, called.gates, reading.marker)
        if values is None:
            continue
        ordered = np.sort(values[np.isfinite(values)])
        axis = Axis.of(ordered, reading.gate)
        counts = np.sqrt(axis.counts(ordered, N_BINS))  # a tail of a hundred cells stays visible
        found[reading.marker] = Backdrop(axis, counts / max(float(counts.max()), 1.0))
    return found


def reading_text(reading: Reading) -> str:
    """What a reading says, in a sentence."""
    if not np.isfinite(reading.value):
        return f"{reading.marker} was not measured in this cell."
    sentence = (
        f"{reading.marker}: {significant_text(reading.value)}, brighter than "
        f"{reading.percentile:.0f} % of the slide's cells"
    )
    if not np.isfinite(reading.gate):
        return f"{sentence}; there is no cut."
    verdict = "positive" if reading.positive else "negative"
    return f"{sentence}; {verdict}, as the cut is at {significant_text(reading.gate)}."


class MarkerRows(QWidget):
    """One row a marker: its name, the slide's cells, the cut, this cell."""

    def __init__(self) -> None:
        super().__init__()
        self._readings: tuple[Reading, ...] = ()
        self._behind: dict[str, Backdrop] = {}
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)

    def show_card(self, card: CellCard | None, behind: dict[str, Backdrop]) -> None:
        """Show a cell's readings; None shows nothing."""
        self._readings = () if card is None else card.readings
        self._behind = behind
        self.setVisible(bool(self._readings))
        self.updateGeometry()
        self.update()

    def texts(self) -> list[str]:
        """Every row as a sentence."""
        return [reading_text(reading) for reading in self._readings]

    def sizeHint(self) -> QSize:
        return QSize(320, ROW_PX * len(self._readings))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def mouseMoveEvent(self, event) -> None:
        number = int(event.position().y() // ROW_PX)
        if 0 <= number < len(self._readings):
            text = reading_text(self._readings[number])
            QToolTip.showText(event.globalPosition().toPoint(), text, self)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(legible_font(self))
        for number, reading in enumerate(self._readings):
            self._paint_row(painter, reading, QRectF(0, number * ROW_PX, self.width(), ROW_PX))
        painter.end()

    def _paint_row(self, painter: QPainter, reading: Reading, row: QRectF) -> None:
        left, right = row.width() * NAME_FRAC, row.width() * (1 - WORDS_FRAC)
        plot = QRectF(left, row.top() + 3, right - left - 8, row.height() - 8)
        ink = self.palette().color(self.foregroundRole())
        painter.setPen(ink)
        middle = Qt.AlignmentFlag.AlignVCenter
        name = painter.fontMetrics().elidedText(
            reading.marker, Qt.TextElideMode.ElideRight, int(left - 6)
        )
        painter.drawText(QRectF(0, row.top(), left - 6, row.height()), middle, name)
        sign = "positive" if reading.positive else "negative"
        words = f"{sign}  {reading.percentile:.0f} %" if np.isfinite(reading.percentile) else "–"
        painter.setPen(accent(self.palette()) if reading.positive else faded(self.palette(), 0.75))
        words_box = QRectF(right, row.top(), row.width() - right, row.height())
        painter.drawText(words_box, middle | Qt.AlignmentFlag.AlignRight, words)
        behind = self._behind.get(reading.marker)
        if behind is not None:
            self._paint_histogram(painter, behind, reading, plot, ink)

    def _paint_histogram(
        self, painter: QPainter, behind: Backdrop, reading: Reading, plot: QRectF, ink: QColor
    ) -> None:
        step = plot.width() / len(behind.heights)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(faded(self.palette(), 0.35))
        for i, height in enumerate(behind.heights):
            tall = plot.height() * float(height)
            painter.drawRect(QRectF(plot.left() + i * step, plot.bottom() - tall, step, tall))

        def place(value: float) -> float:
            return plot.left() + plot.width() * float(np.clip(behind.axis.to_position(value), 0, 1))

        if np.isfinite(reading.gate):
            painter.setPen(QPen(ink, 1.2, Qt.PenStyle.DashLine))
            x = place(reading.gate)
            painter.drawLine(QPointF(x, plot.top() - 2), QPointF(x, plot.bottom()))
        if np.isfinite(reading.value):
            x = place(reading.value)
            painter.setPen(QPen(accent(self.palette()), 2.5))
            painter.drawLine(QPointF(x, plot.top() + 4), QPointF(x, plot.bottom()))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(accent(self.palette()))
            top = plot.top() - 2
            painter.drawPolygon(
                QPolygonF([QPointF(x - 5, top), QPointF(x + 5, top), QPointF(x, top + 8)])
            )


def emptied(layout: QLayout) -> QLayout:
    """The layout without its widgets."""
    while layout.count():
        item = layout.takeAt(0)
        widget = None if item is None else item.widget()
        if widget is not None:
            widget.hide()  # it is deleted later, and would be seen until then
            widget.deleteLater()
    return layout
