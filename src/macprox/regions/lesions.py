"""Lesions: the connected pieces of the tumour, how deep each is, and which one a cell belongs to.

A margin of 100 um swallows a lesion that is 150 um wide: all of it is margin, none of it core. So
depth is told in the lesion's own measure as well, as a share of its inradius.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike
from shapely import Polygon

from macprox.regions.model import OUTSIDE, Regions
from macprox.window import as_points
from macprox.window.boundary import Boundary
from macprox.window.polygon import ring_segments

SHAPE_COLUMNS = (
    *("lesion_id", "x_um", "y_um", "area_um2", "observed_area_um2", "perimeter_um"),
    *("inradius_um", "at_window_edge"),
)
PLACE_COLUMNS = ("tumour_border_distance_um", "nearest_lesion_id", "relative_depth")

INRADIUS_TOLERANCE_UM = 0.1
# A tumour cut by the window ends on the window's edge to rounding; half a micrometre is less than
# any border that was drawn or found beside it.
EDGE_UM = 0.5
EDGE_STEP_UM = 2.0


def lesion_shapes(regions: Regions) -> pd.DataFrame:
    """Size, depth and visible border of every lesion.

    Parameters
    ----------
    regions : Regions

    Returns
    -------
    DataFrame
        One row a lesion, numbered as `Regions.lesions` does, columns `SHAPE_COLUMNS`:

        - ``x_um, y_um``: its deepest point, the centre of the largest inscribed circle. A
          centroid may lie outside a curved lesion.
        - ``area_um2``, ``observed_area_um2``: of the lesion; of what is in no exclusion.
        - ``perimeter_um``: holes included.
        - ``inradius_um``: radius of the largest inscribed circle, to 0.1 um: how far inside a
          cell can lie.
        - ``at_window_edge``: share of the perimeter along the edge of what was observed, or in an
          exclusion. Above 0 the lesion goes on where nobody looked: its area and inradius are
          lower bounds.
    """
    lesions = regions.lesions()
    if not lesions:
        nothing = pd.DataFrame({name: np.empty(0) for name in SHAPE_COLUMNS})
        return nothing.astype({"lesion_id": np.int32})
    pieces = list(lesions.values())
    circles = _inscribed(pieces)
    centre = np.array([shapely.get_coordinates(circle)[0] for circle in circles])
    return pd.DataFrame(
        {
            "lesion_id": np.array(list(lesions), dtype=np.int32),
            "x_um": centre[:, 0],
            "y_um": centre[:, 1],
            "area_um2": shapely.area(pieces),
            "observed_area_um2": _observed_area_um2(regions, pieces),
            "perimeter_um": shapely.length(pieces),
            "inradius_um": shapely.length(circles),
            "at_window_edge": _share_at_edge(regions, pieces),
        }
    )


def nearest_lesion(xy: ArrayLike, regions: Regions) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the nearest tumour border, and whose border that is.

    Parameters
    ----------
    xy : (n, 2) float
        Micrometres.
    regions : Regions

    Returns
    -------
    distance_um : (n,) float
        Exact Euclidean, not negative; NaN without a tumour.
    lesion_id : (n,) int32
        0 without a tumour. For a point inside a lesion it is that lesion: other lesions, those in
        its holes too, are beyond its own border.
    """
    points = as_points(np.asarray(xy))
    lesions = regions.lesions()
    sides = [ring_segments(piece) for piece in lesions.values()]
    if not sides:
        return np.full(len(points), np.nan), np.full(len(points), OUTSIDE, np.int32)
    owner = np.repeat(list(lesions), [len(side) for side in sides]).astype(np.int32)
    distance_um, side = Boundary.from_segments(np.concatenate(sides)).nearest(points)
    return distance_um, np.where(side < 0, OUTSIDE, owner[side]).astype(np.int32)


def place_by_lesion(xy: ArrayLike, regions: Regions, lesion_id: np.ndarray) -> pd.DataFrame:
    """Distance to the border, nearest lesion and relative depth of points.

    Parameters
    ----------
    xy : (n, 2) float
        Micrometres.
    regions : Regions
    lesion_id : (n,) int
        The lesion that each point lies in, 0 outside: from `Regions.locate`.

    Returns
    -------
    DataFrame
        Columns `PLACE_COLUMNS`. ``tumour_border_distance_um`` is negative inside;
        ``nearest_lesion_id`` the lesion that the point lies in, or else the one whose border is
        nearest; ``relative_depth`` the distance as a share of that lesion's inradius: 0 at the
        border, 1 at the deepest point, negative outside. Without a tumour NaN, 0 and NaN.
    """
    distance_um, nearest = nearest_lesion(xy, regions)
    nearest = np.where(lesion_id != OUTSIDE, lesion_id, nearest).astype(np.int32)
    signed_um = np.where(lesion_id != OUTSIDE, -distance_um, distance_um)
    inradius_um = np.array([np.nan, *shapely.length(_inscribed(list(regions.lesions().values())))])
    return pd.DataFrame(
        {
            "tumour_border_distance_um": signed_um,
            "nearest_lesion_id": nearest,
            "relative_depth": -signed_um / inradius_um[nearest],
        }
    )


def _inscribed(pieces: Sequence[Polygon]) -> np.ndarray:
    """Of each piece, a line from the centre of its largest inscribed circle to the rim."""
    return shapely.maximum_inscribed_circle(pieces, tolerance=INRADIUS_TOLERANCE_UM)


def _observed_area_um2(regions: Regions, pieces: list[Polygon]) -> np.ndarray:
    if regions.exclusions.is_empty:
        return shapely.area(pieces)  # the tumour is drawn inside the window
    return shapely.area(pieces) - shapely.area(shapely.intersection(pieces, regions.exclusions))


def _share_at_edge(regions: Regions, pieces: list[Polygon]) -> np.ndarray:
    """Of each perimeter, how much lies along the edge of what was observed, or beyond it."""
    sides = [ring_segments(shapely.segmentize(piece, EDGE_STEP_UM)) for piece in pieces]
    owner = np.repeat(np.arange(len(pieces)), [len(side) for side in sides])
    ends = np.concatenate(sides)
    middle, length_um = ends.mean(axis=1), np.hypot(*(ends[:, 1] - ends[:, 0]).T)
    observed = regions.observed
    shapely.prepare(observed)
    seen = shapely.intersects_xy(observed, middle[:, 0], middle[:, 1])
    seen &= Boundary.from_geometry(observed).distance_um(middle) > EDGE_UM
    n_pieces = len(pieces)
    all_um = np.bincount(owner, length_um, n_pieces)
    return np.bincount(owner[~seen], length_um[~seen], n_pieces) / all_um
