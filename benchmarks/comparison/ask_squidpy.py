"""squidpy's answers; see `command`."""

from __future__ import annotations

import importlib.metadata
import sys
import warnings

import numpy as np
import pandas as pd
from anndata import AnnData
from answers import answer_all, signed
from scipy.stats import norm

warnings.filterwarnings("ignore")
import squidpy as sq  # noqa: E402

RADIUS_UM = 20.0
PERMUTATIONS = 999


def graph_of(cells: pd.DataFrame, radius_um: float) -> AnnData:
    obs = pd.DataFrame({"phenotype": pd.Categorical(cells["phenotype"])})
    obs.index = obs.index.astype(str)
    data = AnnData(np.zeros((len(cells), 1), dtype=np.float32), obs=obs)
    data.obsm["spatial"] = cells[["x_um", "y_um"]].to_numpy()
    sq.gr.spatial_neighbors(data, coord_type="generic", radius=radius_um)
    return data


def tested(cells: pd.DataFrame) -> dict[str, float]:
    """Signed p of the normal score of `nhood_enrichment`, which the tool leaves to its reader."""
    data = graph_of(cells, RADIUS_UM)
    found = sq.gr.nhood_enrichment(
        data, "phenotype", n_perms=PERMUTATIONS, seed=0, copy=True, show_progress_bar=False
    )
    names = list(data.obs["phenotype"].cat.categories)
    z = found[0][names.index("Macrophage"), names.index("Tumour")]
    return {"without strata, Macrophage and Tumour": signed(2 * norm.sf(abs(z)), z >= 0)}


def measured(cells: pd.DataFrame) -> dict[str, float]:
    """Counts from its radius graph; it has no distance to the nearest cell of a class."""
    data = graph_of(cells, 25.0)
    near = data.obsp["spatial_connectivities"]
    macrophage = (cells["phenotype"] == "CD68+").to_numpy()
    tumour = (cells["phenotype"] == "CK+").to_numpy()
    return {
        "CK within 25 of CD68": near[macrophage][:, tumour].sum(axis=1).mean(),
        "CD68 within 25 of CK": near[tumour][:, macrophage].sum(axis=1).mean(),
    }


if __name__ == "__main__":
    answer_all(f"squidpy {importlib.metadata.version('squidpy')}", sys.argv[1], tested, measured)
