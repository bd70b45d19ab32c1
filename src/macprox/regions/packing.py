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
# Stroma's cells lie up to 26 um apart. Averaged over 30 um, tissue is then 0.95 filled and
# more; the septa of the smallest alveoli (80 um), lined on both faces, 0.85.
TISSUE_REACH_UM = 15.0
SURROUNDINGS_UM = 30.0
TISSUE_FRAC = 0.9


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

    def distance_um(self, xy: np.ndarray) -> np.ndarray:
        """``(y, x)`` micrometres from each pixel to the nearest pixel with a point."""
        counts = self.counts(xy)
        if not counts.any():
            return np.full(self.shape, np.inf)
        return ndi.distance_transform_edt(counts == 0) * self.spacing_um

    def band(self, first_row: int, stop_row: int) -> Grid:
        """Some rows of the grid, as a grid."""
        x_um, y_um = self.origin_um
        return Grid(
            (stop_row - first_row, self.shape[1]),
            self.spacing_um,
            (x_um, y_um + first_row * self.spacing_um),
        )

    def mask(self, area: BaseGeometry) -> np.ndarray:
        """``(y, x)`` whether a pixel's centre lies in an area."""
        return mask_from_polygons(area, self.shape, self.spacing_um, self.origin_um)

    def smooth(self, field: np.ndarray, sigma_um: float) -> np.ndarray:
        """``(y, x)`` float32 Gaussian average; beyond the grid there is nothing."""
        sigma_px = sigma_um / self.spacing_um
        return ndi.gaussian_filter(field.astype(np.float32), sigma_px, mode="constant")


def distance_to_solid_um(
    marker_xy: np.ndarray, embedded: np.ndarray, grid: Grid, widths_um: tuple[float, float]
) -> np.ndarray:
    """Distance of each place to marker cells that fill an area, rather than line one.

    The area within `CELL_REACH_UM` of a marker cell, with small gaps filled, is opened by a
    disk: a septum is a band too narrow for the disk, however densely both of its faces are
    lined. Density alone cannot tell: cells each 10 um on both faces of a septum reach the
    smoothed density of a sparse nest. Where tissue is all around, nothing can be a septum, and
    a narrower disk finds strands of tumour that are three cells wide.

    Parameters
    ----------
    marker_xy : (n, 2) float
    embedded : (y, x) bool
        Where tissue is all around, see `embedded_in_tissue`.
    grid : Grid
    widths_um : (float, float)
        Diameter of the disk elsewhere, and where embedded.

    Returns
    -------
    (y, x) float
        Micrometres, 0 inside; infinite where nothing is solid.
    """
    covered = _without_small_gaps(
        grid.distance_um(marker_xy) <= CELL_REACH_UM, SMALL_GAP_UM2 / grid.spacing_um**2
    )
    depth_um = ndi.distance_transform_edt(covered) * grid.spacing_um
    away_um = np.full(grid.shape, np.inf)
    for width_um, where in zip(widths_um, (True, embedded), strict=True):
        core = (depth_um > width_um / 2) & where
        if core.any():
            opened_um = ndi.distance_transform_edt(~core) * grid.spacing_um - width_um / 2
            away_um = np.minimum(away_um, np.maximum(opened_um, 0))
    return away_um


def embedded_in_tissue(all_xy: np.ndarray, window: np.ndarray, grid: Grid) -> np.ndarray:
    """``(y, x)`` whether nearly all of the surroundings is near some cell: no air beside it."""
    near = (grid.distance_um(all_xy) <= TISSUE_REACH_UM) & window
    seen = np.maximum(grid.smooth(window, SURROUNDINGS_UM), 0.1)
    return grid.smooth(near, SURROUNDINGS_UM) / seen > TISSUE_FRAC


def _without_small_gaps(covered: np.ndarray, max_size_px: float) -> np.ndarray:
    # skimage.morphology.remove_small_holes would do, but renamed its argument in 0.26
    gaps, _ = ndi.label(~covered)
    small = np.bincount(gaps.ravel()) <= max_size_px
    return covered | small[gaps]
