"""A pathologist's hands: the mouse on the image, the mouse on a panel, the keyboard."""

from __future__ import annotations

from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton, QApplication, QLabel, QWidget

from napari_macprox.desk import Desk, desk_in
from napari_macprox.histogram import GateHistogram

LEFT = Qt.MouseButton.LeftButton
PATIENCE_MS = 60_000


class Pathologist:
    """Somebody at a window.

    Parameters
    ----------
    viewer : napari.Viewer
    qtbot : QtBot
    """

    def __init__(self, viewer, qtbot) -> None:
        self.viewer, self.qtbot = viewer, qtbot
        self.desk: Desk = desk_in(viewer)
        self.review = self.desk.review
        self.canvas: QWidget = viewer.window._qt_viewer.canvas.native

    def open(self, results) -> None:
        """Drop a result folder on the window."""
        with self.qtbot.waitSignal(self.review.answered, timeout=PATIENCE_MS):
            self.viewer.open(str(results), plugin="macprox")
        self.look()

    def look(self) -> None:
        """Wait until everything is drawn."""
        for _ in range(3):
            QApplication.processEvents()
            self.viewer.screenshot(canvas_only=True, flash=False)

    def wait(self) -> None:
        """Until nothing goes on beside the window."""
        self.qtbot.waitUntil(self._is_at_rest, timeout=PATIENCE_MS)

    def _is_at_rest(self) -> bool:
        QApplication.processEvents()
        return not self.review.is_busy

    def read(self) -> str:
        """Every sentence that stands in the window now."""
        return " ".join(label.text() for label in self.desk.messages.findChildren(QLabel))

    def answered(self):
        """A block after which the window's numbers follow what was done in it."""
        return self.qtbot.waitSignal(self.review.answered, timeout=PATIENCE_MS)

    # The panels.

    def press(self, panel: QWidget, text: str) -> None:
        """Click the button that begins with this text."""
        buttons = [
            button
            for button in panel.findChildren(QAbstractButton)
            if button.text().strip().startswith(text) and button.isVisible()
        ]
        assert buttons, f"no button {text!r}"
        assert buttons[0].isEnabled(), f"{text!r} is grey"
        self.qtbot.mouseClick(buttons[0], LEFT)

    def type(self, box: QWidget, text: str) -> None:
        box.setFocus()
        self.qtbot.keyClicks(box, text)

    def drag_gate(self, histogram: GateHistogram, to: float) -> None:
        """Take the cut and carry it to a value."""
        middle = histogram.height() // 2
        start = QPoint(round(histogram.x_of(histogram.gate)), middle)
        end = QPoint(round(histogram.x_of(to)), middle)
        self.qtbot.mousePress(histogram, LEFT, pos=start)
        for part in (0.3, 0.6, 0.9, 1.0):
            x = round(start.x() + part * (end.x() - start.x()))
            self.qtbot.mouseMove(histogram, QPoint(x, middle))
        self.qtbot.mouseRelease(histogram, LEFT, pos=end)

    # The image.

    def click_image(self, x_um: float, y_um: float, double: bool = False) -> None:
        place = self._on_canvas(x_um, y_um)
        QTest.mouseMove(self.canvas, place)
        if double:
            QTest.mouseDClick(self.canvas, LEFT, pos=place)
        else:
            QTest.mouseClick(self.canvas, LEFT, pos=place)
        QApplication.processEvents()

    def key(self, key) -> None:
        self.canvas.setFocus()
        QTest.keyClick(self.canvas, key)
        QApplication.processEvents()

    def _on_canvas(self, x_um: float, y_um: float) -> QPoint:
        camera = self.viewer.scene.camera
        width, height = self.canvas.width(), self.canvas.height()
        _, centre_y, centre_x = camera.center
        return QPoint(
            round(width / 2 + (x_um - centre_x) * camera.zoom),
            round(height / 2 + (y_um - centre_y) * camera.zoom),
        )
