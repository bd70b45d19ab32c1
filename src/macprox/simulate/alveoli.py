"""Airspaces as a grid of squares: as plain as lets every cell's compartment be exact."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import shapely

from macprox.simulate.disk import Disk

ALVEOLUS_UM, WALL_UM = 75.0, 15.0
PITCH_UM = ALVEOLUS_UM + WALL_UM
# As regions have it (regions/model.py): tissue so near to air may be a septum.
SEPTUM_UM = 20.0


@dataclass(frozen=True, eq=False)
class Alveoli:
    """Squares ``ALVEOLUS_UM`` wide, ``WALL_UM`` apart, on a grid.

    Parameters
    ----------
    first_um : (2,) float
        Upper left corner (x, y) of the square in column 0 and row 0.
    is_open : (columns, rows) bool
        Which squares are airspaces; the outermost are none, so that every place has neighbours.
    """

    first_um: np.ndarray = field(repr=False)
    is_open: np.ndarray = field(repr=False)

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
            Where the grid begins, in periods from 0 to 1.
        """
        first_um = (phase - 2) * PITCH_UM
        at = np.arange(int(side_um / PITCH_UM) + 4)
        low = first_um + PITCH_UM * np.stack(np.meshgrid(at, at, indexing="ij"), axis=-1)
        is_whole = ((low >= 0) & (low + ALVEOLUS_UM <= side_um)).all(axis=-1)
        centre = np.array([disk.x_um, disk.y_um])
        nearest = np.clip(centre, low, low + ALVEOLUS_UM)
        away_um = np.hypot(*np.moveaxis(nearest - centre, -1, 0)) - disk.radius_um
        return cls(first_um, is_whole & (away_um > capsule_um))

    def polygons(self) -> shapely.MultiPolygon:
        low = self.first_um + PITCH_UM * np.argwhere(self.is_open)
        return shapely.MultiPolygon(list(shapely.box(*low.T, *(low + ALVEOLUS_UM).T)))

    def contains(self, xy: np.ndarray) -> np.ndarray:
        """``(n,)`` bool of ``(n, 2)`` points of the window."""
        square, within_um = self._square_of(xy)
        return self.is_open[*square.T] & (within_um < ALVEOLUS_UM).all(axis=1)

    def is_near(self, xy: np.ndarray) -> np.ndarray:
        """Within `SEPTUM_UM` of an airspace, or in it."""
        square, within_um = self._square_of(xy)
        near = np.zeros(len(xy), bool)
        for step in np.ndindex(3, 3):
            to = np.array(step) - 1
            from_low = within_um - PITCH_UM * to
            away = from_low - np.clip(from_low, 0, ALVEOLUS_UM)
            near |= self.is_open[*(square + to).T] & ((away**2).sum(axis=1) < SEPTUM_UM**2)
        return near

    def _square_of(self, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Column and row of the square whose period holds each point; place in that period."""
        periods = (xy - self.first_um) / PITCH_UM
        square = np.floor(periods).astype(np.int64)
        return square, (periods - square) * PITCH_UM
