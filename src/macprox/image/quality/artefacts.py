"""Squares judged: out of focus, saturated, without data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from macprox.image.quality.squares import SquareGrid, Squares
from macprox.image.stain import StainStatistics

# Focus is judged where the mean nuclear stain is this far from background to threshold: a square
# of stroma has some nuclei, and glass has none.
STAINED_FRAC = 0.2
MIN_JUDGED = 8  # squares; fewer have no distribution to stand out of

# Relative to the slide's median square. A blur of 2 um leaves a quarter of the ratio of fine to
# coarse contrast and a twentieth of the fine contrast. The clean squares of 20 slides, 700 in all,
# keep 0.42 and 0.23; none is below both limits.
RATIO_LIMIT = 0.5
FINE_LIMIT = 0.2
COARSE_LIMIT = 0.1  # blurred by 4 um and more, coarse contrast is lost too, and the ratio is noise
# Whatever the slide: outlines in focus have a ratio of 0.03 to 0.15, blurred by 2 um below 0.009.
BLURRED_RATIO = 0.01
CLEAR_SIGNAL = 10.0  # coarse contrast over noise, for a ratio to be believed by itself

SATURATED_SQUARE_FRAC = 0.05  # of a square: one macrophage, or a quarter of the nuclei
MIN_AT_CEILING = 100  # pixels exactly as bright as the brightest: no natural maximum
MIN_CEILING = 255  # whole numbers below share values without being cut off: counts of ions


def out_of_focus(squares: Squares, stain: StainStatistics, tissue: np.ndarray) -> np.ndarray:
    """``(y, x)`` bool: squares whose nuclei have blurred outlines.

    Parameters
    ----------
    squares : Squares
    stain : StainStatistics
        Of the raw nuclear channel.
    tissue : (y, x) bool
    """
    nothing = np.zeros(tissue.shape, bool)
    span = stain.threshold - stain.background
    if stain.constant or span <= 0:
        return nothing
    mean, fine, coarse, noise = squares.focus.astype(np.float64)
    stained = (mean - stain.background) / span
    judged = tissue & np.isfinite(coarse) & (stained >= STAINED_FRAC)
    # NaN where nothing is judged; comparisons with it are False.
    fine, coarse, noise, stained = (
        np.where(judged, a, np.nan) for a in (fine, coarse, noise, stained)
    )
    fine, coarse = np.maximum(fine - noise, 0), np.maximum(coarse - noise, 1e-9 * span**2)
    ratio = fine / coarse
    blurred = (ratio < BLURRED_RATIO) & (coarse > CLEAR_SIGNAL * noise)
    sharp = judged & ~blurred
    if sharp.sum() < MIN_JUDGED:
        return blurred
    # Contrast grows with the share of the square that is nucleus, and so does the mean stain.
    fine, coarse = fine / stained, coarse / stained
    usual_ratio, usual_fine, usual_coarse = (np.median(a[sharp]) for a in (ratio, fine, coarse))
    smeared = (ratio < RATIO_LIMIT * usual_ratio) | (coarse < COARSE_LIMIT * usual_coarse)
    return blurred | (smeared & (fine < FINE_LIMIT * usual_fine))


@dataclass(frozen=True)
class Clipping:
    """One channel at its highest value.

    Parameters
    ----------
    ceiling : float
        The raw value that is never exceeded; NaN where the channel is not cut off.
    tissue_frac : float
        Share of the tissue's pixels that have it.
    saturated : (y, x) bool
        Squares in which they are many.
    """

    ceiling: float
    tissue_frac: float
    saturated: np.ndarray


def clipping(
    squares: Squares, channel: int, grid: SquareGrid, tissue: np.ndarray, is_float: bool
) -> Clipping:
    """Where a channel reaches a ceiling, be it the type's, the camera's or a rescaling's.

    Parameters
    ----------
    squares : Squares
    channel : int
    grid : SquareGrid
    tissue : (y, x) bool
    is_float : bool
        Floats are never alike by chance.
    """
    top, n_top, n_px = squares.top[channel], squares.n_top[channel], grid.n_px
    ceiling = float(np.max(top, initial=-np.inf, where=np.isfinite(top)))
    at_ceiling = np.where(top == ceiling, n_top, 0.0)
    cut_off = is_float or ceiling >= MIN_CEILING
    # A channel of one value only is no stain that is cut off.
    if not cut_off or at_ceiling.sum() < MIN_AT_CEILING or (at_ceiling == n_px).all():
        return Clipping(np.nan, 0.0, np.zeros(tissue.shape, bool))
    frac = float(at_ceiling[tissue].sum() / max(n_px[tissue].sum(), 1))
    return Clipping(ceiling, frac, tissue & (at_ceiling >= SATURATED_SQUARE_FRAC * n_px))


def constant(squares: Squares, grid: SquareGrid) -> np.ndarray:
    """``(y, x)`` bool: squares of one single value in every channel: no camera sees that."""
    return (squares.n_top == grid.n_px).all(axis=0)
