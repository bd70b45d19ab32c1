"""A crop's labels as a layer to draw on, and where places of the slide lie on it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import shapely
from napari.layers import Labels

from macprox.review.outlines import shapes
from macprox.review.outlines.crop import Crop
from napari_macprox.conversion import placed
from napari_macprox.keys import OWN_KEYS

CONTOUR_PX = 1


class CropLabels:
    """Labels that may be changed; nothing of the slide changes with them.

    Attributes
    ----------
    layer : napari.layers.Labels
        Where the crop lies on the slide.
    """

    def __init__(self, crop: Crop) -> None:
        self.layer = crop_layer(crop)

    @property
    def cells(self) -> np.ndarray:
        """``(y, x)`` int32, as they are now."""
        return np.asarray(self.layer.data)

    def change(self, change: Callable[[np.ndarray], np.ndarray]) -> None:
        """Change the labels in a way that the layer's own undo takes back.

        Raises
        ------
        MacproxError
            As ``change`` does; then nothing has changed.
        """
        before = self.cells
        after = change(before)
        where = np.nonzero(before != after)
        self.layer.data_setitem(where, after[where])

    def id_at(self, y_um: float, x_um: float) -> int:
        """The cell at a place; 0 for none, and beside the crop."""
        row_px, column_px = (int(at) for at in np.rint(self.to_px(np.array([[y_um, x_um]]))[0]))
        height, width = self.layer.data.shape
        if 0 <= row_px < height and 0 <= column_px < width:
            return int(self.layer.data[row_px, column_px])
        return 0

    def to_px(self, places_um: np.ndarray) -> np.ndarray:
        """``(n, 2)`` of ``(y_um, x_um)`` as indices into the crop."""
        return (places_um - np.asarray(self.layer.translate)) / np.asarray(self.layer.scale)

    def pixels_in(self, area_um: shapely.Polygon) -> np.ndarray:
        """``(y, x)`` bool: the pixels inside an area."""
        corners = shapely.get_coordinates(area_um.exterior)[:, ::-1]
        return shapes.area_within(self.to_px(corners), self.layer.data.shape)


def crop_layer(crop: Crop) -> Labels:
    """A crop as a layer to draw on, where it lies on the slide."""
    about = placed(crop.pixel_size_um)
    corner_um = np.array([crop.box.y0, crop.box.x0]) * crop.pixel_size_um
    about["translate"] = tuple(np.add(about["translate"], corner_um))
    layer = Labels(crop.cells.copy(), name="outlines to edit", opacity=0.9, **about)
    layer.contour = CONTOUR_PX
    layer.metadata[OWN_KEYS] = True
    layer.bounding_box.visible = True
    return layer


def most_under(cells: np.ndarray, line_px: np.ndarray) -> int:
    """The cell that a line covers most of; 0 if it meets none.

    Parameters
    ----------
    cells : (y, x) int
    line_px : (2, 2) float
        Its ends, ``(y, x)``.
    """
    n_points = 1 + 2 * int(np.ceil(np.abs(line_px[1] - line_px[0]).max()))
    along = np.rint(np.linspace(line_px[0], line_px[1], n_points)).astype(int)
    inside = ((along >= 0) & (along < cells.shape)).all(axis=1)
    met = cells[tuple(along[inside].T)]
    met = met[met > 0]
    return int(np.bincount(met).argmax()) if len(met) else 0
