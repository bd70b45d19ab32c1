"""Slides whose truth is known: macrophages shun nests as such, and seek or do not seek tumour."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import ndimage as ndi
from scipy.spatial import cKDTree

SIDE_UM = 1000
N_CELLS = 2400
NEAR_UM = 20.0
IMAGE = "slide"


def slide(seed: int, odds: float) -> pd.DataFrame:
    """Cells of one slide.

    Parameters
    ----------
    seed : int
    odds : float
        By which a tumour cell within 20 um changes the odds of a cell to be a macrophage, given
        its compartment; 1 is nothing to find.

    Returns
    -------
    DataFrame
        ``imageid, cell_id, x_um, y_um, phenotype, compartment``. Half of the cells of a nest are
        tumour cells, 4 % elsewhere; of the others 8 % and 25 % are macrophages at odds 1.
    """
    rng = np.random.default_rng([20261129, seed])
    field = ndi.gaussian_filter(rng.normal(size=(SIDE_UM // 10, SIDE_UM // 10)), 9)
    xy = rng.uniform(0, SIDE_UM, size=(N_CELLS, 2))
    column, row = (xy // 10).astype(int).T
    nest = field[row, column] > np.quantile(field, 0.6)
    tumour = rng.random(N_CELLS) < np.where(nest, 0.5, 0.04)
    near = cKDTree(xy[tumour]).query(xy)[0] <= NEAR_UM
    even = np.where(nest, 0.08 / 0.92, 0.25 / 0.75)
    changed = even * np.where(near, odds, 1.0)
    macrophage = ~tumour & (rng.random(N_CELLS) < changed / (1 + changed))
    return pd.DataFrame(
        {
            "imageid": IMAGE,
            "cell_id": np.arange(1, N_CELLS + 1),
            "x_um": xy[:, 0],
            "y_um": xy[:, 1],
            "phenotype": np.select([tumour, macrophage], ["Tumour", "Macrophage"], "Other"),
            "compartment": np.where(nest, "nest", "stroma"),
        }
    )
