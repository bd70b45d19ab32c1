"""Pair correlation and mark connection: what happens at a distance, not up to it.

Kernel sums over exact distances. spatstat bins distances first and smooths by FFT
(R's ``density``), 0.1 to 3 % off these.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numba
import numpy as np
from numpy.typing import ArrayLike

from macprox.spatial.functions.edge_weights import MAX_WEIGHT, WEIGHTS, weigher
from macprox.spatial.functions.exact_sum import add, carried, scale_for, to_float
from macprox.spatial.functions.observed import (
    checked_length,
    checked_r,
    observed,
    one_of,
)
from macprox.spatial.functions.pair_counts import Block, Pairs
from macprox.spatial.search.neighbours import finite_points
from macprox.window import Window

DIVISORS = ("r", "d")
# Under divisor "d" a pair nearer than this weighs as if it were at no distance at all: not.
NOWHERE_UM = 1e-4


def cross_pcf(
    source_xy: ArrayLike,
    target_xy: ArrayLike,
    r_um: ArrayLike,
    window: Window,
    bandwidth_um: float,
    correction: str = "translate",
    divisor: str = "r",
) -> np.ndarray:
    """Cross-type pair correlation: density of targets at distance r, over that without relation.

    ``g(r) = |W| / (2 pi n_source n_target) sum_ij w_ij k(r - d_ij) / r`` (or ``/ d_ij``), with k
    the Epanechnikov kernel of standard deviation ``bandwidth_um``, so of half-width
    ``sqrt(5) bandwidth_um``. Baddeley, Rubak & Turner 2015, section 7.6; 1 without relation.

    Parameters
    ----------
    source_xy : (n_source, 2) float
        Micrometres; inside the window, as are the targets.
    target_xy : (n_target, 2) float
    r_um : (n_r,) float or float
        Any order; a value never depends on which other radii are asked for.
    window : Window
    bandwidth_um : float
        Chosen before looking. ``0.15 / sqrt(density)`` is Stoyan's rule, as a half-width.
    correction : "translate", "none" or "isotropic"
        Weights as in `cross_k`.
    divisor : "r" or "d"
        ``"d"`` is less biased at small r; pairs within 1e-4 um of each other are left out of it.

    Returns
    -------
    array like ``r_um``
        NaN without sources or targets, and at r = 0 under divisor ``"r"``.

    Raises
    ------
    WindowError
        If there is no window or a cell lies outside.
    ValueError
        For an unknown correction or divisor, a negative radius, a bandwidth that is not positive
        or a coordinate that is not finite.
    """
    source, target = (
        observed(xy, window, name) for xy, name in ((source_xy, "source"), (target_xy, "target"))
    )
    one_of(correction, WEIGHTS)
    if divisor not in DIVISORS:
        raise ValueError(f"divisor must be r or d, found {divisor!r}.")
    kernel = Kernel.of(r_um, bandwidth_um)
    if len(source) == 0 or len(target) == 0:
        return kernel.nothing
    pairs = Pairs.within(source, target, kernel.reach_um)
    weight = weigher(correction, pairs, window)

    def terms(block: Block) -> np.ndarray:
        weights = weight(block)
        weights = np.ones(len(block.dx)) if weights is None else weights
        if divisor == "r":
            return weights
        apart = block.distance > NOWHERE_UM
        return np.where(apart, weights / np.maximum(block.distance, NOWHERE_UM), 0)

    largest = MAX_WEIGHT if divisor == "r" else MAX_WEIGHT / NOWHERE_UM
    scale = kernel.scale(largest)
    sums = kernel.read(pairs.total(lambda block: kernel.sums(block, terms(block), scale)), scale)
    if divisor == "r":
        sums = np.divide(sums, kernel.r_um, out=kernel.nothing, where=kernel.r_um > 0)
    return sums * window.area_um2 / (2 * np.pi * len(source) * len(target))


def mark_connection(
    xy: ArrayLike,
    is_source: ArrayLike,
    is_target: ArrayLike,
    r_um: ArrayLike,
    bandwidth_um: float,
) -> np.ndarray:
    """Of two cells at distance r, how often is the first a source and the second a target?

    ``sum_ij k(r - d_ij) [i source] [j target] / sum_ij k(r - d_ij)`` over ordered pairs of
    different cells, k as in `cross_pcf`. Without relation between type and position it is the
    product of the two shares, whatever the positions; needs no window.
    Baddeley, Rubak & Turner 2015, section 14.6.4.

    Parameters
    ----------
    xy : (n, 2) float
        All cells, micrometres.
    is_source, is_target : (n,) bool
    r_um : (n_r,) float or float
    bandwidth_um : float

    Returns
    -------
    array like ``r_um``
        Between 0 and 1; NaN where no pair is within the kernel of r.

    Raises
    ------
    ValueError
        If a coordinate is not finite, a radius negative, the bandwidth not positive, or a column
        is not one bool a cell.
    """
    points = finite_points(xy, "cell")
    marks = []
    for name, mark in (("is_source", is_source), ("is_target", is_target)):
        marks.append(np.asarray(mark))
        if marks[-1].shape != (len(points),) or marks[-1].dtype != bool:
            raise ValueError(
                f"{name} must be {len(points)} bool, one a cell; found {marks[-1].shape} "
                f"{marks[-1].dtype}."
            )
    source, target = (mark.astype(float) for mark in marks)
    return _mark_ratio(points, source, target, Kernel.of(r_um, bandwidth_um))


def mark_correlation(
    xy: ArrayLike, value: ArrayLike, r_um: ArrayLike, bandwidth_um: float
) -> np.ndarray:
    """Mean product of the values of two cells at distance r, over the squared mean value.

    ``sum_ij k(r - d_ij) v_i v_j / sum_ij k(r - d_ij) / mean(v)^2`` over ordered pairs of
    different cells (Stoyan & Stoyan 1994; Baddeley, Rubak & Turner 2015, section 15.3.1): 1
    without relation between value and position.

    Parameters
    ----------
    xy : (n, 2) float
    value : (n,) float
        Not negative, not all 0: an intensity, an area.
    r_um, bandwidth_um
        As for `mark_connection`.

    Returns
    -------
    array like ``r_um``
        NaN where no pair is within the kernel of r.

    Raises
    ------
    ValueError
        As `mark_connection`, and if a value is negative or not a number, or all are 0.
    """
    points = finite_points(xy, "cell")
    v = np.asarray(value, dtype=float)
    if (
        v.shape != (len(points),)
        or not (np.isfinite(v) & (v >= 0)).all()
        or (len(v) and not v.any())
    ):
        raise ValueError(
            f"value must be {len(points)} numbers, one a cell, not negative and not all 0; found "
            f"{v.shape} from {v.min(initial=np.inf)} to {v.max(initial=-np.inf)}."
        )
    ratio = _mark_ratio(points, v, v, Kernel.of(r_um, bandwidth_um))
    return ratio / np.mean(v) ** 2 if len(v) else ratio


def _mark_ratio(points: np.ndarray, u: np.ndarray, v: np.ndarray, kernel: Kernel) -> np.ndarray:
    if len(points) < 2:
        return kernel.nothing
    pairs = Pairs.within(points, None, kernel.reach_um)
    u, v = u[pairs.source.order], v[pairs.source.order]
    scale = kernel.scale(float(u.max() * v.max()))
    all_scale = kernel.scale(1.0)

    def work(block: Block) -> np.ndarray:
        products = u[block.source] * v[block.target]
        ones = np.ones(len(block.source))
        return np.stack([kernel.sums(block, products, scale), kernel.sums(block, ones, all_scale)])

    products, ones = pairs.total(work)
    every = kernel.read(ones, all_scale)
    return np.divide(kernel.read(products, scale), every, out=kernel.nothing, where=every > 0)


@dataclass(frozen=True, eq=False)
class Kernel:
    """The Epanechnikov kernel about each radius. Made by `of`."""

    r_um: np.ndarray = field(repr=False)
    sorted_um: np.ndarray = field(repr=False)
    half_um: float

    @classmethod
    def of(cls, r_um: ArrayLike, bandwidth_um: float) -> Kernel:
        """Of a standard deviation in um; the half-width is sqrt(5) as much."""
        r = checked_r(r_um)
        half = float(np.sqrt(5.0)) * checked_length("bandwidth_um", bandwidth_um)
        return cls(r, np.unique(r), half)

    @property
    def reach_um(self) -> float:
        """The longest distance that counts."""
        return float(self.r_um.max(initial=0.0)) + self.half_um

    @property
    def nothing(self) -> np.ndarray:
        """NaN at every radius."""
        return np.full(self.r_um.shape, np.nan)

    def scale(self, largest: float) -> float:
        """For `exact_sum.add`, of terms that weigh at most ``largest``."""
        return scale_for(largest * 0.75 / self.half_um)

    def sums(self, block: Block, weight: np.ndarray, scale: float) -> np.ndarray:
        """Exact sums ``(n_sorted, 2)`` of ``weight k(r - d)``."""
        r, half = self.sorted_um, self.half_um
        return carried(_add_smoothed(block.distance, weight, r, half, scale))

    def read(self, sums: np.ndarray, scale: float) -> np.ndarray:
        """The sums at every radius asked for."""
        return to_float(sums, scale)[np.searchsorted(self.sorted_um, self.r_um)]


@numba.njit(nogil=True, cache=True)
def _add_smoothed(distance, weight, r, half, scale):
    out = np.zeros((len(r), 2), np.int64)
    top = 0.75 / half * scale
    for p in range(len(distance)):
        d = distance[p]
        for k in range(np.searchsorted(r, d - half), len(r)):
            t = (r[k] - d) / half
            if t >= 1.0:
                break
            # Never below 0: rounding at the foot of the kernel.
            add(out, k, weight[p] * max(1.0 - t * t, 0.0) * top, 1)
    return out
