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
    unit = np.float32(statistics.background), np.float32(statistics.step)
    everything = np.full(n_labels + 1, np.inf)
    inner, _ = _mean_below(labels, stain, unit, everything)
    around, n_ring = _mean_below(ring, stain, unit, everything)
    ground, _ = _mean_below(ring, stain, unit, around)
    seen = (n_ring * pixel_size_um**2 >= MIN_RING_UM2) & (inner > 0)
    return np.where(seen, 1 - ground / np.where(seen, inner, 1), np.inf)


@nb.njit(cache=True, nogil=True)
def _mean_below(labels, stain, unit, limit):
    """Mean level, by label, of its pixels at or below a limit, and how many they are.

    Levels are whole numbers: their sums do not depend on where a tile begins.
    """
    background, step = unit
    total = np.zeros(limit.size, np.int64)
    count = np.zeros(limit.size, np.int64)
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            label = labels[y, x]
            if label > 0:
                level = int(np.float32(np.floor((stain[y, x] - background) / step)))
                if level <= limit[label]:
                    total[label] += level
                    count[label] += 1
    return total / np.maximum(count, 1), count
