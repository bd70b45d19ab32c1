"""Empty space: how far is a place of the window from the nearest cell, and is that like chance?

F, J and their edge corrections: Baddeley, Rubak & Turner 2015, sections 8.3 to 8.6.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from macprox.spatial.functions.g_function import CORRECTIONS, GRID_UM, cross_g, on_grid
from macprox.spatial.functions.observed import (
    checked_length,
    checked_r,
    observed,
    one_of,
)
from macprox.spatial.search.neighbours import nearest_distance
from macprox.window import Window
from macprox.window.mask import MaskShape

LATTICE_UM = 2.0
LATTICE_POINTS = 4_000_000  # F of a section is an average over so many places; more change nothing


def empty_space_f(
    target_xy: ArrayLike,
    r_um: ArrayLike,
    window: Window,
    correction: str = "km",
    grid_um: float = GRID_UM,
    lattice_um: float | None = None,
) -> np.ndarray:
    """Share of the window's places that have a target within r, corrected for the edge.

    ``1 - exp(-lambda pi r^2)`` for evenly spread targets; lower if they are clustered.

    Parameters
    ----------
    target_xy : (n_target, 2) float
        Micrometres, inside the window.
    r_um : (n_r,) float or float
        Any order; a value never depends on which other radii are asked for.
    window : Window
    correction : "km", "border" or "none"
        As in `cross_g`, of the places: Kaplan-Meier, reduced sample, raw share.
    grid_um : float
        Kaplan-Meier and border estimates are computed on this grid and read at the last grid
        point that is not beyond r. As in spatstat a distance exactly at a grid point belongs to
        the next interval; so where the lattice puts places at whole steps of the grid from the
        edge, Kaplan-Meier has them at risk for one step too long (F is 0.007 lower at 2 and
        1 um). A lattice that is no multiple of the grid avoids it.
    lattice_um : float, optional
        Step of the lattice of places; shortened to a whole number of steps. By default the
        pixels of a mask, else 2 um, and coarser where that were more than 4 million places.

    Returns
    -------
    array like ``r_um``
        NaN without targets, and where the border correction has no place left.

    Raises
    ------
    WindowError
        If there is no window or a target lies outside.
    ValueError
        For an unknown correction, a negative radius, a step that is not positive or a coordinate
        that is not finite.
    """
    target = observed(target_xy, window, "target")
    one_of(correction, CORRECTIONS)
    r, grid_um = checked_r(r_um), checked_length("grid_um", grid_um)
    step_um = _lattice(window) if lattice_um is None else checked_length("lattice_um", lattice_um)
    if len(target) == 0:
        return np.full(r.shape, np.nan)
    places = window.sample(step_um)[0]
    nearest_um = nearest_distance(places, target)
    if correction == "none":
        return np.searchsorted(np.sort(nearest_um), r, side="right") / len(places)
    edge_um = window.distance_to_edge(places)
    return on_grid(nearest_um, edge_um, r, correction, grid_um, closed="right")


def cross_j(
    source_xy: ArrayLike,
    target_xy: ArrayLike,
    r_um: ArrayLike,
    window: Window,
    correction: str = "km",
    grid_um: float = GRID_UM,
    lattice_um: float | None = None,
) -> np.ndarray:
    """Van Lieshout & Baddeley's J, ``(1 - G(r)) / (1 - F(r))`` of `cross_g` and `empty_space_f`.

    1 if sources know nothing of the targets; below 1 they are nearer to them than places are.

    Parameters
    ----------
    source_xy, target_xy, r_um, window, correction, grid_um, lattice_um
        As for `cross_g` and `empty_space_f`.

    Returns
    -------
    array like ``r_um``
        NaN where F is 1 or either is NaN.
    """
    source = observed(source_xy, window, "source")
    f = empty_space_f(target_xy, r_um, window, correction, grid_um, lattice_um)
    g = cross_g(source, target_xy, r_um, window, correction, grid_um)
    out = np.full(f.shape, np.nan)
    return np.divide(1 - g, 1 - f, out=out, where=f < 1)


def _lattice(window: Window) -> float:
    shape = window.shape
    finest = shape.pixel_size_um if isinstance(shape, MaskShape) else LATTICE_UM
    return max(finest, float(np.sqrt(window.area_um2 / LATTICE_POINTS)))
