"""Tables that a spreadsheet may open: text in them is never run as a formula."""

from __future__ import annotations

import pandas as pd

# A spreadsheet runs a cell that begins so (CWE-1236); a slide or phenotype may be named so.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """The same table with an apostrophe before text that begins like a formula."""
    safe = table.rename(columns=lambda name: _harmless(name))
    texts = safe.select_dtypes(exclude=["number", "bool", "datetime"]).columns
    return safe.assign(**{name: safe[name].astype(object).map(_harmless) for name in texts})


def _harmless(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return "'" + value
    return value
