"""Exact distances on pixels: the same pixel gives the same value in every tile.

Squared distances are whole numbers, and ties are broken by label, never by queue order. Both
kernels are separable: a running distance along columns, then a search along rows that ends where
no column can be nearer.
"""

from __future__ import annotations

import numba as nb
import numpy as np


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
    cap, none = np.int32(cap_px), np.int32(0)
    distance = np.empty((height, width), np.float32)  # first: down to here from the background
    run = np.full(width, cap, np.int32)
    for y in range(height):
        inside, row = mask[y], distance[y]
        for x in range(width):
            run[x] = min(run[x] + 1, cap) if inside[x] else none
            row[x] = run[x]
    line = np.full(width + 2 * cap, cap * cap, np.int32)
    squared = line[cap : cap + width]
    best = np.empty(width, np.int32)
    for x in range(width):
        run[x] = cap
    for y in range(height - 1, -1, -1):
        inside, row = mask[y], distance[y]
        farthest = none
        for x in range(width):
            run[x] = min(run[x] + 1, cap) if inside[x] else none
            near = min(run[x], np.int32(row[x]))
            squared[x] = near * near
            best[x] = near * near
            farthest = max(farthest, near)
        for step in range(1, farthest):
            left, right = line[cap - step :], line[cap + step :]
            aside = np.int32(step * step)
            for x in range(width):
                beside = np.int32(min(left[x], right[x]) + aside)
                best[x] = beside if beside < best[x] else best[x]
        for x in range(width):
            row[x] = np.sqrt(np.float32(best[x]))
    return distance


def nearest_label(labels: np.ndarray, radius_px: float) -> np.ndarray:
    """Every pixel's nearest label.

    Parameters
    ----------
    labels : (y, x) int32
    radius_px : float

    Returns
    -------
    (y, x) int32
        0 where no labelled pixel lies within the radius; at a tie the lower label.
    """
    label_bits = int(labels.max(initial=0)).bit_length()
    reach = int(radius_px)
    # Squared distance and label in one number, so that the lower number is the nearer pixel. Two
    # squares are added; where that fits into 32 bits, twice as many go into a vector.
    fits = ((reach + 1) ** 2 + reach**2 + 1) << label_bits < 2**31
    beyond = (reach + 1) ** 2 << label_bits
    line = np.full(labels.shape[1] + 2 * reach, beyond, np.int32 if fits else np.int64)
    return _nearest(labels, line, reach, int(radius_px * radius_px), label_bits)


@nb.njit(cache=True, nogil=True)
def _nearest(labels, line, reach, within, label_bits):
    height, width = labels.shape
    nearest = np.empty((height, width), np.int32)  # first: the last label above, in its column
    above = np.empty((height, width), np.int16)
    label, run = np.zeros(width, np.int32), np.full(width, np.int32(reach + 1))
    for y in range(height):
        _step_along_columns(labels[y], label, run, np.int32(reach))
        for x in range(width):
            nearest[y, x], above[y, x] = label[x], run[x]
    rows = line[reach : reach + width]
    best, beside = np.empty(width, line.dtype), np.empty(width, line.dtype)
    for x in range(width):
        label[x], run[x] = 0, reach + 1
    for y in range(height - 1, -1, -1):
        _step_along_columns(labels[y], label, run, np.int32(reach))
        up, out = above[y], nearest[y]
        for x in range(width):
            down_key = (np.int64(run[x]) * run[x] << label_bits) + label[x]
            up_key = (np.int64(up[x]) * up[x] << label_bits) + out[x]
            rows[x] = min(down_key, up_key)
            best[x] = rows[x]
        for step in range(1, reach + 1):
            left, right = line[reach - step :], line[reach + step :]
            aside = step * step << label_bits
            for x in range(width):
                beside[x] = min(left[x], right[x]) + aside
            for x in range(width):
                best[x] = min(best[x], beside[x])
        for x in range(width):
            found = np.int64(best[x])
            within_reach = found >> label_bits <= within
            out[x] = found & ((1 << label_bits) - 1) if within_reach else 0
    return nearest


@nb.njit(cache=True, nogil=True)
def _step_along_columns(row, label, run, reach):
    """Carry the last label met in each column, and how far back it lies, on by one row."""
    for x in range(row.size):
        run[x] = 0 if row[x] > 0 else min(run[x] + 1, reach + 1)
        label[x] = row[x] if row[x] > 0 else label[x]
