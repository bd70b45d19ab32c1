"""A small chart that a panel draws itself, with letters that can be read."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QPainter
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_macprox.palette import faded, legible_font


class Chart(QWidget):
    """A picture, or a sentence in its place; it begins with neither."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._says: str | None = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def say(self, text: str) -> None:
        """A sentence in the place of the picture."""
        self._says = text
        self.update()

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(legible_font(self))
        palette = self.palette()
        painter.fillRect(self.rect(), palette.color(palette.ColorRole.Window))
        if self._says is None:
            self._draw(painter)
            return
        painter.setPen(faded(palette, 0.75))
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(self.rect().adjusted(12, 12, -12, -12), int(flags), self._says)

    def _draw(self, painter: QPainter) -> None:
        """The picture, on a clean background."""
        raise NotImplementedError
