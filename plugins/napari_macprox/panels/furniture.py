"""What all panels are built of, so that they look alike: headings, sentences, buttons."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from napari.settings import get_settings
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_macprox.palette import SMALLEST_PT

GAP_PX = 8


def column(panel: QWidget) -> QVBoxLayout:
    """The panel's layout, top to bottom; its letters are never below 10 pt."""
    size_pt = max(SMALLEST_PT, float(get_settings().appearance.font_size))
    panel.setStyleSheet(
        f"* {{ font-size: {size_pt:g}pt; }} QPushButton {{ padding: 5px 8px; }}"
        "QTableView::indicator { width: 13px; height: 13px; border: 1px solid #8a94a0; }"
        "QTableView::indicator:checked { background: #4560c4; }"
        "QToolTip { padding: 4px; } QTreeView::item, QTableView::item { padding: 3px 2px; }"
    )
    layout = QVBoxLayout(panel)
    layout.setContentsMargins(GAP_PX, GAP_PX, GAP_PX, GAP_PX)
    layout.setSpacing(GAP_PX)
    return layout


def row(*widgets: QWidget) -> QHBoxLayout:
    """Side by side, without margins."""
    layout = QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(GAP_PX)
    for widget in widgets:
        layout.addWidget(widget)
    return layout


def heading(text: str = "") -> QLabel:
    label = sentence(text)
    label.setStyleSheet("font-weight: bold;")
    return label


def sentence(text: str = "") -> QLabel:
    """Words that wrap and can be copied; names from files are no markup."""
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    return label


def tip_text(words: str) -> str:
    """Words for a tooltip, which would take what looks like markup for markup."""
    if "<" not in words:
        return words
    return f"<qt>{escape(words, quote=False)}</qt>".replace("\n", "<br>")


def button(text: str, tip: str, clicked: Callable[[], object]) -> QPushButton:
    made = QPushButton(text)
    made.setToolTip(tip_text(tip))
    made.clicked.connect(lambda: clicked())
    return made


def swatch(colour: str) -> QIcon:
    """A square of one colour."""
    square = QPixmap(14, 14)
    square.fill(QColor(colour))
    return QIcon(square)
