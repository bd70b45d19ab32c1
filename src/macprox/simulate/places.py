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

GRID_UM = 2.0  # places vary over tens of micrometres; finer only costs time
MARGIN_UM = 48.0  # places known beyond the slide, for cells that the edge cuts
_BORDER_REACH_UM = 512.0  # seven times the longest pull of the sample cohort: e^-7 is left of it


@dataclass(frozen=True)
class Places:
    """Maps of a window of the tissue, on a grid of `GRID_UM` that is the same for all windows.

    Node (0, 0) of the grid lies at ``(-MARGIN_UM, -MARGIN_UM)``.

    Parameters
    ----------
    first : (int, int)
        The node that is element (0, 0) of the maps.
    code : (h, w) uint8
        `GLASS`, `AIRSPACE`, `SEPTUM`, `STROMA` or `NEST`.
    nest_um, air_um : (h, w) float32
        How deep inside a nest, or an airspace, in about micrometres; negative outside.
    """

    first: tuple[int, int]
    code: np.ndarray
    nest_um: np.ndarray
    air_um: np.ndarray


class Tissue:
    """What decides the places of one slide; any window of it can be asked for, at any time.

    Parameters
    ----------
    parameters : SceneParameters
    """

    def __init__(self, parameters: SceneParameters):
        tissue = parameters.tissue
        self._extent_um = parameters.extent_um
        self._lesions = _lesions_um(parameters)
        self._seed = parameters.seed
        # Beyond, a lesion changes no place: its border wanders, and its capsule reaches, less far.
        self._far_um = 100 + 2 * (tissue.border_um + tissue.bud_um + tissue.capsule_um)
        self._knobs = np.array(
            [
                tissue.border_um, tissue.bud_um, tissue.strand_um, tissue.nest_um,
                tissue.capsule_um, tissue.alveolus_um, tissue.septum_um, tissue.glass_um,
                *parameters.extent_um, self._far_um,
            ]
        )  # fmt: skip

    def places(self, box_um: tuple[float, float, float, float]) -> Places:
        """Maps that hold every node around ``(y0, x0, y1, x1)``, in micrometres."""
        y0, x0, y1, x1 = ((side + MARGIN_UM) / GRID_UM for side in box_um)
        first = (math.floor(y0), math.floor(x0))
        shape = (math.floor(y1) + 2 - first[0], math.floor(x1) + 2 - first[1])
        return Places(
            first, *_fill(first, shape, self._near(first, shape), self._knobs, self._seed)
        )

    def border_um(self, places: Places) -> np.ndarray:
        """Distance of every node to the tumour border, inside negative; infinite beyond 512 um."""
        pad = round(_BORDER_REACH_UM / GRID_UM)
        bounds = [math.ceil((side + 2 * MARGIN_UM) / GRID_UM) + 1 for side in self._extent_um]
        low = [max(start - pad, 0) for start in places.first]
        high = [
            min(start + size + pad, bound)
            for start, size, bound in zip(places.first, places.code.shape, bounds, strict=True)
        ]
        shape = (high[0] - low[0], high[1] - low[1])
        nests = _nests((low[0], low[1]), shape, self._near(low, shape), self._knobs, self._seed)
        border_um = _distance_um(nests) - _distance_um(~nests)
        border_um[np.abs(border_um) > _BORDER_REACH_UM] *= np.inf
        inner = tuple(
            slice(start - begin, start - begin + size)
            for start, begin, size in zip(places.first, low, places.code.shape, strict=True)
        )
        return border_um[inner].astype(np.float32)

    def _near(self, first, shape) -> np.ndarray:
        """The lesions that can change a place in a window: their number does not grow with it."""
        away = np.zeros(len(self._lesions))
        for axis, column in ((0, 1), (1, 0)):
            low = first[axis] * GRID_UM - MARGIN_UM
            centre = self._lesions[:, column]
            out = np.maximum(low - centre, centre - low - shape[axis] * GRID_UM)
            away = np.hypot(away, np.maximum(out, 0))
        return self._lesions[away - self._lesions[:, 2] < self._far_um]


