"""How a gate's histogram is drawn: bars, axis, the other slides, the proposal, the cut."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen, QPolygonF
from qtpy.QtWidgets import QWidget

from macprox.phenotype.gate_table import SENSITIVITY_FRAC
from macprox.phenotype.intensity_axis import Axis
from macprox.report.numbers import significant_text
from napari_macprox.palette import accent, faded, legible_font

RARE_FRAC = 1 / 6  # positive cells lower than this beside the peak would not be seen
SIDE_PX, TOP_PX = 12, 24


@dataclass(frozen=True)
class Picture:
    """What lies behind the cut.

    Parameters
    ----------
    axis : Axis
    slide : (n_bins,) int
        This slide's cells in equal steps of the axis.
    cohort : (n_bins,) int, optional
        The other slides' cells; drawn as shares, so that the number of slides does not matter.
    proposal : float, optional
        Where the cut goes by a double click.
    """

    axis: Axis
    slide: np.ndarray
    cohort: np.ndarray | None = None
    proposal: float | None = None


@dataclass(frozen=True)
class Heights:
    """Bars between 0 and 1, and whether the highest were cut off to show the others."""

    slide: np.ndarray
    cohort: np.ndarray | None
    is_cut_off: bool


def heights(picture: Picture, gate: float | None) -> Heights:
    """How high the bars are drawn.

    Positive cells are often few: the peak of the negative ones is cut off where they would not
    be seen beside it.
    """
    slide = np.asarray(picture.slide, float)
    share = slide / max(slide.sum(), 1)
    cohort = picture.cohort
    behind = None if cohort is None else np.asarray(cohort, float) / max(np.sum(cohort), 1)
    # The other slides' cells beyond the ends of this slide's axis are piled up in its last bins.
    top = max(share.max(initial=0), 0 if behind is None else behind[1:-1].max(initial=0))
    is_cut_off = False
    if gate is not None:
        first = math.ceil(float(picture.axis.to_position(gate)) * len(share))
        rare = share[max(first, 0) :].max(initial=0)
        is_cut_off = 0 < rare < RARE_FRAC * top
        top = rare / RARE_FRAC if is_cut_off else top
    top = top or 1.0
    above = None if behind is None else np.minimum(behind / top, 1)
    return Heights(np.minimum(share / top, 1), above, bool(is_cut_off))


@dataclass(frozen=True)
class Places:
    """Where values lie on a widget.

    Parameters
    ----------
    axis : Axis
    plot : QRectF
        What the bars fill, in the widget's pixels.
    """

    axis: Axis
    plot: QRectF

    @classmethod
    def on(cls, widget: QWidget, axis: Axis) -> Places:
        """With room for the cut's number above and the axis below."""
        below = QFontMetricsF(legible_font(widget)).height() + 8
        wide, high = widget.width() - 2 * SIDE_PX, widget.height() - TOP_PX - below
        return cls(axis, QRectF(SIDE_PX, TOP_PX, wide, high))

    def x_of(self, value: float) -> float:
        """Pixels from the left."""
        return self.plot.left() + self.plot.width() * float(self.axis.to_position(value))

    def value_at(self, x: float) -> float:
        """The value there, the axis's ends beyond it."""
        position = min(max((x - self.plot.left()) / self.plot.width(), 0.0), 1.0)
        return float(self.axis.to_value(position))


