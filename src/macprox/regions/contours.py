"""Between masks on a grid and polygons in micrometres, in both directions."""

from __future__ import annotations

import numpy as np
import shapely
from shapely import MultiPolygon
from shapely.geometry.base import BaseGeometry
from skimage.measure import find_contours


def polygons_from_field(
    field: np.ndarray,
    level: float,
    pixel_size_um: float,
    origin_um: tuple[float, float] = (0.0, 0.0),
) -> MultiPolygon:
    """The area where a sampled field exceeds a level, by marching squares.

    Parameters
    ----------
    field : (y, x) float
        Values at pixel centres; finite.
    level : float
    pixel_size_um : float
    origin_um : (float, float)
        ``(x, y)`` of the outer corner of the first pixel.

    Returns
    -------
    MultiPolygon
        In micrometres, valid, perhaps empty; holes are holes. It never reaches beyond the
        centres of the outermost pixels by more than one pixel.
    """
    # A value exactly at the level lets a contour touch itself, which is no ring any more.
    field = np.where(field == level, level + 1e-6 * (1 + abs(level)), field)
    # A rim below the level closes every contour; without it those at the edge stay open.
    low = min(float(field.min(initial=level)), level) - 1.0
    rings = find_contours(np.pad(field, 1, constant_values=low), level)
    lines = [shapely.LineString(ring[:, ::-1] * pixel_size_um) for ring in rings if len(ring) > 3]
    if not lines:
        return MultiPolygon()
    outlines = shapely.GeometryCollection(lines)
    if not shapely.is_simple(lines).all():
        outlines = shapely.node(outlines)
    area = shapely.build_area(outlines)
    # index of the padded array -> centre of the pixel (half a pixel in, one pixel of rim out)
    offset_um = np.asarray(origin_um) - 0.5 * pixel_size_um
    return as_multipolygon(shapely.transform(area, lambda xy: xy + offset_um))


def polygons_from_mask(
    mask: np.ndarray,
    pixel_size_um: float,
    origin_um: tuple[float, float] = (0.0, 0.0),
    min_area_um2: float = 0.0,
) -> MultiPolygon:
    """The outline of a mask, in micrometres.

    Outlines run through the middle between a pixel inside and one outside, and flush with the
    array's edge where the mask touches it, so that a full mask is the full rectangle.

    Parameters
    ----------
    mask : (y, x) bool
    pixel_size_um : float
        Of the mask, which may be coarser than the slide.
    origin_um : (float, float)
        ``(x, y)`` of the outer corner of the first pixel.
    min_area_um2 : float
        Smaller pieces are dropped, smaller holes filled.
    """
    mask = np.asarray(mask, dtype=bool)
    if not mask.any():
        return MultiPolygon()
    # Repeating the outermost pixels and clipping makes the outline flush with the edge.
    grown = np.pad(mask, 1, mode="edge").astype(float)
    shifted = (origin_um[0] - pixel_size_um, origin_um[1] - pixel_size_um)
    outline = polygons_from_field(grown, 0.5, pixel_size_um, shifted)
    height, width = mask.shape
    edge = shapely.box(
        *origin_um,
        origin_um[0] + width * pixel_size_um,
        origin_um[1] + height * pixel_size_um,
    )
    return without_small_parts(as_multipolygon(outline & edge), min_area_um2)


def polygons_from_squares(mask: np.ndarray, side_um: float) -> MultiPolygon:
    """The squares of a grid anchored at the slide's corner, whole and joined.

    Unlike `polygons_from_mask`, which smooths, it keeps every corner.

    Parameters
    ----------
    mask : (y, x) bool
    side_um : float
    """
    y, x = np.nonzero(mask)
    squares = shapely.box(x * side_um, y * side_um, (x + 1) * side_um, (y + 1) * side_um)
    return as_multipolygon(shapely.coverage_union_all(squares))


def mask_from_polygons(
    geometry: BaseGeometry,
    shape: tuple[int, int],
    pixel_size_um: float,
    origin_um: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """Which pixel centres lie in an area: scan lines, even-odd rule.

    Point-in-polygon tests a pixel would cost seconds to minutes on a slide's outline of
    thousands of corners; this costs one pass over its edges and one over the pixels.

    Parameters
    ----------
    geometry : Polygon or MultiPolygon
        Valid, in micrometres.
    shape : (int, int)
        ``(y, x)`` of the mask.
    pixel_size_um : float
    origin_um : (float, float)
        ``(x, y)`` of the outer corner of the first pixel.

    Returns
    -------
    (y, x) bool
    """
    height, width = shape
    starts, ends = _edges(as_multipolygon(geometry))
    # in units of pixel indices, where a centre has an integer coordinate
    starts = (starts - origin_um) / pixel_size_um - 0.5
    ends = (ends - origin_um) / pixel_size_um - 0.5
    downward = starts[:, 1] <= ends[:, 1]
    top = np.where(downward[:, None], starts, ends)
    bottom = np.where(downward[:, None], ends, starts)
    first = np.clip(np.ceil(top[:, 1]), 0, height).astype(np.int64)
    stop = np.clip(np.ceil(bottom[:, 1]), first, height).astype(np.int64)

    edge = np.repeat(np.arange(len(top)), stop - first)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(stop - first) - (stop - first), stop - first)
    row = row + first[edge]
    slope = (bottom[edge, 0] - top[edge, 0]) / (bottom[edge, 1] - top[edge, 1])
    crossing = top[edge, 0] + (row - top[edge, 1]) * slope
    column = np.clip(np.ceil(crossing), 0, width).astype(np.int64)

    flips = np.bincount(row * (width + 1) + column, minlength=height * (width + 1))
    parity = np.cumsum((flips & 1).reshape(height, width + 1).astype(np.uint8), axis=1, dtype="u1")
    return (parity[:, :width] & 1).astype(bool)


def without_small_parts(area: MultiPolygon, min_area_um2: float) -> MultiPolygon:
    """Pieces below an area dropped, then holes below it filled."""
    kept = []
    for piece in area.geoms:
        if piece.area >= min_area_um2:  # of the piece as it is: a thin ring is small
            holes = [ring for ring in piece.interiors if shapely.Polygon(ring).area >= min_area_um2]
            kept.append(shapely.Polygon(piece.exterior, holes))
    return MultiPolygon(kept)


def as_multipolygon(geometry: BaseGeometry) -> MultiPolygon:
    """Every polygon of a geometry; points and lines that touching edges leave are dropped."""
    if isinstance(geometry, MultiPolygon):
        pieces = [piece for piece in geometry.geoms if not piece.is_empty]
        # The very same, where it can be: it keeps its index of edges.
        return geometry if len(pieces) == len(geometry.geoms) else MultiPolygon(pieces)
    parts = shapely.get_parts(geometry)
    polygons = []
    for part in parts:
        if part.geom_type == "Polygon" and not part.is_empty:
            polygons.append(part)
        elif part.geom_type in ("MultiPolygon", "GeometryCollection"):
            polygons.extend(as_multipolygon(part).geoms)
    return MultiPolygon(polygons)


def _edges(area: MultiPolygon) -> tuple[np.ndarray, np.ndarray]:
    """Start and end of every edge of every ring, ``(n, 2)`` each."""
    rings = [ring for piece in area.geoms for ring in (piece.exterior, *piece.interiors)]
    if not rings:
        return np.empty((0, 2)), np.empty((0, 2))
    corners = [shapely.get_coordinates(ring) for ring in rings]
    return (
        np.concatenate([ring[:-1] for ring in corners]),
        np.concatenate([ring[1:] for ring in corners]),
    )
