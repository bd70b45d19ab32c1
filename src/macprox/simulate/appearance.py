"""How cells look: nuclei with chromatin, cytoplasm that neighbours share out, markers in place."""

from __future__ import annotations

import math

import numba as nb
import numpy as np

from macprox.simulate import noise
from macprox.simulate.layout import Cells
from macprox.simulate.panel import (
    CHANNELS,
    GRANULAR,
    KERATIN,
    KINDS,
    LIPOFUSCIN,
    MEMBRANE,
    NUCLEAR,
    PATTERNS,
)
from macprox.simulate.parameters import SceneParameters
from macprox.simulate.traits import COLUMN, shapes, stains

_N_ANGLES = 96  # outlines are tabulated by angle
_PATTERN = np.array([PATTERNS.get(channel, -1) for channel in CHANNELS])
REACH_UM = 26.0  # no cell paints further from its centre than this


def paint(cells: Cells, parameters: SceneParameters, y0: int, x0: int, size: tuple[int, int]):
    """What the cells of a block emit.

    Parameters
    ----------
    cells : Cells
    parameters : SceneParameters
    y0, x0 : int
        First pixel of the block on the slide.
    size : (int, int)

    Returns
    -------
    signal : (n_channels, h, w) float32
        Grey levels before optics.
    nuclei, bodies : (h, w) int32
        Label of the nucleus, and of the cell, that owns each pixel; 0 for none.
    """
    scale, seed = parameters.pixel_size_um, parameters.seed
    which = cells_near(cells, parameters, y0, x0, size)
    shape = shapes(cells, which, seed)
    shape = np.where([name.endswith("_um") for name in COLUMN], shape / scale, shape)
    # A pixel's centre is at +0.5: from here on, coordinates are those of pixel centres.
    shape[:, :2] -= 0.5
    nucleus, body = _outlines(which, shape, seed)
    has_nucleus = cells.has_nucleus[which]
    macrophage = np.array([kind.is_macrophage for kind in KINDS])[cells.kind[which]]
    stain = stains(cells, which, parameters.camera, seed)
    signal = np.zeros((len(CHANNELS), *size), np.float32)
    nuclei, bodies, best, second = _own(shape, nucleus, body, has_nucleus, macrophage, y0, x0, size)
    _paint_nuclei(signal, which, shape, nucleus, has_nucleus, stain, y0, x0, scale, seed)
    _paint_bodies(
        signal, which, nuclei, bodies, best, second, stain, macrophage, y0, x0, scale, seed
    )
    label_of = np.concatenate([[0], which + 1]).astype(np.int32)
    return signal, label_of[nuclei], label_of[bodies]


def cells_near(
    cells: Cells, parameters: SceneParameters, y0: int, x0: int, size: tuple[int, int]
) -> np.ndarray:
    """Indices of the cells that may paint into a block, in order of their labels."""
    px_um = parameters.pixel_size_um
    # Sorted by row of pixels, to within a pixel: of a large slide, only a strip is looked at.
    start, stop = (
        np.searchsorted(cells.y_um, edge_um)
        for edge_um in (y0 * px_um - REACH_UM - px_um, (y0 + size[0]) * px_um + REACH_UM + px_um)
    )
    x_um = cells.x_um[start:stop]
    across = (x_um > x0 * px_um - REACH_UM) & (x_um < (x0 + size[1]) * px_um + REACH_UM)
    return start + np.flatnonzero(across)


@nb.njit(cache=True)
def _outlines(which, shape, seed):
    """Radius of nucleus and body against angle, relative to the ellipse, ``(n, _N_ANGLES + 1)``."""
    n = shape.shape[0]
    nucleus = np.ones((n, _N_ANGLES + 1), np.float32)
    body = np.ones((n, _N_ANGLES + 1), np.float32)
    for k in range(n):
        c = which[k]
        for harmonic in range(2, 8):
            small = shape[k, 7] * noise.normal(c, harmonic, noise.OUTLINE, seed) / (harmonic - 0.6)
            small_at = 6.2832 * noise.unit(c, harmonic, noise.OUTLINE + 1, seed)
            large = shape[k, 6] * noise.normal(c, harmonic, noise.BODY, seed)
            large_at = 6.2832 * noise.unit(c, harmonic, noise.BODY + 1, seed)
            for at in range(_N_ANGLES + 1):
                angle = 2 * math.pi * at / _N_ANGLES
                nucleus[k, at] += 1.6 * small * math.cos(harmonic * angle + small_at)
                body[k, at] += large / harmonic**0.8 * math.cos(harmonic * angle + large_at)
        for at in range(_N_ANGLES + 1):
            nucleus[k, at] = max(nucleus[k, at], 0.55)
            body[k, at] = min(max(body[k, at], 0.45), 1.7)
    return nucleus, body


