"""The measures table: what a claim found on one slide or lesion, one number a row.

============  ====================================================================================
column        meaning
============  ====================================================================================
claim         ``C1`` to ``C7``; ``table`` for a statistic that was asked for by its name
statistic     what the number is, see each claim
source        the cells that are averaged over
target        the cells that are looked for
region        core, inner_margin, outer_margin, distant, ``tumour tissue``, ``adjacent``, or empty
compartment   epithelium, stroma, airspace, tissue, or empty
r_um          radius, or the place on a curve
slide_id
lesion_id     0: the whole slide
value
weight        how much the value counts against others of the same patient: source cells, or area
reason        why the value is NaN
============  ====================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from macprox.cohort.columns import MEASURES

WHOLE_SLIDE = 0
TABLE = "table"  # the claim of a statistic that was asked for by its name
_NUMBERS = ("r_um", "value", "weight")
_DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(MEASURES, ""),
    **dict.fromkeys(_NUMBERS, np.nan),
    "lesion_id": WHOLE_SLIDE,
}

Row = dict[str, Any]


def measure(claim: str, statistic: str, value: float, **facts: Any) -> Row:
    """One row; what is not given is empty, NaN or 0."""
    unknown = facts.keys() - _DEFAULTS.keys()
    if unknown:
        raise TypeError(f"The measures table has no column {', '.join(sorted(unknown))}.")
    return {**_DEFAULTS, "claim": claim, "statistic": statistic, "value": value, **facts}


def to_measures(rows: Iterable[Row]) -> pd.DataFrame:
    """The table, with the same columns and dtypes whatever is in it."""
    table = pd.DataFrame(list(rows), columns=list(MEASURES))
    kinds = {str: "object", int: "int64", float: "float64"}
    return table.astype({name: kinds[type(default)] for name, default in _DEFAULTS.items()})
