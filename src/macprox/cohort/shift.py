"""The studentised effect of every arrangement as a function of a shift, its p and its interval.

A permutation test of "no difference" is one of "the difference is d" after d is taken off. In each
arrangement the effect is then linear in d and its variance quadratic, so that five numbers an
arrangement give p(d) for any d. The interval is every d that the test does not reject (inversion;
Ernst 2004, Statist. Sci. 19, section 3): test and interval never disagree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from macprox.cohort.arrangements import share

TIE = 1e-9  # arrangements that are equal on paper differ by rounding
_NOTHING = 1e-12  # of an effect or a variance in units of the data's standard deviation


@dataclass(frozen=True, eq=False)
class Shifted:
    """An observed effect among those of all arrangements, in units of the data's own spread.

    With a shift d, the effect of an arrangement is ``effects - d * carried`` and its variance
    ``variances[0] - 2 d * variances[1] + d**2 * variances[2]``.

    Attributes
    ----------
    effect, se : float
        Observed; a shift moves the effect and leaves its standard error.
    effects, carried : (n_arrangements,) float
    variances : (3, n_arrangements) float
    exact : bool
        Whether these are all arrangements, the observed one among them.
    """

    effect: float
    se: float
    effects: np.ndarray
    carried: np.ndarray
    variances: np.ndarray
    exact: bool

    def p(self, shift: float = 0.0) -> float:
        """Two-sided: the share of arrangements with a t as far from 0 as the observed one."""
        observed = self.effect - shift
        if abs(observed) <= _NOTHING:
            return 1.0
        effects = self.effects - shift * self.carried
        level, slope, bend = self.variances
        variance = level - 2 * shift * slope + shift**2 * bend
        variance[variance <= _NOTHING * max(1.0, shift**2)] = 0.0
        effects[np.abs(effects) <= _NOTHING * max(1.0, abs(shift))] = 0.0
        # t >= t observed, without dividing by a variance that may be 0.
        farther = (effects * self.se) ** 2 >= observed**2 * variance * (1 - TIE)
        return share(farther & ((effects != 0) | (variance > 0)), self.exact)

    def interval(self, level: float) -> tuple[float, float]:
        """Every shift that the test does not reject at 1 - level; NaN where it rejects none."""
        ends = [self._end(side, 1 - level) for side in (-1.0, 1.0)]
        return ends[0], ends[1]

    def _end(self, side: float, alpha: float) -> float:
        """Where p falls to alpha on one side of the effect, seen from the outside."""

        def rejected(distance: float) -> bool:
            return self.p(self.effect + side * distance) <= alpha + _NOTHING

        return self.effect + side * _border(rejected, self.se)


def _border(rejected: Callable[[float], bool], step: float) -> float:
    inner, outer = 0.0, step
    while not rejected(outer):
        inner, outer = outer, 2 * outer
        if outer > 1e6 * step:
            return np.nan
    while outer - inner > 1e-9 * outer:
        middle = (inner + outer) / 2
        inner, outer = (inner, middle) if rejected(middle) else (middle, outer)
    return outer
