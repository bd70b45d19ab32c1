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
    width = seeds.shape[1]
    owner = seeds.copy()
    cost = np.full(seeds.shape, np.int32(budget + 1))
    tolls = _tolls(seeds, marker, peak)
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
        listed = _step_around(y, x, 0, owner, cost, tolls, fronts, listed)
    visited = front = 0
    while visited < listed:
        front += 1
        entry = newest[front]
        while entry >= 0:
            y, x = pixels[entry] // width, pixels[entry] % width
            entry = older[entry]
            visited += 1
            if cost[y, x] == front:
                if listed + 8 > pixels.size:
                    pixels, older = _twice(pixels), _twice(older)
                fronts = newest, pixels, older
                listed = _step_around(y, x, front, owner, cost, tolls, fronts, listed)
    return owner, cost


@nb.njit(cache=True, nogil=True)
def _twice(room):
    more = np.empty(2 * room.size, np.int64)
    for i in range(room.size):
        more[i] = room[i]
    return more


@nb.njit(cache=True, nogil=True)
def _tolls(seeds, marker, peak):
    """``(2, y, x)``: what an orthogonal and a diagonal step into each pixel cost; 0 where none may.

    Once a pixel, not once a neighbour: a division costs as much as the rest of a step.
    """
    tolls = np.zeros((2, *seeds.shape), np.int32)
    for y in range(seeds.shape[0]):
        for x in range(seeds.shape[1]):
            high, low = peak[y, x], marker[y, x]
            if low > 0 and seeds[y, x] == 0:
                faint = 2 * high - low + GAP_TOLL * max(0, high - GAP * low)
                tolls[0, y, x] = ORTHOGONAL * faint // high
                tolls[1, y, x] = DIAGONAL * faint // high
    return tolls


@nb.njit(cache=True, nogil=True)
def _step_around(y, x, front, owner, cost, tolls, fronts, listed):
    """Offer a pixel's owner to its neighbours; apart, because room that may grow slows a loop."""
    newest, pixels, older = fronts
    height, width = owner.shape
    for yy in range(max(y - 1, 0), min(y + 2, height)):
        for xx in range(max(x - 1, 0), min(x + 2, width)):
            toll = tolls[1 if yy != y and xx != x else 0, yy, xx]
            there = front + toll
            if toll == 0 or there > cost[yy, xx] or there >= newest.size:
                continue
            if there < cost[yy, xx]:
                cost[yy, xx] = there
                owner[yy, xx] = owner[y, x]
                pixels[listed] = yy * width + xx
                older[listed] = newest[there]
                newest[there] = listed
                listed += 1
            elif owner[y, x] < owner[yy, xx]:
                owner[yy, xx] = owner[y, x]
    return listed
