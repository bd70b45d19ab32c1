"""A lesion with an exact border: a regular polygon so round that circles tell its truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

CORNERS = 96  # the border lies within 0.05 % of the radius of the circle's


@dataclass(frozen=True)
class Disk:
    """A regular polygon.

    Parameters
    ----------
    x_um, y_um : float
        Its centre.
    radius_um : float
        Of its corners.
    """

    x_um: float
    y_um: float
    radius_um: float

    @property
    def apothem_um(self) -> float:
        """The inradius, exactly."""
        return self.radius_um * np.cos(np.pi / CORNERS)

    def polygon(self) -> shapely.Polygon:
        # Corner 0 half a sector from the x axis: sides are centred on multiples of the sector.
        angle = (np.arange(CORNERS) + 0.5) * (2 * np.pi / CORNERS)
        corners = np.stack([np.cos(angle), np.sin(angle)], axis=1) * self.radius_um
        return shapely.Polygon(corners + np.array([self.x_um, self.y_um]))

    def distance_um(self, xy: np.ndarray) -> np.ndarray:
        """Signed distance of ``(n, 2)`` points to the border, inside negative; exact."""
        x, y = xy[:, 0] - self.x_um, xy[:, 1] - self.y_um
        sector = 2 * np.pi / CORNERS
        angle = np.arctan2(y, x)
        away, folded = np.hypot(x, y), angle - sector * np.round(angle / sector)
        across = away * np.cos(folded) - self.apothem_um
        beyond = away * np.abs(np.sin(folded)) - self.radius_um * np.sin(np.pi / CORNERS)
        return np.where((across > 0) & (beyond > 0), np.hypot(across, beyond), across)

    def half_width_um(self, margin_um: float) -> float:
        """Of its rims: the margin, or half the inradius where that is less."""
        return min(margin_um, self.apothem_um / 2)

    def ring_of(self, distance_um: np.ndarray, margin_um: float) -> np.ndarray:
        """Index into `cohort_scene.RINGS` from signed distances."""
        reach_um = self.half_width_um(margin_um)
        return np.searchsorted([-reach_um, 0.0, reach_um], distance_um, side="left")
