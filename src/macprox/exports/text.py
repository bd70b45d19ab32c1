"""Cells and statistics as CSV, for spreadsheets and R."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from macprox.io.atomic import replacing
from macprox.io.spreadsheet import without_formulas
from macprox.results import SlideResult


def export_csv(result: SlideResult, folder: Path) -> list[Path]:
    """Write ``cells.csv`` and ``statistics.csv``; see `write_csv`."""
    return write_csv({"cells": result.cells(), "statistics": result.statistics()}, folder)


def write_csv(tables: Mapping[str, pd.DataFrame], folder: Path) -> list[Path]:
    """Write tables by name: UTF-8, comma, decimal point, full precision.

    Text that a spreadsheet would run as a formula gets a leading apostrophe, column names too;
    numbers are never touched, nor is ``"CD68+"``.

    Returns
    -------
    list of Path
        What was written.
    """
    written = []
    for name, table in tables.items():
        path = folder / f"{name}.csv"
        with replacing(path) as temporary:
            without_formulas(table).to_csv(temporary, index=False, lineterminator="\n")
        written.append(path)
    return written
