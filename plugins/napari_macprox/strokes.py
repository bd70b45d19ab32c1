"""Lines over a slide, as napari's vectors: thousands of them cost what one polygon costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from macprox.regions import Regions

StrokeData = tuple[Any, dict[str, Any], str]

STROKE_UM = 1.0
NO_STROKES = np.empty((0, 2, 2))
OUTLINE_COLOURS = {"tissue": "#8a94a0", "exclusions": "#ff5a36", "tumour border": "#ffffff"}
OUTLINE_FRAC = 1 / 400  # of the slide's width: visible in the overview
OUTLINE_UM = (1.0, 20.0)
OUTLINE_DETAIL_FRAC = 0.25  # corners nearer to a straight line than this of the width are left out


def strokes(segments_um: np.ndarray) -> np.ndarray:
    """Segments as napari's vectors.

    Parameters
    ----------
    segments_um : (n, 2, 2) float
        Start and end of each, ``(x_um, y_um)``.

    Returns
    -------
    (n, 2, 2) float
        Start and direction of each, ``(y_um, x_um)``.
    """
    ends = np.asarray(segments_um, float).reshape(-1, 2, 2)[..., ::-1]
    return np.stack([ends[:, 0], ends[:, 1] - ends[:, 0]], axis=1)


def stroke_layer(
    segments_um: np.ndarray, name: str, colour: str, width_um: float = STROKE_UM
) -> StrokeData:
    """Segments ``(n, 2, 2)`` of ``(x_um, y_um)`` as one layer."""
    about = {"name": name, "edge_color": colour, "edge_width": width_um, "units": ("um", "um")}
    return strokes(segments_um), about | {"vector_style": "line", "ndim": 2}, "vectors"


def ring_around(x_um: float, y_um: float, radius_um: float = 7.0) -> np.ndarray:
    """A circle as segments ``(n, 2, 2)``, where there are no labels to take an outline from."""
    return segments_of(shapely.Point(x_um, y_um).buffer(radius_um))


def segments_of(area: BaseGeometry) -> np.ndarray:
    """Every edge of an area, holes too, ``(n, 2, 2)``."""
    lines = shapely.get_parts(area.boundary)
    edges = [shapely.get_coordinates(line) for line in lines]
    return np.concatenate([np.stack([e[:-1], e[1:]], axis=1) for e in edges] or [NO_STROKES])


def outline_layers(regions: Regions) -> list[StrokeData]:
    """Tissue, exclusions and tumour border, those that there are."""
    areas = (regions.tissue_window, regions.exclusions, regions.tumour)
    drawn = zip(OUTLINE_COLOURS.items(), areas, strict=True)
    there = [(name, area, colour) for (name, colour), area in drawn if not area.is_empty]
    if not there:
        return []
    west, _, east, _ = shapely.total_bounds([area for _, area, _ in there])
    width_um = float(np.clip((east - west) * OUTLINE_FRAC, *OUTLINE_UM))
    detail_um = OUTLINE_DETAIL_FRAC * width_um
    return [
        stroke_layer(segments_of(area.simplify(detail_um)), name, colour, width_um)
        for name, area, colour in there
    ]
