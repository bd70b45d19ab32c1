"""Where each cell is, how large, and of what shape; from its runs."""

from __future__ import annotations

import numba as nb
import numpy as np

from macprox.image.tiles import Box
from macprox.measure.runs import NUCLEUS, Runs


def geometry(runs: Runs, frame: tuple[Box, tuple[int, int], float]) -> dict[str, np.ndarray]:
    """Position, areas and shape of every cell of a tile.

    Parameters
    ----------
    runs : Runs
    frame : (Box, (int, int), float)
        The tile's outer box, the slide's shape ``(y, x)`` and its pixel size in micrometres.

    Returns
    -------
    dict of (n_cells,) arrays
        Lengths in micrometres. Shape describes the nucleus where there is one, else the body.
    """
    outer, (height, width), pixel_size_um = frame
    place = runs.cell, runs.part, runs.y, runs.x_start, runs.x_stop
    moments, spans = _moments(*place, runs.n_cells)
    has_nucleus = moments[:, 0, 0] > 0
    of_shape = np.where(has_nucleus, 0, 1)  # the nucleus's entries, else the whole cell's
    rows = np.arange(runs.n_cells)
    span, cell_span = spans[rows, of_shape], spans[:, 1]
    shape = _from_own_corner(moments[rows, of_shape], span)
    area = shape[:, 0]
    first_y, first_x = span[:, 0] + outer.y0, span[:, 2] + outer.x0
    return {
        "x_um": (shape[:, 2] / area + first_x + 0.5) * pixel_size_um,
        "y_um": (shape[:, 1] / area + first_y + 0.5) * pixel_size_um,
        "nucleus_area_um2": moments[:, 0, 0] * pixel_size_um**2,
        "cell_area_um2": moments[:, 1, 0] * pixel_size_um**2,
        "eccentricity": _eccentricity(shape),
        "solidity": area / np.maximum(_hull_areas(*place, has_nucleus, span), 1),
        "has_nucleus": has_nucleus,
        "edge": (cell_span[:, 0] + outer.y0 == 0)
        | (cell_span[:, 1] + outer.y0 == height)
        | (cell_span[:, 2] + outer.x0 == 0)
        | (cell_span[:, 3] + outer.x0 == width),
    }


@nb.njit(cache=True, nogil=True)
def _moments(cell, part, ys, x_starts, x_stops, n_cells):
    """Of each cell's nucleus (0) and all of it (1): sums of 1, y, x, yy, xx, xy, and its box."""
    sums = np.zeros((n_cells, 2, 6), np.int64)
    spans = np.empty((n_cells, 2, 4), np.int64)
    spans[:, :, 0] = 2**62
    spans[:, :, 1] = 0
    spans[:, :, 2] = 2**62
    spans[:, :, 3] = 0
    for i in range(cell.size):
        y, start, stop = np.int64(ys[i]), np.int64(x_starts[i]), np.int64(x_stops[i])
        n = stop - start
        sum_x = (start + stop - 1) * n // 2
        sum_xx = ((stop - 1) * stop * (2 * stop - 1) - (start - 1) * start * (2 * start - 1)) // 6
        row = cell[i]
        for of in range(0 if part[i] == NUCLEUS else 1, 2):
            sums[row, of, 0] += n
            sums[row, of, 1] += y * n
            sums[row, of, 2] += sum_x
            sums[row, of, 3] += y * y * n
            sums[row, of, 4] += sum_xx
            sums[row, of, 5] += y * sum_x
            spans[row, of, 0] = min(spans[row, of, 0], y)
            spans[row, of, 1] = max(spans[row, of, 1], y + 1)
            spans[row, of, 2] = min(spans[row, of, 2], start)
            spans[row, of, 3] = max(spans[row, of, 3], stop)
    return sums, spans


def _from_own_corner(moments: np.ndarray, span: np.ndarray) -> np.ndarray:
    """The same sums counted from each object's own first row and column.

    Whole numbers throughout: where the tile begins leaves no trace, not even in the last bit.
    """
    area, sy, sx, syy, sxx, sxy = moments.T
    y0, x0 = span[:, 0], span[:, 2]
    return np.column_stack(
        [
            np.maximum(area, 1),
            sy - area * y0,
            sx - area * x0,
            syy - 2 * y0 * sy + area * y0**2,
            sxx - 2 * x0 * sx + area * x0**2,
            sxy - x0 * sy - y0 * sx + area * y0 * x0,
        ]
    )


def _eccentricity(moments: np.ndarray) -> np.ndarray:
    """Of the ellipse with the same second moments, a pixel counting as a unit square."""
    area, sy, sx, syy, sxx, sxy = moments.T
    vyy = syy / area - (sy / area) ** 2 + 1 / 12
    vxx = sxx / area - (sx / area) ** 2 + 1 / 12
    vxy = sxy / area - sx * sy / area**2
    spread = np.sqrt((vxx - vyy) ** 2 + 4 * vxy**2)
    minor, major = (vxx + vyy - spread) / 2, (vxx + vyy + spread) / 2
    return np.sqrt(np.clip(1 - minor / major, 0, 1))


@nb.njit(cache=True, nogil=True)
def _hull_areas(cell, part, ys, x_starts, x_stops, has_nucleus, span):
    """Area of the convex hull of each object's pixel corners.

    On every line between pixel rows the hull reaches from the leftmost to the rightmost corner;
    its sides are the convex envelopes of those.
    """
    n_cells = span.shape[0]
    line_of = np.zeros(n_cells + 1, np.int64)  # each object's first line among all objects' lines
    for row in range(n_cells):
        line_of[row + 1] = line_of[row] + max(span[row, 1] - span[row, 0] + 1, 0)
    left = np.full(line_of[n_cells], 2**62)
    right = np.full(line_of[n_cells], 2**62)  # negated: both sides are lower envelopes
    for i in range(cell.size):
        row = cell[i]
        if part[i] == NUCLEUS or not has_nucleus[row]:
            above = line_of[row] + ys[i] - span[row, 0]
            for line in range(above, above + 2):
                left[line] = min(left[line], x_starts[i])
                right[line] = min(right[line], -x_stops[i])
    areas = np.zeros(n_cells)
    for row in range(n_cells):
        lines = slice(line_of[row], line_of[row + 1])
        areas[row] = -_envelope_area(left[lines]) - _envelope_area(right[lines])
    return areas


@nb.njit(cache=True, nogil=True)
def _envelope_area(heights):
    """Integral of the greatest convex function below ``heights`` at 0, 1, 2, ..."""
    kept = np.empty(heights.size, np.int64)
    n = 0
    for i in range(heights.size):
        while n >= 2:
            a, b = kept[n - 2], kept[n - 1]
            if (heights[b] - heights[a]) * (i - a) < (heights[i] - heights[a]) * (b - a):
                break
            n -= 1
        kept[n] = i
        n += 1
    area = 0.0
    for k in range(n - 1):
        a, b = kept[k], kept[k + 1]
        area += (b - a) * (heights[a] + heights[b]) / 2
    return area
