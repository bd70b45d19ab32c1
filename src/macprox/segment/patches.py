"""Windows around what is marker-positive, which most of a tile is not."""

from __future__ import annotations

from collections.abc import Iterator

import numba as nb
import numpy as np
from scipy import ndimage as ndi

from macprox.image.tiles import Box
from macprox.segment.objects import EIGHT


def patches(
    nuclei: np.ndarray, marker: np.ndarray, claims: np.ndarray, apart_px: int, least_px: float
) -> Iterator[tuple[Box, np.ndarray, np.ndarray]]:
    """Parts of a tile's marker and claiming nuclei that do not see each other, each cut out.

    Pixels of two parts lie more than ``apart_px`` rows or columns apart, and a window's rim as far
    from its part, unless it is the tile's: what looks no farther finds in a window what it would
    find in the whole tile. Where windows would overlap so much that they gain nothing, the whole
    tile is one.

    Parameters
    ----------
    nuclei : (y, x) int32
    marker : (y, x) number
        0 where negative.
    claims : (n + 1,) bool
        Indexed by label: nuclei of macrophages.
    apart_px : int
    least_px : float
        Parts without a claiming nucleus and of fewer positive pixels are left out.

    Yields
    ------
    window : Box
        Inside the tile.
    seeds : (y, x) int32
        Labels of the part's claiming nuclei; 0 elsewhere.
    levels : (y, x) int32
        The part's marker, 0 over other nuclei.
    """
    side = max(1, apart_px)
    n_positive, claimed = _blocks(nuclei, marker, claims, side)
    part_of, n_parts = ndi.label((n_positive > 0) | claimed, EIGHT)
    if n_parts == 0:
        return
    size, n_claimed = (np.bincount(part_of.ravel(), of.ravel())[1:] for of in (n_positive, claimed))
    wanted = (size >= least_px) | (n_claimed > 0)
    windows = [_window(span, side, nuclei.shape) for span in ndi.find_objects(part_of)]
    if sum(window.shape[0] * window.shape[1] for window in windows) > nuclei.size:
        part_of = np.ones_like(part_of)
        windows, wanted = [Box(0, nuclei.shape[0], 0, nuclei.shape[1])], np.ones(1, bool)
    for part, window in enumerate(windows, 1):
        if wanted[part - 1]:
            inside = nuclei[window.slices], marker[window.slices]
            grid = part_of, part, side
            yield window, *_cut_out(*inside, claims, grid, (window.y0, window.x0))


def _window(span: tuple[slice, slice], side: int, shape: tuple[int, ...]) -> Box:
    """The pixels of some blocks, and a block more all around."""
    rows, columns = span
    return Box(
        max(rows.start - 1, 0) * side,
        min((rows.stop + 1) * side, shape[0]),
        max(columns.start - 1, 0) * side,
        min((columns.stop + 1) * side, shape[1]),
    )


@nb.njit(cache=True, nogil=True)
def _blocks(nuclei, marker, claims, side):
    """Of every block of ``side`` pixels: how many are positive; whether a nucleus there claims."""
    height, width = nuclei.shape
    n_positive = np.zeros((-(-height // side), -(-width // side)), np.int32)
    claimed = np.zeros(n_positive.shape, np.bool_)
    for y in range(height):
        for block in range(n_positive.shape[1]):
            count, claim = 0, False
            for x in range(block * side, min((block + 1) * side, width)):
                count += marker[y, x] > 0
                claim |= claims[nuclei[y, x]]
            n_positive[y // side, block] += count
            claimed[y // side, block] |= claim
    return n_positive, claimed


@nb.njit(cache=True, nogil=True)
def _cut_out(nuclei, marker, claims, grid, origin):
    part_of, part, side = grid
    seeds = np.zeros(nuclei.shape, np.int32)
    levels = np.zeros(nuclei.shape, np.int32)
    for y in range(nuclei.shape[0]):
        blocks = part_of[(y + origin[0]) // side]
        for x in range(nuclei.shape[1]):
            if blocks[(x + origin[1]) // side] == part:
                nucleus = nuclei[y, x]
                if claims[nucleus]:
                    seeds[y, x] = nucleus
                if nucleus == 0 or claims[nucleus]:
                    levels[y, x] = marker[y, x]
    return seeds, levels
