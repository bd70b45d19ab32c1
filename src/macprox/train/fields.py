"""Band-limited random fields: where things lie, how stain and light vary."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], scale_px: float) -> np.ndarray:
    """Random field that varies over ``scale_px``; mean 0, standard deviation about 1.

    Returns
    -------
    (y, x) float32
    """
    step = max(1, int(scale_px))
    coarse = rng.standard_normal([side // step + 2 for side in shape]).astype(np.float32)
    coarse = ndi.gaussian_filter(coarse, 0.8)
    down, along = (_linear(side, step, n) for side, n in zip(shape, coarse.shape, strict=True))
    field = down @ coarse @ along.T
    return field / (field.std() + 1e-6)


def _linear(n_fine: int, step: int, n_coarse: int) -> np.ndarray:
    """``(n_fine, n_coarse)`` weights of linear interpolation."""
    at = np.arange(n_fine) / step
    whole = at.astype(int)
    weights = np.zeros((n_fine, n_coarse), np.float32)
    weights[np.arange(n_fine), whole] = 1 - (at - whole)
    weights[np.arange(n_fine), whole + 1] += (at - whole).astype(np.float32)
    return weights
