"""What a row of tests says of two groups, whatever the test."""

from __future__ import annotations

from typing import Any

import numpy as np

from macprox.cohort.columns import sentences
from macprox.cohort.patients import counted


def described(
    value: str, group: str, names: tuple[str, str], first: np.ndarray, second: np.ndarray
) -> dict[str, Any]:
    """What a row of `TESTS` says of two groups before any test."""
    row: dict[str, Any] = {
        "statistic": value,
        "group": group,
        "contrast": f"{names[1]} - {names[0]}",
    }
    for which, values in (("first", first), ("second", second)):
        row |= {f"n_{which}": len(values), **moments(values, which)}
    return row


def moments(values: np.ndarray, which: str) -> dict[str, float]:
    """Mean and standard deviation of a group's patients; ``which`` is "first" or "second"."""
    return {
        f"mean_{which}": values.mean() if len(values) else np.nan,
        f"sd_{which}": values.std(ddof=1) if len(values) > 1 else np.nan,
    }


def t_row(effect: float, se: float, df: int, level: float) -> dict[str, Any]:
    """Effect, interval and p of an estimate with a t distribution."""
    from scipy import stats

    half = stats.t.ppf((1 + level) / 2, df) * se
    return {
        "effect": effect,
        "ci_low": effect - half,
        "ci_high": effect + half,
        "p": 2 * stats.t.sf(abs(effect / se), df),
    }


def left_out_rows(
    numbers: np.ndarray, labels: np.ndarray, names: tuple[str, str], group: str
) -> str:
    """How many rows take no part, and why."""
    n_unknown = int((np.isin(labels, names) & ~np.isfinite(numbers)).sum())
    n_groupless = int((labels == "").sum())
    return sentences(
        f"{counted(n_unknown, 'row')} without a value left out" if n_unknown else "",
        f"{counted(n_groupless, 'row')} without {group!r} left out" if n_groupless else "",
    )
