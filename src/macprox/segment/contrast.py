"""How far nuclei rise above what surrounds them: haze is bright, but flat."""

from __future__ import annotations

import numba as nb
import numpy as np

from macprox.image.stain import StainStatistics
from macprox.segment.cells import grow_cells

RING_UM = 2.0  # surroundings: what no nucleus covers within this distance
MIN_RING_UM2 = 4.0  # of fewer, as in a tight crowd, nothing is concluded


def own_contrast(
    labels: np.ndarray, stain: np.ndarray, pixel_size_um: float, statistics: StainStatistics
) -> np.ndarray:
    """The share of each nucleus's brightness by which it rises above its surroundings.

    Parameters
    ----------
    labels : (y, x) int32
    stain : (y, x) number
    pixel_size_um : float
    statistics : StainStatistics

    Returns
    -------
    (n + 1,) float
        Indexed by label: 1 on dark ground, 0 where it does not stand out, infinite where too
        little of the ground is seen. The ground is the darker half of the ring around it.
    """
    n_labels = int(labels.max(initial=0))
    ring = grow_cells(labels, RING_UM, pixel_size_um)
    ring[labels > 0] = 0
    levels = _whole_levels(stain, np.float32(statistics.background), np.float32(statistics.step))
    everything = np.full(n_labels + 1, np.inf)
    inner, _ = _mean_below(labels, levels, everything)
    around, n_ring = _mean_below(ring, levels, everything)
    ground, _ = _mean_below(ring, levels, around)
    seen = (n_ring * pixel_size_um**2 >= MIN_RING_UM2) & (inner > 0)
    return np.where(seen, 1 - ground / np.where(seen, inner, 1), np.inf)


@nb.njit(cache=True, nogil=True)
def _whole_levels(stain, background, step):
    """Whole numbers: their sums do not depend on where a tile begins."""
    levels = np.empty(stain.shape, np.int32)
    for y in range(stain.shape[0]):
        for x in range(stain.shape[1]):
            levels[y, x] = int(np.float32(np.floor((stain[y, x] - background) / step)))
    return levels


@nb.njit(cache=True, nogil=True)
def _mean_below(labels, levels, limit):
    """Mean level, by label, of its pixels at or below a limit, and how many they are."""
    total = np.zeros(limit.size, np.int64)
    count = np.zeros(limit.size, np.int64)
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            label = labels[y, x]
            if label > 0 and levels[y, x] <= limit[label]:
                total[label] += levels[y, x]
                count[label] += 1
    return total / np.maximum(count, 1), count
