"""A window or region made of polygons."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient

from macprox.errors import WindowError


@dataclass(frozen=True, eq=False)
class PolygonShape:
    """A valid, non-empty ``Polygon`` or ``MultiPolygon`` in micrometres."""

    geometry: BaseGeometry = field(repr=False)

    @classmethod
    def checked(cls, geometry: BaseGeometry) -> PolygonShape:
        kind = getattr(geometry, "geom_type", type(geometry).__name__)
        if kind not in ("Polygon", "MultiPolygon"):
            raise WindowError(
                f"A window must be a shapely Polygon or MultiPolygon in micrometres, found {kind}."
            )
        if not geometry.is_valid:
            raise WindowError(
                "The window's polygon is not valid "
                f"({shapely.is_valid_reason(geometry)}); repair it with shapely.make_valid."
            )
        if not geometry.area > 0:
            raise WindowError("The window is empty: its polygon has no area.")
        shapely.prepare(geometry)  # changes no value: an index for point-in-polygon
        return cls(geometry)

    @classmethod
    def rectangle(cls, x_min: float, y_min: float, x_max: float, y_max: float) -> PolygonShape:
        if not (
            np.isfinite([x_min, y_min, x_max, y_max]).all() and x_min < x_max and y_min < y_max
        ):
            raise WindowError(
                "A rectangular window needs x_min < x_max and y_min < y_max in micrometres, found "
                f"x from {x_min} to {x_max}, y from {y_min} to {y_max}."
            )
        return cls.checked(shapely.box(x_min, y_min, x_max, y_max))

    @property
    def area_um2(self) -> float:
        return self.geometry.area

    @property
    def bounds_um(self) -> tuple[float, float, float, float]:
        return self.geometry.bounds

    def polygon(self) -> BaseGeometry:
        return self.geometry

    def contains(self, xy: np.ndarray) -> np.ndarray:
        return shapely.intersects_xy(self.geometry, xy[:, 0], xy[:, 1])

    def segments(self) -> np.ndarray:
        return ring_segments(self.geometry)

    def lattice_um(self, step_um: float) -> tuple[np.ndarray, np.ndarray]:
        x_min, y_min, x_max, y_max = self.bounds_um
        return centres(x_min, x_max, step_um), centres(y_min, y_max, step_um)


def centres(low: float, high: float, step_um: float) -> np.ndarray:
    """Centres of the fewest equal intervals, none longer than the step, that fill the range."""
    n = max(1, int(np.ceil((high - low) / step_um - 1e-9)))
    return low + (np.arange(n) + 0.5) * ((high - low) / n)


def ring_segments(geometry: BaseGeometry) -> np.ndarray:
    """Every side of every ring, holes included: ``(n, 2, 2)``, ends of (x, y)."""
    rings = shapely.get_rings(shapely.get_parts(geometry))
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    same = ring[1:] == ring[:-1]
    return np.stack([xy[:-1], xy[1:]], axis=1)[same]


def oriented(geometry: BaseGeometry) -> BaseGeometry:
    """Outlines anticlockwise, holes clockwise: the inside is on the left of every side."""
    parts = [orient(part) for part in shapely.get_parts(geometry)]
    return parts[0] if len(parts) == 1 else shapely.multipolygons(parts)


def polygonal(geometry: BaseGeometry) -> BaseGeometry:
    """The polygons of an overlay's result, which may come with stray points and lines."""
    if geometry.geom_type in ("Polygon", "MultiPolygon"):
        return geometry
    parts = shapely.get_parts(geometry)
    return shapely.union_all(parts[np.isin(shapely.get_type_id(parts), (3, 6))])
