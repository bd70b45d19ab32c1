"""Cells around nuclei: expansion that meets its neighbours halfway."""

from __future__ import annotations

import numba as nb
import numpy as np

from macprox.image.kernels import disc_offsets, distance_inside


def grow_cells(nuclei: np.ndarray, expansion_um: float, pixel_size_um: float) -> np.ndarray:
    """Give every pixel within ``expansion_um`` of a nucleus to the nearest one.

    Parameters
    ----------
    nuclei : (y, x) int32
        Labels.
    expansion_um, pixel_size_um : float

    Returns
    -------
    (y, x) int32
        The same labels, grown. A pixel as near to two nuclei goes to the lower label, which is
        the one whose first pixel comes first on the slide.
    """
    radius_px = expansion_um / pixel_size_um
    gap = distance_inside(nuclei == 0, int(np.ceil(radius_px)) + 1)
    return _nearest_label(nuclei, gap, disc_offsets(radius_px), np.float32(radius_px))


@nb.njit(cache=True, nogil=True)
def _nearest_label(labels, gap, offsets, radius_px):
    height, width = labels.shape
    grown = labels.copy()
    for y in range(height):
        for x in range(width):
            if labels[y, x] > 0 or gap[y, x] > radius_px:
                continue
            found, found_at = 0, 0
            for i in range(offsets.shape[0]):
                if found > 0 and offsets[i, 2] > found_at:
                    break
                yy, xx = y + offsets[i, 0], x + offsets[i, 1]
                if 0 <= yy < height and 0 <= xx < width:
                    label = labels[yy, xx]
                    if label > 0 and (found == 0 or label < found):
                        found, found_at = label, offsets[i, 2]
            grown[y, x] = found
    return grown
