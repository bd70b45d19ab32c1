"""Nuclei out of focus: light without truth, in tissue only."""

from __future__ import annotations

import math

import numba as nb
import numpy as np

from macprox.simulate import noise
from macprox.simulate.fields import Field
from macprox.simulate.layout import first_dart
from macprox.simulate.parameters import AIRSPACE, GLASS, SceneParameters
from macprox.simulate.places import Places, place_at

_SOFTNESS = 0.3  # of the nucleus's radius: edges no eye would draw
_EDGE_UM = 20.0  # how far beyond the slide they may lie
_REACH = 2.6  # radii; beyond, the edge has fallen under a hundredth of a grey level
_WIDEST_UM = _REACH * 5.4 * math.sqrt(1.5) + 1.0


class Haze:
    """Out-of-focus nuclei of a scene, field after field.

    Parameters
    ----------
    thrown : list of (n, 5) float
        `throw_haze` of every field.
    n_wanted : (n_fields,) int
        So many of each field are kept.
    fields : list of Field
    pixel_size_um : float
    """

    def __init__(self, thrown, n_wanted: np.ndarray, fields: list[Field], pixel_size_um: float):
        kept = [haze[:n] for haze, n in zip(thrown, n_wanted, strict=True)]
        self._end = np.cumsum([len(haze) for haze in kept])
        self._haze = np.concatenate(kept)
        self._haze[:, :4] /= pixel_size_um
        self._boxes_px = np.array([f.padded(_EDGE_UM) for f in fields]) / pixel_size_um
        self._widest_px = _WIDEST_UM / pixel_size_um

    def paint(self, dapi: np.ndarray, y0: int, x0: int) -> None:
        """Add the light of all that reaches a block whose first pixel is ``(y0, x0)``."""
        low, high = self._boxes_px[:, :2] - self._widest_px, self._boxes_px[:, 2:] + self._widest_px
        end = (y0 + dapi.shape[0], x0 + dapi.shape[1])
        # Always in the same order: light adds up to the same float, however blocks are cut.
        for number in np.flatnonzero((low < end).all(axis=1) & (high > (y0, x0)).all(axis=1)):
            start = self._end[number - 1] if number else 0
            _paint(dapi, self._haze[start : self._end[number]], y0, x0)


def throw_haze(parameters: SceneParameters, field: Field, places: Places, n: int) -> np.ndarray:
    """``(n or fewer, 5)``: y, x, two radii in um and brightness."""
    return _throw(n, np.array(field.padded(_EDGE_UM)), places.code, places.first,
                  first_dart(field), parameters.seed)  # fmt: skip


@nb.njit(cache=True)
def _throw(n, box, code, first, first_t, seed):
    haze = np.empty((n, 5))
    found = 0
    for t in range(first_t, first_t + 40 * n):
        if found == n:
            break
        y = noise.unit(t, 1000, noise.DART, seed) * (box[2] - box[0]) + box[0]
        x = noise.unit(t, 1000, noise.DART + 1, seed) * (box[3] - box[1]) + box[1]
        if place_at(code, first, y, x) in (GLASS, AIRSPACE):
            continue
        radius = 3.6 + 1.8 * noise.unit(t, 1001, noise.DART, seed)
        axis = 1.0 + 0.5 * noise.unit(t, 1002, noise.DART, seed)
        haze[found, 0] = y
        haze[found, 1] = x
        haze[found, 2] = radius * math.sqrt(axis)
        haze[found, 3] = radius / math.sqrt(axis)
        haze[found, 4] = 5.0 + 10.0 * noise.unit(t, 1003, noise.DART, seed) ** 2
        found += 1
    return haze[:found].copy()


@nb.njit(cache=True, nogil=True)
def _paint(dapi, haze, y0, x0):
    h, w = dapi.shape
    for k in range(haze.shape[0]):
        cy, cx, a, b, level = haze[k]
        reach = _REACH * a
        if cy + reach < y0 or cy - reach > y0 + h or cx + reach < x0 or cx - reach > x0 + w:
            continue
        for y in range(max(y0, int(cy - reach)), min(y0 + h, int(cy + reach) + 2)):
            for x in range(max(x0, int(cx - reach)), min(x0 + w, int(cx + reach) + 2)):
                q = math.sqrt(((y + 0.5 - cy) / a) ** 2 + ((x + 0.5 - cx) / b) ** 2)
                dapi[y - y0, x - x0] += level / (1.0 + math.exp(min((q - 1.0) / _SOFTNESS, 40.0)))
