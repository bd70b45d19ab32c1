"""Ripley's K and L between two types of cell, of one type, and for uneven intensities.

Baddeley, Rubak & Turner 2015, Spatial Point Patterns, sections 7.3 to 7.5, 7.10.2 and 14.6.1.
Values agree with spatstat's ``Kcross``, ``Kest`` and ``Kcross.inhom`` to rounding, except where
spatstat reads a raster: translation in masks and isotropic in any window are exact here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from macprox.spatial.functions.edge_weights import MAX_WEIGHT, WEIGHTS, weigher
from macprox.spatial.functions.exact_sum import scale_for, to_float
from macprox.spatial.functions.observed import (
    before,
    checked_length,
    checked_r,
    grid_steps,
    observed,
    one_of,
)
from macprox.spatial.functions.pair_counts import Block, Pairs, Steps, sums_by_bin, sums_inside
from macprox.window import Window
from macprox.window.raster import is_rectangle

CORRECTIONS = ("translate", "border", "none", "isotropic")
GRID_UM = 1.0


def cross_k(
    source_xy: ArrayLike,
    target_xy: ArrayLike,
    r_um: ArrayLike,
    window: Window,
    correction: str = "translate",
    grid_um: float = GRID_UM,
) -> np.ndarray:
    """Cross-type K: targets within r of a source cell, over the density of targets.

    ``K(r) = |W| / (n_source n_target) sum_ij w_ij 1{d_ij <= r}``; pi r^2 if the two types know
    nothing of each other and the targets are evenly spread.

    Parameters
    ----------
    source_xy : (n_source, 2) float
        Micrometres; inside the window, as are the targets.
    target_xy : (n_target, 2) float
    r_um : (n_r,) float or float
        Any order; a value never depends on which other radii are asked for, to the last bit.
    window : Window
    correction : "translate", "border", "none" or "isotropic"
        ``"translate"``: a pair weighs ``|W| / |W n (W + x_j - x_i)|``. Exact in rectangles and
        masks, on the raster of ``Window.set_covariance`` in other polygons.
        ``"isotropic"``: circumference / length inside the window of the circle about the source
        through the target. Exact in any window; the time follows the sides of the edge within r.
        ``"border"``: only sources farther from the edge than r, after spatstat's reduced sample:
        at r[k] of the grid the pairs with ``d <= r[k]``, ``d <= b_i`` and ``b_i >= r[k - 1]``,
        ``b_i`` the distance to the edge, over the sources with ``b_i >= r[k - 1]``.
        Weights are at most 100.
    grid_um : float
        Only the border estimate depends on it: computed on this grid and read at the last grid
        point that is not beyond r. The others are exact at every r.

    Returns
    -------
    array like ``r_um``
        Square micrometres. NaN without sources or targets, and where the border correction has no
        source left, beyond the deepest cell.

    Raises
    ------
    WindowError
        If there is no window or a cell lies outside.
    ValueError
        For an unknown correction, a negative radius or a coordinate that is not finite.
    """
    return cross_k_curves(source_xy, target_xy, r_um, window, (correction,), grid_um)[correction]


def cross_l(
    source_xy: ArrayLike,
    target_xy: ArrayLike,
    r_um: ArrayLike,
    window: Window,
    correction: str = "translate",
    grid_um: float = GRID_UM,
) -> np.ndarray:
    """Besag's L, ``sqrt(K / pi)`` of `cross_k`: r if the types know nothing of each other."""
    return np.sqrt(cross_k(source_xy, target_xy, r_um, window, correction, grid_um) / np.pi)


def cross_k_curves(
    source_xy: ArrayLike,
    target_xy: ArrayLike,
    r_um: ArrayLike,
    window: Window,
    corrections: Sequence[str] = ("translate", "border", "none"),
    grid_um: float = GRID_UM,
) -> dict[str, np.ndarray]:
    """`cross_k` under several corrections in one pass over the pairs: correction to curve."""
    source, target = (
        observed(xy, window, name) for xy, name in ((source_xy, "source"), (target_xy, "target"))
    )
    sums = PairSums(source, target, window, checked_r(r_um), checked_length("grid_um", grid_um))
    per_um2 = len(target) / window.area_um2
    return sums.curves(corrections, len(source) * per_um2, per_um2)


