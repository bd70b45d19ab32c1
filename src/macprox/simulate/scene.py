"""A scene rendered block by block: the same pixels however it is cut."""

from __future__ import annotations

import math

import numpy as np

from macprox.simulate.appearance import paint
from macprox.simulate.fields import fields
from macprox.simulate.haze import Haze, throw_haze
from macprox.simulate.layout import settle, throw_darts
from macprox.simulate.optics import MARGIN_UM, expose
from macprox.simulate.outline import nests_in, tumour_outline
from macprox.simulate.panel import CHANNELS
from macprox.simulate.parameters import SceneParameters
from macprox.simulate.places import GRID_UM, Tissue
from macprox.simulate.places import MARGIN_UM as PLACES_MARGIN_UM


class Scene:
    """The layout of one slide, ready to render any part of it.

    What is kept of a large slide is its cells and the outline of its tumour; maps of the tissue
    are made again wherever they are asked for.

    Parameters
    ----------
    parameters : SceneParameters

    Attributes
    ----------
    tissue : Tissue
    cells : Cells
    tumour : shapely.MultiPolygon
        The true nests, in micrometres.
    """

    def __init__(self, parameters: SceneParameters):
        self.parameters = parameters
        self.tissue = Tissue(parameters)
        haze_frac = parameters.camera.haze_frac
        all_fields = fields(parameters.extent_um)
        thrown, hazy, nests = [], [], []
        for field in all_fields:
            places = self.tissue.places(field.padded(PLACES_MARGIN_UM, 2 * GRID_UM))
            border_um = self.tissue.border_um(places)
            thrown.append(throw_darts(parameters, field, places, border_um))
            most = round(haze_frac * len(thrown[-1].tangent))
            hazy.append(throw_haze(parameters, field, places, most))
            nests.append(nests_in(field, places))
        self.cells = settle(thrown, parameters)
        self.tumour = tumour_outline(nests)
        n_cells = np.bincount(self.cells.field, minlength=len(all_fields))
        self._haze = Haze(hazy, np.rint(haze_frac * n_cells).astype(int), all_fields,
                          parameters.pixel_size_um)  # fmt: skip

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
        y, x = y0 - margin, x0 - margin
        h, w = shape[0] + 2 * margin, shape[1] + 2 * margin
        signal, nuclei, bodies = paint(self.cells, p, y, x, (h, w))
        self._haze.paint(signal[CHANNELS.index("DAPI")], y, x)
        places = self.tissue.places(
            (y * p.pixel_size_um, x * p.pixel_size_um,
             (y + h) * p.pixel_size_um, (x + w) * p.pixel_size_um)
        )  # fmt: skip
        pixels = expose(signal, places, y, x, margin, p)
        inner = (slice(margin, -margin), slice(margin, -margin))
        return pixels, nuclei[inner].copy(), bodies[inner].copy()