@nb.njit(cache=True)
def _relative(dy, dx, a, b, theta, table):
    """Distance from the centre in units of the outline in that direction."""
    cos_t = math.cos(theta)
    sin_t = math.sin(theta)
    u = (cos_t * dx + sin_t * dy) / a
    v = (cos_t * dy - sin_t * dx) / b
    at = (math.atan2(v, u) / (2 * math.pi) + 1.0) % 1.0 * _N_ANGLES
    k = min(int(at), _N_ANGLES - 1)
    return math.sqrt(u * u + v * v) / (table[k] + (at - k) * (table[k + 1] - table[k]))


@nb.njit(cache=True)
def _body_relative(y, x, s, table, macrophage, q):
    if macrophage:
        root = math.sqrt(s[15])
        return _relative(y - s[0] - s[8], x - s[1] - s[9], s[5] * root, s[5] / root, s[14], table)
    # Ordinary cytoplasm is a rim of even width: at q = 1 the nucleus ends, at 1 + rim the cell.
    mean = 0.5 * (s[2] + s[3])
    return q * mean / (mean + s[5])


@nb.njit(cache=True, nogil=True)
def _own(shape, nucleus_table, body_table, has_nucleus, is_macrophage, y0, x0, size):
    """Which nucleus and which cell own each pixel, as row + 1 of the tables; relative distance to
    the two nearest cells."""
    h, w = size
    nuclei = np.zeros((h, w), np.int32)
    bodies = np.zeros((h, w), np.int32)
    inner = np.ones((h, w), np.float32)
    best = np.ones((h, w), np.float32)
    second = np.ones((h, w), np.float32)
    for c in range(shape.shape[0]):
        s = shape[c]
        macrophage = is_macrophage[c]
        reach = 1.75 * s[5] * math.sqrt(s[15]) + 0.4 * s[5] if macrophage else s[2] * 1.4 + s[5]
        for y in range(max(y0, int(s[0] - reach)), min(y0 + h, int(s[0] + reach) + 2)):
            for x in range(max(x0, int(s[1] - reach)), min(x0 + w, int(s[1] + reach) + 2)):
                q = _relative(y - s[0], x - s[1], s[2], s[3], s[4], nucleus_table[c])
                i = y - y0
                j = x - x0
                if has_nucleus[c] and q < inner[i, j]:
                    inner[i, j] = q
                    nuclei[i, j] = c + 1
                body = _body_relative(y, x, s, body_table[c], macrophage, q)
                if has_nucleus[c] and q < 1.0:
                    body = min(body, 0.45 * q)
                if body < best[i, j]:
                    second[i, j] = best[i, j]
                    best[i, j] = body
                    bodies[i, j] = c + 1
                elif body < second[i, j]:
                    second[i, j] = body
    return nuclei, bodies, best, second


@nb.njit(cache=True, nogil=True)
def _paint_nuclei(signal, which, shape, table, has_nucleus, stain, y0, x0, scale, seed):
    """DAPI and the nuclear stains add up where nuclei overlap in the thickness of the section."""
    h, w = signal.shape[1:]
    for k in range(which.size):
        if not has_nucleus[k]:
            continue
        s = shape[k]
        reach = s[2] * 1.7 + 2
        for y in range(max(y0, int(s[0] - reach)), min(y0 + h, int(s[0] + reach) + 2)):
            for x in range(max(x0, int(s[1] - reach)), min(x0 + w, int(s[1] + reach) + 2)):
                q = _relative(y - s[0], x - s[1], s[2], s[3], s[4], table[k])
                if q > 1.5:
                    continue
                cover = 1.0 / (1.0 + math.exp(min((q - 1.0) / s[13], 50.0)))
                cover *= 0.78 + 0.22 * math.sqrt(max(1.0 - q * q, 0.0))
                texture = _chromatin(y, x, which[k], q, s, scale, seed)
                signal[0, y - y0, x - x0] += s[10] * cover * texture
                for channel in range(1, signal.shape[0]):
                    if _PATTERN[channel] == NUCLEAR:
                        even = 0.6 + 0.4 * texture
                        signal[channel, y - y0, x - x0] += stain[k, channel] * cover * even


