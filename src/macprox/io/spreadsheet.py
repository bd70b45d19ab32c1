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


def with_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """The table that `without_formulas` was given: what it put before texts is taken off."""
    own = table.rename(columns=lambda name: _as_it_was(name))
    texts = own.select_dtypes(exclude=["number", "bool", "datetime"]).columns
    return own.assign(**{name: own[name].map(_as_it_was) for name in texts})


def _harmless(value: object) -> object:
    return f"'{value}" if _looks_like_formula(value) else value


def _as_it_was(value: object) -> object:
    if isinstance(value, str) and value[:1] == "'" and _looks_like_formula(value[1:]):
        return value[1:]
    return value


def _looks_like_formula(value: object) -> bool:
    """Behind apostrophes of its own, too: each text is written in one way, and read back in one."""
    return isinstance(value, str) and value.lstrip("'").startswith(_FORMULA_STARTS)
