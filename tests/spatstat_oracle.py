"""spatstat's values for small patterns in three windows, as its README in the data defines them."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import shapely
from scipy import ndimage as ndi

from macprox import spatial

KINDS = ("csr", "clustered", "repulsed")  # the third where the data have it
PATTERNS = [(window, kind) for window in ("rect", "poly", "mask") for kind in KINDS]
MASK_PX_UM = 5.0


class Oracle(NamedTuple):
    window: spatial.Window
    points: pd.DataFrame
    xy: np.ndarray
    mac: np.ndarray
    tumour: np.ndarray
    curves: pd.DataFrame
    cells: pd.DataFrame

    def of(self, kind: str) -> pd.DataFrame:
        return self.points[self.points["type"] == kind]


def oracle(shared_data: Path, window: str, kind: str) -> Oracle:
    folder = shared_data / "spatstat"
    if not (folder / f"points_{window}_{kind}.csv").exists():
        pytest.skip(f"no {kind} pattern here")
    points = pd.read_csv(folder / f"points_{window}_{kind}.csv")
    xy = points[["x", "y"]].to_numpy()
    return Oracle(
        oracle_window(folder, window),
        points,
        xy,
        xy[points["type"] == "mac"],
        xy[points["type"] == "tumour"],
        pd.read_csv(folder / f"reference_functions_{window}_{kind}.csv"),
        pd.read_csv(folder / f"reference_points_{window}_{kind}.csv"),
    )


def oracle_window(folder: Path, name: str, made_by: type = spatial.Window) -> spatial.Window:
    if name == "rect":
        return made_by.from_rectangle(0, 0, 1000, 800)
    if name == "mask":
        mask = np.load(folder / "window_mask.npy").astype(bool)
        return made_by.from_mask(mask, MASK_PX_UM)
    rings = pd.read_csv(folder / "window_poly.csv").groupby("ring")[["x", "y"]]
    outer, *holes = (ring.to_numpy() for _, ring in rings)
    return made_by.from_polygon(shapely.Polygon(outer, holes))


class KnownEdges(spatial.Window):
    """A window that gives its cells the border distances that spatstat gives them.

    In a mask those go from pixel centre to pixel centre, 1.8 pixels off, and by a distance map
    that is itself not always the shortest: only the values in the data restate them.
    """

    def distance_to_edge(self, xy: np.ndarray) -> np.ndarray:
        return np.array([self.known[tuple(place)] for place in np.asarray(xy).tolist()])

    @classmethod
    def of(cls, o: Oracle) -> spatial.Window:
        window = cls(o.window.shape)
        known = dict(zip(map(tuple, o.mac.tolist()), o.cells["bdist_spatstat"], strict=True))
        object.__setattr__(window, "known", known)
        return window


class PixelEdges(spatial.Window):
    """A mask with border distances from pixel centre to pixel centre, as spatstat's F has."""

    def distance_to_edge(self, xy: np.ndarray) -> np.ndarray:
        x, y = self.shape.lattice_um(MASK_PX_UM)
        inside = self.contains(np.stack(np.meshgrid(x, y), -1).reshape(-1, 2))
        inside = np.pad(inside.reshape(len(y), len(x)), 1)
        to_outside = ndi.distance_transform_edt(inside)[1:-1, 1:-1] * MASK_PX_UM
        column, row = np.rint((np.asarray(xy) - [x[0], y[0]]) / MASK_PX_UM).astype(int).T
        return to_outside[row, column]
