"""What the summary functions of a window take: points that it holds, radii, a grid of radii."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from macprox.errors import WindowError
from macprox.spatial.search.neighbours import finite_points
from macprox.window import Window


def observed(xy: ArrayLike, window: Window | None, name: str) -> np.ndarray:
    """``(n, 2)`` float64 points, if they are finite and in the window.

    Raises
    ------
    ValueError
        If a coordinate is not finite.
    WindowError
        If there is no window, or a point lies outside.
    """
    if window is None:
        raise WindowError(
            "A summary function needs a window: over which area were the cells observed? "
            "Give one; only distances, counts and relabelling do without."
        )
    points = finite_points(xy, name)
    outside = ~window.contains(points)
    if outside.any():
        raise WindowError(
            f"{outside.sum()} of {len(points)} {name} points lie outside the window (first in row "
            f"{int(np.flatnonzero(outside)[0])}); are both in micrometres with the same origin?"
        )
    return points


def checked_r(r_um: ArrayLike) -> np.ndarray:
    """``r_um`` as float, any shape and order, if it is finite and not negative."""
    r = np.asarray(r_um, dtype=float)
    if not (np.isfinite(r) & (r >= 0)).all():
        raise ValueError(f"r_um must be finite and not negative, found {r.tolist()}.")
    return r


def checked_length(name: str, length_um: float) -> float:
    """A bandwidth, a grid or a lattice step in um, if it is a positive number."""
    if not (np.isfinite(length_um) and length_um > 0):
        raise ValueError(f"{name} must be a positive length in um, found {length_um!r}.")
    return float(length_um)


def one_of(correction: str, known: tuple[str, ...]) -> str:
    """An edge correction, if the function knows it."""
    if correction not in known:
        raise ValueError(f"correction must be one of {', '.join(known)}, found {correction!r}.")
    return correction


def grid_steps(r_um: np.ndarray, grid_um: float) -> tuple[np.ndarray, np.ndarray]:
    """The last point of the grid not beyond each radius, and the grid so far."""
    step = np.floor(r_um / grid_um + 1e-9).astype(np.int64)
    return step, grid_um * np.arange(step.max(initial=0) + 1)


def before(r_grid: np.ndarray) -> np.ndarray:
    """Each grid point's predecessor, whom spatstat's reduced sample asks; none of the first."""
    return np.concatenate([[-np.inf], r_grid[:-1]])