class Drawing:
    """One paint of a histogram: each part is drawn on what is there.

    Parameters
    ----------
    painter : QPainter
    widget : QWidget
        That is painted.
    at : Places
    """

    def __init__(self, painter: QPainter, widget: QWidget, at: Places) -> None:
        self._painter, self._at = painter, at
        self._palette, self._width = widget.palette(), widget.width()

    def bars(self, drawn: Heights, gate: float | None) -> None:
        """This slide's cells, positive ones in colour; the other slides' as a line."""
        plot, palette = self._at.plot, self._palette
        bars = _steps(drawn.slide, plot, closed=True)
        # Upright edges need no smoothing, which would take most of a paint's time.
        self._painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        self._painter.fillPath(bars, faded(palette, 0.38))
        if gate is not None:
            x = self._at.x_of(gate)
            self._painter.save()
            self._painter.setClipRect(QRectF(x, plot.top(), plot.right() - x + 1, plot.height()))
            self._painter.fillPath(bars, accent(palette))
            self._painter.restore()
        if drawn.cohort is not None:
            self._painter.setPen(QPen(faded(palette, 0.72), 1))
            self._painter.drawPath(_steps(drawn.cohort, plot, closed=False))
        self._painter.setRenderHint(QPainter.RenderHint.Antialiasing)

    def axis(self) -> None:
        """As many numbers as there is room for, the highest first."""
        plot, palette = self._at.plot, self._palette
        self._painter.setPen(QPen(faded(palette, 0.6), 1))
        self._painter.drawLine(plot.bottomLeft(), plot.bottomRight())
        metrics = QFontMetricsF(self._painter.font())
        taken = math.inf
        for position, text in reversed(self._at.axis.ticks()):
            x = plot.left() + plot.width() * position
            wide = metrics.horizontalAdvance(text)
            left = min(max(x - wide / 2, 2), self._width - wide - 2)
            self._painter.setPen(QPen(faded(palette, 0.6), 1))
            self._painter.drawLine(QPointF(x, plot.bottom()), QPointF(x, plot.bottom() + 4))
            if left + wide + 6 > taken:
                continue
            taken = left
            self._painter.setPen(faded(palette, 0.85))
            self._painter.drawText(QPointF(left, plot.bottom() + 5 + metrics.ascent()), text)

    def legend(self, drawn: Heights, gate: float | None) -> None:
        """What is drawn how, above the bars on the side away from the cut's number."""
        parts = ["peak cut off"] if drawn.is_cut_off else []
        parts += ["line: other slides"] if drawn.cohort is not None else []
        text = " · ".join(parts)
        to_left = gate is not None and self._at.x_of(gate) > self._width / 2
        side = Qt.AlignmentFlag.AlignLeft if to_left else Qt.AlignmentFlag.AlignRight
        self._painter.setPen(faded(self._palette, 0.72))
        frame = QRectF(SIDE_PX, 0, self._width - 2 * SIDE_PX, TOP_PX - 4)
        self._painter.drawText(frame, int(side | Qt.AlignmentFlag.AlignVCenter), text)

    def proposal(self, proposal: float) -> None:
        """A small triangle below the axis."""
        x, bottom = self._at.x_of(proposal), self._at.plot.bottom()
        corners = [QPointF(x, bottom - 1), QPointF(x - 6, bottom + 9), QPointF(x + 6, bottom + 9)]
        self._painter.setPen(Qt.PenStyle.NoPen)
        self._painter.setBrush(faded(self._palette, 0.6))
        self._painter.drawPolygon(QPolygonF(corners))

    def cut(self, gate: float, is_strong: bool) -> None:
        """The gate, and dotted how it is tested; stronger while keys move it."""
        plot, palette = self._at.plot, self._palette
        ink = palette.color(palette.ColorRole.WindowText)
        dots = QPen(ink, 1.2, Qt.PenStyle.DotLine)
        self._painter.setPen(dots)
        for level in (-SENSITIVITY_FRAC, SENSITIVITY_FRAC):
            x = self._at.x_of(gate + level * abs(gate))
            if plot.left() <= x <= plot.right():
                self._painter.drawLine(QPointF(x, plot.top() + 2), QPointF(x, plot.bottom()))
        x = self._at.x_of(gate)
        self._painter.setPen(QPen(ink, 2.4 if is_strong else 1.8))
        self._painter.drawLine(QPointF(x, TOP_PX - 4), QPointF(x, plot.bottom()))
        self._number(x, significant_text(gate), ink)

    def _number(self, x: float, text: str, ink: QColor) -> None:
        """The cut's value on a tag that is also its handle."""
        font = QFont(self._painter.font())
        font.setBold(True)
        self._painter.setFont(font)
        wide = QFontMetricsF(font).horizontalAdvance(text) + 12
        left = min(max(x - wide / 2, 1), self._width - wide - 1)
        tag = QRectF(left, 1, wide, TOP_PX - 4)
        self._painter.setPen(Qt.PenStyle.NoPen)
        self._painter.setBrush(ink)
        self._painter.drawRoundedRect(tag, 4, 4)
        self._painter.setPen(self._palette.color(self._palette.ColorRole.Window))
        self._painter.drawText(tag, int(Qt.AlignmentFlag.AlignCenter), text)


def _steps(levels: np.ndarray, plot: QRectF, closed: bool) -> QPainterPath:
    """Bars side by side as one outline; seams between single bars would shine through."""
    path = QPainterPath(plot.bottomLeft())
    wide = plot.width() / len(levels)
    for i, level in enumerate(levels.tolist()):
        y = plot.bottom() - level * (plot.height() - 2)
        path.lineTo(plot.left() + i * wide, y)
        path.lineTo(plot.left() + (i + 1) * wide, y)
    path.lineTo(plot.bottomRight())
    if closed:
        path.closeSubpath()
    return path
