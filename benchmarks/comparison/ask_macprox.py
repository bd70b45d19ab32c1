"""macprox's answers to the questions of this folder; run by `command`."""

from __future__ import annotations

import sys

import pandas as pd
from benchmarks.comparison.answers import answer_all, signed

import macprox
from macprox import spatial

RADIUS_UM = 20.0


def tested(cells: pd.DataFrame) -> dict[str, float]:
    """Signed p in both directions, and without strata for comparison."""
    found = {}
    for name, strata in (("stratified", ["compartment"]), ("without strata", [])):
        for source, target in (("Macrophage", "Tumour"), ("Tumour", "Macrophage")):
            rows = spatial.proximity(
                cells, source=source, target=target, radii_um=(RADIUS_UM,), strata=strata
            )
            row = rows[(rows["statistic"] == "fraction_within") & rows["p"].notna()].iloc[0]
            closer = row["value"] >= row["expected"]
            found[f"{name}, {source} to {target}"] = signed(row["p"], closer)
    return found


def measured(cells: pd.DataFrame) -> dict[str, float]:
    """Mean nearest distances and counts within 25 um of the lung field."""
    xy = {name: of[["x_um", "y_um"]].to_numpy() for name, of in cells.groupby("phenotype")}
    macrophages, tumour = xy["CD68+"], xy["CK+"]
    return {
        "nearest CD68 to CK": spatial.nearest_distance(macrophages, tumour).mean(),
        "nearest CK to CD68": spatial.nearest_distance(tumour, macrophages).mean(),
        "CK within 25 of CD68": spatial.count_within(macrophages, tumour, [25]).mean(),
        "CD68 within 25 of CK": spatial.count_within(tumour, macrophages, [25]).mean(),
    }


if __name__ == "__main__":
    answer_all(f"macprox {macprox.__version__}", sys.argv[1], tested, measured)
