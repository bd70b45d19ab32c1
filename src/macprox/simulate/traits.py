"""What each cell is like: drawn from its number, so that nothing of it need be stored."""

from __future__ import annotations

import numpy as np

from macprox.simulate import noise
from macprox.simulate.layout import Cells
from macprox.simulate.noise import normals, units
from macprox.simulate.panel import CHANNELS, EXPRESSION_CV, KINDS, NONSPECIFIC, WEAK_FRAC
from macprox.simulate.parameters import CameraParameters

_COLUMNS = ("y_um", "x_um", "a_um", "b_um", "theta", "body_um", "body_wobble", "wobble",
            "body_dy_um", "body_dx_um", "dapi", "chromatin", "nucleoli", "softness", "body_theta",
            "body_axis")  # fmt: skip
COLUMN = {name: index for index, name in enumerate(_COLUMNS)}


def shapes(cells: Cells, which: np.ndarray, seed: int) -> np.ndarray:
    """Centre, axes, orientation and texture of some cells.

    Parameters
    ----------
    cells : Cells
    which : (n,) int
    seed : int

    Returns
    -------
    (n, k) float
        Columns `COLUMN`.
    """
    kind, n = cells.kind[which], which.size
    of = {name: np.array([getattr(k, name) for k in KINDS], float)[kind] for name in
          ("diameter_um", "diameter_cv", "elongation", "body_um", "body_wobble", "wobble", "dapi",
           "chromatin", "nucleoli")}  # fmt: skip
    macrophage = np.array([k.is_macrophage for k in KINDS])[kind]
    spread = _normals(which, 0, seed)
    diameter = of["diameter_um"] * np.exp(of["diameter_cv"] * spread)
    axis = 1 + of["elongation"] * (0.35 + 1.3 * units(which, noise.CELL + 3, seed))
    aligned = cells.tangent[which] + 0.3 * _normals(which, 4, seed)
    free = np.pi * units(which, noise.CELL + 5, seed)
    wide = of["body_um"] * np.exp(0.17 * _normals(which, 6, seed))
    body = np.where(macrophage, wide, of["body_um"])
    offset = np.where(macrophage, 0.28 * body, 0.0) * units(which, noise.CELL + 7, seed)
    towards = 2 * np.pi * units(which, noise.CELL + 8, seed)
    shape = np.empty((n, len(_COLUMNS)))
    values = dict(
        y_um=cells.y_um[which],
        x_um=cells.x_um[which],
        a_um=diameter / 2 * np.sqrt(axis),
        b_um=diameter / 2 / np.sqrt(axis),
        theta=np.where(of["elongation"] > 0.6, aligned, free),
        body_um=body,
        body_wobble=of["body_wobble"] * (0.6 + 0.8 * units(which, noise.CELL + 9, seed)),
        wobble=of["wobble"],
        body_dy_um=offset * np.sin(towards),
        body_dx_um=offset * np.cos(towards),
        # Sections cut many nuclei off centre: dimmer and softer caps beside bright middles.
        dapi=of["dapi"] * np.exp(0.38 * _normals(which, 10, seed)) * (1 - 0.1 * spread),
        chromatin=of["chromatin"],
        nucleoli=np.floor(of["nucleoli"] * 1.3 * units(which, noise.CELL + 11, seed) + 0.3),
        softness=0.07 + 0.1 * units(which, noise.CELL + 12, seed) ** 2,
        body_theta=np.pi * units(which, noise.CELL + 13, seed),
        body_axis=np.where(macrophage, 1 + 0.55 * units(which, noise.CELL + 14, seed), 1.0),
    )
    for name, value in values.items():
        shape[:, COLUMN[name]] = value
    return shape


def stains(cells: Cells, which: np.ndarray, camera: CameraParameters, seed: int) -> np.ndarray:
    """Expression of some cells, ``(n, n_channels)`` grey levels: lognormal around the level of
    their kind, some weak."""
    kind = cells.kind[which]
    stain = np.zeros((which.size, len(CHANNELS)))
    for c, channel in enumerate(CHANNELS):
        if channel == "DAPI":
            continue
        level = np.array([k.stains.get(channel, 0.0) for k in KINDS])[kind]
        spread = np.exp(EXPRESSION_CV * _normals(which, 20 + c, seed))
        weak = units(which, noise.EXPRESSION + 100 + c, seed) < WEAK_FRAC
        if channel == "AF":
            stain[:, c] = level * spread**2 * camera.autofluorescence
            continue
        level = np.where(weak, 0.5, 1.0) * level * spread
        faint = NONSPECIFIC * np.exp(0.6 * _normals(which, 40 + c, seed))
        stain[:, c] = camera.stain * np.where(level > 0, level, faint)
    return stain


def _normals(which: np.ndarray, stream: int, seed: int) -> np.ndarray:
    return normals(which, noise.CELL + 1000 + stream, seed)
