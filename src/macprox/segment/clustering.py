"""Watershed basins with persistence (ToMaTo): h-maxima and watershed at once.

Chazal, Guibas, Oudot & Skraba, "Persistence-based clustering in Riemannian manifolds", J. ACM
60(6), 2013, on the 8-connected pixel grid. Pixels are ordered by (level descending, raster order),
a total order that does not depend on where a tile begins, so that a tile and the whole slide break
ties alike.

The textbook visits every pixel in that order, all over the image. But which peak a pixel climbs to
needs only its neighbours, and basins merge only at pixels that see two of them; so the climb runs
in raster order, and only those few are sorted. The result is the same.
"""

from __future__ import annotations

import numba as nb
import numpy as np

PEAK, OUTSIDE = 4, 9  # beside the steps 0..8 to the neighbours in raster order, 4 being no step


@nb.njit(cache=True, nogil=True)
def _framed(levels, mask):
    """The landscape with -1 outside the mask and in a frame of one pixel: no rim to look out for"""
    height, width = levels.shape
    framed = np.empty((height + 2, width + 2), levels.dtype)
    framed[:] = -1
    for y in range(height):
        level, inside, out = levels[y], mask[y], framed[y + 1, 1 : width + 1]
        for x in range(width):
            out[x] = level[x] if inside[x] else -1
    return framed


