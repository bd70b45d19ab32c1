"""A window made of pixels, and the exact outline of those pixels."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from macprox.errors import WindowError


@dataclass(frozen=True, eq=False)
class MaskShape:
    """The union of the True pixels of ``mask (y, x)``."""

    mask: np.ndarray = field(repr=False)
    pixel_size_um: float
    origin_um: tuple[float, float]

    @classmethod
    def checked(
        cls, mask: np.ndarray, pixel_size_um: float, origin_um: tuple[float, float]
    ) -> MaskShape:
        mask = np.asarray(mask)
        if mask.ndim != 2 or mask.dtype != bool:
            raise WindowError(
                f"A window mask must be (y, x) bool, found {mask.ndim} dimensions of {mask.dtype}. "
                "Compare it with a value first, for instance labels > 0."
            )
        if not (np.isfinite(pixel_size_um) and pixel_size_um > 0):
            raise WindowError(
                f"A window mask needs its pixel size in micrometres, found {pixel_size_um!r}."
            )
        if not mask.any():
            raise WindowError("The window is empty: no pixel of its mask is True.")
        return cls(mask.copy(), float(pixel_size_um), (float(origin_um[0]), float(origin_um[1])))

    @property
    def area_um2(self) -> float:
        return int(self.mask.sum()) * self.pixel_size_um**2

    @property
    def bounds_um(self) -> tuple[float, float, float, float]:
        rows, columns = np.flatnonzero(self.mask.any(axis=1)), np.flatnonzero(self.mask.any(axis=0))
        corners = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=float)
        x_min, y_min, x_max, y_max = corners * self.pixel_size_um + np.tile(self.origin_um, 2)
        return float(x_min), float(y_min), float(x_max), float(y_max)

    def contains(self, xy: np.ndarray) -> np.ndarray:
        # A point on a line between pixels belongs to both: the window is closed.
        position = (xy - np.asarray(self.origin_um)) / self.pixel_size_um
        upper, lower = np.floor(position), np.ceil(position) - 1
        inside = self._pixel(upper[:, 0], upper[:, 1])
        on_line = np.flatnonzero(~inside & (lower < upper).any(axis=1))
        for x in (lower[on_line, 0], upper[on_line, 0]):
            for y in (lower[on_line, 1], upper[on_line, 1]):
                inside[on_line] |= self._pixel(x, y)
        return inside

    def _pixel(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        height, width = self.mask.shape
        valid = (x >= 0) & (x < width) & (y >= 0) & (y < height)  # False for NaN
        value = np.zeros(len(x), dtype=bool)
        value[valid] = self.mask[y[valid].astype(np.intp), x[valid].astype(np.intp)]
        return value

    def segments(self) -> np.ndarray:
        return outline(self.mask) * self.pixel_size_um + np.asarray(self.origin_um)

    def polygon(self) -> BaseGeometry:
        lines = shapely.linestrings(outline(self.mask))
        faces = shapely.get_parts(shapely.polygonize(lines))
        # Every ring of the outline bounds a face; those that lie on False pixels are holes.
        inner = shapely.get_coordinates(shapely.point_on_surface(faces))
        faces = faces[self._pixel(np.floor(inner[:, 0]), np.floor(inner[:, 1]))]
        geometry = faces[0] if len(faces) == 1 else shapely.multipolygons(faces)
        return shapely.transform(
            geometry, lambda xy: xy * self.pixel_size_um + np.asarray(self.origin_um)
        )

    def lattice_um(self, step_um: float) -> tuple[np.ndarray, np.ndarray]:
        x_min, y_min, x_max, y_max = self.bounds_um
        per_pixel = max(1, int(np.ceil(self.pixel_size_um / step_um - 1e-9)))
        pixels = max(1, int(step_um / self.pixel_size_um + 1e-9))  # coarser than the mask
        step_um = self.pixel_size_um * (pixels if pixels > 1 else 1 / per_pixel)
        n_x, n_y = (int(np.ceil(side / step_um - 1e-6)) for side in (x_max - x_min, y_max - y_min))
        # Coarse steps are not centred on pixel corners, where a point would count as inside
        # whichever neighbour is True.
        offset = 0.5 if pixels % 2 or pixels == 1 else 0.5 - 0.5 / pixels
        return (
            x_min + (np.arange(n_x) + offset) * step_um,
            y_min + (np.arange(n_y) + offset) * step_um,
        )


def outline(mask: np.ndarray) -> np.ndarray:
    """The pixel edges between True and False, joined to straight runs.

    Parameters
    ----------
    mask : (y, x) bool

    Returns
    -------
    (n, 2, 2) float
        Ends (x, y) in pixels. Runs end wherever the outline turns or touches itself, so that
        they meet only at their ends.
    """
    padded = np.pad(mask, 1)
    horizontal = (padded[1:] != padded[:-1])[:, 1:-1]  # (ny + 1, nx): edge on line i over column j
    vertical = (padded[:, 1:] != padded[:, :-1])[1:-1]  # (ny, nx + 1)
    tall, wide = np.pad(vertical, ((1, 1), (0, 0))), np.pad(horizontal, ((0, 0), (1, 1)))
    crossed_by_vertical = tall[1:] | tall[:-1]  # (ny + 1, nx + 1): a vertical edge at this corner
    crossed_by_horizontal = wide[:, 1:] | wide[:, :-1]
    y, x_from, x_to = _runs(horizontal, crossed_by_vertical)
    x, y_from, y_to = _runs(vertical.T, crossed_by_horizontal.T)
    along_x = np.stack([np.stack([x_from, y], -1), np.stack([x_to, y], -1)], axis=1)
    along_y = np.stack([np.stack([x, y_from], -1), np.stack([x, y_to], -1)], axis=1)
    return np.concatenate([along_x, along_y]).astype(float)


def _runs(edge: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Maximal runs of edges ``(line, cell)`` that pass no stop ``(line, corner)``."""
    before = np.pad(edge, ((0, 0), (1, 0)))[:, :-1]
    after = np.pad(edge, ((0, 0), (0, 1)))[:, 1:]
    line, start = np.nonzero(edge & (~before | stop[:, :-1]))
    _, end = np.nonzero(edge & (~after | stop[:, 1:]))
    return line, start, end + 1
