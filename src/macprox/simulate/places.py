"""Where nests, stroma, septa, airspaces and bare glass are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba as nb
import numpy as np
from scipy import ndimage as ndi

from macprox.simulate import noise
from macprox.simulate.parameters import (
    AIRSPACE,
    GLASS,
    NEST,
    SEPTUM,
    STROMA,
    SceneParameters,
)

GRID_UM = 2.0  # places vary over tens of micrometres; finer only costs memory
MARGIN_UM = 48.0  # places known beyond the slide, for cells that the edge cuts


@dataclass(frozen=True)
class Places:
    """Maps of the tissue on a grid of `GRID_UM`; node (0, 0) lies at ``(-MARGIN_UM, -MARGIN_UM)``.

    Parameters
    ----------
    code : (h, w) uint8
        `GLASS`, `AIRSPACE`, `SEPTUM`, `STROMA` or `NEST`.
    nest_um, air_um : (h, w) float32
        How deep inside a nest, or an airspace, in about micrometres; negative outside.
    border_um : (h, w) float32
        Distance to the tumour border, inside negative.
    """

    code: np.ndarray
    nest_um: np.ndarray
    air_um: np.ndarray
    border_um: np.ndarray


def lay_places(parameters: SceneParameters) -> Places:
    """The tissue of a scene; a larger slide of the same lesions agrees where they overlap."""
    tissue = parameters.tissue
    height_um, width_um = parameters.extent_um
    shape = tuple(math.ceil((side + 2 * MARGIN_UM) / GRID_UM) + 1 for side in (height_um, width_um))
    knobs = np.array(
        [
            tissue.border_um, tissue.bud_um, tissue.strand_um, tissue.nest_um, tissue.capsule_um,
            tissue.alveolus_um, tissue.septum_um, tissue.glass_um, height_um, width_um,
        ]
    )  # fmt: skip
    code, nest_um, air_um = _fill(shape, _lesions_um(parameters), knobs, parameters.seed)
    nests = code == NEST
    if nests.any():
        border_um = ndi.distance_transform_edt(~nests, sampling=GRID_UM)
        border_um -= ndi.distance_transform_edt(nests, sampling=GRID_UM)
    else:
        border_um = np.full(shape, np.inf)
    return Places(code, nest_um, air_um, border_um.astype(np.float32))


def _lesions_um(parameters: SceneParameters) -> np.ndarray:
    """``(n, 3)``: x, y, radius of each lesion."""
    height_um, width_um = parameters.extent_um
    given = parameters.tissue.lesions_frac
    if given:
        return np.array([(fx * width_um, fy * height_um, radius) for fx, fy, radius in given])
    pitch = parameters.tissue.lesion_pitch_um
    rng = np.random.default_rng(parameters.seed)
    lesions = [
        ((j + rng.uniform(0.3, 0.7)) * pitch, (i + rng.uniform(0.3, 0.7)) * pitch, radius)
        for i in range(max(1, round(height_um / pitch)))
        for j in range(max(1, round(width_um / pitch)))
        if (radius := pitch * rng.uniform(0.15, 0.4)) > 0
    ]
    return np.array(lesions)


@nb.njit(cache=True, nogil=True)
def _fill(shape, lesions, knobs, seed):
    code = np.empty(shape, np.uint8)
    nest_um = np.empty(shape, np.float32)
    air_um = np.empty(shape, np.float32)
    for i in range(shape[0]):
        for j in range(shape[1]):
            y = i * GRID_UM - MARGIN_UM
            x = j * GRID_UM - MARGIN_UM
            nest, air, place = _place(y, x, lesions, knobs, seed)
            code[i, j] = place
            nest_um[i, j] = nest
            air_um[i, j] = air
    return code, nest_um, air_um


@nb.njit(cache=True)
def _place(y, x, lesions, knobs, seed):
    border, bud, strand, nest_size, capsule = knobs[0], knobs[1], knobs[2], knobs[3], knobs[4]
    lesion = 1e9
    for k in range(lesions.shape[0]):
        lesion = min(lesion, math.hypot(x - lesions[k, 0], y - lesions[k, 1]) - lesions[k, 2])
    lesion += border * noise.swing(y, x, 150.0, noise.LESION, seed)
    lesion += bud * noise.swing(y, x, 34.0, noise.LESION + 40, seed)
    # Strands follow the zero line of a smooth noise: curved, branching, of uneven width.
    ridge = abs(noise.swing(y, x, nest_size, noise.STRAND, seed)) * 0.55 * nest_size
    width = 0.5 * strand * (0.55 + 0.9 * noise.smooth(y, x, 60.0, noise.CAPSULE, seed))
    nest = min(-lesion, ridge - width)
    solid = capsule * (0.55 + 0.9 * noise.smooth(y, x, 90.0, noise.CAPSULE + 1, seed))
    air = min(_septum_distance(y, x, knobs[5], knobs[6], seed), lesion - solid)
    if knobs[7] > 0:
        edge = min(min(y, knobs[8] - y), min(x, knobs[9] - x))
        glass = edge - knobs[7] - 40.0 * noise.swing(y, x, 180.0, noise.GLASS, seed)
        if glass < 0:
            return -50.0, 50.0, GLASS
        nest = min(nest, glass)
    if nest > 0:
        return nest, air, NEST
    if air > 0:
        return nest, air, AIRSPACE
    return nest, air, (SEPTUM if lesion > solid else STROMA)


@nb.njit(cache=True)
def _centre(i, j, alveolus, seed):
    """Jittered centre of an alveolus; odd rows are shifted, or the walls would look square."""
    cy = (i + 0.1 + 0.8 * noise.unit(i, j, noise.SEPTUM, seed)) * alveolus
    cx = (j + 0.5 * (i % 2) + 0.1 + 0.8 * noise.unit(i, j, noise.SEPTUM + 1, seed)) * alveolus
    return cy, cx


@nb.njit(cache=True)
def _septum_distance(y, x, alveolus, septum, seed):
    """Distance into an airspace from the wall between Voronoi cells of jittered centres."""
    wy = y + 26.0 * noise.swing(y, x, 62.0, noise.WARP, seed)
    wx = x + 26.0 * noise.swing(y, x, 62.0, noise.WARP + 10, seed)
    gi = math.floor(wy / alveolus)
    gj = math.floor(wx / alveolus)
    nearest = 1e18
    ni = nj = 0
    ny = nx = 0.0
    for i in range(gi - 2, gi + 3):
        for j in range(gj - 2, gj + 3):
            cy, cx = _centre(i, j, alveolus, seed)
            d2 = (wy - cy) ** 2 + (wx - cx) ** 2
            if d2 < nearest:
                nearest, ni, nj, ny, nx = d2, i, j, cy, cx
    wall = 1e9
    for i in range(ni - 2, ni + 3):
        for j in range(nj - 2, nj + 3):
            if i == ni and j == nj:
                continue
            # Alveoli open into one another: some of the walls are missing.
            if noise.unit(ni * nj + i * j, ni + nj + i + j, noise.SEPTUM + 2, seed) < 0.2:
                continue
            cy, cx = _centre(i, j, alveolus, seed)
            d2 = (wy - cy) ** 2 + (wx - cx) ** 2
            wall = min(wall, (d2 - nearest) / (2.0 * math.hypot(cy - ny, cx - nx)))
    return wall - 0.5 * septum * (0.6 + 0.8 * noise.smooth(y, x, 45.0, noise.SEPTUM + 3, seed))


@nb.njit(cache=True)
def sample(grid, y_um, x_um):
    """Bilinear value of a map at a place."""
    fy = min(max((y_um + MARGIN_UM) / GRID_UM, 0.0), grid.shape[0] - 1.001)
    fx = min(max((x_um + MARGIN_UM) / GRID_UM, 0.0), grid.shape[1] - 1.001)
    i = int(fy)
    j = int(fx)
    ty = fy - i
    tx = fx - j
    return (grid[i, j] * (1 - tx) + grid[i, j + 1] * tx) * (1 - ty) + (
        grid[i + 1, j] * (1 - tx) + grid[i + 1, j + 1] * tx
    ) * ty
