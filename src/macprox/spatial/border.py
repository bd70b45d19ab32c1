"""Distance to the tumour border, the zones it makes, and cells per area along it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import ArrayLike
from shapely.geometry.base import BaseGeometry

from macprox.spatial.density import density, density_rows
from macprox.spatial.pattern import Group, Pattern, Windows, empty_pattern
from macprox.spatial.table import WINDOW, Row, row
from macprox.window.border import ZONES, signed_distance, zone_of

FIRST_BAND_UM, LAST_BAND_UM = -200.0, 500.0
PROFILE = "border_profile_per_mm2"

# Band areas are integrals over a lattice of points with exact distances: within 0.2 % of GEOS's
# buffers (test_spatial_border.py), of which four around a ragged 10,000-vertex outline took 18 s.
SAMPLES = 400_000
FINEST_STEP_UM, COARSEST_STEP_UM = 1.0, 8.0


@dataclass(frozen=True, eq=False)
class Border:
    """The border of a tumour region in a pattern: its cells and its window by signed distance."""

    pattern: Pattern
    region: BaseGeometry = field(repr=False)
    reach_um: float = LAST_BAND_UM  # areas are known up to this far outside

    @cached_property
    def distance_um(self) -> np.ndarray:
        """Signed distance of every cell of the pattern: ``(n,)``."""
        return signed_distance(self.pattern.xy, self.region)

    def area_below_um2(self, edges_um: ArrayLike) -> np.ndarray:
        """Area of the window at a signed distance below each of ``edges_um``, up to the reach.

        Every lattice point is a pixel that the level line cuts in proportion: exact for straight
        axis-parallel borders, else within 0.2 % for a band of at least 0.01 mm2. NaN without a
        window.
        """
        edges = np.asarray(edges_um, dtype=float)
        if self.pattern.window is None:
            return np.full(len(edges), np.nan)
        area = np.zeros(len(edges))
        for distance, dx, dy in self._samples:
            side = np.sqrt(dx * dy)
            for k, edge in enumerate(edges):
                whole, cut = np.searchsorted(distance, [edge - side / 2, edge + side / 2])
                area[k] += dx * dy * (whole + (0.5 + (edge - distance[whole:cut]) / side).sum())
        return area

    @cached_property
    def _samples(self) -> list[tuple[np.ndarray, float, float]]:
        """Sorted signed distances of lattice points within reach, and the sides of their pixels."""
        window = self.pattern.window
        parts = window.values() if isinstance(window, Mapping) else [window]
        reach = self.reach_um + 2 * COARSEST_STEP_UM
        around = shapely.box(*shapely.box(*self.region.bounds).buffer(reach).bounds)
        samples = []
        for part in parts:
            if part is None:
                continue
            within = around.intersection(shapely.box(*part.bounds_um))
            step = np.clip(np.sqrt(within.area / SAMPLES), FINEST_STEP_UM, COARSEST_STEP_UM)
            xy, dx, dy = part.sample(float(step), around.bounds)
            samples.append((np.sort(signed_distance(xy, self.region)), dx, dy))
        return samples


def area_below_um2(window: Windows, region: BaseGeometry, edges_um: ArrayLike) -> np.ndarray:
    """Area of a window at a signed distance from a region below each of ``edges_um (n,)``."""
    edges = np.asarray(edges_um, dtype=float)
    return Border(empty_pattern(window), region, float(edges.max())).area_below_um2(edges)


def profile_rows(border: Border, groups: list[Group], band_um: float) -> list[Row]:
    """Cells per mm2 of window in bands along the tumour border.

    ``r_um`` is the middle of the band, negative inside; bands with less than 0.01 mm2 of window
    are NaN with the reason.
    """
    pattern = border.pattern
    edges = np.arange(FIRST_BAND_UM, LAST_BAND_UM + band_um / 2, band_um)
    areas = np.diff(border.area_below_um2(edges))
    rows = []
    for group in groups:
        n_cells = np.histogram(border.distance_um[pattern.is_a(group.phenotypes)], edges)[0]
        for middle, n, area in zip((edges[:-1] + edges[1:]) / 2, n_cells, areas, strict=True):
            value, reason = density(int(n), area, pattern.no_window_reason)
            rows.append(
                row(
                    slide_id=pattern.slide_id,
                    roi_id=pattern.roi_id,
                    statistic=PROFILE,
                    source=group.name,
                    target=f"{WINDOW} by tumour border",
                    r_um=float(middle),
                    value=value,
                    n_source=int(n),
                    source_per_mm2=value,
                    reason=reason,
                )
            )
    return rows


def zone_density_rows(border: Border, groups: list[Group], margin_um: float) -> list[Row]:
    """Cells per mm2 of tissue window in each zone of the tumour border."""
    pattern = border.pattern
    zone = zone_of(border.distance_um, margin_um)
    below = border.area_below_um2([-margin_um, 0.0, margin_um])
    areas = np.diff([0.0, *below, max(pattern.area_um2, below[-1])])
    rows: list[Row] = []
    for name, area_um2 in zip(ZONES, areas.tolist(), strict=True):
        rows += density_rows(pattern, groups, name, zone == name, area_um2)
    return rows