def _distance_um(there: np.ndarray) -> np.ndarray:
    """Of every node to the nearest that is ``there``; infinite where none is."""
    if not there.any():
        return np.full(there.shape, np.inf)
    return ndi.distance_transform_edt(~there, sampling=GRID_UM)


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
def _fill(first, shape, lesions, knobs, seed):
    code = np.empty(shape, np.uint8)
    nest_um = np.empty(shape, np.float32)
    air_um = np.empty(shape, np.float32)
    for i in range(shape[0]):
        for j in range(shape[1]):
            y = (first[0] + i) * GRID_UM - MARGIN_UM
            x = (first[1] + j) * GRID_UM - MARGIN_UM
            nest, air, place = _place(y, x, lesions, knobs, seed)
            code[i, j] = place
            nest_um[i, j] = nest
            air_um[i, j] = air
    return code, nest_um, air_um


@nb.njit(cache=True, nogil=True)
def _nests(first, shape, lesions, knobs, seed):
    """Where `_fill` says `NEST`, for a tenth of the time."""
    nests = np.zeros(shape, np.bool_)
    for i in range(shape[0]):
        for j in range(shape[1]):
            y = (first[0] + i) * GRID_UM - MARGIN_UM
            x = (first[1] + j) * GRID_UM - MARGIN_UM
            if _lesion(y, x, lesions, knobs) < knobs[0] + knobs[1]:
                nests[i, j] = _nest(y, x, lesions, knobs, seed)[0] > 0
    return nests


@nb.njit(cache=True)
def _lesion(y, x, lesions, knobs):
    """Distance to the nearest circle, inside negative, as far as it matters."""
    nearest = knobs[10]
    for k in range(lesions.shape[0]):
        nearest = min(nearest, math.hypot(x - lesions[k, 0], y - lesions[k, 1]) - lesions[k, 2])
    return nearest


@nb.njit(cache=True)
def _nest(y, x, lesions, knobs, seed):
    """Depth in a nest, distance to the lesion's border, depth in the tissue from bare glass."""
    border, bud, strand, nest_size = knobs[0], knobs[1], knobs[2], knobs[3]
    lesion = _lesion(y, x, lesions, knobs)
    lesion += border * noise.swing(y, x, 150.0, noise.LESION, seed)
    lesion += bud * noise.swing(y, x, 34.0, noise.LESION + 40, seed)
    # Strands follow the zero line of a smooth noise: curved, branching, of uneven width.
    ridge = abs(noise.swing(y, x, nest_size, noise.STRAND, seed)) * 0.55 * nest_size
    width = 0.5 * strand * (0.55 + 0.9 * noise.smooth(y, x, 60.0, noise.CAPSULE, seed))
    nest = min(-lesion, ridge - width)
    glass = 1e9
    if knobs[7] > 0:
        edge = min(min(y, knobs[8] - y), min(x, knobs[9] - x))
        glass = edge - knobs[7] - 40.0 * noise.swing(y, x, 180.0, noise.GLASS, seed)
    return min(nest, glass), lesion, glass


@nb.njit(cache=True)
def _place(y, x, lesions, knobs, seed):
    nest, lesion, glass = _nest(y, x, lesions, knobs, seed)
    if glass < 0:
        return -50.0, 50.0, GLASS
    solid = knobs[4] * (0.55 + 0.9 * noise.smooth(y, x, 90.0, noise.CAPSULE + 1, seed))
    air = min(_septum_distance(y, x, knobs[5], knobs[6], seed), lesion - solid)
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
def sample(grid, first, y_um, x_um):
    """Bilinear value of a window's map at a place that lies in the window."""
    fy = (y_um + MARGIN_UM) / GRID_UM
    fx = (x_um + MARGIN_UM) / GRID_UM
    ty = fy - math.floor(fy)
    tx = fx - math.floor(fx)
    i = math.floor(fy) - first[0]
    j = math.floor(fx) - first[1]
    return (grid[i, j] * (1 - tx) + grid[i, j + 1] * tx) * (1 - ty) + (
        grid[i + 1, j] * (1 - tx) + grid[i + 1, j + 1] * tx
    ) * ty


@nb.njit(cache=True)
def place_at(code, first, y_um, x_um):
    """The place of the node nearest to a point of the window."""
    i = round((y_um + MARGIN_UM) / GRID_UM) - first[0]
    j = round((x_um + MARGIN_UM) / GRID_UM) - first[1]
    return code[i, j]
