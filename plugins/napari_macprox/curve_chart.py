"""One curve against what chance gives: a line over a band."""

from __future__ import annotations

import math

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QWidget

from macprox.review.question.answer import Curve
from napari_macprox.chart import Chart
from napari_macprox.palette import faded

LEFT_PX, RIGHT_PX, TOP_PX = 52, 14, 10
OBSERVED = "seen on this slide"
KEY_PX = 22  # the sample of line or band in the key


class CurveChart(Chart):
    """What was seen within each distance, and the band that random arrangements fill."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._curve: Curve | None = None
        self._y_title, self._band_name = "", ""
        self._colour = QColor()
        self._radius_um = math.nan
        self._is_old = False
        self.setMinimumSize(240, 250)

    def sizeHint(self) -> QSize:
        return QSize(340, 280)

    def show_curve(
        self, curve: Curve, colour: str, y_title: str, band_name: str, radius_um: float
    ) -> None:
        """Show a curve.

        Parameters
        ----------
        curve : Curve
        colour : str
            Of the line.
        y_title : str
            What the shares are shares of; stands above the chart.
        band_name : str
        radius_um : float
            The distance that the headline speaks of.
        """
        self._curve, self._colour, self._says = curve, QColor(colour), None
        self._y_title, self._band_name, self._radius_um = y_title, band_name, radius_um
        self.setAccessibleName(f"{y_title}; the line over the band of {band_name}")
        self.update()

    def show_age(self, is_old: bool) -> None:
        """Fade what is being computed again."""
        self._is_old = is_old
        self.update()

    def _draw(self, painter: QPainter) -> None:
        if self._curve is None:
            return
        painter.setOpacity(0.45 if self._is_old else 1.0)
        below = self._draw_words(painter)
        line = QFontMetricsF(painter.font()).height()
        plot = QRectF(
            LEFT_PX, below + TOP_PX, self.width() - LEFT_PX - RIGHT_PX,
            self.height() - below - TOP_PX - 2 * line - 12,
        )  # fmt: skip
        top = share_range(self._curve)
        self._draw_axes(painter, plot, self._curve, top)
        self._draw_curve(painter, plot, self._curve, top)

    def _draw_words(self, painter: QPainter) -> float:
        """The title of the shares and the key; where they end."""
        palette, metrics = self.palette(), QFontMetricsF(painter.font())
        flags = int(Qt.TextFlag.TextWordWrap)
        wide = QRectF(4, 2, self.width() - 8, 200)
        title = metrics.boundingRect(wide, flags, self._y_title)
        painter.setPen(palette.color(palette.ColorRole.WindowText))
        painter.drawText(wide, flags, self._y_title)
        y = title.bottom() + 6
        for name, is_band in ((OBSERVED, False), (self._band_name, True)):
            if not name:
                continue
            middle = y + metrics.height() / 2
            if is_band:
                painter.fillRect(QRectF(6, middle - 5, KEY_PX, 10), faded(palette, 0.25))
                painter.setPen(QPen(faded(palette, 0.65), 1.3, Qt.PenStyle.DashLine))
            else:
                painter.setPen(QPen(self._line_colour(), 2.4))
            painter.drawLine(QPointF(6, middle), QPointF(6 + KEY_PX, middle))
            painter.setPen(palette.color(palette.ColorRole.WindowText))
            room = QRectF(14 + KEY_PX, y, self.width() - KEY_PX - 18, 200)
            painter.drawText(room, flags, name)
            y = metrics.boundingRect(room, flags, name).bottom() + 3
        return y

    def _draw_axes(self, painter: QPainter, plot: QRectF, curve: Curve, top: float) -> None:
        palette, metrics = self.palette(), QFontMetricsF(painter.font())
        ink = palette.color(palette.ColorRole.WindowText)
        for share in share_ticks(top):
            y = plot.bottom() - plot.height() * share / top
            painter.setPen(QPen(faded(palette, 0.18), 1))
            painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))
            text = f"{100 * share:g}\u00a0%"
            painter.setPen(ink)
            at = QPointF(
                plot.left() - metrics.horizontalAdvance(text) - 6, y + metrics.ascent() / 3
            )
            painter.drawText(at, text)
        reach = float(curve.r_um[-1])
        for r_um in distance_ticks(reach):
            x = plot.left() + plot.width() * r_um / reach
            text = f"{r_um:g}"
            half = metrics.horizontalAdvance(text) / 2
            painter.setPen(ink)
            painter.drawText(QPointF(x - half, plot.bottom() + 4 + metrics.ascent()), text)
        title = QRectF(plot.left(), plot.bottom() + metrics.height() + 6, plot.width(), 40)
        painter.drawText(title, int(Qt.AlignmentFlag.AlignHCenter), "distance (µm)")
        if math.isfinite(self._radius_um) and self._radius_um <= reach:
            x = plot.left() + plot.width() * self._radius_um / reach
            painter.setPen(QPen(faded(palette, 0.5), 1, Qt.PenStyle.DotLine))
            painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))
        painter.setPen(QPen(faded(palette, 0.6), 1))
        painter.drawLine(plot.bottomLeft(), plot.bottomRight())

    def _draw_curve(self, painter: QPainter, plot: QRectF, curve: Curve, top: float) -> None:
        palette = self.palette()
        reach = float(curve.r_um[-1])

        def line(shares: np.ndarray) -> list[QPointF]:
            xs = plot.left() + plot.width() * np.asarray(curve.r_um) / reach
            ys = plot.bottom() - plot.height() * np.clip(shares, 0, top) / top
            kept = np.isfinite(ys)
            return [
                QPointF(x, y) for x, y in zip(xs[kept].tolist(), ys[kept].tolist(), strict=True)
            ]

        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(faded(palette, 0.25))  # an empty band, where there is none, draws nothing
        painter.drawPolygon(QPolygonF([*line(curve.low), *reversed(line(curve.high))]))
        painter.setPen(QPen(faded(palette, 0.65), 1.3, Qt.PenStyle.DashLine))
        painter.drawPolyline(QPolygonF(line(curve.expected)))
        painter.setPen(QPen(self._line_colour(), 2.4))
        painter.drawPolyline(QPolygonF(line(curve.observed)))

    def _line_colour(self) -> QColor:
        """The class's colour, lighter on a dark window where it would sink into it."""
        back = self.palette().color(self.palette().ColorRole.Window)
        colour = QColor(self._colour)
        while abs(_luminance(colour) - _luminance(back)) < 0.25 and _luminance(back) < 0.5:
            colour = colour.lighter(120)
        return colour


def share_range(curve: Curve) -> float:
    """The highest share that is drawn: a round number above everything."""
    curves = (curve.observed, curve.expected, curve.high)
    highest = max((float(np.nanmax(c)) for c in curves if np.isfinite(c).any()), default=1.0)
    return next((top for top in (0.05, 0.1, 0.2, 0.4, 0.6, 0.8) if highest <= top), 1.0)


def share_ticks(top: float) -> list[float]:
    """Four steps of a round range, and zero."""
    return [round(top * i / 4, 6) for i in range(5)]


def distance_ticks(reach_um: float) -> list[float]:
    """Round distances, at most six."""
    steps = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000)
    step = next((s for s in steps if reach_um / s <= 5), steps[-1])
    return [float(r) for r in np.arange(0, reach_um + 1e-9, step)]


def _luminance(colour: QColor) -> float:
    return 0.2126 * colour.redF() + 0.7152 * colour.greenF() + 0.0722 * colour.blueF()