def ripley_k(
    xy: ArrayLike,
    r_um: ArrayLike,
    window: Window,
    correction: str = "translate",
    grid_um: float = GRID_UM,
) -> np.ndarray:
    """K of one type: other cells within r of a cell, over their density.

    As `cross_k`, over the ordered pairs of different cells, with ``|W| / (n (n - 1))``; two cells
    at one place are a pair at distance 0. Under the border correction the density is
    ``n / |W|``, and in rectangles a cell belongs to the reduced sample at r[k] if
    ``b_i >= r[k]``: so does spatstat's ``Kest``, whose rectangles go another way than its other
    windows.

    Returns
    -------
    array like ``r_um``
        NaN with fewer than two cells.
    """
    points = observed(xy, window, "cell")
    r, grid_um = checked_r(r_um), checked_length("grid_um", grid_um)
    sums = PairSums(points, None, window, r, grid_um, textbook=is_rectangle(window.shape))
    n, area = len(points), window.area_um2
    return sums.curves((correction,), n * (n - 1) / area, n / area)[correction]


def cross_k_inhom(
    source_xy: ArrayLike,
    target_xy: ArrayLike,
    r_um: ArrayLike,
    window: Window,
    source_per_um2: ArrayLike,
    target_per_um2: ArrayLike,
    correction: str = "translate",
    grid_um: float = GRID_UM,
) -> np.ndarray:
    """Cross-type K for intensities that vary over the window.

    ``K(r) = 1 / |W| sum_ij w_ij 1{d_ij <= r} / (lambda_i lambda_j)``, not renormalised; pi r^2 if
    the types are independent given their intensities (Baddeley, Møller & Waagepetersen 2000).
    Border: pairs as in `cross_k`, each over ``lambda_i lambda_j``, by the sum of ``1 / lambda_i``
    of the sources that are left.

    Parameters
    ----------
    source_xy, target_xy, r_um, window, correction, grid_um
        As for `cross_k`.
    source_per_um2 : (n_source,) float
        Intensity of the sources at each source, cells per um2: from a model, or from `intensity`
        with ``leave_one_out=True`` (a cell that helps to estimate its own intensity hides the
        clustering).
    target_per_um2 : (n_target,) float
        The targets' at each target.

    Raises
    ------
    ValueError
        As `cross_k`, and if the intensities are not positive numbers, one a cell.
    """
    source, target = (
        observed(xy, window, name) for xy, name in ((source_xy, "source"), (target_xy, "target"))
    )
    u = 1 / _intensities("source_per_um2", source_per_um2, len(source))
    v = 1 / _intensities("target_per_um2", target_per_um2, len(target))
    r, grid_um = checked_r(r_um), checked_length("grid_um", grid_um)
    sums = PairSums(source, target, window, r, grid_um, u, v)
    return sums.curves((correction,), window.area_um2, 1.0)[correction]


