"""`Window`: where cells could have been observed.

Nothing heavy is imported until a window is made: shapely and numba live in the modules beside
this one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from macprox.window.boundary import Boundary
    from macprox.window.set_covariance import SetCovariance

__all__ = ["Window"]


class Shape(Protocol):
    """What a window is made of: a polygon or a mask."""

    @property
    def area_um2(self) -> float: ...
    @property
    def bounds_um(self) -> tuple[float, float, float, float]: ...
    def contains(self, xy: np.ndarray) -> np.ndarray: ...
    def segments(self) -> np.ndarray: ...
    def polygon(self) -> BaseGeometry: ...
    def lattice_um(self, step_um: float) -> tuple[np.ndarray, np.ndarray]: ...


@dataclass(frozen=True, eq=False)
class Window:
    """The region in which cells could have been observed, in micrometres.

    Closed: a point on the edge is inside, at distance 0 from the edge. Made by
    `from_rectangle`, `from_polygon` or `from_mask`.

    Examples
    --------
    >>> window = Window.from_rectangle(0, 0, 100, 50)
    >>> window.area_um2
    5000.0
    >>> window.distance_to_edge([[10, 20], [50, 25], [-1, 0]])
    array([10., 25., nan])
    """

    shape: Shape = field(repr=False)

    @classmethod
    def from_rectangle(cls, x_min: float, y_min: float, x_max: float, y_max: float) -> Window:
        """The rectangle between two corners, in micrometres.

        Raises
        ------
        WindowError
            If it has no area.
        """
        from macprox.window.polygon import PolygonShape

        return cls(PolygonShape.rectangle(x_min, y_min, x_max, y_max))

    @classmethod
    def from_polygon(cls, polygon: BaseGeometry) -> Window:
        """A shapely ``Polygon`` or ``MultiPolygon``, holes and several pieces allowed.

        Raises
        ------
        WindowError
            If it is empty, crosses itself or is no polygon.
        """
        from macprox.window.polygon import PolygonShape

        return cls(PolygonShape.checked(polygon))

    @classmethod
    def from_mask(
        cls,
        mask: np.ndarray,
        pixel_size_um: float,
        origin_um: tuple[float, float] = (0.0, 0.0),
    ) -> Window:
        """The union of the True pixels of a mask.

        Parameters
        ----------
        mask : (y, x) bool
        pixel_size_um : float
        origin_um : (float, float)
            ``(x, y)`` of the outer corner of pixel ``[0, 0]``.

        Raises
        ------
        WindowError
            If no pixel is True, the mask is not two-dimensional bool, or the pixel size is not
            a positive number.
        """
        from macprox.window.mask import MaskShape

        return cls(MaskShape.checked(mask, pixel_size_um, origin_um))

    @cached_property
    def area_um2(self) -> float:
        """Area without holes."""
        return float(self.shape.area_um2)

    @property
    def bounds_um(self) -> tuple[float, float, float, float]:
        """``(x_min, y_min, x_max, y_max)``."""
        return self.shape.bounds_um

    @cached_property
    def polygon(self) -> BaseGeometry:
        """As a shapely ``Polygon`` or ``MultiPolygon``; a mask's runs along pixel edges."""
        return self.shape.polygon()

    @cached_property
    def boundary(self) -> Boundary:
        """The edge as line segments that answer distances."""
        from macprox.window.boundary import Boundary

        return Boundary.from_segments(self.shape.segments())

    @cached_property
    def oriented_segments(self) -> np.ndarray:
        """The sides of the edge, ``(n, 4)``: x0, y0, x1, y1 with the window on the left."""
        from macprox.window.polygon import oriented, ring_segments

        return ring_segments(oriented(self.polygon)).reshape(-1, 4)

    @cached_property
    def _set_covariances(self) -> dict[float | None, SetCovariance]:
        return {}

    def set_covariance(self, reach_um: float, raster_um: float | None = None) -> SetCovariance:
        """How much of the window overlaps it after a shift: what the translation correction needs.

        Computed once and kept; again only for a longer reach, with the same values.

        Parameters
        ----------
        reach_um : float
            The longest shift.
        raster_um : float, optional
            Pixel of a polygon that is no rectangle along the axes; the default is a hundredth of
            area / perimeter (0.05 to 10 um from one lesion to a section), with which K agrees to
            1e-3 with exact overlaps (test_ripley.py). Rectangles and masks are exact and need
            none.

        Returns
        -------
        SetCovariance
            ``overlap_um2(dx, dy)``, and the table for kernels.

        Raises
        ------
        ValueError
            If the reach or the raster is not a positive number.
        """
        from macprox.window.set_covariance import SetCovariance

        for name, length in (("reach_um", reach_um), ("raster_um", raster_um)):
            if length is not None and not (np.isfinite(length) and length > 0):
                raise ValueError(f"{name} must be a positive length in um, found {length!r}.")
        known = self._set_covariances.get(raster_um)
        if known is None or known.reach_um < reach_um:
            known = SetCovariance.of(self.shape, float(reach_um), raster_um)
            self._set_covariances[raster_um] = known
        return known

    def contains(self, xy: np.ndarray) -> np.ndarray:
        """Whether each of ``(n, 2)`` points lies in the window or on its edge: ``(n,)`` bool."""
        return self.shape.contains(as_points(xy))

    def distance_to_edge(self, xy: np.ndarray) -> np.ndarray:
        """Distance of every point to the window's edge, holes included.

        Parameters
        ----------
        xy : (n, 2) float
            Micrometres.

        Returns
        -------
        (n,) float
            Exact, micrometres; for a mask to the outline of its pixels, not to pixel centres
            (which spatstat takes, up to 1.8 px off). NaN for a point outside the window: it
            could not have been observed, so nothing about it is censored.
        """
        points = as_points(xy)
        distance_um = np.full(len(points), np.nan)
        inside = self.shape.contains(points)
        distance_um[inside] = self.boundary.distance_um(points[inside])
        return distance_um

    def intersection(self, polygon: BaseGeometry) -> Window:
        """The part of the window inside a polygon; `WindowError` if they do not overlap."""
        from macprox.window.polygon import polygonal

        return Window.from_polygon(polygonal(self.polygon.intersection(polygon)))

    def sample(
        self, step_um: float, bounds_um: tuple[float, float, float, float] | None = None
    ) -> tuple[np.ndarray, float, float]:
        """A regular lattice of points in the window, for integrals over it.

        Parameters
        ----------
        step_um : float
            Distance between points, at most: it is shortened so that a whole number of steps
            fits the bounding box (or a mask's pixel), which makes rectangles and masks exact.
        bounds_um : tuple of float, optional
            Only the points inside these ``(x_min, y_min, x_max, y_max)``.

        Returns
        -------
        xy : (n, 2) float
        dx, dy : float
            Each point stands for ``dx * dy`` square micrometres.
        """
        x, y = self.shape.lattice_um(step_um)
        dx = x[1] - x[0] if len(x) > 1 else self.bounds_um[2] - self.bounds_um[0]
        dy = y[1] - y[0] if len(y) > 1 else self.bounds_um[3] - self.bounds_um[1]
        if bounds_um is not None:
            x = x[(x >= bounds_um[0]) & (x <= bounds_um[2])]
            y = y[(y >= bounds_um[1]) & (y <= bounds_um[3])]
        xy = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        return xy[self.shape.contains(xy)], float(dx), float(dy)


def as_points(xy: np.ndarray) -> np.ndarray:
    """``(n, 2)`` float64, from anything shaped like it; an empty list is no points."""
    points = np.asarray(xy, dtype=float)
    if points.size == 0:
        return np.empty((0, 2))
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(
            f"Points must have shape (n, 2), columns (x_um, y_um); found {points.shape}."
        )
    return points
