"""Outlines settled on the grey levels: a nucleus ends halfway down to its surroundings."""

from __future__ import annotations

import numba as nb
import numpy as np

from macprox.image.filters import gaussian
from macprox.image.stain import StainStatistics
from macprox.segment.cells import grow_cells

SMOOTHING_UM = 0.3
REACH_UM = 1.0  # how far an outline may move
RING_UM = 2.0  # surroundings: what no nucleus covers within this distance
BOUNDARY_FRAC = 0.4  # of the way from the surroundings up to the nucleus


def settle_outlines(
    labels: np.ndarray, stain: np.ndarray, pixel_size_um: float, statistics: StainStatistics
) -> np.ndarray:
    """Move every outline, by `REACH_UM` at most, to where the stain crosses its nucleus's level.

    Borders between touching nuclei stay.

    Parameters
    ----------
    labels : (y, x) int32
    stain : (y, x) number
    pixel_size_um : float
    statistics : StainStatistics

    Returns
    -------
    (y, x) int32
    """
    n_labels = int(labels.max(initial=0))
    if n_labels == 0:
        return labels
    smooth = gaussian(stain, SMOOTHING_UM / pixel_size_um)
    levels = _whole_levels(smooth, np.float32(statistics.background), np.float32(statistics.step))
    inner = _upper_mean(labels, levels, n_labels)
    ring = grow_cells(labels, RING_UM, pixel_size_um)
    ring[labels > 0] = 0
    outer = _lower_mean(ring, levels, n_labels)
    cut = outer + BOUNDARY_FRAC * (inner - outer)
    for _ in range(round(REACH_UM / pixel_size_um)):
        labels = _move(labels, levels, cut)
    return labels


@nb.njit(cache=True, nogil=True)
def _whole_levels(smooth, background, step):
    levels = np.empty(smooth.shape, np.int32)
    for y in range(smooth.shape[0]):
        for x in range(smooth.shape[1]):
            above = (smooth[y, x] - background) / step
            levels[y, x] = int(max(above, np.float32(0)) + np.float32(0.5))
    return levels


@nb.njit(cache=True, nogil=True)
def _mean(labels, levels, n_labels, side, middle):
    """Mean level by label of the pixels on one side of its ``middle``; that, where there are none.

    ``side`` is +1 or -1; a ``middle`` of NaN takes every pixel.
    """
    total = np.zeros(n_labels + 1, np.int64)
    count = np.zeros(n_labels + 1, np.int64)
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            label = labels[y, x]
            if label > 0 and not side * (levels[y, x] - middle[label]) < 0:
                total[label] += levels[y, x]
                count[label] += 1
    mean = middle.copy()
    for label in range(n_labels + 1):
        if count[label] > 0:
            mean[label] = total[label] / count[label]
    return mean


def _upper_mean(labels: np.ndarray, levels: np.ndarray, n_labels: int) -> np.ndarray:
    """Of the pixels at or above each object's mean: its inside, not its rim."""
    mean = _mean(labels, levels, n_labels, 1, np.full(n_labels + 1, np.nan))
    return _mean(labels, levels, n_labels, 1, mean)


def _lower_mean(labels: np.ndarray, levels: np.ndarray, n_labels: int) -> np.ndarray:
    """Of the pixels at or below each object's mean; 0 (the slide's background) without any."""
    mean = _mean(labels, levels, n_labels, 1, np.full(n_labels + 1, np.nan))
    return np.nan_to_num(_mean(labels, levels, n_labels, -1, mean))


@nb.njit(cache=True, nogil=True)
def _move(labels, levels, cut):
    """One step of one pixel, for all outlines at once."""
    height, width = labels.shape
    moved = labels.copy()
    for y in range(height):
        for x in range(width):
            own = labels[y, x]
            free, nearest = False, 0
            for k in range(4):
                yy, xx = y + (k == 3) - (k == 0), x + (k == 2) - (k == 1)
                if not (0 <= yy < height and 0 <= xx < width):
                    continue
                other = labels[yy, xx]
                free |= other == 0
                if other > 0 and levels[y, x] >= cut[other] and (nearest == 0 or other < nearest):
                    nearest = other
            if own == 0:
                moved[y, x] = nearest
            elif free and levels[y, x] < cut[own]:
                moved[y, x] = 0
    return moved
