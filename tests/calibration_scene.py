"""Masked, clustered, stratified tissue on which tests are put on trial."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import ndimage as ndi

from macprox import spatial
from macprox.spatial.nulls.simulated import clustered_in, uniform_in

PIXEL_UM = 10.0
PARAMETERS = spatial.ProximityParameters(
    macrophages=("Mac",), radii_um=(10.0, 20.0, 30.0, 50.0), strata=("region",), n_permutations=99
)


def tissue() -> tuple[pd.DataFrame, spatial.Window]:
    """1,400 cells in a ragged mask with holes, in clusters.

    Two strata: nests hold most tumour cells; 10 % of other cells are macrophages there, and 30 %
    outside. Within a stratum, the macrophage label is dealt at random.
    """
    rng = np.random.default_rng(20260101)
    noise = ndi.gaussian_filter(rng.normal(size=(120, 110)), 8)
    window = spatial.Window.from_mask(noise > np.quantile(noise, 0.35), PIXEL_UM)
    nest = ndi.gaussian_filter(rng.normal(size=(120, 110)), 10) > 0.01
    xy = np.concatenate(
        [clustered_in(window, 900, 60, 40.0, rng), uniform_in(window, 500, rng)], axis=0
    )
    column, row = np.floor(xy / PIXEL_UM).astype(int).T
    inside = nest[np.clip(row, 0, 119), np.clip(column, 0, 109)]
    tumour = rng.random(1400) < np.where(inside, 0.5, 0.04)
    macrophage = ~tumour & (rng.random(1400) < np.where(inside, 0.1, 0.3))
    phenotype = np.select([tumour, macrophage], ["Tumour", "Mac"], "Other")
    return pd.DataFrame(
        {
            "x_um": xy[:, 0],
            "y_um": xy[:, 1],
            "phenotype": phenotype,
            "region": np.where(inside, "core", "distant"),
        }
    ), window
