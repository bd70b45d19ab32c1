"""Where the cells are: populations take their places in turn, none in another's core."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba as nb
import numpy as np

from macprox.simulate import noise
from macprox.simulate.panel import (
    CHANNELS,
    EXPRESSION_CV,
    KIND_INDEX,
    KINDS,
    NONSPECIFIC,
    WEAK_FRAC,
)
from macprox.simulate.parameters import (
    AIRSPACE,
    NEST,
    PLACES,
    STROMA,
    Population,
    SceneParameters,
)
from macprox.simulate.places import GRID_UM, MARGIN_UM, Places, sample

_EDGE_UM = 24.0  # cells are laid out this far beyond the slide: the largest body reaches in
_BIN_UM = 14.0  # more than two macrophage cores and their spacing: conflicts are in 3 x 3 bins
_MACROPHAGE_SPACING_UM = 13.0  # their bodies would overlap into one
_COLUMNS = ("y_um", "x_um", "a_um", "b_um", "theta", "body_um", "body_wobble", "wobble",
            "body_dy_um", "body_dx_um", "dapi", "chromatin", "nucleoli", "softness", "body_theta",
            "body_axis")  # fmt: skip
COLUMN = {name: index for index, name in enumerate(_COLUMNS)}


@dataclass(frozen=True)
class Cells:
    """Every cell of a scene, in raster order of its centre; cell ``i`` has label ``i + 1``.

    Parameters
    ----------
    kind : (n,) int
        Index into `panel.KINDS`.
    has_nucleus : (n,) bool
        Whether the nucleus is in the plane of the section.
    shape : (n, k) float
        Columns `COLUMN`: centre, axes, orientation, texture.
    stain : (n, n_channels) float
        Grey levels of each stain.
    """

    kind: np.ndarray
    has_nucleus: np.ndarray
    shape: np.ndarray
    stain: np.ndarray

    def __len__(self) -> int:
        return self.kind.size


def lay_cells(parameters: SceneParameters, places: Places) -> Cells:
    """All cells of a scene, haze excluded."""
    height_um, width_um = parameters.extent_um
    area_mm2 = (height_um + 2 * _EDGE_UM) * (width_um + 2 * _EDGE_UM) / 1e6
    darts = np.array([math.ceil(p.per_mm2 * area_mm2) for p in parameters.populations])
    rules = np.array([_rule(p) for p in parameters.populations]).reshape(-1, 8)
    found = _throw(darts, rules, places.code, places.nest_um, places.air_um, places.border_um,
                   np.array([height_um, width_um]), parameters.seed)  # fmt: skip
    order = np.lexsort((found[:, 1], np.floor(found[:, 0] / parameters.pixel_size_um)))
    found = found[order]
    kind = found[:, 2].astype(np.int64)
    anucleate = _units(kind.size, noise.CELL + 200, parameters.seed) < parameters.anucleate_frac
    macrophage = np.array([k.is_macrophage for k in KINDS])[kind]
    return Cells(
        kind=kind,
        has_nucleus=~(macrophage & anucleate),
        shape=_shapes(found[:, :2], kind, places, parameters.seed),
        stain=_stains(kind, parameters),
    )


def _rule(population: Population) -> tuple[float, ...]:
    kind = KIND_INDEX[population.kind]
    return (
        kind,
        KINDS[kind].core_um,
        float(KINDS[kind].is_macrophage),
        PLACES[population.place],
        *population.depth_um,
        population.border_pull_um,
        population.patch_um,
    )


@nb.njit(cache=True, nogil=True)
def _throw(darts, rules, code, nest_um, air_um, border_um, extent, seed):
    """``(n, 3)``: y, x, kind of the darts that found room."""
    n_y = int((extent[0] + 2 * _EDGE_UM) / _BIN_UM) + 3
    n_x = int((extent[1] + 2 * _EDGE_UM) / _BIN_UM) + 3
    head = np.full((n_y, n_x), -1, np.int64)
    following = np.full(darts.sum(), -1, np.int64)
    placed = np.empty((darts.sum(), 3))
    owner = np.empty(darts.sum(), np.int64)
    n = 0
    for p in range(darts.size):
        for t in range(darts[p]):
            y = noise.unit(t, p, noise.DART, seed) * (extent[0] + 2 * _EDGE_UM) - _EDGE_UM
            x = noise.unit(t, p, noise.DART + 1, seed) * (extent[1] + 2 * _EDGE_UM) - _EDGE_UM
            if not _welcome(y, x, rules[p], code, nest_um, air_um, border_um, seed, t, p):
                continue
            i = int((y + _EDGE_UM) / _BIN_UM) + 1
            j = int((x + _EDGE_UM) / _BIN_UM) + 1
            if _conflict(y, x, p, i, j, head, following, placed, owner, rules):
                continue
            placed[n, 0] = y
            placed[n, 1] = x
            placed[n, 2] = rules[p, 0]
            owner[n] = p
            following[n] = head[i, j]
            head[i, j] = n
            n += 1
    return placed[:n].copy()


@nb.njit(cache=True)
def _welcome(y, x, rule, code, nest_um, air_um, border_um, seed, t, p):
    """Whether the population lives at this place."""
    place = code[
        round((y + MARGIN_UM) / GRID_UM),
        round((x + MARGIN_UM) / GRID_UM),
    ]
    if place != rule[3]:
        return False
    if place == NEST:
        depth = sample(nest_um, y, x)
    elif place == AIRSPACE:
        depth = sample(air_um, y, x)
    elif place == STROMA:
        depth = min(-sample(nest_um, y, x), -sample(air_um, y, x))
    else:
        depth = -sample(air_um, y, x)
    if depth < rule[4] or depth > rule[5]:
        return False
    if rule[7] > 0:
        patch = noise.smooth(y, x, rule[7], noise.ACCEPT + 1, seed)
        if noise.unit(t, p, noise.ACCEPT + 3, seed) > 3.0 * (patch - 0.35):
            return False
    pull = rule[6]
    if pull == 0:
        return True
    near = math.exp(-abs(sample(border_um, y, x)) / abs(pull))
    return noise.unit(t, p, noise.ACCEPT, seed) < (near if pull > 0 else (1.0 - near) ** 2)


@nb.njit(cache=True)
def _conflict(y, x, p, i, j, head, following, placed, owner, rules):
    for bi in range(i - 1, i + 2):
        for bj in range(j - 1, j + 2):
            k = head[bi, bj]
            while k >= 0:
                other = owner[k]
                room = rules[p, 1] + rules[other, 1]
                if rules[p, 2] > 0 and rules[other, 2] > 0:
                    room = _MACROPHAGE_SPACING_UM
                if (y - placed[k, 0]) ** 2 + (x - placed[k, 1]) ** 2 < room * room:
                    return True
                k = following[k]
    return False


def _shapes(yx_um: np.ndarray, kind: np.ndarray, places: Places, seed: int) -> np.ndarray:
    n = kind.size
    of = {name: np.array([getattr(k, name) for k in KINDS], float)[kind] for name in
          ("diameter_um", "diameter_cv", "elongation", "body_um", "body_wobble", "wobble", "dapi",
           "chromatin", "nucleoli")}  # fmt: skip
    macrophage = np.array([k.is_macrophage for k in KINDS])[kind]
    spread = _normals(n, 0, seed)
    diameter = of["diameter_um"] * np.exp(of["diameter_cv"] * spread)
    axis = 1 + of["elongation"] * (0.35 + 1.3 * _units(n, noise.CELL + 3, seed))
    aligned = _tangent(yx_um, places) + 0.3 * _normals(n, 4, seed)
    free = np.pi * _units(n, noise.CELL + 5, seed)
    body = np.where(macrophage, of["body_um"] * np.exp(0.17 * _normals(n, 6, seed)), of["body_um"])
    offset = np.where(macrophage, 0.28 * body, 0.0) * _units(n, noise.CELL + 7, seed)
    towards = 2 * np.pi * _units(n, noise.CELL + 8, seed)
    shape = np.empty((n, len(_COLUMNS)))
    values = dict(
        y_um=yx_um[:, 0],
        x_um=yx_um[:, 1],
        a_um=diameter / 2 * np.sqrt(axis),
        b_um=diameter / 2 / np.sqrt(axis),
        theta=np.where(of["elongation"] > 0.6, aligned, free),
        body_um=body,
        body_wobble=of["body_wobble"] * (0.6 + 0.8 * _units(n, noise.CELL + 9, seed)),
        wobble=of["wobble"],
        body_dy_um=offset * np.sin(towards),
        body_dx_um=offset * np.cos(towards),
        # Sections cut many nuclei off centre: dimmer and softer caps beside bright middles.
        dapi=of["dapi"] * np.exp(0.38 * _normals(n, 10, seed)) * (1 - 0.1 * spread),
        chromatin=of["chromatin"],
        nucleoli=np.floor(of["nucleoli"] * 1.3 * _units(n, noise.CELL + 11, seed) + 0.3),
        softness=0.07 + 0.1 * _units(n, noise.CELL + 12, seed) ** 2,
        body_theta=np.pi * _units(n, noise.CELL + 13, seed),
        body_axis=np.where(macrophage, 1 + 0.55 * _units(n, noise.CELL + 14, seed), 1.0),
    )
    for name, value in values.items():
        shape[:, COLUMN[name]] = value
    return shape


def _tangent(yx_um: np.ndarray, places: Places) -> np.ndarray:
    """Angle along the nearest tissue border: fibroblasts and pneumocytes lie flat on it."""
    landscape = np.maximum(places.nest_um, places.air_um)
    d_y, d_x = np.gradient(landscape)
    index = np.round((yx_um + MARGIN_UM) / GRID_UM).astype(int)
    i = np.clip(index[:, 0], 0, landscape.shape[0] - 1)
    j = np.clip(index[:, 1], 0, landscape.shape[1] - 1)
    return np.arctan2(d_y[i, j], d_x[i, j]) + np.pi / 2


def _stains(kind: np.ndarray, parameters: SceneParameters) -> np.ndarray:
    """Expression of each cell: lognormal around its kind's level, some weak."""
    n = kind.size
    stain = np.zeros((n, len(CHANNELS)))
    for c, channel in enumerate(CHANNELS):
        if channel == "DAPI":
            continue
        level = np.array([k.stains.get(channel, 0.0) for k in KINDS])[kind]
        spread = np.exp(EXPRESSION_CV * _normals(n, 20 + c, parameters.seed))
        weak = _units(n, noise.EXPRESSION + 100 + c, parameters.seed) < WEAK_FRAC
        if channel == "AF":
            stain[:, c] = level * spread**2 * parameters.camera.autofluorescence
            continue
        level = np.where(weak, 0.5, 1.0) * level * spread
        faint = NONSPECIFIC * np.exp(0.6 * _normals(n, 40 + c, parameters.seed))
        stain[:, c] = parameters.camera.stain * np.where(level > 0, level, faint)
    return stain


def _units(n: int, stream: int, seed: int) -> np.ndarray:
    return _draw(n, stream, seed, False)


def _normals(n: int, stream: int, seed: int) -> np.ndarray:
    return _draw(n, noise.CELL + 1000 + stream, seed, True)


@nb.njit(cache=True)
def _draw(n, stream, seed, is_normal):
    """One value a cell, the same whatever else is drawn."""
    out = np.empty(n)
    for i in range(n):
        out[i] = noise.normal(i, 0, stream, seed) if is_normal else noise.unit(i, 0, stream, seed)
    return out
