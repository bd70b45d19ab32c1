"""Exact, order-free pixel kernels: the same pixel gives the same value in every tile.

Floating running sums depend on where a tile starts, so sums run over integers; ties are broken
by position, never by queue order.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np
from scipy import ndimage as ndi


def box_mean(levels: np.ndarray, radius_px: int) -> np.ndarray:
    """Mean over a ``(2r + 1)`` square of an integer image, exact before the final division.

    scipy's running sum is exact as long as its terms are whole numbers below 2**53, hence the
    rounding between the axes.
    """
    side = 2 * radius_px + 1
    rows = np.rint(ndi.uniform_filter1d(levels.astype(np.float64), side, axis=0) * side)
    return np.rint(ndi.uniform_filter1d(rows, side, axis=1) * side) / (side * side)


@nb.njit(cache=True, nogil=True)
def distance_inside(mask, cap_px):
    """Euclidean distance of every foreground pixel to the background, at most ``cap_px``.

    Exact below the cap. The cap makes it local: no pixel farther than ``cap_px`` away matters.

    Parameters
    ----------
    mask : (y, x) bool
    cap_px : int

    Returns
    -------
    (y, x) float32
        Pixels; 0 outside the mask. The image's rim is not background.
    """
    height, width = mask.shape
    column = np.empty((height, width), np.int32)
    for x in range(width):
        run = cap_px
        for y in range(height):
            run = min(run + 1, cap_px) if mask[y, x] else 0
            column[y, x] = run
    for x in range(width):
        run = cap_px
        for y in range(height - 1, -1, -1):
            run = min(run + 1, cap_px) if mask[y, x] else 0
            column[y, x] = min(column[y, x], run)
    distance = np.zeros((height, width), np.float32)
    for y in range(height):
        for x in range(width):
            best = column[y, x] * column[y, x]
            step = 1
            while step * step < best:
                if x >= step:
                    best = min(best, step * step + column[y, x - step] ** 2)
                if x + step < width:
                    best = min(best, step * step + column[y, x + step] ** 2)
                step += 1
            distance[y, x] = math.sqrt(best)
    return distance


def disc_offsets(radius_px: float) -> np.ndarray:
    """``(n, 3)`` int: ``(dy, dx, squared distance)`` within a radius, nearest first.

    Offsets at the same distance keep raster order.
    """
    reach = int(radius_px)
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    squared = dy**2 + dx**2
    inside = (squared > 0) & (squared <= radius_px**2)
    offsets = np.column_stack([dy[inside], dx[inside], squared[inside]])
    return offsets[np.argsort(offsets[:, 2], kind="stable")].astype(np.int64)
