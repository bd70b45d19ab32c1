"""What is seen from the cells of one group to those of another: distances, counts, G."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from macprox.spatial.functions.g_function import g_from_distances
from macprox.spatial.pattern import Group, Pattern
from macprox.spatial.search.neighbours import count_in_groups, nearest_in_groups


@dataclass(frozen=True, eq=False)
class Measured:
    """Distances and counts of the source cells of one direction."""

    nearest_um: np.ndarray
    counts: np.ndarray
    edge_um: np.ndarray | None
    radii_um: tuple[float, ...]
    g_km: np.ndarray
    no_window_reason: str

    @classmethod
    def of(
        cls,
        pattern: Pattern,
        groups: tuple[Group, Group],
        radii_um: tuple[float, ...],
        grid_um: float,
    ) -> Measured:
        """Of the first group's cells, to the second's; Kaplan-Meier in steps of ``grid_um``."""
        source, target = (pattern.is_a(group.phenotypes) for group in groups)
        places = (pattern.xy[source], pattern.xy[target], pattern.roi[source], pattern.roi[target])
        radii = np.asarray(radii_um)
        nearest_um = nearest_in_groups(*places)
        edge_um, g_km = None, np.full(len(radii), np.nan)
        if pattern.window is not None:
            edge_um = pattern.edge_um(source)
            g_km = g_from_distances(nearest_um, edge_um, radii, "km", grid_um)
        counts = count_in_groups(*places, radii)
        return cls(nearest_um, counts, edge_um, radii_um, g_km, pattern.no_window_reason)

    def value(self, statistic: str, correction: str, radius: float | None) -> tuple[float, str]:
        """The number and, where it is NaN or leaves cells out, the reason."""
        if radius is None:
            return self._distance(np.mean if statistic == "nearest_mean_um" else np.median)
        k = self.radii_um.index(radius)
        if correction != "none" and self.edge_um is None:
            return np.nan, self.no_window_reason
        if correction == "km":
            reason = "no field holds both" if np.isnan(self.g_km[k]) else ""
            return float(self.g_km[k]), reason
        counts = self.counts[:, k]
        if correction == "border" and self.edge_um is not None:
            counts = counts[self.edge_um >= radius]
            if len(counts) == 0:
                return np.nan, f"no source cell is {radius:g} um from the window's edge"
        return float((counts if statistic == "count_within" else counts > 0).mean()), ""

    def _distance(self, average: Any) -> tuple[float, str]:
        known = self.nearest_um[~np.isnan(self.nearest_um)]
        if len(known) == 0:
            return np.nan, "no field holds both"
        left_out = len(self.nearest_um) - len(known)
        remark = f"{left_out} source cells in fields without a target are left out"
        return float(average(known)), remark if left_out else ""
