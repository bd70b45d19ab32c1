"""How many patients the next study needs, by the spread between those of this one."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from macprox.cohort.columns import sentences
from macprox.cohort.patients import grouped, labels_in, one_row_each, too_few, two_groups
from macprox.errors import CohortError

COLUMNS = (
    "statistic",
    "group",
    "contrast",
    "spread",
    "sd",
    "effect",
    "effect_size",
    "n_per_arm",
    "power",
    "power_here",
    "smallest_here",
    "alpha",
    "target",
    "n_first",
    "n_second",
    "reason",
)
CURVE_COLUMNS = ("spread", "sd", "effect", "effect_size", "n_per_arm", "power")
SIZES = (0.5, 0.8, 1.2, 1.5)
POOLED, CAUTIOUS = "pooled", "upper 80 % limit"
_MOST = 10_000


def power(
    patients: pd.DataFrame,
    value: str,
    group: str,
    *,
    effect: float | Sequence[float] | None = None,
    alpha: float = 0.05,
    target: float = 0.8,
    groups: Sequence[Any] | None = None,
) -> pd.DataFrame:
    """Patients that each group of a next study needs.

    Parameters
    ----------
    patients : DataFrame
        The pilot: one row a patient, with a column ``patient``.
    value, group : str
    effect : float or sequence of float, optional
        Differences to find, in units of the value. Default: the observed one, and 0.5, 0.8, 1.2 and
        1.5 pooled standard deviations.
    alpha, target : float
        Of a two-sided test; the power wanted.
    groups : sequence of two, optional
        As in `compare`.

    Returns
    -------
    DataFrame
        Two rows an effect: with the pilot's pooled standard deviation, and with its upper one-sided
        80 % limit (Browne 1995, Stat. Med. 14), which a study must be planned with, since half of
        small pilots show too little spread. ``n_per_arm`` is the least number with the ``target``
        power, ``power`` what it gives; ``power_here`` and ``smallest_here`` are the power of groups
        of the pilot's size and the smallest difference that they find with the ``target`` power.

    Raises
    ------
    CohortError
        As `compare`; if there are not two groups, or alpha or target is no share.

    Notes
    -----
    Power of the two-sided t test with equal variances (noncentral t), which the permutation test of
    `compare` comes near to from 5 patients a group (docs/patients.md). Groups in which no
    arrangement has a p of alpha have no power: 3 against 3 at 0.05.
    """
    _check(alpha, target)
    two_groups(labels_in(one_row_each(patients), group), group, groups)
    found = grouped(patients, value, group, groups)
    first, second = found.values
    row = {
        "statistic": value,
        "group": group,
        "contrast": f"{found.names[1]} - {found.names[0]}",
        "alpha": alpha,
        "target": target,
        "n_first": len(first),
        "n_second": len(second),
    }
    reason = sentences(*map(too_few, found.names, (len(first), len(second))))
    df = len(first) + len(second) - 2
    squares = sum(((part - part.mean()) ** 2).sum() for part in (first, second) if len(part))
    if not reason and squares == 0:
        reason = "the patients of each group have the same value"
    if reason:
        return pd.DataFrame(
            [row | {"reason": sentences(reason, found.remark)}], columns=list(COLUMNS)
        )
    pooled = float(np.sqrt(squares / df))
    spreads = ((POOLED, pooled), (CAUTIOUS, pooled * np.sqrt(df / stats.chi2.ppf(0.2, df))))
    observed = float(second.mean() - first.mean())
    effects = [observed, *(size * pooled for size in SIZES)] if effect is None else np.ravel(effect)
    sizes = len(first), len(second)
    rows = [
        row
        | {"spread": name, "reason": found.remark}
        | _planned(float(e), sd, sizes, alpha, target)
        for e in effects
        for name, sd in spreads
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def power_curves(planned: pd.DataFrame, most: int = 60) -> pd.DataFrame:
    """Power against the size of a group, of every effect and spread that `power` planned for.

    Parameters
    ----------
    planned : DataFrame
        Of `power`.
    most : int
        The largest group, at least.

    Returns
    -------
    DataFrame
        ``spread, sd, effect, effect_size, n_per_arm, power``; ``effect_size`` is in pooled standard
        deviations, also where the spread is the upper limit. Empty where nothing was planned.
    """
    known = planned[planned["power"].notna()]
    needed = known["n_per_arm"].max()
    largest = max(most, min(int(needed) + 1, _MOST)) if len(known) else 0
    sizes = sorted(
        {*range(3, min(largest, 60) + 1), *np.geomspace(60, max(largest, 60), 25, dtype=int)}
    )
    pooled = known.loc[known["spread"] == POOLED, "sd"]
    rows = [
        {
            **{name: row[name] for name in ("spread", "sd", "effect")},
            "effect_size": row["effect"] / pooled.iloc[0],
            "n_per_arm": n,
            "power": power_of(abs(row["effect"]) / row["sd"], (n, n), row["alpha"]),
        }
        for row in known.to_dict("records")
        for n in sizes
    ]
    return pd.DataFrame(rows, columns=list(CURVE_COLUMNS))


def _planned(
    effect: float, sd: float, sizes: tuple[int, int], alpha: float, target: float
) -> dict[str, float]:
    size = abs(effect) / sd
    n = _n_per_arm(size, alpha, target)
    smallest = np.nan
    if power_of(1e3, sizes, alpha) >= target:
        smallest = sd * optimize.brentq(lambda s: power_of(s, sizes, alpha) - target, 0.0, 1e3)
    return {
        "sd": sd,
        "effect": effect,
        "effect_size": effect / sd,
        "n_per_arm": n,
        "power": power_of(size, (int(n), int(n)), alpha) if np.isfinite(n) else np.nan,
        "power_here": power_of(size, sizes, alpha),
        "smallest_here": smallest,
    }


def power_of(size: float, sizes: tuple[int, int], alpha: float) -> float:
    """Power of a two-sided test to find a difference of ``size`` standard deviations.

    Examples
    --------
    >>> round(power_of(0.5, (64, 64), 0.05), 3)
    0.801
    """
    if _smallest_p(sizes) > alpha + 1e-12:
        return 0.0
    df = sum(sizes) - 2
    shift = size * np.sqrt(sizes[0] * sizes[1] / sum(sizes))
    critical = stats.t.ppf(1 - alpha / 2, df)
    # nctdtr gives NaN where next to nothing is left.
    missed = np.nan_to_num(special.nctdtr(df, shift, critical))
    wrong_way = np.nan_to_num(special.nctdtr(df, shift, -critical))
    return float(1 - missed + wrong_way)


def _smallest_p(sizes: tuple[int, int]) -> float:
    n_arrangements = comb(sum(sizes), sizes[0])
    return (2 if sizes[0] == sizes[1] else 1) / n_arrangements


def _n_per_arm(size: float, alpha: float, target: float) -> float:
    """The least number a group; NaN where 10,000 are not enough."""
    low, high = 2, _MOST
    if power_of(size, (high, high), alpha) < target:
        return np.nan
    while high - low > 1:
        middle = (low + high) // 2
        enough = power_of(size, (middle, middle), alpha) >= target
        low, high = (low, middle) if enough else (middle, high)
    return float(high)


def _check(alpha: float, target: float) -> None:
    for name, share in (("alpha", alpha), ("target", target)):
        if not 0 < share < 1:
            raise CohortError(f"{name} must be a share between 0 and 1, found {share!r}.")