@dataclass(frozen=True, eq=False)
class PairSums:
    """Weighted sums over the pairs of a window, up to each radius."""

    source: np.ndarray = field(repr=False)
    target: np.ndarray | None = field(repr=False)  # None: the other sources
    window: Window
    r_um: np.ndarray
    grid_um: float
    source_weight: np.ndarray | None = field(default=None, repr=False)
    target_weight: np.ndarray | None = field(default=None, repr=False)
    textbook: bool = False  # border: b_i >= r[k], not r[k - 1]

    def curves(
        self, corrections: Sequence[str], total: float, border_total: float
    ) -> dict[str, np.ndarray]:
        """Sums over ``total``; for border, over what is left of the sources, and that total."""
        for correction in corrections:
            one_of(correction, CORRECTIONS)
        n_pairs = len(self.source) * len(self.source if self.target is None else self.target)
        if n_pairs == 0 or (self.target is None and n_pairs == 1):
            return {correction: np.full(self.r_um.shape, np.nan) for correction in corrections}
        steps = Steps.of(self._edges("border" in corrections))
        pairs = Pairs.within(self.source, self.target, float(steps.r_um[-1]))
        u = None if self.source_weight is None else self.source_weight[pairs.source.order]
        v = None if self.target_weight is None else self.target_weight[pairs.target.order]
        scale = scale_for(MAX_WEIGHT * _largest(u) * _largest(v))
        edge_um, stop = np.empty(0), np.empty(0, np.int64)
        if "border" in corrections:
            edge_um = self.window.distance_to_edge(pairs.source.xy)
            stop = self._stops(edge_um, steps)
        weighers = [weigher(c, pairs, self.window) if c in WEIGHTS else None for c in corrections]

        def work(block: Block) -> np.ndarray:
            bins, n_bins = steps.bins(block), len(steps.r_um)
            own = None if u is None or v is None else u[block.source] * v[block.target]
            sums = []
            for weight in weighers:
                if weight is None:
                    sums.append(sums_inside(block, bins, own, edge_um, stop, scale, n_bins))
                else:
                    terms = product(own, weight(block))
                    sums.append(sums_by_bin(bins, terms, scale, n_bins))
            return np.stack(sums)

        found = {}
        for correction, exact in zip(corrections, pairs.total(work), strict=True):
            sums = to_float(exact, scale, cumulative=True)
            if correction == "border":
                found[correction] = self._border(sums, steps, edge_um, u) / border_total
            else:
                found[correction] = sums[np.searchsorted(steps.r_um, self.r_um)] / total
        return found

    def _edges(self, border: bool) -> np.ndarray:
        """The radii, the grid if the border rule needs it, and a last one that is not 0."""
        grid = grid_steps(self.r_um, self.grid_um)[1] if border else np.empty(0)
        edges = np.unique(np.concatenate([self.r_um.ravel(), grid]))
        return edges if len(edges) and edges[-1] > 0 else np.append(edges, self.grid_um)

    def _stops(self, edge_um: np.ndarray, steps: Steps) -> np.ndarray:
        """First step whose predecessor on the grid is beyond a source's distance to the edge."""
        grid = grid_steps(self.r_um, self.grid_um)[1]
        first = np.searchsorted(self._asked_of_edge(grid), edge_um, side="right")
        place = np.append(np.searchsorted(steps.r_um, grid), len(steps.r_um))
        return place[first]

    def _asked_of_edge(self, grid: np.ndarray) -> np.ndarray:
        """How far from the edge a source must be to belong to the reduced sample at each r."""
        return grid if self.textbook else before(grid)

    def _border(
        self, sums: np.ndarray, steps: Steps, edge_um: np.ndarray, u: np.ndarray | None
    ) -> np.ndarray:
        step, grid = grid_steps(self.r_um, self.grid_um)
        order = np.argsort(edge_um, kind="stable")
        each = np.ones(len(order)) if u is None else u[order]
        left = np.append(np.cumsum(each[::-1])[::-1], 0.0)
        left = left[np.searchsorted(edge_um[order], self._asked_of_edge(grid), side="left")]
        ratio = np.full(len(grid), np.nan)
        np.divide(sums[np.searchsorted(steps.r_um, grid)], left, out=ratio, where=left > 0)
        return ratio[step]


def product(a: np.ndarray | None, b: np.ndarray | None) -> np.ndarray | None:
    """Of two weights of which None is 1 each."""
    if a is None or b is None:
        return b if a is None else a
    return a * b


def _largest(weight: np.ndarray | None) -> float:
    return 1.0 if weight is None else float(weight.max())


def _intensities(name: str, per_um2: ArrayLike, n: int) -> np.ndarray:
    values = np.asarray(per_um2, dtype=float)
    if values.shape != (n,) or not (np.isfinite(values) & (values > 0)).all():
        raise ValueError(
            f"{name} must be {n} positive numbers, cells per um2 at each cell; found "
            f"{values.shape} with {(~(values > 0)).sum()} not positive."
        )
    return values
