"""Local filters whose value at a pixel does not depend on where the tile begins.

Whole numbers are summed by running sums, which are exact; floats are summed tap by tap in one
fixed order. scipy's filters cost three to ten times as much: they gather every line through a
function pointer, one column at a time. Here loops run along rows, which compilers vectorise.
"""

from __future__ import annotations

import numba as nb
import numpy as np

TRUNCATE_SD = 4.0  # scipy's: the kernel ends where it has lost 0.03 % of its peak


def gaussian(pixels: np.ndarray, sigma_px: float) -> np.ndarray:
    """`scipy.ndimage.gaussian_filter` in single precision: equal to about one part in a million.

    Parameters
    ----------
    pixels : (y, x) number
    sigma_px : float

    Returns
    -------
    (y, x) float32
        The image's rim is mirrored, as scipy does.
    """
    return _gaussian(np.ascontiguousarray(pixels, np.float32), _half_kernel(sigma_px))


def gaussian_reach_px(sigma_px: float) -> int:
    """How far `gaussian` looks."""
    return int(TRUNCATE_SD * sigma_px + 0.5)


def _half_kernel(sigma_px: float) -> np.ndarray:
    """Weights at 0, 1, 2, ... pixels from the centre."""
    reach = np.arange(gaussian_reach_px(sigma_px) + 1)
    weights = np.exp(-0.5 * (reach / max(sigma_px, 1e-6)) ** 2)
    return (weights / (2 * weights.sum() - weights[0])).astype(np.float32)


@nb.njit(cache=True, nogil=True)
def _mirrored(i, n):
    """The pixel seen at position i of a line of n whose ends are mirrors: ``b a | a b c | c b``."""
    i = i % (2 * n)
    return i if i < n else 2 * n - 1 - i


@nb.njit(cache=True, nogil=True)
def _mirror_ends(line, reach, n):
    """Fill ``reach`` entries on both sides of the n in the middle."""
    for i in range(1, reach + 1):
        line[reach - i] = line[reach + _mirrored(-i, n)]
        line[reach + n - 1 + i] = line[reach + _mirrored(n - 1 + i, n)]


@nb.njit(cache=True, nogil=True)
def _gaussian(pixels, weights):
    height, width = pixels.shape
    reach = weights.size - 1
    smoothed = np.empty((height, width), np.float32)
    line = np.empty(width + 2 * reach, np.float32)
    middle = line[reach : reach + width]
    for y in range(height):
        here = pixels[y]
        for x in range(width):
            middle[x] = weights[0] * here[x]
        for step in range(1, reach + 1):
            weight = weights[step]
            above, below = pixels[_mirrored(y - step, height)], pixels[_mirrored(y + step, height)]
            for x in range(width):
                middle[x] += weight * (above[x] + below[x])
        _mirror_ends(line, reach, width)
        out = smoothed[y]
        for x in range(width):
            out[x] = weights[0] * middle[x]
        for step in range(1, reach + 1):
            weight = weights[step]
            left, right = line[reach - step :], line[reach + step :]
            for x in range(width):
                out[x] += weight * (left[x] + right[x])
    return smoothed


def lowest_near(levels: np.ndarray, radius_px: int) -> np.ndarray:
    """Minimum over a ``(2r + 1)`` square around every pixel.

    Parameters
    ----------
    levels : (y, x) int32
    radius_px : int

    Returns
    -------
    (y, x) int32
    """
    return _extreme(np.ascontiguousarray(levels, np.int32), radius_px, np.int32(-1))


def highest_near(levels: np.ndarray, radius_px: int) -> np.ndarray:
    """Maximum over a ``(2r + 1)`` square around every pixel; see `lowest_near`."""
    return _extreme(np.ascontiguousarray(levels, np.int32), radius_px, np.int32(0))


@nb.njit(cache=True, nogil=True)
def _extreme(levels, radius, flip):
    """Running maximum; of the complement (``flip`` -1), whose order is reversed, the minimum.

    Along columns van Herk (1992): suffix maxima of one block of rows, prefix maxima of the next.
    Along rows by doubling, which vectorises where van Herk's running maxima do not.
    """
    height, width = levels.shape
    side = 2 * radius + 1
    nothing = np.int32(-(2**31))
    extreme = np.empty((height, width), np.int32)
    suffix = np.empty((side, width), np.int32)
    prefix = np.empty(width, np.int32)
    lines = np.full((2, width + 2 * radius), nothing, np.int32)
    for block in range(-radius, height - radius, side):
        for x in range(width):
            prefix[x] = suffix[side - 1, x] = nothing
        for i in range(side - 1, -1, -1):
            row, below = suffix[i], suffix[min(i + 1, side - 1)]
            here = levels[min(max(block + i, 0), height - 1)]
            if 0 <= block + i < height:
                for x in range(width):
                    row[x] = max(below[x], here[x] ^ flip)
            else:
                for x in range(width):
                    row[x] = below[x]
        for i in range(min(side, height - radius - block)):
            entering = block + side + i - 1
            if i > 0 and entering < height:
                here = levels[entering]
                for x in range(width):
                    prefix[x] = max(prefix[x], here[x] ^ flip)
            row, line = suffix[i], lines[0]
            for x in range(radius):
                line[x] = line[radius + width + x] = nothing
            middle = line[radius:]
            for x in range(width):
                middle[x] = max(row[x], prefix[x])
            _extreme_along(lines, side, extreme[block + i + radius], flip)
    return extreme


