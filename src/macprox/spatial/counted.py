"""Which cells of a saved table take part in statistics."""

from __future__ import annotations

import numpy as np
import pandas as pd

from macprox.spatial.parameters import LEAVE_OUT, ProximityParameters


def is_observed(cells: pd.DataFrame) -> np.ndarray:
    """(n,) bool: inside the window and not excluded; a table that does not say leaves out none."""
    is_in = np.ones(len(cells), bool)
    if "in_window" in cells:
        is_in &= cells["in_window"].to_numpy(bool)
    if "excluded" in cells:
        is_in &= ~cells["excluded"].to_numpy(bool)
    return is_in


def is_counted(cells: pd.DataFrame, proximity: ProximityParameters) -> np.ndarray:
    """(n,) bool: the cells that the study lets take part in statistics."""
    if proximity.anucleate == LEAVE_OUT and "has_nucleus" in cells:
        return cells["has_nucleus"].to_numpy(bool)
    return np.ones(len(cells), bool)
