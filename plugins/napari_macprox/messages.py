"""What the window has to say: sentences that stay until they are read, and what is going on."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QFrame, QGridLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from napari_macprox.panels.furniture import button

SIGNS = {"info": "ℹ", "warning": "⚠", "error": "✖", "stop": "✖"}
BARS = {"info": "#4a7fa8", "warning": "#c98a1b", "error": "#b3423a", "stop": "#b3423a"}
INFO_MS = 6000  # a mere remark goes by itself; what needs somebody stays
MAX_SHOWN = 4


class Messages(QWidget):
    """The newest sentences, the last on top."""

    def __init__(self) -> None:
        super().__init__()
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(3)
        self._busy = QLabel("", textFormat=Qt.TextFormat.PlainText)
        self._busy.setVisible(False)
        self._layout.addWidget(self._busy)

    def say(self, text: str, level: str) -> None:
        """Show a sentence; the same one is not shown twice."""
        for there in self._shown():
            if there.text == text:
                return
        note = _Note(text, level)
        self._layout.insertWidget(1, note)
        for old in self._shown()[MAX_SHOWN:]:
            old.leave()
        if level == "info":
            QTimer.singleShot(INFO_MS, note, note.leave)

    def offer(self, text: str, what: str, tip: str, action: Callable[[], object]) -> None:
        """Put a button under a sentence that is shown."""
        for note in self._shown():
            if note.text == text:
                note.put_under(button(what, tip, action))

    def busy(self, text: str) -> None:
        self._busy.setText(f"⏳ {text}")
        self._busy.setVisible(bool(text))

    def texts(self) -> list[str]:
        """What can be read now, newest first."""
        return [note.text for note in self._shown()]

    def clear(self) -> None:
        for note in self._shown():
            note.leave()

    def _shown(self) -> list[_Note]:
        items = (self._layout.itemAt(i) for i in range(self._layout.count()))
        widgets = (item.widget() for item in items if item is not None)
        return [widget for widget in widgets if isinstance(widget, _Note)]


class _Note(QFrame):
    def __init__(self, text: str, level: str) -> None:
        super().__init__()
        self.text = text
        self.setObjectName("note")
        self.setStyleSheet(f"QFrame#note {{ border-left: 4px solid {BARS[level]}; }}")
        self._grid = grid = QGridLayout(self)
        grid.setContentsMargins(8, 4, 2, 4)
        words = QLabel(f"{SIGNS[level]}  {text}")
        words.setTextFormat(Qt.TextFormat.PlainText)  # names from files are no markup
        words.setWordWrap(True)
        words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        close = QToolButton()
        close.setText("×")
        close.setToolTip("Read; put it away")
        close.setAutoRaise(True)
        close.clicked.connect(self.leave)
        grid.addWidget(words, 0, 0)
        grid.addWidget(close, 0, 1, Qt.AlignmentFlag.AlignTop)
        grid.setColumnStretch(0, 1)

    def put_under(self, widget: QWidget) -> None:
        self._grid.addWidget(widget, 1, 0)

    def leave(self) -> None:
        self.setParent(None)
        self.deleteLater()
