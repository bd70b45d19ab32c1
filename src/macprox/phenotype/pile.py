"""Values piled up on the minimum: counts that are zero, differences that were clipped there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

MIN_PILE_FRAC = 0.02  # fewer cells than this on one value are not a pile
# Share of the other values in the lower half of (minimum, median]: 0.5 where the density is flat
# there, 0.53 for the upper half of Gaussian noise, 0.17 for a lognormal population of its own.
APART_FRAC = 0.42
# Nearly flat counts as apart too where the interquartile range is below this many medians; the
# upper half of Gaussian noise has 1.2, of noise clipped half a standard deviation lower 1.1.
FLAT_FRAC, NARROW = 0.48, 1.02
# With this few values above it, the pile is no longer spread as the lower half of noise.
MAX_CLIPPED_FRAC = 0.75
# Steps between the smallest values are artefacts of counting: the scale must be linear there.
LINEAR_STEPS = 4.0
_HALF_NORMAL_PEAK = np.sqrt(np.pi / 2)


@dataclass(frozen=True)
class Pile:
    """Cells that share the minimum.

    Parameters
    ----------
    low : float
        The minimum.
    n, n_above : int
        Cells on it and above it.
    apart : bool
        The density above the pile rises first: what lies there is another population.
    step, tenth : float
        The 5 % and 10 % quantiles of the values above, from ``low``.
    half : float
        Their median, from ``low``.
    """

    low: float
    n: int
    n_above: int
    apart: bool
    step: float
    tenth: float
    half: float

    @property
    def frac(self) -> float:
        """Share of cells in the pile; 0 where there is none worth the name."""
        share = self.n / (self.n + self.n_above)
        return share if share >= MIN_PILE_FRAC else 0.0

    @property
    def min_cofactor(self) -> float:
        """The smallest arcsinh cofactor that does not tear the lowest values apart."""
        return 0.0 if self.apart or not self.frac else LINEAR_STEPS * self.step

    def spread(self, ordered: np.ndarray) -> np.ndarray:
        """Sorted values with the pile spread below the minimum, as half a Gaussian.

        Left on one value the pile is a component without width. Where it is noise that was
        clipped, the half-Gaussian continues the density just above it; otherwise it is narrow.
        """
        if not self.frac:
            return ordered
        if self.apart or self.frac > MAX_CLIPPED_FRAC:
            sd = self.tenth / 4
        else:
            sd = self.n * self.tenth / (0.1 * self.n_above * _HALF_NORMAL_PEAK)
        below = self.low + sd * ndtri((np.arange(self.n) + 0.5) / (2 * self.n))
        return np.concatenate([below, ordered[self.n :]])


def find_pile(ordered: np.ndarray) -> Pile:
    """The pile at the minimum of ``(n,)`` sorted values that are not all equal."""
    low = float(ordered[0])
    n = int(np.searchsorted(ordered, low, side="right"))
    above = ordered[n:] - low
    step, tenth, half = np.quantile(above, (0.05, 0.1, 0.5))
    in_lower_half = np.mean(above <= half / 2) / 0.5
    width = (np.quantile(above, 0.75) - np.quantile(above, 0.25)) / half
    apart = in_lower_half < APART_FRAC or (in_lower_half < FLAT_FRAC and width < NARROW)
    return Pile(low, n, len(above), bool(apart), step, tenth, half)
