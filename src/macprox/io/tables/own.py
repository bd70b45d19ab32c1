"""Tables that macprox wrote: whole, with names as text and places as numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from macprox.celltable import OTHER, REQUIRED_COLUMNS
from macprox.errors import TableError, shortened
from macprox.io.tables.text import numbers

_FLAGS = ("in_window", "excluded")  # who takes part in statistics
_MEANT = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}


def own_cells(cells: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The table as macprox has it, whatever its file made of names and flags.

    Raises
    ------
    TableError
        If a column of ours is missing, there is no cell, a cell has no slide, a place is no
        number, or a flag is neither True nor False.
    """
    missing = [name for name in (*REQUIRED_COLUMNS, "phenotype") if name not in cells]
    if missing:
        raise TableError(
            f"{path} lacks {', '.join(missing)} of macprox's own columns. If another column holds "
            "it, name it with --phenotype."
        )
    if cells.empty:
        raise TableError(f"{path} has a header but no cells.")
    given: dict[str, Any] = {
        name: numbers(cells[name], path)
        for name in ("x_um", "y_um")
        if not is_numeric_dtype(cells[name])
    }
    given |= {name: _flag(cells[name], path) for name in _FLAGS if name in cells}
    given |= {"slide_id": _slides(cells["slide_id"], path), "phenotype": _text(cells["phenotype"])}
    given["phenotype"] = given["phenotype"].mask(given["phenotype"] == "", OTHER)
    return cells.assign(**given)


def _text(names: pd.Series) -> pd.Series:
    return names.astype("string").fillna("").astype(object)


def _slides(names: pd.Series, path: Path) -> pd.Series:
    text = _text(names)
    if (text == "").any():
        row = int(np.flatnonzero(text == "")[0])
        raise TableError(f"{path}: row {row + 2} has no slide_id. Fill it in for every cell.")
    return text


def _flag(values: pd.Series, path: Path) -> pd.Series:
    if is_bool_dtype(values):
        return values.astype(bool)
    found = values.map(lambda value: _MEANT.get(str(value).lower()))
    if found.isna().any():
        row = int(np.flatnonzero(found.isna())[0])
        raise TableError(
            f"{path}: column {values.name!r} should hold True or False, but row {row + 2} has "
            f"{'nothing' if pd.isna(values.iloc[row]) else shortened(repr(values.iloc[row]))}."
        )
    return found.astype(bool)
