"""The true nests as polygons, traced field by field."""

from __future__ import annotations

import numpy as np
import shapely
from scipy.spatial import cKDTree
from skimage.measure import find_contours

from macprox.simulate.fields import FIELD_UM, Field
from macprox.simulate.places import GRID_UM, MARGIN_UM, Places

_MIN_NEST_UM2 = 400.0  # a bud of a few cells
_CONTOUR_STEP_UM = 0.5
_REACH_UM = 256.0  # most cells of a lesion's field are nearer to the border


def nests_in(field: Field, places: Places) -> shapely.Geometry:
    """The nests in one field, cut at its edges."""
    # The frame of zeros closes outlines that leave the map.
    nests = np.pad(places.nest_um, 1, constant_values=-1.0)
    first = np.array(places.first)
    rings = [
        (contour - 1 + first)[:, ::-1] * GRID_UM - MARGIN_UM
        for contour in find_contours(nests, 0.0)
        if len(contour) > 3
    ]
    area = shapely.build_area(shapely.GeometryCollection([shapely.LineString(r) for r in rings]))
    y0, x0, y1, x1 = field.box_um
    return shapely.intersection(area, shapely.box(x0, y0, x1, y1))


def tumour_outline(nests: list[shapely.Geometry]) -> shapely.MultiPolygon:
    """The true nests of a slide, in micrometres: what fields cut is joined, buds are left out.

    Parameters
    ----------
    nests : list of Geometry
        `nests_in` of every field.
    """
    joined = nests[0] if len(nests) == 1 else shapely.union_all(nests)
    parts = [part for part in shapely.get_parts(joined) if part.area >= _MIN_NEST_UM2]
    return shapely.MultiPolygon([part for part in parts if part.geom_type == "Polygon"])


def border_distance_um(tumour: shapely.MultiPolygon, xy_um: np.ndarray) -> np.ndarray:
    """Distance of points to the outline, inside negative; infinite where there is no tumour.

    The border is measured at points `_CONTOUR_STEP_UM` apart, of the nests around one field at
    a time: all of a large slide's would be hundreds of megabytes.
    """
    distance_um = np.full(len(xy_um), np.inf)
    if tumour.is_empty or not len(xy_um):
        return distance_um
    parts = shapely.get_parts(tumour)
    tree = shapely.STRtree(parts)
    column, row = np.floor(xy_um / FIELD_UM).astype(np.int64).T
    order = np.lexsort((column, row))
    new = np.flatnonzero(np.diff(row[order]) | np.diff(column[order])) + 1
    for rows in np.split(order, new):
        reach_um = _REACH_UM
        low, high = xy_um[rows].min(axis=0), xy_um[rows].max(axis=0)
        while rows.size:
            near = tree.query(shapely.box(*(low - reach_um), *(high + reach_um)))
            distance_um[rows] = _signed(parts[near], xy_um[rows])
            if near.size == parts.size:
                break
            # Nests that do not reach into the box are farther away than this.
            rows = rows[np.abs(distance_um[rows]) > reach_um]
            reach_um *= 2
    return distance_um


def _signed(parts: np.ndarray, xy_um: np.ndarray) -> np.ndarray:
    if not parts.size:
        return np.full(len(xy_um), np.inf)  # as far as this box knows
    nests = shapely.MultiPolygon(list(parts))
    dense = shapely.segmentize(nests.boundary, _CONTOUR_STEP_UM)
    distance_um, _ = cKDTree(shapely.get_coordinates(dense)).query(xy_um)
    shapely.prepare(nests)
    inside = shapely.contains_xy(nests, xy_um[:, 0], xy_um[:, 1])
    return np.where(inside, -distance_um, distance_um)
