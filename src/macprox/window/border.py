"""Signed distance to the border of a region, and the zones that it makes.

On this floor because the tissue's areas, the statistics and simulated tissue must mean the same.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import ArrayLike
from shapely.geometry.base import BaseGeometry

from macprox.window import as_points
from macprox.window.boundary import Boundary

ZONES = ("core", "inner_margin", "outer_margin", "distant")
NO_ZONE = "none"  # region of a cell on a slide without a tumour region


def signed_distance(xy: ArrayLike, region: BaseGeometry) -> np.ndarray:
    """Distance of points to the border of a region, negative inside.

    Parameters
    ----------
    xy : (n, 2) float
        Micrometres.
    region : shapely Polygon or MultiPolygon
        Micrometres, holes allowed. Not empty.

    Returns
    -------
    (n,) float
        Exact Euclidean, micrometres.

    Raises
    ------
    ValueError
        If the region is empty.
    """
    points = as_points(np.asarray(xy))
    if region.is_empty:
        raise ValueError("The region is empty: there is no border to be far from.")
    distance = Boundary.from_geometry(region).distance_um(points)
    shapely.prepare(region)
    inside = shapely.intersects_xy(region, points[:, 0], points[:, 1])
    return np.where(inside, -distance, distance)


def zone_of(distance_um: np.ndarray, margin_um: float) -> np.ndarray:
    """Region of each cell from its signed distance: ``(n,)`` str.

    core: inside, deeper than the margin; inner_margin: inside, within it; outer_margin: outside,
    within it; distant: farther out; ``"none"`` where there is no distance.
    """
    cut = np.array([-margin_um, 0.0, margin_um])
    # Exactly at the margin belongs to the margin, exactly on the border to the inside.
    index = np.where(distance_um == -margin_um, 1, np.searchsorted(cut, distance_um, side="left"))
    index = np.where(np.isnan(distance_um), len(ZONES), index)
    return np.array([*ZONES, NO_ZONE], dtype=object)[index]
