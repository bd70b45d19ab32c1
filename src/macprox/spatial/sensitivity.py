"""The headline once more without cells that may not be what they seem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from macprox.spatial.annotated import cells_of
from macprox.spatial.pairs import pair_rows, surroundings_of
from macprox.spatial.parameters import ProximityParameters
from macprox.spatial.pattern import pattern_of
from macprox.spatial.slide import classes_of, question_of
from macprox.spatial.table import Row

KEPT = ("source", "target", "r_um", "value", "expected", "ratio", "n_source", "n_target")


def headline_without(
    cells: Any, parameters: ProximityParameters, doubtful: Mapping[str, np.ndarray]
) -> list[Row]:
    """G at the primary radius under the position null, both directions, without doubtful cells.

    A doubtful cell is as if it were not there: no source, no target, and not among the cells that
    relabelling may choose. Nobody says that it is wrong: both numbers together say how much hangs
    on such cells.

    Parameters
    ----------
    cells : DataFrame, AnnData or SpatialData
        As for `slide_statistics`; those observed.
    parameters : ProximityParameters
    doubtful : mapping of str to (n,) bool
        By name; one without any cell gives no row.

    Returns
    -------
    list of dict
        ``left_out`` (the name), ``n_left_out``, and of the statistics table ``KEPT``.
    """
    cells = cells_of(cells)
    rows: list[Row] = []
    for name, which in doubtful.items():
        if which.any():
            labels: dict[str, Any] = {"left_out": name, "n_left_out": int(which.sum())}
            kept = cells[~which]
            radii = (parameters.primary_radius_um,)
            rows += [{**labels, **found} for found in headline_at(kept, parameters, radii)]
    return rows


def headline_at(
    cells: pd.DataFrame, parameters: ProximityParameters, radii_um: tuple[float, ...]
) -> list[Row]:
    """G at some radii under the position null, both directions, without p values.

    Parameters
    ----------
    cells : DataFrame
        As for `slide_statistics`; those observed.
    parameters : ProximityParameters
    radii_um : tuple of float
        Increasing.

    Returns
    -------
    list of dict
        Of the statistics table, ``KEPT``.
    """
    # Exact for any null that relabels; p values would need as many permutations again.
    null = "csr" if parameters.null == "csr" else "relabel"
    narrow = replace(
        parameters, radii_um=radii_um, primary_radius_um=radii_um[0], n_permutations=0, null=null
    )
    classes = classes_of(narrow)
    if not classes:
        return []
    pattern = pattern_of(cells, None, narrow.strata)
    # Only G is asked for: nine tenths of the time would go into expected distances.
    found = surroundings_of(pattern, question_of(classes[0], narrow))
    surroundings = replace(found, distances=False)
    return [
        {key: told[key] for key in KEPT}
        for group in classes
        for told in pair_rows(pattern, question_of(group, narrow), surroundings)
        if told["statistic"] == "g" and told["correction"] == "none"
    ]
