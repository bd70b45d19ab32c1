"""Two or more groups of patients, one value a patient: a studentised permutation test.

Ranks would answer another question (which group tends to be larger), and a difference in means has
a unit. Dividing it by its standard error before permuting keeps the test honest where groups differ
in spread as well as in size (Janssen 1997; Chung & Romano 2013, Ann. Statist. 41, theorem 2.2),
which early and late tumours do.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from macprox.cohort.arrangements import members
from macprox.cohort.columns import TESTS, sentences, table_of
from macprox.cohort.effect_size import hedges_g
from macprox.cohort.multiplicity import holm
from macprox.cohort.patients import LEAST, Groups, grouped, too_few
from macprox.cohort.rows import moments
from macprox.cohort.several import TEST as OMNIBUS
from macprox.cohort.several import any_difference
from macprox.cohort.shift import Shifted

TEST = "studentised permutation"
UNREACHABLE = (
    "p cannot be below {:.3g} in this design, so that the {:.0%} interval is Welch's, which takes "
    "normal values for granted"
)


def compare(
    patients: pd.DataFrame,
    value: str,
    group: str,
    *,
    groups: Sequence[Any] | None = None,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Compare a value between groups of patients.

    Parameters
    ----------
    patients : DataFrame
        One row a patient, with a column ``patient``.
    value : str
        Numeric column. A patient without a value is left out, and ``reason`` counts it.
    group : str
        Column of labels. A patient without one is left out, and ``reason`` counts it.
    groups : sequence, optional
        Labels to compare, the first being what the second is compared with. Default: all, numbers
        in the order of numbers, anything else by the alphabet.
    seed : int
        Of the draw where there are more than 200,000 arrangements.
    level : float
        Of the intervals.

    Returns
    -------
    DataFrame
        Columns `TESTS`. Of two groups one row: ``effect`` is the mean of the second minus that of
        the first, in units of the value; ``p`` the two-sided share of arrangements of the patients
        with a Welch t as far from 0; ``p_min`` the smallest p that groups of these sizes can give;
        the interval every difference that the same test does not reject, or Welch's where the test
        can reject none. Of more groups: first a row without effect (Welch's F, permuted), then
        every pair, with ``p_adjusted`` by Holm (1979). A group of fewer than 3 patients has its
        mean and the effect, and no p and no interval.

    Raises
    ------
    CohortError
        If there is no column ``patient``, ``value`` or ``group``, a patient has two rows, a value
        is text, or the group looks like a measurement.

    Examples
    --------
    >>> import pandas as pd
    >>> patients = pd.DataFrame(
    ...     {"patient": list("abcdef"), "stage": ["early"] * 3 + ["late"] * 3,
    ...      "share": [0.1, 0.2, 0.3, 0.5, 0.6, 0.7]})
    >>> compare(patients, "share", "stage")[["contrast", "effect", "p", "p_min"]].round(3)
           contrast  effect    p  p_min
    0  late - early     0.4  0.1    0.1
    """
    found = grouped(patients, value, group, groups)
    general: dict[str, Any] = {"statistic": value, "group": group, "seed": seed}
    if len(found.names) < 2:
        return table_of([general | _one_group(found)], TESTS)
    pairs: list[dict[str, Any]] = [
        general | _pair(found, first, second, seed, level)
        for first, second in combinations(range(len(found.names)), 2)
    ]
    if len(pairs) > 1:
        omnibus = general | any_difference(found, seed) | {"test": OMNIBUS}
        adjusted = holm([row.get("p", np.nan) for row in pairs])
        pairs = [row | {"p_adjusted": p} for row, p in zip(pairs, adjusted, strict=True)]
        pairs = [omnibus, *pairs]
    return table_of(pairs, TESTS)


def _one_group(found: Groups) -> dict[str, Any]:
    if not found.names:
        return {"test": TEST, "reason": f"no patient has a {found.column!r}"}
    only = found.values[0]
    return {
        "test": TEST,
        "n_patients": len(only),
        "n_first": len(only),
        **moments(only, "first"),
        "reason": sentences(
            f"every patient is in {found.names[0]!r}: there is nothing to compare with",
            found.remark,
        ),
    }


def _pair(found: Groups, first: int, second: int, seed: int, level: float) -> dict[str, Any]:
    names = found.names[first], found.names[second]
    tested = two_samples(found.values[first], found.values[second], names, seed, level)
    return tested | {"reason": sentences(tested["reason"], found.remark)}


def two_samples(
    first: np.ndarray, second: np.ndarray, names: tuple[str, str], seed: int, level: float
) -> dict[str, Any]:
    """One row of `TESTS` from the values of two groups; the order of the values is no matter."""
    g, g_low, g_high = hedges_g(first, second, level)
    tested = min(len(first), len(second)) >= LEAST
    row: dict[str, Any] = {
        "contrast": f"{names[1]} - {names[0]}",
        "test": TEST,
        "n_patients": len(first) + len(second),
        "n_first": len(first),
        "n_second": len(second),
        **moments(first, "first"),
        **moments(second, "second"),
        "effect_size": g,
        "effect_size_low": g_low if tested else np.nan,
        "effect_size_high": g_high if tested else np.nan,
        "reason": "",
    }
    row["effect"] = row["mean_second"] - row["mean_first"]
    if not tested:
        return row | {"reason": sentences(*map(too_few, names, (len(first), len(second))))}
    if np.ptp(np.concatenate([first, second])) == 0:
        return row | {"reason": "every patient has the same value"}
    return row | _tested(first, second, seed, level)


