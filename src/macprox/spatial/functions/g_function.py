"""Cross G: the distribution of the distance to the nearest target, with edge corrections.

Baddeley, Rubak & Turner 2015, Spatial Point Patterns, section 8.11; values agree with spatstat's
``Gcross`` at the same step, except that distances to the edge of a mask are exact here.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from macprox.errors import WindowError
from macprox.spatial.functions.observed import before, checked_r, grid_steps, one_of
from macprox.spatial.search.neighbours import nearest_distance
from macprox.window import Window, as_points

Closed = Literal["left", "right"]
CORRECTIONS = ("km", "border", "none")
GRID_UM = 1.0


def cross_g(
    source_xy: ArrayLike,
    target_xy: ArrayLike,
    r_um: ArrayLike,
    window: Window | None,
    correction: str = "km",
    grid_um: float = GRID_UM,
) -> np.ndarray:
    """Share of source cells that have a target within r, corrected for the window's edge.

    Parameters
    ----------
    source_xy : (n_source, 2) float
        Micrometres; inside the window.
    target_xy : (n_target, 2) float
    r_um : (n_r,) float or float
        Any order; a value never depends on which other radii are asked for.
    window : Window or None
        None only with ``correction="none"``.
    correction : "km", "border" or "none"
        ``"km"``: Kaplan-Meier, a distance is censored at the distance to the edge.
        ``"border"``: only cells farther from the edge than r (spatstat's reduced sample).
        ``"none"``: the raw share.
    grid_um : float
        Kaplan-Meier and border estimates are computed on this grid and read at the last grid
        point that is not beyond r.

    Returns
    -------
    array like ``r_um``
        NaN without sources or targets, and where the border correction has no cell left.

    Raises
    ------
    WindowError
        If a source lies outside the window, or a correction has no window.
    ValueError
        For an unknown correction, a negative radius or a coordinate that is not finite.
    """
    one_of(correction, CORRECTIONS)
    r = checked_r(r_um)
    nearest_um = nearest_distance(source_xy, target_xy)
    if correction == "none":
        return g_from_distances(nearest_um, None, r, correction, grid_um)
    edge_um = edge_distance(source_xy, window, correction)
    return g_from_distances(nearest_um, edge_um, r, correction, grid_um)


def edge_distance(source_xy: ArrayLike, window: Window | None, correction: str) -> np.ndarray:
    """Distance of every source to the window's edge; every source must be inside."""
    if window is None:
        raise WindowError(
            f"The {correction!r} correction needs a window: where could cells have been observed? "
            'Give one, or ask for correction="none".'
        )
    edge_um = window.distance_to_edge(as_points(np.asarray(source_xy)))
    outside = np.isnan(edge_um)
    if outside.any():
        raise WindowError(
            f"{outside.sum()} of {len(outside)} source cells lie outside the window (first in row "
            f"{int(np.flatnonzero(outside)[0])}); are both in micrometres with the same origin?"
        )
    return edge_um


def g_from_distances(
    nearest_um: np.ndarray,
    edge_um: np.ndarray | None,
    r_um: np.ndarray,
    correction: str,
    grid_um: float = GRID_UM,
) -> np.ndarray:
    """`cross_g` from distances that are known already; NaN distances have no target."""
    if len(nearest_um) == 0 or np.isnan(nearest_um).all():
        return np.full(np.shape(r_um), np.nan)
    # A cell without any target in its field is as far from one as can be.
    nearest_um = np.where(np.isnan(nearest_um), np.inf, nearest_um)
    if edge_um is None:
        return np.searchsorted(np.sort(nearest_um), r_um, side="right") / len(nearest_um)
    return on_grid(nearest_um, edge_um, np.asarray(r_um), correction, grid_um)


def on_grid(
    nearest_um: np.ndarray,
    edge_um: np.ndarray,
    r_um: np.ndarray,
    correction: str,
    grid_um: float,
    closed: Closed = "left",
) -> np.ndarray:
    """Kaplan-Meier or reduced sample of distances, on the grid and read at r.

    ``closed`` as of `numpy.searchsorted`: a distance exactly at a grid point belongs to the
    interval that ends there (``"left"``), or to the next (``"right"``).
    """
    step, r_grid = grid_steps(r_um, grid_um)
    estimate = _kaplan_meier if correction == "km" else _reduced_sample
    return estimate(nearest_um, edge_um, r_grid, closed)[step]


def _kaplan_meier(
    nearest_um: np.ndarray, edge_um: np.ndarray, r_grid: np.ndarray, closed: Closed
) -> np.ndarray:
    # "left": the first cell of the grid holds distance 0 alone; cell k is (r[k - 1], r[k]].
    observed_um = np.minimum(nearest_um, edge_um)
    cell = np.searchsorted(r_grid, observed_um, side=closed)
    n_cells = len(r_grid)
    event = nearest_um <= edge_um
    n_events = np.bincount(cell[event & (cell < n_cells)], minlength=n_cells)
    left_before = np.concatenate([[0], np.cumsum(np.bincount(cell, minlength=n_cells))])[:n_cells]
    n_at_risk = len(observed_um) - left_before
    # Nobody at risk: the curve stays where it is, as in spatstat.
    return 1 - np.cumprod(1 - n_events / np.maximum(n_at_risk, 1))


def _reduced_sample(
    nearest_um: np.ndarray, edge_um: np.ndarray, r_grid: np.ndarray, closed: Closed
) -> np.ndarray:
    # spatstat counts on a histogram of r, so that a cell belongs to the reduced sample at r[k]
    # if it is at least r[k - 1] from the edge.
    previous = before(r_grid)
    n_far = len(edge_um) - np.searchsorted(np.sort(edge_um), previous, side="left")
    event = nearest_um <= edge_um
    # At r[k] count the events with nearest <= r[k] and edge >= r[k - 1]: cell of the nearest
    # distance up to the last k whose r[k - 1] the edge still reaches.
    first = np.searchsorted(r_grid, nearest_um[event], side=closed)
    last = np.searchsorted(previous, edge_um[event], side="right") - 1
    n_cells = len(r_grid)
    steps = np.bincount(first, minlength=n_cells + 1)[: n_cells + 1]
    steps = steps - np.bincount(last + 1, minlength=n_cells + 2)[: n_cells + 1]
    n_events = np.cumsum(steps)[:n_cells]
    return np.where(n_far > 0, n_events / np.maximum(n_far, 1), np.nan)
