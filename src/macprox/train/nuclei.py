"""One synthetic nucleus: an ellipse, bent and wobbled, painted with its chromatin."""

from __future__ import annotations

import math

import numba as nb
import numpy as np

WAVES = 4  # Fourier terms of an outline, from the second on

# Columns of a nucleus: its shape in pixels and radians, then how it glows.
CY, CX, LONG, SHORT, ANGLE, BEND, WOBBLE, GLOW, DOME, RIM, SPOTS, SPOT_GLOW = range(12)
N_COLUMNS = 12

MIN_OWN_PX = 12  # smaller remains of a nucleus teach nothing


@nb.njit(cache=True, nogil=True)
def _depth_map(nucleus, rng):
    """``(2r + 1, 2r + 1)``: 0 at the centre, 1 on the outline; with the patch's half side."""
    long, short = nucleus[LONG], nucleus[SHORT]
    wobble = nucleus[WOBBLE]
    half = math.ceil(max(long, short) * (1.1 + 2.5 * wobble + abs(nucleus[BEND]))) + 2
    size = np.empty(WAVES)
    phase = np.empty(WAVES)
    for k in range(WAVES):
        size[k] = wobble / (k + 1.5) * rng.normal(0.0, 1.0)
        phase[k] = rng.random() * 2 * math.pi
    oy, ox = rng.random() - 0.5, rng.random() - 0.5
    cos, sin = math.cos(nucleus[ANGLE]), math.sin(nucleus[ANGLE])
    depth = np.empty((2 * half + 1, 2 * half + 1), np.float32)
    for i in range(2 * half + 1):
        for j in range(2 * half + 1):
            y, x = i - half - oy, j - half - ox
            u = (x * cos + y * sin) / long
            v = (y * cos - x * sin) / short
            v += nucleus[BEND] * (u * u - 0.4)
            r = math.sqrt(u * u + v * v)
            if wobble > 0 and 0.5 < r < 1.6:  # farther in or out, the wobble decides nothing
                limit = 1.0
                angle = math.atan2(v, u)
                for k in range(WAVES):
                    limit += size[k] * math.cos((k + 2) * angle + phase[k])
                r /= max(limit, 0.3)
            depth[i, j] = r
    return depth


@nb.njit(cache=True, nogil=True)
def _spot_map(nucleus, side, rng):
    """Nucleoli (dark) or chromocentres (bright): a factor for every pixel of the patch."""
    factor = np.ones((side, side), np.float32)
    half = side // 2
    for _ in range(int(nucleus[SPOTS])):
        angle, far = rng.random() * 2 * math.pi, math.sqrt(rng.random()) * 0.75
        along, across = (
            nucleus[LONG] * far * math.cos(angle),
            nucleus[SHORT] * far * math.sin(angle),
        )
        cos, sin = math.cos(nucleus[ANGLE]), math.sin(nucleus[ANGLE])
        cy, cx = half + along * sin + across * cos, half + along * cos - across * sin
        width = nucleus[SHORT] * (0.08 + 0.14 * rng.random()) + 0.4
        glow = nucleus[SPOT_GLOW] * (0.5 + rng.random())
        reach = int(3 * width) + 1
        for i in range(max(0, int(cy) - reach), min(side, int(cy) + reach + 1)):
            for j in range(max(0, int(cx) - reach), min(side, int(cx) + reach + 1)):
                squared = ((i - cy) ** 2 + (j - cx) ** 2) / (2 * width * width)
                factor[i, j] *= max(0.15, 1 + glow * math.exp(-squared))
    return factor


@nb.njit(cache=True, nogil=True)
def mostly_taken(nucleus, labels, max_overlap):
    """A quick look at 24 points inside its ellipse: does it plainly lie on others?"""
    cos, sin = math.cos(nucleus[ANGLE]), math.sin(nucleus[ANGLE])
    taken = 0
    for k in range(24):
        turn, far = 2.399963 * k, 0.85 * math.sqrt((k + 0.5) / 24)  # a sunflower's spiral
        u, v = nucleus[LONG] * far * math.cos(turn), nucleus[SHORT] * far * math.sin(turn)
        y, x = int(nucleus[CY] + u * sin + v * cos), int(nucleus[CX] + u * cos - v * sin)
        if 0 <= y < labels.shape[0] and 0 <= x < labels.shape[1]:
            taken += labels[y, x] > 0
    return taken > 24 * (max_overlap + 0.1)


@nb.njit(cache=True, nogil=True)
def _hidden(depth, labels, y0, x0):
    """How many pixels the outline covers on the image, and how many of them are taken."""
    covered, taken = 0, 0
    for i in range(depth.shape[0]):
        for j in range(depth.shape[1]):
            y, x = y0 + i, x0 + j
            if depth[i, j] < 1 and 0 <= y < labels.shape[0] and 0 <= x < labels.shape[1]:
                covered += 1
                taken += labels[y, x] > 0
    return covered, taken


@nb.njit(cache=True, nogil=True)
def paint(nucleus, label, max_overlap, light, labels, deepest, rng):
    """Add one nucleus to the image, unless it would lie on others.

    Parameters
    ----------
    nucleus : (N_COLUMNS,) float64
    label : int
        0: light without a label (out of focus, above or below the section).
    max_overlap : float
        Share of its pixels that may already belong to others.
    light : (y, x) float32
        Gains the nucleus's light: what overlaps adds up.
    labels : (y, x) int32
    deepest : (y, x) float32
        Smallest depth that was painted on each pixel: shared ones go to whom they lie deeper in.
    rng : numpy.random.Generator

    Returns
    -------
    int
        Pixels it covers; 0 where it was refused.
    """
    depth = _depth_map(nucleus, rng)
    side = depth.shape[0]
    y0, x0 = int(nucleus[CY]) - side // 2, int(nucleus[CX]) - side // 2
    if label > 0:
        covered, taken = _hidden(depth, labels, y0, x0)
        if covered < MIN_OWN_PX or taken > max_overlap * covered:
            return 0
    spots = _spot_map(nucleus, side, rng)
    painted = 0
    for i in range(side):
        for j in range(side):
            y, x, q = y0 + i, x0 + j, depth[i, j]
            if q >= 1 or not (0 <= y < labels.shape[0] and 0 <= x < labels.shape[1]):
                continue
            painted += 1
            profile = 1 - nucleus[DOME] + nucleus[DOME] * math.sqrt(1 - q * q)
            profile += nucleus[RIM] * math.exp(-(((q - 0.85) / 0.15) ** 2))
            light[y, x] += nucleus[GLOW] * max(profile, 0.05) * spots[i, j]
            if label > 0 and q < deepest[y, x]:
                deepest[y, x] = q
                labels[y, x] = label
    return painted
