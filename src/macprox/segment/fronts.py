"""Growth from seeds through marker-positive pixels: fronts that slow down where marker is faint.

Neighbours that compete for a body meet where marker is faintest between them, as in Jones,
Carpenter & Golland, "Voronoi-based segmentation of cells on image manifolds", CVBIA 2005. We weigh
a step by how faint its pixel is beside the brightest near it, not by the image's gradient: CD68 is
granular, and gradients are everywhere inside a body.

Every step costs a whole number above zero and the cheapest path wins, at a tie the lower label:
nothing depends on the order of visits, and no seed farther away than the budget matters.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np

# Chamfer steps (Borgefors 1986), within 4 % of Euclidean; in sixteenths, so that faintness counts.
ORTHOGONAL, DIAGONAL = 5 * 16, 7 * 16

# Below this share of the brightest near it, a pixel lies between bodies, not between granules, and
# a step costs up to so many times its length more.
GAP = 3  # a third
GAP_TOLL = 5


def budget(reach_um: float, pixel_size_um: float) -> int:
    """What a path of so many micrometres through full marker costs."""
    return math.floor(reach_um / pixel_size_um * ORTHOGONAL)


@nb.njit(cache=True, nogil=True)
def spread(seeds, marker, peak, budget):
    """Give pixels to the seed whose cheapest path through marker reaches them.

    A step into a pixel costs its length where marker is as bright as anywhere near, twice as much
    where it is far fainter, and several times as much in a gap (`GAP`).

    Parameters
    ----------
    seeds : (y, x) int32
        Labels; 0 elsewhere.
    marker : (y, x) int32
        Levels; no path enters a pixel of level 0.
    peak : (y, x) int32
        The highest level near each pixel.
    budget : int
        Of a path; see `budget`.

    Returns
    -------
    owner : (y, x) int32
        Labels; 0 where no seed reaches.
    cost : (y, x) int32
        Of the path; ``budget + 1`` where none reaches.
    """
    height, width = seeds.shape
    owner = seeds.copy()
    cost = np.full((height, width), np.int32(budget + 1))
    image = seeds, marker, peak
    # One linked list of pixels a front; a pixel that is reached twice is listed twice.
    newest = np.full(budget + 1, -1, np.int64)
    pixels = np.empty(1024, np.int64)
    older = np.empty(1024, np.int64)
    listed = 0
    # Over the seeds alone: where room may grow, a loop over all pixels costs tenfold.
    for seed in np.flatnonzero(seeds > 0):
        y, x = seed // width, seed % width
        cost[y, x] = 0
        if listed + 8 > pixels.size:
            pixels, older = _twice(pixels), _twice(older)
        fronts = newest, pixels, older
        listed = _step_around(y, x, 0, owner, cost, image, fronts, listed)
    for front in range(1, budget + 1):
        entry = newest[front]
        while entry >= 0:
            y, x = pixels[entry] // width, pixels[entry] % width
            entry = older[entry]
            if cost[y, x] == front:
                if listed + 8 > pixels.size:
                    pixels, older = _twice(pixels), _twice(older)
                fronts = newest, pixels, older
                listed = _step_around(y, x, front, owner, cost, image, fronts, listed)
    return owner, cost


@nb.njit(cache=True, nogil=True)
def _twice(room):
    more = np.empty(2 * room.size, np.int64)
    for i in range(room.size):
        more[i] = room[i]
    return more


@nb.njit(cache=True, nogil=True)
def _step_around(y, x, front, owner, cost, image, fronts, listed):
    """Offer a pixel's owner to its neighbours; apart, because room that may grow slows a loop."""
    seeds, marker, peak = image
    newest, pixels, older = fronts
    height, width = seeds.shape
    for yy in range(max(y - 1, 0), min(y + 2, height)):
        for xx in range(max(x - 1, 0), min(x + 2, width)):
            step = DIAGONAL if yy != y and xx != x else ORTHOGONAL
            # No step costs less than its length: most neighbours are out of the question at once.
            if marker[yy, xx] == 0 or cost[yy, xx] < front + step or seeds[yy, xx] > 0:
                continue
            high = peak[yy, xx]
            low = marker[yy, xx]
            gap = max(0, high - GAP * low)
            there = front + step * (2 * high - low + GAP_TOLL * gap) // high
            if there >= newest.size:
                continue
            if there < cost[yy, xx]:
                cost[yy, xx] = there
                owner[yy, xx] = owner[y, x]
                pixels[listed] = yy * width + xx
                older[listed] = newest[there]
                newest[there] = listed
                listed += 1
            elif there == cost[yy, xx] and owner[y, x] < owner[yy, xx]:
                owner[yy, xx] = owner[y, x]
    return listed
