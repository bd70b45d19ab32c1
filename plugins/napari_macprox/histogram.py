"""A marker's histogram with its cut: the cut is taken by the mouse or moved by the arrow keys."""

from __future__ import annotations

import math

from qtpy.QtCore import QSize, Qt, QTimer, Signal
from qtpy.QtGui import QPainter
from qtpy.QtWidgets import QWidget

from macprox.phenotype.intensity_axis import Axis
from napari_macprox.chart import Chart
from napari_macprox.histogram_picture import Drawing, Heights, Picture, Places, heights

GRAB_PX = 12  # so near the line a press takes it without moving it
MOVED_PX = 3  # less is a click, and a click anywhere else decides nothing
FINE_STEP = 1 / 400  # of the axis: about one screen pixel
COARSE_STEP = 1 / 40
KEY_PAUSE_MS = 600  # arrow keys are one decision until they rest this long


def stepped(axis: Axis, gate: float, step: float) -> float:
    """The gate moved by a share of the axis, not beyond its ends."""
    return float(axis.to_value(min(max(float(axis.to_position(gate)) + step, 0.0), 1.0)))


class GateHistogram(Chart):
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
        self._pressed_x: float | None = None
        self._offset = 0.0
        self._is_dragging = False
        self._resting = QTimer(self, singleShot=True, interval=KEY_PAUSE_MS)
        self._resting.timeout.connect(self._settle)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
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
        self._picture, self._says = picture, None
        self._is_dragging, self._pressed_x = False, None
        self._gate = self._settled = gate if gate is not None and math.isfinite(gate) else None
        self._heights = heights(picture, self._gate)
        self.update()

    def say(self, text: str) -> None:
        """A sentence in the place of the histogram."""
        self._resting.stop()
        self._picture = None
        super().say(text)

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
        if self._picture is None:
            return
        if self._is_dragging or abs(x - self._pressed_x) >= MOVED_PX:
            self._is_dragging = True
            self._move_to(self._places(self._picture).value_at(x - self._offset))

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

    # Places and the picture.

    def x_of(self, value: float) -> float | None:
        """Where a value lies, in pixels from the left; None while there is no axis."""
        return None if self._picture is None else self._places(self._picture).x_of(value)

    def _gate_x(self) -> float | None:
        return None if self._gate is None else self.x_of(self._gate)

    def _places(self, picture: Picture) -> Places:
        return Places.on(self, picture.axis)

    def _draw(self, painter: QPainter) -> None:
        if self._picture is None or self._heights is None:
            return
        drawing = Drawing(painter, self, self._places(self._picture))
        drawing.bars(self._heights, self._gate)
        drawing.axis()
        drawing.legend(self._heights, self._gate)
        if self._picture.proposal is not None and math.isfinite(self._picture.proposal):
            drawing.proposal(self._picture.proposal)
        if self._gate is not None:
            drawing.cut(self._gate, self.hasFocus())
