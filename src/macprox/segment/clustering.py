"""Watershed basins with persistence (ToMaTo), in one pass over the pixels.

Chazal, Guibas, Oudot & Skraba, "Persistence-based clustering in Riemannian manifolds", J. ACM
60(6), 2013, on the 8-connected pixel grid. h-maxima and watershed at once; pixels are visited by
(value descending, raster order), a total order that does not depend on where a tile begins, so
that a tile and the whole slide break ties alike.
"""

from __future__ import annotations

import numba as nb
import numpy as np


@nb.njit(cache=True, nogil=True)
def _root(parent, pixel):
    while parent[pixel] != pixel:
        parent[pixel] = parent[parent[pixel]]
        pixel = parent[pixel]
    return pixel


@nb.njit(cache=True, nogil=True)
def _descending(levels, mask):
    """Masked pixels by (level descending, raster order): a counting sort."""
    top = 0
    for i in range(levels.size):
        if mask[i] and levels[i] > top:
            top = levels[i]
    start = np.zeros(top + 2, np.int64)
    for i in range(levels.size):
        if mask[i]:
            start[top - levels[i] + 1] += 1
    for level in range(top + 1):
        start[level + 1] += start[level]
    order = np.empty(start[top + 1], np.int64)
    for i in range(levels.size):
        if mask[i]:
            slot = top - levels[i]
            order[start[slot]] = i
            start[slot] += 1
    return order


@nb.njit(cache=True, nogil=True)
def _comes_first(levels, a, b):
    """Whether pixel a precedes pixel b in the total order."""
    return levels[a] > levels[b] or (levels[a] == levels[b] and a < b)


@nb.njit(cache=True, nogil=True)
def _climb(levels, parent, order, width, persistence):
    """Attach every pixel to its steepest processed neighbour; merge shallow peaks at saddles."""
    height = levels.size // width
    neighbours = np.empty(8, np.int64)
    for pixel in order:
        y, x = pixel // width, pixel % width
        n = 0
        steepest = -1
        for yy in range(max(y - 1, 0), min(y + 2, height)):
            for xx in range(max(x - 1, 0), min(x + 2, width)):
                other = yy * width + xx
                if parent[other] < 0 or other == pixel:
                    continue
                neighbours[n] = other
                n += 1
                if steepest < 0 or _comes_first(levels, other, steepest):
                    steepest = other
        if steepest < 0:
            parent[pixel] = pixel
            continue
        peak = _root(parent, steepest)
        parent[pixel] = peak
        for i in range(n):
            other_peak = _root(parent, neighbours[i])
            if other_peak == peak:
                continue
            high, low = peak, other_peak
            if _comes_first(levels, other_peak, peak):
                high, low = other_peak, peak
            if levels[low] - levels[pixel] < persistence:
                parent[low] = high
                peak = high


@nb.njit(cache=True, nogil=True)
def _number(parent, labels):
    """Number the basins 1, 2, ... in raster order of their first pixel."""
    number = np.zeros(parent.size, np.int32)
    count = 0
    for pixel in range(parent.size):
        if parent[pixel] >= 0:
            peak = _root(parent, pixel)
            if number[peak] == 0:
                count += 1
                number[peak] = count
            labels[pixel] = number[peak]
    return count


@nb.njit(cache=True, nogil=True)
def persistent_basins(levels, mask, persistence):
    """Split a mask into one basin for every peak that stands out by ``persistence`` levels.

    Parameters
    ----------
    levels : (y, x) int32
        The landscape, quantised; not negative inside the mask.
    mask : (y, x) bool
    persistence : int
        A peak that rises less than this above the saddle to a higher one joins it.

    Returns
    -------
    (y, x) int32
        Labels 1..n in raster order of first pixels, 0 outside the mask.
    """
    height, width = levels.shape
    flat = levels.ravel()
    parent = np.full(flat.size, -1, np.int64)
    _climb(flat, parent, _descending(flat, mask.ravel()), width, persistence)
    labels = np.zeros(flat.size, np.int32)
    _number(parent, labels)
    return labels.reshape(height, width)