@nb.njit(cache=True)
def _chromatin(y, x, c, q, s, scale, seed):
    """Clumps, a slightly brighter rim, dark nucleoli."""
    stream = noise.CHROMATIN
    coarse = noise.smooth(y * scale + 13.7 * c, x * scale, 1.9, stream, seed) - 0.5
    fine = noise.smooth(y * scale + 13.7 * c, x * scale, 0.9, stream + 1, seed) - 0.5
    texture = (
        1.0 + s[11] * (1.0 * coarse + 0.7 * fine) + 0.16 * math.exp(-(((q - 0.82) / 0.14) ** 2))
    )
    for k in range(int(s[12])):
        angle = 6.2832 * noise.unit(c, k, stream + 2, seed)
        away = (0.1 + 0.5 * noise.unit(c, k, stream + 3, seed)) * s[3]
        radius = (0.13 + 0.09 * noise.unit(c, k, stream + 4, seed)) * (s[2] + s[3]) * 0.5
        d2 = (y - s[0] - away * math.sin(angle)) ** 2 + (x - s[1] - away * math.cos(angle)) ** 2
        texture *= 1.0 - 0.5 * math.exp(-d2 / (2 * radius * radius))
    return max(texture, 0.15)


@nb.njit(cache=True, nogil=True)
def _paint_bodies(
    signal, which, nuclei, bodies, best, second, stain, macrophage, y0, x0, scale, seed
):
    """Cytoplasmic and membrane stains, each pixel by the cell that owns it."""
    n_channels, h, w = signal.shape
    for i in range(h):
        for j in range(w):
            if bodies[i, j] == 0:
                continue
            k = bodies[i, j] - 1
            y = (y0 + i) * scale
            x = (x0 + j) * scale
            # Membrane: where the two nearest cells are about equally near, or the cell ends.
            gap = second[i, j] - best[i, j]
            membrane = math.exp(-((gap / (0.10 if macrophage[k] else 0.16)) ** 2))
            in_nucleus = nuclei[i, j] == k + 1
            for channel in range(1, n_channels):
                level = stain[k, channel]
                pattern = _PATTERN[channel]
                if level <= 0 or pattern == NUCLEAR:
                    continue
                # Bodies thin out towards their rim; a membrane does not.
                if macrophage[k] and pattern != MEMBRANE:
                    level *= 0.4 + 0.6 * math.sqrt(max(1.0 - best[i, j] ** 2, 0.0))
                signal[channel, i, j] += level * _texture(
                    pattern, y + 7.1 * channel, x + 3.3 * which[k], membrane, in_nucleus, seed
                )


@nb.njit(cache=True)
def _texture(pattern, y, x, membrane, in_nucleus, seed):
    """Relative brightness of a stain at one place inside its cell."""
    if pattern == KERATIN:
        fibrous = 0.72 + 0.5 * noise.smooth(y * 0.5, x, 1.4, noise.KERATIN, seed)
        return (0.2 if in_nucleus else 1.0) * fibrous * (0.72 + 0.75 * membrane)
    if pattern == GRANULAR:
        grain = max(noise.smooth(y, x, 1.2, noise.GRANULE, seed) - 0.42, 0.0) * 2.6
        cloud = noise.smooth(y, x, 4.5, noise.GRANULE + 1, seed)
        return (0.3 if in_nucleus else 1.0) * (0.3 + 0.45 * cloud + grain)
    if pattern == MEMBRANE:
        patchy = 0.65 + 0.7 * noise.smooth(y, x, 2.2, noise.GRANULE + 2, seed)
        return (0.35 if in_nucleus else 0.75 + 0.6 * membrane) * patchy
    if pattern == LIPOFUSCIN:
        grain = max(noise.smooth(y, x, 1.5, noise.GRANULE + 4, seed) - 0.6, 0.0) * 5.0
        return (0.25 if in_nucleus else 1.0) * (0.25 + grain)
    return 0.0
