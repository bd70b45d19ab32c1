"""A scene rendered block by block: the same pixels however it is cut."""

from __future__ import annotations

import math

import numba as nb
import numpy as np

from macprox.simulate import noise
from macprox.simulate.appearance import Outlines, paint
from macprox.simulate.layout import lay_cells
from macprox.simulate.optics import MARGIN_UM, expose
from macprox.simulate.panel import CHANNELS
from macprox.simulate.parameters import AIRSPACE, GLASS, SceneParameters
from macprox.simulate.places import GRID_UM, lay_places
from macprox.simulate.places import MARGIN_UM as PLACES_MARGIN_UM

_HAZE_SOFTNESS = 0.3  # of the nucleus's radius: edges no eye would draw


class Scene:
    """The layout of one slide, ready to render any part of it.

    Parameters
    ----------
    parameters : SceneParameters

    Attributes
    ----------
    places : Places
    cells : Cells
    """

    def __init__(self, parameters: SceneParameters):
        self.parameters = parameters
        self.places = lay_places(parameters)
        self.cells = lay_cells(parameters, self.places)
        self._outlines = Outlines(self.cells, parameters.pixel_size_um, parameters.seed)
        n_haze = round(parameters.camera.haze_frac * len(self.cells))
        self._haze = _lay_haze(n_haze, np.array(parameters.extent_um), self.places.code,
                               parameters.seed)  # fmt: skip
        self._haze[:, :4] /= parameters.pixel_size_um

    def block(self, y0: int, x0: int, shape: tuple[int, int]):
        """Pixels and truth of one rectangle of the slide.

        Parameters
        ----------
        y0, x0 : int
            Its first pixel.
        shape : (int, int)

        Returns
        -------
        pixels : (n_channels, h, w) uint16
        nuclei, bodies : (h, w) int32
            Labels: cell ``i`` of ``cells`` is ``i + 1``. ``bodies`` is the whole cell.
        """
        p = self.parameters
        margin = math.ceil(MARGIN_UM / p.pixel_size_um)
        wide = (shape[0] + 2 * margin, shape[1] + 2 * margin)
        signal, nuclei, bodies = paint(self._outlines, y0 - margin, x0 - margin, wide)
        _paint_haze(signal[CHANNELS.index("DAPI")], self._haze, y0 - margin, x0 - margin)
        pixels = expose(signal, self.places, y0 - margin, x0 - margin, p.camera,
                        (p.pixel_size_um, p.seed))  # fmt: skip
        inner = (slice(margin, -margin), slice(margin, -margin))
        return pixels[:, *inner].copy(), nuclei[inner].copy(), bodies[inner].copy()


@nb.njit(cache=True)
def _lay_haze(n, extent, code, seed):
    """``(n, 5)``: y, x, two radii in um and brightness of nuclei out of focus, in tissue only."""
    haze = np.empty((n, 5))
    found = 0
    for t in range(40 * n):
        if found == n:
            break
        y = noise.unit(t, 1000, noise.DART, seed) * (extent[0] + 40.0) - 20.0
        x = noise.unit(t, 1000, noise.DART + 1, seed) * (extent[1] + 40.0) - 20.0
        place = code[
            round((y + PLACES_MARGIN_UM) / GRID_UM),
            round((x + PLACES_MARGIN_UM) / GRID_UM),
        ]
        if place in (GLASS, AIRSPACE):
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
def _paint_haze(dapi, haze, y0, x0):
    h, w = dapi.shape
    for k in range(haze.shape[0]):
        cy, cx, a, b, level = haze[k]
        # Beyond 2.6 radii the edge has fallen under a hundredth of a grey level.
        reach = 2.6 * a
        if cy + reach < y0 or cy - reach > y0 + h or cx + reach < x0 or cx - reach > x0 + w:
            continue
        for y in range(max(y0, int(cy - reach)), min(y0 + h, int(cy + reach) + 2)):
            for x in range(max(x0, int(cx - reach)), min(x0 + w, int(cx + reach) + 2)):
                q = math.sqrt(((y + 0.5 - cy) / a) ** 2 + ((x + 0.5 - cx) / b) ** 2)
                dapi[y - y0, x - x0] += level / (
                    1.0 + math.exp(min((q - 1.0) / _HAZE_SOFTNESS, 40.0))
                )
