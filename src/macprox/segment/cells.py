"""Cells around nuclei: expansion that meets its neighbours halfway."""

from __future__ import annotations

import numpy as np

from macprox.image.kernels import nearest_label


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
    return nearest_label(np.ascontiguousarray(nuclei, np.int32), radius_px)
