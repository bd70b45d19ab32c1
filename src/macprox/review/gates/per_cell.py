"""Which of a marker's gates a cell is held to."""

from __future__ import annotations

import numpy as np
import pandas as pd

from macprox.celltable import mean_column
from macprox.phenotype.gate_table import above_gate, gate_of


def cuts_of(cells: pd.DataFrame, gates: pd.DataFrame, marker: str) -> np.ndarray:
    """The gate of every cell, as `macprox.phenotype.gate_table.apply_gates` holds it to one.

    Parameters
    ----------
    cells : DataFrame
    gates : DataFrame
        The slide's gate table.
    marker : str
        With a gate.

    Returns
    -------
    (n,) float
        The gate for all cells, or for a cell of parents with gates of their own the highest of
        those; NaN where the marker has none.
    """
    row = gate_of(gates, marker)
    whole = np.full(len(cells), np.nan if row is None else float(row["value"]))
    highest = np.full(len(cells), -np.inf)
    own = gates[(gates["marker"] == marker) & (gates["parent"].fillna("") != "")]
    for parent, value in zip(own["parent"], own["value"], strict=True):
        is_child = above_gate(cells, gates, str(parent))
        np.maximum(highest, float(value), out=highest, where=is_child)
    return np.where(np.isneginf(highest), whole, highest)


def values_of(cells: pd.DataFrame, gates: pd.DataFrame, marker: str) -> np.ndarray | None:
    """The intensities that a marker's gate cuts ``(n,)``; None if it has none or they are absent.

    Tables of other tools say who is positive and not how bright.
    """
    row = gate_of(gates, marker)
    column = "" if row is None else mean_column(marker, str(row["compartment"]))
    return cells[column].to_numpy(float) if column in cells else None
