"""A window as horizontal strips: what of each strip is inside, as runs of x.

Exact in x. For a mask the strips are its rows and the runs are exact; for a polygon the runs are
those of the line through the middle of the strip.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numba
import numpy as np

from macprox.window.mask import MaskShape
from macprox.window.polygon import PolygonShape

# Half of the boundary's pixels, a quarter of a pixel each, is the most that a raster is wrong.
RASTER_FRAC = 0.01


@dataclass(frozen=True, eq=False)
class Runs:
    """Strips of equal height; strip k holds ``x[start[k]:start[k + 1]]``: from, to, from, to."""

    x: np.ndarray = field(repr=False)  # (n_ends,) um, increasing within a strip
    start: np.ndarray = field(repr=False)  # (n_strips + 1,)
    y_min: float
    height_um: float


def is_rectangle(shape: object) -> bool:
    """Whether a window is one rectangle with sides along the axes."""
    return (
        isinstance(shape, PolygonShape)
        and shape.geometry.area == shape.geometry.envelope.area
        and shape.geometry.geom_type == "Polygon"
    )


def default_raster_um(shape: PolygonShape) -> float:
    """A hundredth of area / perimeter: the raster and the polygon differ by < 0.5 % of the area.

    So the raster has 10,000 perimeter^2 / area pixels, whatever the size of the window.
    """
    return RASTER_FRAC * shape.geometry.area / shape.geometry.length


def runs_of(shape: object, strip_um: float) -> Runs:
    """The strips of a window: the rows of a mask, else strips not higher than ``strip_um``."""
    if isinstance(shape, MaskShape):
        edge = np.diff(np.pad(shape.mask, ((0, 0), (1, 1))).astype(np.int8), axis=1) != 0
        row, column = np.nonzero(edge)
        start = np.searchsorted(row, np.arange(len(edge) + 1))
        x = shape.origin_um[0] + column * shape.pixel_size_um
        return Runs(x, start, shape.origin_um[1], shape.pixel_size_um)
    assert isinstance(shape, PolygonShape)
    _, y_min, _, y_max = shape.bounds_um
    n_strips = max(1, int(np.ceil((y_max - y_min) / strip_um - 1e-9)))
    height = (y_max - y_min) / n_strips
    x, start = _crossings(shape.segments(), y_min, height, n_strips)
    return Runs(x, start, y_min, height)


def pixels_of(shape: object, raster_um: float | None) -> tuple[np.ndarray, float, float]:
    """A window as pixels: ``(y, x)`` bool, and their width and height in micrometres.

    A rectangle is one pixel, a mask itself without its empty margin, and of a polygon the pixels
    whose centre is inside.
    """
    if isinstance(shape, MaskShape):
        rows, columns = (np.flatnonzero(shape.mask.any(axis=axis)) for axis in (1, 0))
        cropped = shape.mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        return cropped, shape.pixel_size_um, shape.pixel_size_um
    assert isinstance(shape, PolygonShape)
    x_min, y_min, x_max, y_max = shape.bounds_um
    if is_rectangle(shape):
        return np.ones((1, 1), dtype=bool), x_max - x_min, y_max - y_min
    step = default_raster_um(shape) if raster_um is None else raster_um
    runs = runs_of(shape, step)
    n_columns = max(1, int(np.ceil((x_max - x_min) / step - 1e-9)))
    width = (x_max - x_min) / n_columns
    ends = np.clip(np.ceil((runs.x - x_min) / width - 0.5), 0, n_columns).astype(np.int64)
    return _filled(ends, runs.start, n_columns), width, runs.height_um


def _crossings(
    segments: np.ndarray, y_min: float, height: float, n_strips: int
) -> tuple[np.ndarray, np.ndarray]:
    """Where the middle of every strip meets the sides of the polygon, sorted: x and start."""
    low = np.minimum(segments[:, 0, 1], segments[:, 1, 1])
    high = np.maximum(segments[:, 0, 1], segments[:, 1, 1])
    # Half-open, so that a line through a corner meets one of its two sides (or both, or none).
    first, last = (
        np.clip(np.ceil((y - y_min) / height - 0.5), 0, n_strips).astype(np.int64)
        for y in (low, high)
    )
    n_met = last - first
    side = np.repeat(np.arange(len(segments)), n_met)
    strip = np.arange(n_met.sum()) - np.repeat(np.cumsum(n_met) - n_met, n_met) + first[side]
    (x0, y0), (x1, y1) = segments[side, 0].T, segments[side, 1].T
    x = x0 + (y_min + (strip + 0.5) * height - y0) / (y1 - y0) * (x1 - x0)
    order = np.lexsort((x, strip))
    return x[order], np.searchsorted(strip[order], np.arange(n_strips + 1))


@numba.njit(nogil=True, cache=True)
def _filled(ends, start, n_columns):
    mask = np.zeros((len(start) - 1, n_columns), np.bool_)
    for row in range(len(mask)):
        for k in range(start[row], start[row + 1] - 1, 2):
            mask[row, ends[k] : ends[k + 1]] = True
    return mask
