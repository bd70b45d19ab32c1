"""Kernel intensity: cells per area that changes over the window, corrected at its edge."""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import ArrayLike

from macprox.spatial.functions.observed import checked_length, observed
from macprox.spatial.search.chunks import over_chunks
from macprox.spatial.search.grid import CELLS_PER_RADIUS, CellGrid, row_range, run_in_row
from macprox.window import Window
from macprox.window.raster import runs_of

REACH_SD = 8.0  # beyond, the Gaussian is below 1e-14 of its top
STRIPS_PER_SD = 20  # of a polygon
CHUNK = 1024


def intensity(
    xy: ArrayLike,
    at_xy: ArrayLike,
    window: Window,
    bandwidth_um: float,
    leave_one_out: bool = False,
) -> np.ndarray:
    """Cells per um2 at given places, by a Gaussian kernel.

    ``lambda(u) = sum_j k(u - x_j) / e(x_j)`` with ``e(x)`` the part of the kernel about x that
    lies in the window (Diggle 1985; Jones 1993; Baddeley, Rubak & Turner 2015, section 6.5.1; in
    spatstat ``density(X, sigma, diggle = TRUE, at = "points")``). Every cell counts as one cell
    inside the window.

    Parameters
    ----------
    xy : (n, 2) float
        Micrometres, inside the window.
    at_xy : (n_at, 2) float
        Places, inside the window.
    window : Window
    bandwidth_um : float
        Standard deviation. It says what is "intensity" and what "interaction": structure wider
        than it is taken as given. Choose it from the question (a tumour nest, 100 to 300 um) and
        state it; chosen on the same points, it can hide or make any result.
    leave_one_out : bool
        Row i of both arrays is the same cell: it does not count at its own place.

    Returns
    -------
    (n_at,) float
        0 where no cell is within eight bandwidths, or there is none at all.

    Raises
    ------
    WindowError
        If there is no window or a point lies outside.
    ValueError
        If the bandwidth is not positive, a coordinate not finite, or ``leave_one_out`` is asked
        for arrays of different length.
    """
    cells, places = observed(xy, window, "cell"), observed(at_xy, window, "at_xy")
    sd = checked_length("bandwidth_um", bandwidth_um)
    if leave_one_out and len(cells) != len(places):
        raise ValueError(
            "leave_one_out says that row i of both arrays is the same cell, but there are "
            f"{len(cells)} cells and {len(places)} places."
        )
    out = np.zeros(len(places))
    if len(cells) == 0 or len(places) == 0:
        return out
    grid = CellGrid.of(cells, REACH_SD * sd / CELLS_PER_RADIUS / 2)
    per_um2 = 1 / (2 * np.pi * sd**2 * mass_inside(cells[grid.order], window, sd))
    by_cell = CellGrid.of(places, grid.side_um)  # neighbours share what is in the cache

    def work(first: int, last: int) -> None:
        cells_at = (grid.start, grid.n_columns, grid.origin, grid.side_um)
        rows = by_cell.order[first:last]
        own = rows if leave_one_out else np.full(last - first, -1)
        out[rows] = _smoothed(
            by_cell.xy[first:last], own, grid.xy, grid.order, per_um2, *cells_at, sd
        )

    over_chunks(len(places), work, CHUNK)
    return out


def mass_inside(xy: np.ndarray, window: Window, sd: float) -> np.ndarray:
    """Part of a Gaussian about each of ``(n, 2)`` points that lies in the window: ``(n,)``.

    Exact for rectangles along the axes and masks; in other polygons sides are steps of a
    twentieth of a standard deviation, right to 3e-4 (test_ripley.py).
    """
    mass = np.ones(len(xy))
    near = np.flatnonzero(window.distance_to_edge(xy) < REACH_SD * sd)
    runs = runs_of(window.shape, sd / STRIPS_PER_SD)

    def work(first: int, last: int) -> None:
        rows = near[first:last]
        mass[rows] = _mass(xy[rows], runs.x, runs.start, runs.y_min, runs.height_um, sd)

    over_chunks(len(near), work, CHUNK)
    return mass


@numba.njit(nogil=True, cache=True, inline="always")
def _below(z):
    """Standard normal distribution function."""
    return 0.5 * math.erfc(-z * 0.7071067811865476)


@numba.njit(nogil=True, cache=True)
def _mass(xy, ends, start, y_min, height, sd):
    reach = REACH_SD * sd
    out = np.zeros(len(xy))
    for i in range(len(xy)):
        x, y = xy[i]
        first = max(int(np.floor((y - reach - y_min) / height)), 0)
        last = min(int(np.floor((y + reach - y_min) / height)), len(start) - 2)
        lower = _below((y_min + first * height - y) / sd)
        for strip in range(first, last + 1):
            upper = _below((y_min + (strip + 1) * height - y) / sd)
            along = 0.0
            for k in range(start[strip], start[strip + 1] - 1, 2):
                if ends[k] < x + reach and ends[k + 1] > x - reach:
                    along += _below((ends[k + 1] - x) / sd) - _below((ends[k] - x) / sd)
            out[i] += (upper - lower) * along
            lower = upper
    return out


@numba.njit(nogil=True, cache=True)
def _smoothed(at, own, points, order, per_um2, start, n_columns, origin, side, sd):
    """Sum of the kernels of all points but ``own`` at every place."""
    reach = REACH_SD * sd
    out = np.zeros(len(at))
    for i in range(len(at)):
        x, y = at[i]
        bottom, top = row_range(y, reach, start, n_columns, origin, side)
        for row in range(bottom, top + 1):
            a, b = run_in_row(x, y, reach, row, start, n_columns, origin, side)
            for j in range(a, b):
                dx, dy = points[j, 0] - x, points[j, 1] - y
                d2 = dx * dx + dy * dy
                if d2 <= reach * reach and order[j] != own[i]:
                    out[i] += per_um2[j] * np.exp(-d2 / (2 * sd * sd))
    return out
