"""Airspaces as a grid of squares: as plain as lets every cell's compartment be exact."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import shapely

from macprox.simulate.disk import Disk

ALVEOLUS_UM, WALL_UM = 75.0, 15.0
# As regions have it (regions/model.py): tissue so near to air may be a septum.
SEPTUM_UM = 20.0


@dataclass(frozen=True, eq=False)
class Alveoli:
    """Squares ``ALVEOLUS_UM`` wide, ``WALL_UM`` apart.

    Parameters
    ----------
    low_um : (n, 2) float
        Their upper left corners.
    """

    low_um: np.ndarray = field(repr=False)

    @classmethod
    def around(cls, disk: Disk, capsule_um: float, side_um: float, phase: np.ndarray) -> Alveoli:
        """All squares wholly in the window and farther than the capsule from the lesion.

        Parameters
        ----------
        disk : Disk
        capsule_um : float
        side_um : float
            Of the window.
        phase : (2,) float
            Where the grid begins, in periods.
        """
        pitch_um = ALVEOLUS_UM + WALL_UM
        at = np.arange(int(side_um / pitch_um) + 1)
        low = np.stack(np.meshgrid(at + phase[0], at + phase[1]), axis=-1).reshape(-1, 2) * pitch_um
        low = low[(low + ALVEOLUS_UM <= side_um).all(axis=1)]
        centre = np.array([disk.x_um, disk.y_um])
        nearest = np.clip(centre, low, low + ALVEOLUS_UM)
        away_um = np.hypot(*(nearest - centre).T) - disk.radius_um
        return cls(low[away_um > capsule_um])

    def polygons(self) -> shapely.MultiPolygon:
        return shapely.MultiPolygon(
            list(shapely.box(*self.low_um.T, *(self.low_um + ALVEOLUS_UM).T))
        )

    def contains(self, xy: np.ndarray) -> np.ndarray:
        return self._away2_um2(xy) == 0

    def is_near(self, xy: np.ndarray) -> np.ndarray:
        """Within `SEPTUM_UM` of an airspace."""
        return self._away2_um2(xy) < SEPTUM_UM**2

    def _away2_um2(self, xy: np.ndarray) -> np.ndarray:
        """Squared distance to the nearest square."""
        away2 = np.full(len(xy), np.inf)
        for low in self.low_um:
            dx, dy = (xy - np.clip(xy, low, low + ALVEOLUS_UM)).T
            np.minimum(away2, dx**2 + dy**2, out=away2)
        return away2
