"""Folds, debris and holes: what many channels show at once, in blocks of about 16 um.

A marker is bright where its cells are; nothing that lives is bright in two thirds of a panel.
Levels are told in units of the slide itself: 0 is the median block of tissue, 1 the brightest
hundredth of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage as ndi

BLOCK_UM = 16.0  # about a cell: a fibre fills it, a single bright pixel does not
SMOOTH_BLOCKS = 3  # a fold is some 50 um wide

# Two thirds of the channels reach 0.5 in no block of the simulated lungs, MIBI and tonsil fields,
# but 0.9 in tumour cells that take up a little of every stain. Debris as bright as the brightest
# cells of each channel reaches 1.1 to 2, thrice as bright 3.5.
DEBRIS_LEVEL, GLOW_LEVEL, DEBRIS_FRAC = 1.5, 0.75, 2 / 3
OUTLIER_LEVEL = 3.0  # blocks that would widen the range they are judged by
# Nuclear stain and autofluorescence at once, smoothed: 0.36 at most in lung, 0.5 to 1 where tissue
# lies double.
FOLD_LEVEL, FOLD_RIM_LEVEL, FOLD_FRAC = 0.5, 0.35, 0.5
DARK_LEVEL = 0.15  # of the way from the darkest block of the slide to the median of tissue
HOLE_BLOCKS = 4
MIN_CHANNELS = 3  # with fewer, bright in several is no news
MIN_BLOCKS = 50  # fewer give no hundredth


@dataclass
class BlockJudge:
    """Takes in one channel after the other; keeps counts, not levels.

    Parameters
    ----------
    tissue : (y, x) bool
        Blocks whose levels are the slide's range.
    nucleus : str
    blank : str or None
        The autofluorescence channel; without one no fold is called.
    """

    tissue: np.ndarray
    nucleus: str
    blank: str | None
    _n_channels: int = 0
    _counts: dict[str, np.ndarray] = field(default_factory=dict)
    _double: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, name: str, means: np.ndarray) -> None:
        """One channel's ``(y, x)`` block means; one that hardly varies is bright nowhere."""
        self._n_channels += 1
        if self.tissue.sum() < MIN_BLOCKS or not np.isfinite(means).all():
            return
        middle, high = _usual_range(means[self.tissue])
        lowest = means.min()
        self._count("hole", means <= lowest + DARK_LEVEL * (middle - lowest))
        if middle == high:
            return
        levels = (means - middle) / (high - middle)
        smooth = ndi.uniform_filter(levels, SMOOTH_BLOCKS)
        self._count("debris", levels >= DEBRIS_LEVEL)
        self._count("glow", levels >= GLOW_LEVEL)
        self._count("fold", smooth >= FOLD_RIM_LEVEL)
        if name in (self.nucleus, self.blank):
            self._double[name] = smooth

    def _count(self, what: str, mask: np.ndarray) -> None:
        self._counts.setdefault(what, np.zeros(mask.shape, np.uint8))
        self._counts[what] += mask

    def debris(self) -> np.ndarray:
        """``(y, x)`` bool: blocks far brighter than tissue in two thirds of the channels."""
        glow = self._in_most("glow", DEBRIS_FRAC)
        return _holding(glow, self._in_most("debris", DEBRIS_FRAC))

    def folds(self) -> np.ndarray:
        """``(y, x)`` bool: nuclei, autofluorescence and half of the channels raised together."""
        if self.blank is None or len(self._double) < 2:
            return np.zeros_like(self.tissue)
        level = np.minimum(self._double[self.nucleus], self._double[self.blank])
        # Smoothed, debris shines into its surroundings.
        apart = ~ndi.binary_dilation(self.debris(), np.ones((SMOOTH_BLOCKS, SMOOTH_BLOCKS)))
        rim = apart & (level >= FOLD_RIM_LEVEL) & self._in_most("fold", FOLD_FRAC)
        return _holding(rim, level >= FOLD_LEVEL)

    def holes(self) -> np.ndarray:
        """``(y, x)`` bool: as dark as the darkest of the slide in every channel, 64 um wide."""
        dark = self._in_most("hole", 1.0)
        return ndi.binary_opening(dark, np.ones((HOLE_BLOCKS, HOLE_BLOCKS)))

    def _in_most(self, what: str, frac: float) -> np.ndarray:
        if self._n_channels < MIN_CHANNELS or what not in self._counts:
            return np.zeros_like(self.tissue)
        return self._counts[what] >= np.ceil(frac * self._n_channels - 1e-9)


def _usual_range(means: np.ndarray) -> tuple[float, float]:
    """Median and brightest hundredth of tissue, without what is far brighter than either."""
    middle, high = np.percentile(means, [50, 99])
    usual = means[means <= middle + OUTLIER_LEVEL * (high - middle)]
    return float(middle), float(np.percentile(usual, 99))


def _holding(areas: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """The connected areas that hold a seed."""
    labels, n = ndi.label(areas, np.ones((3, 3)))
    kept = np.zeros(n + 1, bool)
    kept[labels[seeds & areas]] = True
    return kept[labels]
