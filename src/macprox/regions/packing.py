"""How cells fill the plane: smoothed densities, and whether they fill an area or line one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi
from shapely.geometry.base import BaseGeometry

from macprox.regions.contours import mask_from_polygons

GRID_UM = 4.0  # a fifth of the default smoothing; halving it moves no border by 1 um
# Cells of a solid nest lie up to 20 um apart (2,900 per mm2), and in a hexagonal packing of
# that spacing no place is further than 11.5 um from a cell.
CELL_REACH_UM = 12.0
# Two or three unmarked cells in a nest: a lymphocyte, a macrophage, nuclei that were missed.
# The smallest alveolus (60 um) leaves 1,000 um2 uncovered.
SMALL_GAP_UM2 = 800.0


@dataclass(frozen=True)
class Grid:
    """Square pixels anchored at (0, 0) of the slide, cropped to where they are needed."""

    shape: tuple[int, int]
    spacing_um: float
    origin_um: tuple[float, float]

    @classmethod
    def around(cls, xy: np.ndarray, reach_um: float, spacing_um: float) -> Grid:
        """The smallest grid that holds every point with a rim."""
        low = np.floor((xy.min(axis=0) - reach_um) / spacing_um).astype(int)
        high = np.ceil((xy.max(axis=0) + reach_um) / spacing_um).astype(int)
        width, height = (high - low).tolist()
        return cls(
            (height, width), spacing_um, (float(low[0] * spacing_um), float(low[1] * spacing_um))
        )

    def counts(self, xy: np.ndarray) -> np.ndarray:
        """``(y, x)`` number of points a pixel; points beyond the grid are left out."""
        height, width = self.shape
        column, row = np.floor((xy - self.origin_um) / self.spacing_um).astype(int).T
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        index = row[inside] * width + column[inside]
        return np.bincount(index, minlength=height * width).reshape(self.shape)

    def mask(self, area: BaseGeometry) -> np.ndarray:
        """``(y, x)`` whether a pixel's centre lies in an area."""
        return mask_from_polygons(area, self.shape, self.spacing_um, self.origin_um)

    def smooth(self, field: np.ndarray, sigma_um: float) -> np.ndarray:
        """``(y, x)`` float32 Gaussian average; beyond the grid there is nothing."""
        sigma_px = sigma_um / self.spacing_um
        return ndi.gaussian_filter(field.astype(np.float32), sigma_px, mode="constant")


def distance_to_solid_um(marker_xy: np.ndarray, grid: Grid, min_width_um: float) -> np.ndarray:
    """Distance of each place to marker cells that fill an area at least so wide.

    The area within `CELL_REACH_UM` of a marker cell, with small gaps filled, is opened by a
    disk of ``min_width_um``: a septum is a band too narrow for the disk, however densely both
    of its faces are lined. Density alone cannot tell: cells each 10 um on both faces of a
    septum reach the smoothed density of a sparse nest.

    Returns
    -------
    (y, x) float
        Micrometres, 0 inside; infinite where nothing is solid.
    """
    spacing_um = grid.spacing_um
    covered = ndi.distance_transform_edt(grid.counts(marker_xy) == 0) * spacing_um <= CELL_REACH_UM
    covered = _without_small_gaps(covered, SMALL_GAP_UM2 / spacing_um**2)
    core = ndi.distance_transform_edt(covered) * spacing_um > min_width_um / 2
    if not core.any():
        return np.full(grid.shape, np.inf)
    return np.maximum(ndi.distance_transform_edt(~core) * spacing_um - min_width_um / 2, 0)


def _without_small_gaps(covered: np.ndarray, max_size_px: float) -> np.ndarray:
    # skimage.morphology.remove_small_holes would do, but renamed its argument in 0.26
    gaps, _ = ndi.label(~covered)
    small = np.bincount(gaps.ravel()) <= max_size_px
    return covered | small[gaps]
