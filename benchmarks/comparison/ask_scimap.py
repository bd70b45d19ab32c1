"""scimap's answers; see `command`."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import sys
import warnings

import numpy as np
import pandas as pd
from anndata import AnnData
from answers import answer_all, signed

warnings.filterwarnings("ignore")
with contextlib.redirect_stdout(io.StringIO()):  # it greets on standard output
    import scimap as sm

RADIUS_UM = 20.0
PERMUTATIONS = 999
COLUMNS = {"x_coordinate": "x_um", "y_coordinate": "y_um", "imageid": "imageid", "verbose": False}


def table_of(cells: pd.DataFrame) -> AnnData:
    obs = cells[["x_um", "y_um", "phenotype", "imageid"]].copy()
    obs.index = obs.index.astype(str)
    obs["phenotype"] = pd.Categorical(obs["phenotype"])
    obs["imageid"] = pd.Categorical(obs["imageid"])
    return AnnData(np.zeros((len(cells), 1), dtype=np.float32), obs=obs)


def tested(cells: pd.DataFrame) -> dict[str, float]:
    with contextlib.redirect_stdout(io.StringIO()):
        data = sm.tl.spatial_interaction(
            table_of(cells), method="radius", radius=RADIUS_UM, permutation=PERMUTATIONS, **COLUMNS
        )
    rows = data.uns["spatial_interaction"].set_index(["phenotype", "neighbour_phenotype"])
    score = next(name for name in rows.columns if not name.startswith("pvalue"))
    p = next(name for name in rows.columns if name.startswith("pvalue"))
    pair = rows[[score, p]].astype(float).to_dict("index")
    return {
        f"without strata, {source} to {target}": signed(
            pair[source, target][p], pair[source, target][score] >= 0
        )
        for source, target in (("Macrophage", "Tumour"), ("Tumour", "Macrophage"))
    }


def measured(cells: pd.DataFrame) -> dict[str, float]:
    with contextlib.redirect_stdout(io.StringIO()):
        data = sm.tl.spatial_distance(table_of(cells.assign(imageid="lung")), **COLUMNS)
    distances = data.uns["spatial_distance"]
    phenotype = cells["phenotype"].to_numpy()
    return {
        "nearest CD68 to CK": distances["CK+"].to_numpy(float)[phenotype == "CD68+"].mean(),
        "nearest CK to CD68": distances["CD68+"].to_numpy(float)[phenotype == "CK+"].mean(),
    }


if __name__ == "__main__":
    answer_all(f"scimap {importlib.metadata.version('scimap')}", sys.argv[1], tested, measured)
