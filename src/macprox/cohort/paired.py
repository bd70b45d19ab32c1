"""Two values of the same patient: margin and adjacent tissue, before and after."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from macprox.cohort.arrangements import signs
from macprox.cohort.columns import TESTS, sentences, table_of
from macprox.cohort.effect_size import paired_g
from macprox.cohort.patients import LEAST, counted, left_out, numbers_in, one_row_each
from macprox.cohort.shift import Shifted

TEST = "paired studentised sign-flip permutation"
UNREACHABLE = (
    "p cannot be below {:.3g} with {} pairs, so that the {:.0%} interval is Student's, which takes "
    "normal differences for granted"
)


def compare_paired(
    patients: pd.DataFrame, first: str, second: str, *, seed: int = 0, level: float = 0.95
) -> pd.DataFrame:
    """Compare two columns of the same patients.

    Parameters
    ----------
    patients : DataFrame
        One row a patient, with a column ``patient``.
    first, second : str
        Numeric columns. A patient who lacks either is left out, and ``reason`` counts it.
    seed : int
        Of the draw where there are more than 200,000 arrangements (18 pairs or more).
    level : float

    Returns
    -------
    DataFrame
        One row of `TESTS`. ``effect`` is the mean of second minus first; ``p`` the share of sign
        patterns of the differences with a t as far from 0, which takes for granted that under no
        difference each would be as likely the other way round; the interval inverts the test.
        ``effect_size`` is in standard deviations of the differences.

    Raises
    ------
    CohortError
        If there is no column ``patient``, ``first`` or ``second``, a patient has two rows, or a
        value is text.
    """
    rows = one_row_each(patients)
    before, after = numbers_in(rows, first), numbers_in(rows, second)
    both = np.isfinite(before) & np.isfinite(after)
    before, after = before[both], after[both]
    n = len(before)
    remark = left_out(int((~both).sum()), "without both values")
    g, g_low, g_high = paired_g(after - before, level)
    row: dict[str, Any] = {
        "statistic": f"{second} - {first}",
        "contrast": f"{second} - {first}",
        "test": TEST,
        "effect": (after - before).mean() if n else np.nan,
        "n_patients": n,
        "n_first": n,
        "n_second": n,
        "mean_first": before.mean() if n else np.nan,
        "mean_second": after.mean() if n else np.nan,
        "sd_first": before.std(ddof=1) if n > 1 else np.nan,
        "sd_second": after.std(ddof=1) if n > 1 else np.nan,
        "effect_size": g,
        "effect_size_low": g_low if n >= LEAST else np.nan,
        "effect_size_high": g_high if n >= LEAST else np.nan,
        "seed": seed,
    }
    tested = _tested(after - before, seed, level)
    return table_of([row | tested | {"reason": sentences(tested["reason"], remark)}], TESTS)


def _tested(differences: np.ndarray, seed: int, level: float) -> dict[str, Any]:
    n = len(differences)
    if n < LEAST:
        return {
            "reason": f"{counted(n)} with both values: {LEAST} are the least for a test; the "
            "points stand"
        }
    if not differences.any():
        return {"reason": "no patient differs between the two columns"}
    arranged, spread = arranged_signs(differences, seed)
    n_arrangements, exact = len(arranged.effects), arranged.exact
    p_min = 2 / n_arrangements if exact else 1 / (n_arrangements + 1)
    low, high, reason = np.nan, np.nan, ""
    if arranged.se == 0:
        reason = "no interval: every patient has the same difference"
    elif p_min <= 1 - level + 1e-12:
        low, high = (end * spread for end in arranged.interval(level))
    else:
        half = stats.t.ppf((1 + level) / 2, n - 1) * differences.std(ddof=1) / np.sqrt(n)
        low, high = differences.mean() - half, differences.mean() + half
        reason = UNREACHABLE.format(p_min, n, level)
    return {
        "ci_low": low,
        "ci_high": high,
        "p": arranged.p(),
        "p_min": p_min,
        "n_arrangements": n_arrangements,
        "exact": exact,
        "reason": reason,
    }


def arranged_signs(differences: np.ndarray, seed: int) -> tuple[Shifted, float]:
    """Every pattern of signs of the differences, and the size that is their unit."""
    n = len(differences)
    spread = float(np.sqrt(np.mean(differences**2)))
    d = differences[np.argsort(np.abs(differences), kind="stable")] / spread
    flips, exact = signs(n, seed)
    effects, carried = flips @ d / n, flips.mean(axis=1)
    scale = n * (n - 1)
    variances = [
        (d @ d - n * effects**2) / scale,
        (d.sum() - n * effects * carried) / scale,
        (n - n * carried**2) / scale,
    ]
    variance = d.var(ddof=1) / n
    se = float(np.sqrt(variance)) if variance > 1e-24 else 0.0
    return Shifted(d.mean(), se, effects, carried, np.array(variances), exact), spread
