"""A marker's histogram with its cut: the cut is taken by the mouse or moved by the arrow keys."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from macprox.phenotype.gate_table import SENSITIVITY_FRAC
from macprox.phenotype.intensity_axis import Axis
from macprox.report.numbers import significant_text
from napari_macprox.palette import accent, faded, legible_font

GRAB_PX = 12  # so near the line a press takes it without moving it
MOVED_PX = 3  # less is a click, and a click anywhere else decides nothing
FINE_STEP = 1 / 400  # of the axis: about one screen pixel
COARSE_STEP = 1 / 40
KEY_PAUSE_MS = 600  # arrow keys are one decision until they rest this long
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


def stepped(axis: Axis, gate: float, step: float) -> float:
    """The gate moved by a share of the axis, not beyond its ends."""
    return float(axis.to_value(min(max(float(axis.to_position(gate)) + step, 0.0), 1.0)))


class GateHistogram(QWidget):
    """The histogram of one marker.

    Signals
    -------
    dragged : float
        The cut at every step while it moves.
    released : float
        The cut where it was left; not sent if it stands where it stood.
    reset :
        Double click: back to the proposal.
    """

    dragged = Signal(float)
    released = Signal(float)
    reset = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._picture: Picture | None = None
        self._heights: Heights | None = None
        self._gate: float | None = None
        self._settled: float | None = None
        self._says = ""
        self._pressed_x: float | None = None
        self._offset = 0.0
        self._is_dragging = False
        self._resting = QTimer(self, singleShot=True, interval=KEY_PAUSE_MS)
        self._resting.timeout.connect(self._settle)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setMinimumSize(220, 190)
        self.setAccessibleName("Histogram of cells with the gate")
        self.setToolTip(
            "Cells by intensity; those right of the line are positive.\n"
            "Drag the line to move the gate. ← and → move it finely, with Shift in larger steps.\n"
            "Double-click: back to the proposal (small grey triangle).\n"
            "Dotted lines: the gate 10 % lower and 10 % higher."
        )

    def sizeHint(self) -> QSize:
        return QSize(340, 210)

    @property
    def gate(self) -> float | None:
        return self._gate

    @property
    def is_held(self) -> bool:
        """The cut is being moved, by mouse or keys, and not decided yet."""
        return self._is_dragging or self._resting.isActive()

    def show_picture(self, picture: Picture, gate: float | None) -> None:
        """Show other cells, or the same with a gate that was decided elsewhere."""
        self._resting.stop()
        self._picture, self._says = picture, ""
        self._is_dragging, self._pressed_x = False, None
        self._gate = self._settled = gate if gate is not None and math.isfinite(gate) else None
        self._heights = heights(picture, self._gate)
        self.update()

    def say(self, text: str) -> None:
        """A sentence in the place of the histogram."""
        self._resting.stop()
        self._picture, self._says = None, text
        self.update()

    def flush(self) -> None:
        """Decide now what the arrow keys left open."""
        if self._resting.isActive():
            self._settle()

    # The mouse and the keys.

    def mousePressEvent(self, event) -> None:
        if self._picture is None or event.button() != Qt.MouseButton.LeftButton:
            return
        x = event.position().x()
        self._pressed_x = x
        at = self._gate_x()
        # A line taken beside its middle must not jump under the mouse.
        self._offset = x - at if at is not None and abs(x - at) <= GRAB_PX else 0.0

    def mouseMoveEvent(self, event) -> None:
        x = event.position().x()
        if self._pressed_x is None:
            at = self._gate_x()
            near = at is not None and abs(x - at) <= GRAB_PX
            shape = Qt.CursorShape.SplitHCursor if near else Qt.CursorShape.ArrowCursor
            self.setCursor(shape)
            return
        if self._is_dragging or abs(x - self._pressed_x) >= MOVED_PX:
            self._is_dragging = True
            self._move_to(self._value_at(x - self._offset))

    def mouseReleaseEvent(self, event) -> None:
        was_dragging, self._is_dragging, self._pressed_x = self._is_dragging, False, None
        if was_dragging:
            self._settle()

    def mouseDoubleClickEvent(self, event) -> None:
        if self._picture is not None and event.button() == Qt.MouseButton.LeftButton:
            self._resting.stop()
            self.reset.emit()

    def keyPressEvent(self, event) -> None:
        direction = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(event.key())
        if direction is None or self._picture is None or self._gate is None:
            super().keyPressEvent(event)
            return
        is_coarse = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        step = direction * (COARSE_STEP if is_coarse else FINE_STEP)
        self._move_to(stepped(self._picture.axis, self._gate, step))
        self._resting.start()

    def focusInEvent(self, event) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event) -> None:
        self.flush()
        super().focusOutEvent(event)
        self.update()

    def _move_to(self, gate: float) -> None:
        if gate != self._gate:
            self._gate = gate
            self.update()
            self.dragged.emit(gate)

    def _settle(self) -> None:
        self._resting.stop()
        if self._gate is not None and self._gate != self._settled:
            self._settled = self._gate
            self.released.emit(self._gate)

    # Places.

    def _plot(self) -> QRectF:
        below = QFontMetricsF(legible_font(self)).height() + 8
        return QRectF(SIDE_PX, TOP_PX, self.width() - 2 * SIDE_PX, self.height() - TOP_PX - below)

    def _x_of(self, value: float) -> float:
        assert self._picture is not None
        plot = self._plot()
        return plot.left() + plot.width() * float(self._picture.axis.to_position(value))

    def _gate_x(self) -> float | None:
        if self._picture is None or self._gate is None:
            return None
        return self._x_of(self._gate)

    def _value_at(self, x: float) -> float:
        assert self._picture is not None
        plot = self._plot()
        position = min(max((x - plot.left()) / plot.width(), 0.0), 1.0)
        return float(self._picture.axis.to_value(position))

    # The picture.

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(legible_font(self))
        palette = self.palette()
        painter.fillRect(self.rect(), palette.color(palette.ColorRole.Window))
        if self._picture is None or self._heights is None:
            painter.setPen(faded(palette, 0.75))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(12, 12, -12, -12), int(flags), self._says)
            return
        self._draw_bars(painter, self._heights)
        self._draw_axis(painter, self._picture)
        self._draw_legend(painter, self._heights)
        if self._picture.proposal is not None and math.isfinite(self._picture.proposal):
            self._draw_proposal(painter, self._picture.proposal)
        if self._gate is not None:
            self._draw_cut(painter, self._gate)

    def _draw_bars(self, painter: QPainter, drawn: Heights) -> None:
        plot, palette = self._plot(), self.palette()
        bars = _steps(drawn.slide, plot, closed=True)
        # Upright edges need no smoothing, which would take most of a paint's time.
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.fillPath(bars, faded(palette, 0.38))
        x = self._gate_x()
        if x is not None:
            painter.save()
            painter.setClipRect(QRectF(x, plot.top(), plot.right() - x + 1, plot.height()))
            painter.fillPath(bars, accent(palette))
            painter.restore()
        if drawn.cohort is not None:
            painter.setPen(QPen(faded(palette, 0.72), 1))
            painter.drawPath(_steps(drawn.cohort, plot, closed=False))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)

    def _draw_axis(self, painter: QPainter, picture: Picture) -> None:
        plot, palette = self._plot(), self.palette()
        painter.setPen(QPen(faded(palette, 0.6), 1))
        painter.drawLine(plot.bottomLeft(), plot.bottomRight())
        metrics = QFontMetricsF(painter.font())
        taken = math.inf
        for position, text in reversed(picture.axis.ticks()):
            x = plot.left() + plot.width() * position
            wide = metrics.horizontalAdvance(text)
            left = min(max(x - wide / 2, 2), self.width() - wide - 2)
            painter.setPen(QPen(faded(palette, 0.6), 1))
            painter.drawLine(QPointF(x, plot.bottom()), QPointF(x, plot.bottom() + 4))
            if left + wide + 6 > taken:
                continue
            taken = left
            painter.setPen(faded(palette, 0.85))
            painter.drawText(QPointF(left, plot.bottom() + 5 + metrics.ascent()), text)

    def _draw_legend(self, painter: QPainter, drawn: Heights) -> None:
        """What is drawn how, above the bars on the side away from the cut's number."""
        parts = ["peak cut off"] if drawn.is_cut_off else []
        parts += ["line: other slides"] if drawn.cohort is not None else []
        text = " · ".join(parts)
        x = self._gate_x()
        to_left = x is not None and x > self.width() / 2
        side = Qt.AlignmentFlag.AlignLeft if to_left else Qt.AlignmentFlag.AlignRight
        painter.setPen(faded(self.palette(), 0.72))
        frame = QRectF(SIDE_PX, 0, self.width() - 2 * SIDE_PX, TOP_PX - 4)
        painter.drawText(frame, int(side | Qt.AlignmentFlag.AlignVCenter), text)

    def _draw_proposal(self, painter: QPainter, proposal: float) -> None:
        x, bottom = self._x_of(proposal), self._plot().bottom()
        corners = [QPointF(x, bottom - 1), QPointF(x - 6, bottom + 9), QPointF(x + 6, bottom + 9)]
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(faded(self.palette(), 0.6))
        painter.drawPolygon(QPolygonF(corners))

    def _draw_cut(self, painter: QPainter, gate: float) -> None:
        plot, palette = self._plot(), self.palette()
        ink = palette.color(palette.ColorRole.WindowText)
        dots = QPen(ink, 1.2, Qt.PenStyle.DotLine)
        painter.setPen(dots)
        for level in (-SENSITIVITY_FRAC, SENSITIVITY_FRAC):
            x = self._x_of(gate + level * abs(gate))
            if plot.left() <= x <= plot.right():
                painter.drawLine(QPointF(x, plot.top() + 2), QPointF(x, plot.bottom()))
        x = self._x_of(gate)
        painter.setPen(QPen(ink, 2.4 if self.hasFocus() else 1.8))
        painter.drawLine(QPointF(x, TOP_PX - 4), QPointF(x, plot.bottom()))
        self._draw_number(painter, x, significant_text(gate), ink)

    def _draw_number(self, painter: QPainter, x: float, text: str, ink: QColor) -> None:
        """The cut's value on a tag that is also its handle."""
        font = QFont(painter.font())
        font.setBold(True)
        painter.setFont(font)
        wide = QFontMetricsF(font).horizontalAdvance(text) + 12
        left = min(max(x - wide / 2, 1), self.width() - wide - 1)
        tag = QRectF(left, 1, wide, TOP_PX - 4)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ink)
        painter.drawRoundedRect(tag, 4, 4)
        painter.setPen(self.palette().color(self.palette().ColorRole.Window))
        painter.drawText(tag, int(Qt.AlignmentFlag.AlignCenter), text)


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
