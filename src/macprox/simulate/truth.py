"""What is true of a rendered scene: cells and their labels."""

from __future__ import annotations

import numba as nb
import numpy as np
import pandas as pd

from macprox.simulate.outline import border_distance_um
from macprox.simulate.panel import KINDS
from macprox.simulate.parameters import AIRSPACE, NEST
from macprox.simulate.scene import Scene

_MIN_NUCLEUS_UM2 = 6.0  # slivers at the edge of the slide or under a neighbour are nobody's truth
_MIN_BODY_UM2 = 30.0


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
        _add(self._sums, labels, y0, x0)

    @property
    def area_px(self) -> np.ndarray:
        """``(n_cells,)``"""
        return self._sums[0, 1:]

    @property
    def centroid_px(self) -> np.ndarray:
        """``(n_cells, 2)``, columns y and x; NaN where there is no pixel."""
        area = np.where(self.area_px > 0, self.area_px, np.nan)
        return (self._sums[1:, 1:] / area).T


@nb.njit(cache=True, nogil=True)
def _add(sums, labels, y0, x0):
    """Halves add up without rounding, in any order."""
    for i in range(labels.shape[0]):
        for j in range(labels.shape[1]):
            of = labels[i, j]
            if of > 0:
                sums[0, of] += 1
                sums[1, of] += y0 + i + 0.5
                sums[2, of] += x0 + j + 0.5


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
    place = scene.cells.place[kept]
    distance_um = border_distance_um(scene.tumour, xy_um)
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
            # Septa are stroma, whoever lines them.
            "compartment": np.select(
                [place == NEST, place == AIRSPACE], ["epithelium", "airspace"], "stroma"
            ),
            "tumour_border_distance_um": distance_um.round(2),
        }
    )
    return table, cell_id_of


def label_tables(scene: Scene, cell_id_of: np.ndarray) -> np.ndarray:
    """``(2, n + 1)`` uint32: ``cell_id`` of scene labels as nuclei, and as macrophage bodies."""
    macrophage = np.array([kind.is_macrophage for kind in KINDS])[scene.cells.kind]
    bodies = np.where(np.concatenate([[False], macrophage]), cell_id_of, 0)
    return np.stack([cell_id_of, bodies]).astype(np.uint32)
