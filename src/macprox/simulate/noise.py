"""Randomness by counter: a value depends on where (or which cell) it is for, never on what was
drawn before, so that a slide is the same however it is cut into blocks."""

from __future__ import annotations

import math

import numba as nb
import numpy as np

# Streams keep uses apart: the same place asks for many independent values.
LESION, STRAND, CAPSULE, WARP, SEPTUM, GLASS = 1, 3, 5, 7, 9, 11
DART, ACCEPT, CELL, EXPRESSION, OUTLINE, BODY = 21, 23, 31, 33, 35, 37
CHROMATIN, GRANULE, KERATIN, FIBRE, TISSUE, SHADING, FILM, PIXEL = 41, 43, 45, 47, 49, 51, 53, 61


@nb.njit(cache=True)
def _mix(x):
    """Finaliser of MurmurHash3 (64 bit, Appleby 2011)."""
    x ^= x >> np.uint64(33)
    x *= np.uint64(0xFF51AFD7ED558CCD)
    x ^= x >> np.uint64(33)
    x *= np.uint64(0xC4CEB9FE1A85EC53)
    x ^= x >> np.uint64(33)
    return x


@nb.njit(cache=True)
def bits(i, j, stream, seed):
    """64 random bits for a pair of integers (either may be negative)."""
    a = np.uint64(np.int64(i) + np.int64(1 << 40)) * np.uint64(0x9E3779B97F4A7C15)
    b = np.uint64(np.int64(j) + np.int64(1 << 41)) * np.uint64(0xC2B2AE3D27D4EB4F)
    c = np.uint64(np.int64(stream) * 7919 + np.int64(seed) * 104729)
    return _mix(_mix(a ^ c) + b)


@nb.njit(cache=True)
def unit(i, j, stream, seed):
    """Uniform in [0, 1)."""
    return float(bits(i, j, stream, seed) >> np.uint64(40)) / 16777216.0


@nb.njit(cache=True)
def normal(i, j, stream, seed):
    """Standard normal, to within the sum of four uniforms (cut at 3.5 deviations)."""
    h = bits(i, j, stream, seed)
    total = (
        float(h & np.uint64(0xFFFF))
        + float((h >> np.uint64(16)) & np.uint64(0xFFFF))
        + float((h >> np.uint64(32)) & np.uint64(0xFFFF))
        + float(h >> np.uint64(48))
    )
    return (total - 131070.0) * (math.sqrt(3.0) / 65535.0)


@nb.njit(cache=True)
def units(which, stream, seed):
    """`unit` for each of some cells, the same whatever else is drawn."""
    out = np.empty(which.size)
    for k in range(which.size):
        out[k] = unit(which[k], 0, stream, seed)
    return out


@nb.njit(cache=True)
def normals(which, stream, seed):
    """`normal` for each of some cells."""
    out = np.empty(which.size)
    for k in range(which.size):
        out[k] = normal(which[k], 0, stream, seed)
    return out


@nb.njit(cache=True)
def smooth(y, x, scale, stream, seed):
    """Value noise in [0, 1]: random at the nodes of a grid of pitch ``scale``, smooth between."""
    fy = y / scale
    fx = x / scale
    iy = math.floor(fy)
    ix = math.floor(fx)
    ty = fy - iy
    tx = fx - ix
    ty = ty * ty * (3.0 - 2.0 * ty)
    tx = tx * tx * (3.0 - 2.0 * tx)
    top = unit(iy, ix, stream, seed) * (1.0 - tx) + unit(iy, ix + 1, stream, seed) * tx
    low = unit(iy + 1, ix, stream, seed) * (1.0 - tx) + unit(iy + 1, ix + 1, stream, seed) * tx
    return top * (1.0 - ty) + low * ty


@nb.njit(cache=True)
def swing(y, x, scale, stream, seed):
    """Two octaves of value noise, about -1 to 1."""
    coarse = smooth(y, x, scale, stream, seed)
    fine = smooth(y + 17.3, x - 5.1, scale * 0.43, stream + 1, seed)
    return 2.0 * (0.68 * coarse + 0.32 * fine) - 1.0


@nb.njit(cache=True)
def smooth_row(out, y, x, scale, stream, seed):
    """`smooth` at every ``x`` of a row, in order: nodes are drawn once for all between them."""
    fy = y / scale
    iy = math.floor(fy)
    ty = fy - iy
    ty = ty * ty * (3.0 - 2.0 * ty)
    node = math.floor(x[0] / scale) - 1
    a = b = c = d = 0.0
    for j in range(x.size):
        fx = x[j] / scale
        ix = math.floor(fx)
        if ix != node:
            node = ix
            a, b = unit(iy, ix, stream, seed), unit(iy, ix + 1, stream, seed)
            c, d = unit(iy + 1, ix, stream, seed), unit(iy + 1, ix + 1, stream, seed)
        tx = fx - ix
        tx = tx * tx * (3.0 - 2.0 * tx)
        out[j] = (a * (1.0 - tx) + b * tx) * (1.0 - ty) + (c * (1.0 - tx) + d * tx) * ty


@nb.njit(cache=True)
def swing_row(out, y, x, scale, stream, seed):
    """`swing` at every ``x`` of a row."""
    fine = np.empty(x.size)
    smooth_row(out, y, x, scale, stream, seed)
    smooth_row(fine, y + 17.3, x - 5.1, scale * 0.43, stream + 1, seed)
    for j in range(x.size):
        out[j] = 2.0 * (0.68 * out[j] + 0.32 * fine[j]) - 1.0