def _tested(first: np.ndarray, second: np.ndarray, seed: int, level: float) -> dict[str, Any]:
    arranged, spread = arranged_groups(first, second, seed)
    p_min = smallest_p(len(first), len(second), len(arranged.effects), arranged.exact)
    low, high, reason = np.nan, np.nan, ""
    if arranged.se == 0:
        reason = "no interval: the patients of each group have the same value"
    elif p_min <= 1 - level + 1e-12:
        low, high = (end * spread for end in arranged.interval(level))
    else:
        se, df = _welch(first, second)
        half = stats.t.ppf((1 + level) / 2, df) * se
        low, high = (second.mean() - first.mean() + side * half for side in (-1, 1))
        reason = UNREACHABLE.format(p_min, level)
    reason = sentences(reason, _small_and_wide(first, second))
    return {
        "ci_low": low,
        "ci_high": high,
        "p": arranged.p(),
        "p_min": p_min,
        "n_arrangements": len(arranged.effects),
        "exact": arranged.exact,
        "reason": reason,
    }


def _small_and_wide(first: np.ndarray, second: np.ndarray) -> str:
    """Studentising mends unequal spread in the long run, not with 4 patients (docs/patients.md)."""
    small, large = sorted((first, second), key=len)
    if len(large) < 1.5 * len(small) or small.std(ddof=1) < 2 * large.std(ddof=1):
        return ""
    se, df = _welch(first, second)
    p = 2 * stats.t.sf(abs(second.mean() - first.mean()) / se, df)
    return (
        "the smaller group spreads more than twice as widely, where p may be half of what it "
        f"should be; Welch's t gives p = {p:.2g}"
    )


def arranged_groups(first: np.ndarray, second: np.ndarray, seed: int) -> tuple[Shifted, float]:
    """Every arrangement of two groups' values, and the standard deviation that is their unit."""
    values = np.concatenate([first, second])
    is_second = np.repeat([0.0, 1.0], [len(first), len(second)])
    order = np.lexsort([is_second, values])  # a draw must not depend on the order of rows
    spread = values.std()
    y, z = (values[order] - values.mean()) / spread, is_second[order]
    # The smaller group is dealt. Which of the two it is turns the sign of t, and the test has two.
    dealt, exact = members(len(y), min(len(first), len(second)), seed)
    effects, carried, *variances = _sums(y, z, dealt)
    observed = y[z == 0], y[z == 1]
    effect = observed[1].mean() - observed[0].mean()
    variance = sum(part.var(ddof=1) / len(part) for part in observed)
    se = float(np.sqrt(variance)) if variance > 1e-24 else 0.0
    return Shifted(effect, se, effects, carried, np.array(variances), exact), float(spread)


def _sums(y: np.ndarray, z: np.ndarray, dealt: np.ndarray) -> list[np.ndarray]:
    """Effects, what they carry of a shift, and three terms of the variance, an arrangement each."""
    n, k = len(y), dealt.shape[1]
    inside = {name: column[dealt].sum(axis=1) for name, column in _products(y, z).items()}
    total = {name: column.sum() for name, column in _products(y, z).items()}
    outside = {name: total[name] - inside[name] for name in total}
    parts = ((inside, k), (outside, n - k))

    def variance(square: str, one: str, other: str) -> np.ndarray:
        return sum((s[square] - s[one] * s[other] / m) / (m * (m - 1)) for s, m in parts)

    return [
        inside["y"] / k - outside["y"] / (n - k),
        inside["z"] / k - outside["z"] / (n - k),
        variance("yy", "y", "y"),
        variance("yz", "y", "z"),
        variance("z", "z", "z"),  # z is 0 or 1, its own square
    ]


def _products(y: np.ndarray, z: np.ndarray) -> dict[str, np.ndarray]:
    return {"y": y, "z": z, "yy": y * y, "yz": y * z}


def smallest_p(n_first: int, n_second: int, n_arrangements: int, exact: bool) -> float:
    """The smallest two-sided p of a design; groups of one size change places, and t its sign."""
    if not exact:
        return 1 / (n_arrangements + 1)
    return (2 if n_first == n_second else 1) / n_arrangements


def _welch(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """The standard error of the difference in means, and its degrees of freedom (Welch 1947)."""
    parts = [part.var(ddof=1) / len(part) for part in (first, second)]
    lost = sum(v**2 / (len(part) - 1) for v, part in zip(parts, (first, second), strict=True))
    return float(np.sqrt(sum(parts))), float(sum(parts) ** 2 / lost)
