"""The tumour, proposed from its marker's cells: where they are dense, most, and fill an area.

Normal epithelium carries the tumour's marker too. What tells a nest from an alveolus is not
the marker but the packing: a nest is filled, a septum is a line. So the criteria are absolute
(cells per mm2, share of cells, width), never relative to the slide: a slide that is all
tumour, or has none, is then no special case.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from scipy import ndimage as ndi
from scipy.special import ndtr
from shapely import MultiPolygon
from shapely.geometry.base import BaseGeometry

from macprox.quality import MIN_TUMOUR_CELLS
from macprox.regions.contours import as_multipolygon, polygons_from_field, without_small_parts
from macprox.regions.packing import (
    CELL_REACH_UM,
    GRID_UM,
    Grid,
    distance_to_solid_um,
    embedded_in_tissue,
)
from macprox.regions.parameters import RegionParameters

# The share asks "most of the cells here?", which needs fewer cells than a density: at half the
# smoothing, strands of stroma 25 um wide part two nests, and the density stays calm.
SHARE_SMOOTHING_FRAC = 0.5
BAND_ROWS = 512  # 2 mm at a time, so that memory follows the slide's width, not its area


@dataclass(frozen=True)
class TumourProposal:
    """What `tumour_region` found.

    Attributes
    ----------
    polygons : MultiPolygon
        In micrometres, inside the window, perhaps empty.
    reason : str
        One sentence for the report: what was found, or why nothing was.
    flags : tuple of str
        ``no_tumour_cells``, ``no_tumour_region``, ``few_tumour_cells`` (fewer than 100 inside),
        ``tumour_sparse`` (barely as dense as asked for), ``tumour_everywhere``.
    """

    polygons: MultiPolygon
    reason: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Evidence:
    """What is known about each place of the grid, ``(y, x)`` arrays."""

    grid: Grid
    window: np.ndarray
    marker_per_mm2: np.ndarray
    share_frac: np.ndarray
    to_solid_um: np.ndarray


def tumour_region(
    marker_xy: np.ndarray,
    all_xy: np.ndarray,
    window_polygon: BaseGeometry,
    parameters: RegionParameters | None = None,
) -> TumourProposal:
    """Outline where tumour-marker cells are dense, are most of the cells, and fill an area.

    Cells become densities by a Gaussian of ``smoothing_um``, divided by the equally smoothed
    window, so that a nest cut by the window's edge is as dense as one that is not. A place is
    tumour where

    - the marker's density is at least ``min_density_per_mm2`` and at least the fraction of
      the highest within two smoothing lengths that a border has (`_border_frac`),
    - the marker's share of cells is at least ``min_share_frac``,
    - marker cells fill an area at least ``min_width_um`` wide, or ``min_width_in_tissue_um``
      where no air is near (`distance_to_solid_um`).

    Parameters
    ----------
    marker_xy : (n, 2) float
        Tumour-marker positive cells (macrophages left out), micrometres.
    all_xy : (m, 2) float
        Every cell, the former among them.
    window_polygon : Polygon or MultiPolygon
        Where cells could have been observed, airspaces included.
    parameters : RegionParameters, optional

    Returns
    -------
    TumourProposal
    """
    parameters = parameters or RegionParameters()
    marker_xy = _within(window_polygon, marker_xy)
    all_xy = _within(window_polygon, all_xy)
    if not len(marker_xy):
        return TumourProposal(
            MultiPolygon(), "No tumour-marker cell lies in the window.", ("no_tumour_cells",)
        )
    grid, excess, highest_per_mm2 = _excess_by_bands(marker_xy, all_xy, window_polygon, parameters)
    contour = polygons_from_field(excess, 1.0, grid.spacing_um, grid.origin_um)
    tumour = without_small_parts(as_multipolygon(contour & window_polygon), parameters.min_area_um2)
    if tumour.is_empty:
        return _nothing_found(highest_per_mm2, parameters)
    return _found(tumour, marker_xy, window_polygon, parameters)


def _excess_by_bands(
    marker_xy: np.ndarray,
    all_xy: np.ndarray,
    window_polygon: BaseGeometry,
    parameters: RegionParameters,
) -> tuple[Grid, np.ndarray, float]:
    """Grid, how far above the criteria each place is, and the highest marker density."""
    sigma_um = parameters.smoothing_um
    # Nothing reaches further: four standard deviations of the widest Gaussian and a nest's
    # width, or those of the density and the search for its peak.
    reach_um = max(12 * sigma_um, 4 * parameters.min_width_um, 240.0)
    grid = Grid.around(marker_xy, reach_um, min(GRID_UM, sigma_um / 5))
    height = grid.shape[0]
    halo = int(np.ceil(reach_um / grid.spacing_um))
    excess = np.zeros(grid.shape, np.float32)
    highest_per_mm2 = 0.0
    for first in range(0, height, BAND_ROWS):
        stop = min(first + BAND_ROWS, height)
        above = max(first - halo, 0)
        band = grid.band(above, min(stop + halo, height))
        evidence = _evidence(marker_xy, all_xy, window_polygon, band, parameters)
        if evidence is None:
            continue
        own = slice(first - above, stop - above)
        excess[first:stop] = _excess(evidence, parameters)[own]
        seen = evidence.marker_per_mm2[evidence.window]
        highest_per_mm2 = max(highest_per_mm2, float(seen.max(initial=0)))
    return grid, excess, highest_per_mm2


def _evidence(
    marker_xy: np.ndarray,
    all_xy: np.ndarray,
    window_polygon: BaseGeometry,
    grid: Grid,
    parameters: RegionParameters,
) -> _Evidence | None:
    """What the cells say on a grid; None where there is no marker cell."""
    n_marker, n_all = grid.counts(marker_xy), grid.counts(all_xy)
    if not n_marker.any():
        return None
    sigma_um = parameters.smoothing_um
    window = grid.mask(window_polygon)
    # At a convex corner a quarter of the kernel is inside; less than a tenth is a sliver,
    # where dividing would make a nest of one cell.
    seen = np.maximum(grid.smooth(window, sigma_um), 0.1)
    marker, everything = (
        grid.smooth(counts, SHARE_SMOOTHING_FRAC * sigma_um) for counts in (n_marker, n_all)
    )
    return _Evidence(
        grid=grid,
        window=window,
        marker_per_mm2=grid.smooth(n_marker, sigma_um) / seen * (1e6 / grid.spacing_um**2),
        share_frac=np.divide(
            marker, everything, out=np.zeros_like(marker), where=everything > 1e-6
        ),
        to_solid_um=distance_to_solid_um(
            marker_xy,
            embedded_in_tissue(all_xy, window, grid),
            grid,
            (parameters.min_width_um, parameters.min_width_in_tissue_um),
        ),
    )


def _excess(evidence: _Evidence, parameters: RegionParameters) -> np.ndarray:
    """How far above its criteria each place is; 1 is the border of the tumour."""
    sigma_um = parameters.smoothing_um
    inside = np.where(evidence.window, evidence.marker_per_mm2, 0)
    size_px = 2 * round(2 * sigma_um / evidence.grid.spacing_um) + 1
    peak = ndi.maximum_filter(inside, size=size_px, mode="constant")
    needed = np.maximum(parameters.min_density_per_mm2, peak * _border_frac(peak, sigma_um))
    # Opening cuts corners; one cell's reach beyond it gives them back. As a slope through 1
    # the criterion leaves the contour smooth.
    beyond_um = evidence.to_solid_um - CELL_REACH_UM
    return np.minimum.reduce(
        [
            evidence.marker_per_mm2 / needed,
            evidence.share_frac / parameters.min_share_frac,
            np.maximum(1 - beyond_um / sigma_um, 0),
        ]
    )


def _border_frac(density_per_mm2: np.ndarray, smoothing_um: float) -> np.ndarray:
    """Smoothed density at a straight border, as a fraction of the density inside.

    It is half where the centroids end. The tissue ends half a cell further out, at ``s / 2``
    with ``s`` the spacing of a hexagonal packing of that density.
    """
    spacing_um = np.sqrt(2 / np.sqrt(3) * 1e6 / np.maximum(density_per_mm2, 1000))
    return ndtr(-0.5 * spacing_um / smoothing_um)


def _nothing_found(highest_per_mm2: float, parameters: RegionParameters) -> TumourProposal:
    return TumourProposal(
        MultiPolygon(),
        f"No tumour region: nowhere do tumour-marker cells fill {parameters.min_area_um2:,.0f} "
        f"um2 that are {parameters.min_width_um:g} um wide, with "
        f"{parameters.min_density_per_mm2:,.0f} per mm2 and {parameters.min_share_frac:.0%} of "
        f"the cells (the highest density is {highest_per_mm2:,.0f}). "
        "Draw a region if there is tumour.",
        ("no_tumour_region",),
    )


def _found(
    tumour: MultiPolygon,
    marker_xy: np.ndarray,
    window_polygon: BaseGeometry,
    parameters: RegionParameters,
) -> TumourProposal:
    n_inside = len(_within(tumour, marker_xy))
    density_per_mm2 = n_inside / (tumour.area / 1e6)
    flags = []
    if n_inside < MIN_TUMOUR_CELLS:
        flags.append("few_tumour_cells")
    if density_per_mm2 < 1.5 * parameters.min_density_per_mm2:
        flags.append("tumour_sparse")
    if tumour.area > 0.98 * window_polygon.area:
        flags.append("tumour_everywhere")
    pieces = "1 piece" if len(tumour.geoms) == 1 else f"{len(tumour.geoms)} pieces"
    return TumourProposal(
        tumour,
        f"Tumour found automatically: {pieces}, {tumour.area / 1e6:.3f} mm2, with {n_inside:,} "
        f"of {len(marker_xy):,} tumour-marker cells ({density_per_mm2:,.0f} per mm2).",
        tuple(flags),
    )


def _within(area: BaseGeometry, xy: np.ndarray) -> np.ndarray:
    xy = np.asarray(xy, dtype=float).reshape(-1, 2)
    shapely.prepare(area)
    return xy[shapely.contains_xy(area, xy)]
