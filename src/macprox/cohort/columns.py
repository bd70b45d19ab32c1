"""The tables of the cohort: their columns, and what stands where nothing applies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

KEY = ("claim", "statistic", "source", "target", "region", "compartment", "r_um")
"""What one number measures; everything that is not the slide, the lesion or the patient."""

MEASURES = ("slide_id", "lesion_id", *KEY, "value", "weight", "reason")
"""One row a slide (``lesion_id`` 0) or lesion and `KEY`."""

VALUES = ("patient", *KEY, "value", "value_unweighted", "n_slides", "n_lesions", "weight", "reason")
"""One row a patient and `KEY`."""

TESTS = (
    *KEY,
    "question",
    "group",
    "contrast",
    "test",
    "effect",
    "ci_low",
    "ci_high",
    "p",
    "p_adjusted",
    "p_min",
    "n_patients",
    "n_first",
    "n_second",
    "mean_first",
    "mean_second",
    "sd_first",
    "sd_second",
    "effect_size",
    "effect_size_low",
    "effect_size_high",
    "n_arrangements",
    "exact",
    "seed",
    "primary",
    "reason",
)
"""One row a test; ``question`` is one of those below."""

BETWEEN, AGAINST_NOTHING = "between groups", "against nothing"
ADJUSTED, MIXED = "adjusted", "mixed model"
SURVIVAL, ASSOCIATION = "survival", "association"

CURVES = (
    "claim",
    "statistic",
    "source",
    "target",
    "group",
    "contrast",
    "patient",
    "kind",
    "x",
    "value",
    "ci_low",
    "ci_high",
    "envelope_low",
    "envelope_high",
    "p",
    "n_patients",
    "reason",
)
"""One row a curve and x."""

TEXTS = frozenset(
    {*KEY[:-1], "question", "group", "contrast", "test", "reason"}
    | {"patient", "slide_id", "kind", "what", "spread"}
)
"""Columns of any table here that hold text."""

_FLAGS = {"exact", "primary"}
_WHOLE = {"n_patients", "n_arrangements", "seed", "n_slides", "n_lesions"}


def table_of(rows: Iterable[dict[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    """Rows as a table: "", NaN, False or 0 where a row says nothing of a column."""
    given = list(rows)
    if unknown := {name for row in given for name in row} - set(columns):
        raise ValueError(f"A row holds {', '.join(sorted(unknown))}, which no column has.")
    return pd.DataFrame({name: _column([row.get(name) for row in given], name) for name in columns})


def sentences(*parts: str) -> str:
    """Reasons and remarks as one text; empty ones leave no trace."""
    return "; ".join(dict.fromkeys(part for part in parts if part))


def _column(values: list[Any], name: str) -> pd.Series:
    if name in TEXTS:
        return pd.Series(["" if value is None else value for value in values], dtype=object)
    if name in _FLAGS:
        return pd.Series([bool(value) for value in values], dtype=bool)
    if name in _WHOLE:
        return pd.Series([value or 0 for value in values], dtype=np.int64)
    return pd.Series([np.nan if value is None else value for value in values], dtype=float)
