"""The axis on which a marker's intensities are looked at: arcsinh, a log axis that has a zero."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

SHOWN_PERCENTILES = (0.05, 99.95)  # a handful of clumps would squeeze everything else to the left
LEAST_KNEE = 1e-9
TICK_GAP = 0.12  # of the axis; nearer, and one label is printed over the next
_DECADES = 10.0 ** np.arange(-4, 8)
_STEPS = np.outer(_DECADES, (1, 2, 5)).ravel()


@dataclass(frozen=True)
class Axis:
    """From intensities to places between 0 (left) and 1 (right), and back.

    Parameters
    ----------
    low, high : float
        Intensities at the two ends; ``low < high``.
    knee : float
        Linear below, logarithmic above: as a cytometrist would look.
    """

    low: float
    high: float
    knee: float

    @classmethod
    def of(cls, values: ArrayLike, gate: float | None = None) -> Axis:
        """The axis that shows these cells, and the gate if there is one.

        Parameters
        ----------
        values : (n,) float
            Finite, any order, perhaps none.
        gate : float, optional
            None and NaN are no gate.
        """
        values = np.asarray(values, dtype=float)
        low, high, quarter = 0.0, 1.0, 0.0
        if values.size:
            low, high = (float(p) for p in np.percentile(values, SHOWN_PERCENTILES))
            quarter = float(np.percentile(np.abs(values), 25))
        if gate is not None and np.isfinite(gate):
            low, high = min(low, 0.85 * gate, 1.15 * gate), max(high, 0.85 * gate, 1.15 * gate)
        if not low < high:  # every cell has the same value
            low, high = low - 0.5 * abs(low or 1.0), high + 0.5 * abs(high or 1.0)
        return cls(low, high, max(quarter, high / 2000, LEAST_KNEE))

    def to_position(self, value: ArrayLike) -> np.ndarray:
        """Place of each intensity: 0 at the left end, 1 at the right; beyond them outside."""
        t = np.arcsinh(np.asarray(value, dtype=float) / self.knee)
        return (t - self._left) / (self._right - self._left)

    def to_value(self, position: ArrayLike) -> np.ndarray:
        """Intensity at each place; the inverse of `to_position`."""
        t = self._left + np.asarray(position, dtype=float) * (self._right - self._left)
        return self.knee * np.sinh(t)

    def counts(self, ordered: np.ndarray, n_bins: int) -> np.ndarray:
        """Cells in bins of equal width on the axis: ``(n_bins,)`` int64.

        Parameters
        ----------
        ordered : (n,) float
            Increasing. What lies beyond the ends is counted in the outermost bins.
        n_bins : int
        """
        inner = self.to_value(np.linspace(0, 1, n_bins + 1)[1:-1])
        below = np.searchsorted(ordered, inner, side="left")
        return np.diff(np.concatenate([[0], below, [len(ordered)]]))

    def ticks(self) -> list[tuple[float, str]]:
        """Round intensities, left to right, far enough apart to be printed: (position, text)."""
        kept: list[tuple[float, str]] = []
        for value in self._round()[::-1].tolist():
            at = float(self.to_position(value))
            if not kept or kept[-1][0] - at > TICK_GAP:
                kept.append((at, _text(value)))
        return kept[::-1]

    def _round(self) -> np.ndarray:
        """Zero and powers of ten inside the axis, or rounder numbers the less it spans."""
        low, high = self.low, self.high
        inside = _between(_DECADES, max(low, high / 3000), high)
        if inside.size < 2:
            inside = _between(_STEPS, max(low, high / 50), high)[-4:]
        if inside.size < 2 and (low > 0 or high < 0):
            step = 10.0 ** np.floor(np.log10(high - low))
            inside = step * np.arange(np.ceil(low / step), np.floor(high / step) + 1)
        return np.concatenate([[0.0], inside]) if low <= 0 <= high else inside

    @property
    def _left(self) -> float:
        return float(np.arcsinh(self.low / self.knee))

    @property
    def _right(self) -> float:
        return float(np.arcsinh(self.high / self.knee))


def _between(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return values[(low < values) & (values < high)]


def _text(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}".replace("-", "−")