@nb.njit(cache=True, nogil=True)
def _steepest_steps(framed):
    """For every pixel the step to the first of itself and its neighbours in the total order."""
    steps = np.full(framed.shape, np.uint8(OUTSIDE))
    width = framed.shape[1] - 2
    # All of one width: a vector of the one is a vector of the other.
    best, step = np.empty(width, framed.dtype), np.empty(width, framed.dtype)
    for y in range(1, framed.shape[0] - 1):
        for x in range(width):
            best[x], step[x] = -1, OUTSIDE
        for neighbour in range(9):
            # In raster order a later pixel must be higher to come first.
            level = framed[y - 1 + neighbour // 3, neighbour % 3 :]
            for x in range(width):
                higher = level[x] > best[x]
                best[x] = level[x] if higher else best[x]
                step[x] = neighbour if higher else step[x]
        here, out = framed[y, 1:], steps[y, 1:]
        for x in range(width):
            out[x] = step[x] if here[x] >= 0 else OUTSIDE
    return steps


@nb.njit(cache=True, nogil=True)
def _climb(steps, width):
    """The basin of every pixel, 1, 2, ..., 0 outside, and the pixel of each basin's peak."""
    basins = np.zeros(steps.size, np.int32)
    n_peaks = 0
    for pixel in range(steps.size):
        n_peaks += steps[pixel] == PEAK
    peak_of = np.zeros(1 + n_peaks, np.int64)
    by_step = np.array([-width - 1, -width, -width + 1, -1, 0, 1, width - 1, width, width + 1])
    count = 0
    for start in range(steps.size):
        if steps[start] == OUTSIDE or basins[start] > 0:
            continue
        pixel = start
        while basins[pixel] == 0 and steps[pixel] != PEAK:
            pixel += by_step[steps[pixel]]
        if basins[pixel] == 0:
            count += 1
            basins[pixel] = count
            peak_of[count] = pixel
        basin = basins[pixel]
        pixel = start
        while basins[pixel] == 0:
            basins[pixel] = basin
            pixel += by_step[steps[pixel]]
    return basins, peak_of


@nb.njit(cache=True, nogil=True)
def _meetings(framed, basins):
    """``(level, basin, the other)`` wherever a pixel has an earlier neighbour in another basin.

    In raster order of pixels, then of neighbours.
    """
    meetings = np.empty((1024, 3), np.int32)
    n = 0
    width = framed.shape[1] - 2
    beside_another = np.empty(width, np.bool_)
    for y in range(1, framed.shape[0] - 1):
        here = basins[y, 1:]
        for x in range(width):
            beside_another[x] = False
        for neighbour in range(9):
            there = basins[y - 1 + neighbour // 3, neighbour % 3 :]
            for x in range(width):
                beside_another[x] |= (there[x] != here[x]) & (there[x] > 0)
        if n + 8 * width > len(meetings):
            more = np.empty((2 * len(meetings) + 8 * width, 3), np.int32)
            for i in range(n):
                for column in range(3):
                    more[i, column] = meetings[i, column]
            meetings = more
        n = _append_row(meetings, n, framed, basins, y, beside_another)
    return meetings[:n]


@nb.njit(cache=True, nogil=True)
def _append_row(meetings, n, framed, basins, y, beside_another):
    """The meetings of one row's pixels."""
    for x in range(beside_another.size):
        basin, level = basins[y, x + 1], framed[y, x + 1]
        if basin == 0 or not beside_another[x]:
            continue
        for neighbour in range(9):
            yy, xx = y - 1 + neighbour // 3, x + neighbour % 3
            met = basins[yy, xx]
            later = neighbour > 4  # in raster order: it must be higher to come first
            if met > 0 and met != basin and framed[yy, xx] >= level + later:
                meetings[n, 0], meetings[n, 1], meetings[n, 2] = level, basin, met
                n += 1
    return n


@nb.njit(cache=True, nogil=True)
def _descending(meetings):
    """Their order by level, from the highest; a counting sort, which keeps raster order."""
    top = 0
    for i in range(len(meetings)):
        top = max(top, meetings[i, 0])
    start = np.zeros(top + 2, np.int64)
    for i in range(len(meetings)):
        start[top - meetings[i, 0] + 1] += 1
    for slot in range(top + 1):
        start[slot + 1] += start[slot]
    order = np.empty(len(meetings), np.int64)
    for i in range(len(meetings)):
        slot = top - meetings[i, 0]
        order[start[slot]] = i
        start[slot] += 1
    return order


@nb.njit(cache=True, nogil=True)
def _root(parent, basin):
    while parent[basin] != basin:
        parent[basin] = parent[parent[basin]]
        basin = parent[basin]
    return basin


@nb.njit(cache=True, nogil=True)
def _merge(meetings, peak_of, peak_level, persistence):
    """Which basin each basin belongs to, once the shallow ones have joined their neighbours."""
    parent = np.empty(len(peak_of), np.int32)
    for basin in range(len(parent)):
        parent[basin] = basin
    for i in _descending(meetings):
        low, high = _root(parent, meetings[i, 1]), _root(parent, meetings[i, 2])
        ahead = peak_level[low] - peak_level[high]
        if ahead > 0 or (ahead == 0 and peak_of[low] < peak_of[high]):
            low, high = high, low
        if peak_level[low] - meetings[i, 0] < persistence:
            parent[low] = high
    for basin in range(len(parent)):
        parent[basin] = _root(parent, basin)
    return parent


@nb.njit(cache=True, nogil=True)
def _numbered(basins, basin_of):
    """Merged basins 1, 2, ... in raster order of their first pixels; without the frame.

    Written over the basins: a pixel's place without the frame comes before that with it.
    """
    height, width = basins.shape[0] - 2, basins.shape[1] - 2
    labels = basins.ravel()[: height * width].reshape((height, width))
    number = np.zeros(len(basin_of), np.int32)
    count = 0
    for y in range(height):
        here, out = basins[y + 1, 1:], labels[y]
        for x in range(width):
            basin = basin_of[here[x]]
            if basin > 0 and number[basin] == 0:
                count += 1
                number[basin] = count
            out[x] = number[basin]
    return labels


@nb.njit(cache=True, nogil=True)
def persistent_basins(levels, mask, persistence):
    """Split a mask into one basin for every peak that stands out by ``persistence`` levels.

    Parameters
    ----------
    levels : (y, x) int16 or int32
        The landscape, quantised; not negative inside the mask.
    mask : (y, x) bool
    persistence : int
        A peak that rises less than this above the saddle to a higher one joins it.

    Returns
    -------
    (y, x) int32
        Labels 1..n in raster order of first pixels, 0 outside the mask.
    """
    framed = _framed(levels, mask)
    basins, peak_of = _climb(_steepest_steps(framed).ravel(), framed.shape[1])
    basins = basins.reshape(framed.shape)
    peak_level = framed.ravel()[peak_of].astype(np.int32)
    basin_of = _merge(_meetings(framed, basins), peak_of, peak_level, persistence)
    return _numbered(basins, basin_of)
