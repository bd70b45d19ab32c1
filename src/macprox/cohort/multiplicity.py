"""Many tests at once: what each p is worth among its family."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from macprox.cohort.patients import column_of


def adjust(tests: pd.DataFrame, family: Sequence[str] = ("claim",)) -> pd.DataFrame:
    """Adjust p values for the false discovery rate within families.

    Parameters
    ----------
    tests : DataFrame
        With a column ``p``; stays as it is.
    family : sequence of str
        Tests that agree in these columns are one family; none: all tests are.

    Returns
    -------
    DataFrame
        The same rows with ``p_adjusted`` (Benjamini & Hochberg 1995), the smallest share of false
        discoveries at which the test would be one. A row without p has none and does not count.

    Raises
    ------
    CohortError
        If there is no such column.
    """
    from scipy.stats import false_discovery_control

    p = column_of(tests, "p").to_numpy(dtype=float)
    adjusted = np.full(len(tests), np.nan)
    keys = [column_of(tests, name).astype(str) for name in family]
    number = pd.concat(keys, axis=1).groupby(list(family)).ngroup() if keys else 0
    families = np.broadcast_to(np.asarray(number), len(tests))
    for one in np.unique(families[np.isfinite(p)]):
        here = (families == one) & np.isfinite(p)
        adjusted[here] = false_discovery_control(p[here])
    return tests.assign(p_adjusted=adjusted)


def holm(p: Sequence[float]) -> np.ndarray:
    """Holm's (1979) adjusted p values, which hold under any dependence; NaN does not count.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(2)
    array([0.03, 0.06, 0.06])
    """
    values = np.asarray(p, dtype=float)
    adjusted = np.full(len(values), np.nan)
    order = np.argsort(values)[: int(np.isfinite(values).sum())]
    steps = values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
