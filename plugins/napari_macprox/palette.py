"""Colours and letters of what the panels draw themselves, in light windows and in dark ones."""

from __future__ import annotations

from qtpy.QtGui import QColor, QFont, QPalette
from qtpy.QtWidgets import QWidget

from macprox.report import style

SMALLEST_PT = 10.0
DARK_ACCENT = "#45b0dd"  # the report's accent, as bright against black as that is dark on white


def is_dark(palette: QPalette) -> bool:
    return palette.color(QPalette.ColorRole.Window).lightness() < 128


def accent(palette: QPalette) -> QColor:
    """The report's one colour."""
    return QColor(DARK_ACCENT if is_dark(palette) else style.ACCENT)


def faded(palette: QPalette, strength: float) -> QColor:
    """Between the background (0) and the colour of the text (1)."""
    back = palette.color(QPalette.ColorRole.Window)
    ink = palette.color(QPalette.ColorRole.WindowText)
    pairs = (
        (back.red(), ink.red()),
        (back.green(), ink.green()),
        (back.blue(), ink.blue()),
    )
    red, green, blue = (round(b + strength * (i - b)) for b, i in pairs)
    return QColor(red, green, blue)


def legible_font(widget: QWidget) -> QFont:
    """The widget's font, but never below 10 pt."""
    font = QFont(widget.font())
    if font.pointSizeF() < SMALLEST_PT:
        font.setPointSizeF(SMALLEST_PT)
    return font
