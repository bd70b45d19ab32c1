"""What is true of a rendered scene: cells, labels and the tumour border."""

from __future__ import annotations

import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree
from skimage.measure import find_contours

from macprox.simulate.layout import COLUMN
from macprox.simulate.panel import KINDS
from macprox.simulate.parameters import AIRSPACE, NEST
from macprox.simulate.places import GRID_UM, MARGIN_UM, Places
from macprox.simulate.scene import Scene

_MIN_NUCLEUS_UM2 = 6.0  # slivers at the edge of the slide or under a neighbour are nobody's truth
_MIN_BODY_UM2 = 30.0
_MIN_NEST_UM2 = 400.0  # a bud of a few cells
_CONTOUR_STEP_UM = 0.5


class Tally:
    """Areas and centroids of labels, gathered block by block.

    Parameters
    ----------
    n_cells : int
    """

    def __init__(self, n_cells: int):
        self._sums = np.zeros((3, n_cells + 1))

    def add(self, labels: np.ndarray, y0: int, x0: int) -> None:
        """Count the pixels of one block whose first pixel is ``(y0, x0)``."""
        y, x = np.nonzero(labels)
        of = labels[y, x]
        n = self._sums.shape[1]
        self._sums[0] += np.bincount(of, minlength=n)
        self._sums[1] += np.bincount(of, weights=y + (y0 + 0.5), minlength=n)
        self._sums[2] += np.bincount(of, weights=x + (x0 + 0.5), minlength=n)

    @property
    def area_px(self) -> np.ndarray:
        """``(n_cells,)``"""
        return self._sums[0, 1:]

    @property
    def centroid_px(self) -> np.ndarray:
        """``(n_cells, 2)``, columns y and x; NaN where there is no pixel."""
        area = np.where(self.area_px > 0, self.area_px, np.nan)
        return (self._sums[1:, 1:] / area).T


def tumour_outline(scene: Scene) -> shapely.Geometry:
    """The true nests of a scene, clipped to the slide, in micrometres."""
    height_um, width_um = scene.parameters.extent_um
    # The frame of zeros closes outlines that leave the map.
    nests = np.pad(scene.places.nest_um, 1, constant_values=-1.0)
    rings = [
        (contour[:, ::-1] - 1) * GRID_UM - MARGIN_UM
        for contour in find_contours(nests, 0.0)
        if len(contour) > 3
    ]
    area = shapely.build_area(shapely.GeometryCollection([shapely.LineString(r) for r in rings]))
    clipped = shapely.intersection(area, shapely.box(0, 0, width_um, height_um))
    parts = [part for part in shapely.get_parts(clipped) if part.area >= _MIN_NEST_UM2]
    return shapely.MultiPolygon([p for p in parts if p.geom_type == "Polygon"])


def truth_table(scene: Scene, nuclei: Tally, bodies: Tally) -> tuple[pd.DataFrame, np.ndarray]:
    """Every cell that can be seen, and the lookup table from scene labels to ``cell_id``.

    Returns
    -------
    cells : DataFrame
        One row a cell: ``cell_id, x_um, y_um, phenotype, kind, has_nucleus, nucleus_area_um2,
        cell_area_um2, region, compartment, tumour_border_distance_um``.
    cell_id_of : (n + 1,) uint32
        0 for labels that are not in the table.
    """
    px_um2 = scene.parameters.pixel_size_um**2
    has = scene.cells.has_nucleus
    nucleus_um2 = nuclei.area_px * px_um2
    body_um2 = bodies.area_px * px_um2
    kept = np.where(has, nucleus_um2 >= _MIN_NUCLEUS_UM2, body_um2 >= _MIN_BODY_UM2)
    cell_id_of = np.zeros(kept.size + 1, np.uint32)
    cell_id_of[1:][kept] = np.arange(1, kept.sum() + 1)
    centroid = np.where(has[:, None], nuclei.centroid_px, bodies.centroid_px)[kept]
    xy_um = centroid[:, ::-1] * scene.parameters.pixel_size_um
    kinds = [KINDS[k] for k in scene.cells.kind[kept]]
    place_yx_um = scene.cells.shape[kept][:, [COLUMN["y_um"], COLUMN["x_um"]]]
    distance_um = _signed_distance(tumour_outline(scene), xy_um)
    table = pd.DataFrame(
        {
            "cell_id": cell_id_of[1:][kept],
            "x_um": xy_um[:, 0].round(2),
            "y_um": xy_um[:, 1].round(2),
            "phenotype": [kind.phenotype for kind in kinds],
            "kind": [kind.name for kind in kinds],
            "has_nucleus": has[kept],
            "nucleus_area_um2": np.where(has, nucleus_um2, 0.0)[kept].round(2),
            "cell_area_um2": body_um2[kept].round(2),
            "region": np.where(distance_um < 0, "tumour", "outside"),
            "compartment": _compartments(scene.places, place_yx_um),
            "tumour_border_distance_um": distance_um.round(2),
        }
    )
    return table, cell_id_of


def _compartments(places: Places, yx_um: np.ndarray) -> np.ndarray:
    """The place in which a cell was laid: septa are stroma, whoever lines them."""
    index = np.round((yx_um + MARGIN_UM) / GRID_UM).astype(int)
    code = places.code[index[:, 0], index[:, 1]]
    return np.select([code == NEST, code == AIRSPACE], ["epithelium", "airspace"], "stroma")


def _signed_distance(tumour: shapely.Geometry, xy_um: np.ndarray) -> np.ndarray:
    """Distance to the outline, inside negative; infinite where there is no tumour."""
    if tumour.is_empty:
        return np.full(len(xy_um), np.inf)
    dense = shapely.segmentize(tumour.boundary, _CONTOUR_STEP_UM)
    distance, _ = cKDTree(shapely.get_coordinates(dense)).query(xy_um)
    shapely.prepare(tumour)
    inside = shapely.contains_xy(tumour, xy_um[:, 0], xy_um[:, 1])
    return np.where(inside, -distance, distance)
