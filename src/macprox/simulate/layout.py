"""Where the cells are: populations take their places in turn, none in another's core."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba as nb
import numpy as np

from macprox.simulate import noise
from macprox.simulate.fields import Field
from macprox.simulate.panel import KIND_INDEX, KINDS
from macprox.simulate.parameters import (
    AIRSPACE,
    NEST,
    PLACES,
    STROMA,
    Population,
    SceneParameters,
)
from macprox.simulate.places import GRID_UM, MARGIN_UM, Places, place_at, sample

_EDGE_UM = 24.0  # cells are laid out this far beyond the slide: the largest body reaches in
_BIN_UM = 14.0  # more than two macrophage cores and their spacing: conflicts are in 3 x 3 bins
_MACROPHAGE_SPACING_UM = 13.0  # their bodies would overlap into one


@dataclass(frozen=True)
class Darts:
    """Where cells of each population would live in one field, before any found room.

    Parameters
    ----------
    population : (n,) uint8
        Increasing: populations take their places in turn.
    yx_um : (n, 2) float
    tangent : (n,) float32
        Angle along the nearest tissue border.
    """

    population: np.ndarray
    yx_um: np.ndarray
    tangent: np.ndarray


@dataclass(frozen=True)
class Cells:
    """Every cell of a scene, in raster order of the pixel of its centre; cell ``i`` has label
    ``i + 1``. How it looks is drawn from ``i`` whenever it is painted (`traits`), not stored.

    Parameters
    ----------
    kind : (n,) uint8
        Index into `panel.KINDS`.
    place : (n,) uint8
        Where it lives, a value of `parameters.PLACES`.
    has_nucleus : (n,) bool
        Whether the nucleus is in the plane of the section.
    y_um, x_um : (n,) float
    tangent : (n,) float32
        Angle along the nearest tissue border.
    field : (n,) uint16
        The number of the field that it was laid in.
    """

    kind: np.ndarray
    place: np.ndarray
    has_nucleus: np.ndarray
    y_um: np.ndarray
    x_um: np.ndarray
    tangent: np.ndarray
    field: np.ndarray

    def __len__(self) -> int:
        return self.kind.size


def throw_darts(
    parameters: SceneParameters, field: Field, places: Places, border_um: np.ndarray
) -> Darts:
    """The darts of one field that hit a place where their population lives."""
    y0, x0, y1, x1 = field.padded(_EDGE_UM)
    area_mm2 = (y1 - y0) * (x1 - x0) / 1e6
    darts = np.array([math.ceil(p.per_mm2 * area_mm2) for p in parameters.populations], np.int64)
    rules = np.array([_rule(p) for p in parameters.populations]).reshape(-1, 5)
    population, yx_um = _throw(
        darts, rules, places.code, places.nest_um, places.air_um, border_um, places.first,
        (y0, x0, y1, x1), first_dart(field), parameters.seed,
    )  # fmt: skip
    return Darts(population, yx_um, _tangent(yx_um, places))


def first_dart(field: Field) -> int:
    """Darts are numbered on from field to field, so that no two share their random numbers."""
    return field.number << 32


def settle(thrown: list[Darts], parameters: SceneParameters) -> Cells:
    """The darts of all fields that find room, population after population."""
    population = np.concatenate([darts.population for darts in thrown])
    yx_um = np.concatenate([darts.yx_um for darts in thrown])
    field = np.repeat(np.arange(len(thrown), dtype=np.uint16), [d.tangent.size for d in thrown])
    kind_of = np.array([KIND_INDEX[p.kind] for p in parameters.populations], np.uint8)
    core_um = np.array([kind.core_um for kind in KINDS])[kind_of]
    macrophage = np.array([kind.is_macrophage for kind in KINDS])
    turn = np.argsort(population, kind="stable")
    found = _settle(
        turn, population, yx_um, core_um, macrophage[kind_of], np.array(parameters.extent_um)
    )
    row = np.floor(yx_um[found, 0] / parameters.pixel_size_um)
    found = found[np.lexsort((yx_um[found, 1], row))]
    kind = kind_of[population[found]]
    place_of = np.array([PLACES[p.place] for p in parameters.populations], np.uint8)
    cut = noise.units(np.arange(kind.size), noise.CELL + 200, parameters.seed)
    return Cells(
        kind=kind,
        place=place_of[population[found]],
        has_nucleus=~(macrophage[kind] & (cut < parameters.anucleate_frac)),
        y_um=yx_um[found, 0],
        x_um=yx_um[found, 1],
        tangent=np.concatenate([darts.tangent for darts in thrown])[found],
        field=field[found],
    )


def _rule(population: Population) -> tuple[float, ...]:
    return (
        PLACES[population.place],
        *population.depth_um,
        population.border_pull_um,
        population.patch_um,
    )


@nb.njit(cache=True, nogil=True)
def _throw(darts, rules, code, nest_um, air_um, border_um, first, box, first_t, seed):
    """Population, and ``(n, 2)`` y and x, of the darts that are welcome where they hit."""
    population = np.empty(darts.sum(), np.uint8)
    yx_um = np.empty((darts.sum(), 2))
    n = 0
    for p in range(darts.size):
        for t in range(first_t, first_t + darts[p]):
            y = noise.unit(t, p, noise.DART, seed) * (box[2] - box[0]) + box[0]
            x = noise.unit(t, p, noise.DART + 1, seed) * (box[3] - box[1]) + box[1]
            place = place_at(code, first, y, x)
            if place != rules[p, 0]:
                continue
            maps = (nest_um, air_um, border_um)
            if _welcome(y, x, place, rules[p], maps, first, seed, t, p):
                population[n] = p
                yx_um[n, 0] = y
                yx_um[n, 1] = x
                n += 1
    return population[:n].copy(), yx_um[:n].copy()


@nb.njit(cache=True)
def _welcome(y, x, place, rule, maps, first, seed, t, p):
    """Whether the population lives at this spot of its place."""
    nest_um, air_um, border_um = maps
    if place == NEST:
        depth = sample(nest_um, first, y, x)
    elif place == AIRSPACE:
        depth = sample(air_um, first, y, x)
    elif place == STROMA:
        depth = min(-sample(nest_um, first, y, x), -sample(air_um, first, y, x))
    else:
        depth = -sample(air_um, first, y, x)
    if depth < rule[1] or depth > rule[2]:
        return False
    if rule[4] > 0:
        patch = noise.smooth(y, x, rule[4], noise.ACCEPT + 1, seed)
        if noise.unit(t, p, noise.ACCEPT + 3, seed) > 3.0 * (patch - 0.35):
            return False
    pull = rule[3]
    if pull == 0:
        return True
    near = math.exp(-abs(sample(border_um, first, y, x)) / abs(pull))
    return noise.unit(t, p, noise.ACCEPT, seed) < (near if pull > 0 else (1.0 - near) ** 2)


@nb.njit(cache=True, nogil=True)
def _settle(turn, population, yx_um, core_um, macrophage, extent):
    """The darts that find room, in their turns."""
    n_y = int((extent[0] + 2 * _EDGE_UM) / _BIN_UM) + 3
    n_x = int((extent[1] + 2 * _EDGE_UM) / _BIN_UM) + 3
    head = np.full((n_y, n_x), -1, np.int32)
    following = np.full(turn.size, -1, np.int32)
    found = np.empty(turn.size, np.int64)
    n = 0
    for dart in turn:
        i = int((yx_um[dart, 0] + _EDGE_UM) / _BIN_UM) + 1
        j = int((yx_um[dart, 1] + _EDGE_UM) / _BIN_UM) + 1
        if not _conflict(dart, i, j, head, following, population, yx_um, core_um, macrophage):
            following[dart] = head[i, j]
            head[i, j] = dart
            found[n] = dart
            n += 1
    return found[:n].copy()


@nb.njit(cache=True)
def _conflict(dart, i, j, head, following, population, yx_um, core_um, macrophage):
    y, x = yx_um[dart]
    p = population[dart]
    for bi in range(i - 1, i + 2):
        for bj in range(j - 1, j + 2):
            k = head[bi, bj]
            while k >= 0:
                other = population[k]
                room = core_um[p] + core_um[other]
                if macrophage[p] and macrophage[other]:
                    room = _MACROPHAGE_SPACING_UM
                if (y - yx_um[k, 0]) ** 2 + (x - yx_um[k, 1]) ** 2 < room * room:
                    return True
                k = following[k]
    return False


def _tangent(yx_um: np.ndarray, places: Places) -> np.ndarray:
    """Angle along the nearest tissue border: fibroblasts and pneumocytes lie flat on it."""
    d_y, d_x = np.gradient(np.maximum(places.nest_um, places.air_um))
    node = np.round((yx_um + MARGIN_UM) / GRID_UM).astype(int) - places.first
    i, j = node.T
    return np.arctan2(d_y[i, j], d_x[i, j]) + np.float32(np.pi / 2)