@nb.njit(cache=True, nogil=True)
def _extreme_along(lines, side, out, flip):
    """Maximum of every ``side`` neighbours of ``lines[0]``; overwrites both lines."""
    now, covered = 0, 1
    while 2 * covered <= side:
        source, target = lines[now], lines[1 - now]
        ahead = source[covered:]
        for x in range(ahead.size):
            target[x] = max(source[x], ahead[x])
        now, covered = 1 - now, 2 * covered
    source, ahead = lines[now], lines[now][side - covered :]
    for x in range(out.size):
        out[x] = max(source[x], ahead[x]) ^ flip


def box_mean(levels: np.ndarray, radius_px: int) -> np.ndarray:
    """Mean over a ``(2r + 1)`` square of an integer image, exact before the final division.

    Parameters
    ----------
    levels : (y, x) int32
    radius_px : int

    Returns
    -------
    (y, x) float32
        The image's rim is mirrored.
    """
    return _box_mean(np.ascontiguousarray(levels, np.int32), radius_px)


@nb.njit(cache=True, nogil=True)
def _box_mean(levels, radius):
    height, width = levels.shape
    area = (2 * radius + 1) ** 2
    mean = np.empty((height, width), np.float32)
    line = np.zeros(width + 2 * radius, np.int64)
    sums = line[radius : radius + width]  # over the rows in reach, a column each
    for y in range(-radius, radius):
        entering = levels[_mirrored(y, height)]
        for x in range(width):
            sums[x] += entering[x]
    for y in range(height):
        entering = levels[_mirrored(y + radius, height)]
        for x in range(width):
            sums[x] += entering[x]
        _mirror_ends(line, radius, width)
        total = np.int64(0)
        for x in range(2 * radius):
            total += line[x]
        ahead, out = line[2 * radius :], mean[y]
        for x in range(width):
            total += ahead[x]
            out[x] = total / area
            total -= line[x]
        leaving = levels[_mirrored(y - radius, height)]
        for x in range(width):
            sums[x] -= leaving[x]
    return mean


def opened(mask: np.ndarray, radius_px: int) -> np.ndarray:
    """The parts of a mask that hold a ``(2r + 1)`` square, which may reach beyond the rim.

    Parameters
    ----------
    mask : (y, x) bool
    radius_px : int

    Returns
    -------
    (y, x) bool
    """
    solid = lowest_near(mask.astype(np.int32), radius_px)
    return highest_near(solid, radius_px).astype(bool)


@nb.njit(cache=True, nogil=True)
def without_small_holes(mask, max_px):
    """A mask whose holes of at most ``max_px`` pixels are filled.

    Parameters
    ----------
    mask : (y, x) bool
    max_px : int

    Returns
    -------
    (y, x) bool
        A hole is what the mask or the rim encloses, on the 4-connected grid.
    """
    height, width = mask.shape
    # Runs of background, at most one every second pixel; memory never touched is never taken.
    runs = np.empty((3, height * (width // 2 + 1)), np.int32)  # y, x_start, x_stop
    parent = np.empty(runs.shape[1], np.int32)
    n, above = 0, 0
    for y in range(height):
        first = n
        x = 0
        while x < width:
            if mask[y, x]:
                x += 1
                continue
            start = x
            while x < width and not mask[y, x]:
                x += 1
            runs[0, n], runs[1, n], runs[2, n], parent[n] = y, start, x, n
            while above < first and runs[2, above] <= start:
                above += 1
            touching = above
            while touching < first and runs[1, touching] < x:
                a, b = _first_of(parent, touching), _first_of(parent, n)
                parent[max(a, b)] = min(a, b)
                touching += 1
            n += 1
        above = first
    size = np.zeros(n, np.int64)
    for run in range(n):
        size[_first_of(parent, run)] += runs[2, run] - runs[1, run]
    filled = mask.copy()
    for run in range(n):
        if size[_first_of(parent, run)] <= max_px:
            filled[runs[0, run], runs[1, run] : runs[2, run]] = True
    return filled


@nb.njit(cache=True, nogil=True)
def _first_of(parent, run):
    while parent[run] != run:
        parent[run] = parent[parent[run]]
        run = parent[run]
    return run
