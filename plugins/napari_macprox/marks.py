"""What a review draws over a slide: lit cells, bands, the queue; layer tuples without a viewer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from scipy.ndimage import distance_transform_edt
from skimage.measure import find_contours

from macprox.regions.contours import mask_from_polygons
from napari_macprox.conversion import UNSEEN, LayerData, placed, whole_or_pyramid
from napari_macprox.lazy import ClassView
from napari_macprox.strokes import NO_STROKES

if TYPE_CHECKING:
    import pandas as pd

    from macprox.regions import Regions

MARK_COLOUR = "#ffffff"
LINE_COLOUR = "#ffd166"
QUEUE_COLOUR = "#ffe14d"
BAND_COLOURS = ("#ffb000", "#648fff")  # inner, outer; apart for every kind of colour vision
BAND_SIDE_PX = 1500  # bands are soft things: this grid over a slide is fine enough to look at
QUEUE_POINT_UM = 18.0
LIT_RIM_UM = 1.0  # two pixels of most slides; one of a coarser level
CELL_REACH_PX = 160  # a cell reaches no further from its centroid than this; bodies are 60 um wide


def lit_layer(
    cells: Sequence[ClassView], is_lit: np.ndarray, colour: str, pixel_size_um: float
) -> tuple[LayerData, list[ClassView]]:
    """Outlines of some of the cells, all in one colour: who is positive at this cut.

    Outlines, because whether a cell is positive is judged by the stain inside it.

    Parameters
    ----------
    cells : sequence of ClassView
        The levels of the layer of all cells, whose ids in view are used again.
    is_lit : (n + 1,) bool
        By cell id.
    colour : str
    pixel_size_um : float
    """
    classes = lit_classes(is_lit)
    width = cells[0].shape[1]
    level_um = [pixel_size_um * width / view.shape[1] for view in cells]
    views = [
        ClassView(view.plane, classes, rim_px=max(1, round(LIT_RIM_UM / um)))
        for view, um in zip(cells, level_um, strict=True)
    ]
    about: dict[str, Any] = {"name": "positive cells", "blending": "translucent"}
    about |= placed(pixel_size_um)
    about |= {"colormap": [UNSEEN, colour], "multiscale": len(views) > 1}
    return (whole_or_pyramid(views), about, "labels"), views


def lit_classes(is_lit: np.ndarray) -> np.ndarray:
    """Class 1 for the cells that are lit, never for the background."""
    classes = np.array(is_lit, np.uint8)
    classes[:1] = 0
    return classes


def cell_outline(
    labels: Any, cell_id: int, x_um: float, y_um: float, pixel_size_um: float
) -> np.ndarray:
    """The outline of one cell; reads the pixels around it alone.

    Parameters
    ----------
    labels : array (y, x) or LabelPlane
        Cell ids at full resolution.
    cell_id : int
    x_um, y_um : float
        Its centroid.
    pixel_size_um : float

    Returns
    -------
    (n, 2, 2) float
        Segments ``(x_um, y_um)``; none where the labels hold no such cell.
    """
    height, width = labels.shape
    row, column = int(y_um / pixel_size_um), int(x_um / pixel_size_um)
    top, left = max(0, row - CELL_REACH_PX), max(0, column - CELL_REACH_PX)
    box = labels[top : min(height, row + CELL_REACH_PX), left : min(width, column + CELL_REACH_PX)]
    inside = np.pad(np.asarray(box) == cell_id, 1)
    found = []
    for ring in find_contours(inside.astype(float), 0.5):
        xy = (ring[:, ::-1] - 1 + (left, top) + 0.5) * pixel_size_um
        found.append(np.stack([xy[:-1], xy[1:]], axis=1))
    return np.concatenate(found) if found else NO_STROKES


def band_layer(regions: Regions) -> LayerData | None:
    """The inner and the outer margin of the tumour; None where there is no tumour.

    Painted on a coarse grid by distance: buffering a border of a hundred thousand corners takes
    longer than anyone waits.
    """
    if not regions.has_tumour:
        return None
    x_max, y_max = shapely.total_bounds([regions.tumour.buffer(0), regions.tissue_window])[2:]
    pixel_um = max(float(max(x_max, y_max)) / BAND_SIDE_PX, 1.0)
    shape = (int(y_max / pixel_um) + 1, int(x_max / pixel_um) + 1)
    tumour = mask_from_polygons(regions.tumour, shape, pixel_um)
    observed = mask_from_polygons(regions.observed, shape, pixel_um)
    reach_px = regions.margin_um / pixel_um
    bands = np.zeros(shape, np.uint8)
    bands[tumour & (distance_transform_edt(tumour) <= reach_px)] = 1
    bands[~tumour & observed & (distance_transform_edt(~tumour) <= reach_px)] = 2
    about: dict[str, Any] = {"name": "margins of the tumour", "opacity": 0.25}
    about["features"] = {"index": [0, 1, 2], "margin": ["none", "inner margin", "outer margin"]}
    about["colormap"] = [UNSEEN, *BAND_COLOURS]
    return bands, about | placed(pixel_um), "labels"


def queue_layer(queue: pd.DataFrame) -> LayerData:
    """The cells of the review queue, ``x_um, y_um`` and ``cell_id``, as rings."""
    about: dict[str, Any] = {"name": "cells to look at", "units": ("um", "um"), "ndim": 2}
    about |= {"size": QUEUE_POINT_UM, "face_color": "transparent"}
    about |= {"border_color": QUEUE_COLOUR, "border_width": 0.06, "opacity": 0.8}
    about["features"] = {"cell_id": queue["cell_id"].to_numpy()}
    return queue[["y_um", "x_um"]].to_numpy(float), about, "points"


def polygon_of(corners: np.ndarray) -> shapely.Polygon:
    """A shape's corners ``(n, 2)``, ``(y_um, x_um)``, as a polygon in ``(x_um, y_um)``."""
    return shapely.Polygon(np.asarray(corners, float)[:, -2:][:, ::-1])


def corners_of(polygons: Sequence[shapely.Polygon]) -> list[np.ndarray]:
    """Polygons' outer rings as shapes: ``(n, 2)`` of ``(y_um, x_um)``, not closed."""
    return [shapely.get_coordinates(p.exterior)[:-1, ::-1] for p in polygons]
