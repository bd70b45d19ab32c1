"""Whole curves between groups of patients: one test for all distances, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from macprox.cohort.arrangements import N_RANDOM, members
from macprox.cohort.columns import CURVES, sentences, table_of
from macprox.cohort.patients import (
    LEAST,
    column_of,
    counted,
    group_names,
    labels_in,
    left_out,
    named_rows,
    numbers_in,
    too_few,
)
from macprox.errors import CohortError
from macprox.extreme_ranks import extreme_rank_length_p

_N_BOOTSTRAP = 1_999
_MANY = 30  # curves, beyond which Student's t is no longer wider


@dataclass(frozen=True, eq=False)
class _Curves:
    """Curves of patients on one grid: ``values (n_patients, n_x)``, NaN where there is none."""

    x: np.ndarray
    patients: tuple[str, ...]
    labels: np.ndarray
    values: np.ndarray

    def of(self, name: str) -> np.ndarray:
        return self.values[self.labels == name]


def compare_curves(
    curves: pd.DataFrame,
    group: str,
    *,
    groups: Sequence[Any] | None = None,
    x: str = "x",
    value: str = "value",
    n_permutations: int = N_RANDOM,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Compare whole curves between groups of patients: one p value for every x together.

    Parameters
    ----------
    curves : DataFrame
        One row a patient and x: ``patient``, ``group``, ``x`` and ``value``, on one grid of x.
    group : str
    groups : sequence, optional
        As in `compare`; with more than two, every pair is compared.
    x, value : str
        Numeric columns. The p value is that of all x given: choose the range before looking.
    n_permutations : int
        Drawn where there are more arrangements than that; all of them otherwise.
    seed : int
    level : float
        Of the envelope and of the bands.

    Returns
    -------
    DataFrame
        Columns `CURVES`. Kind ``patient``: each curve. Kind ``group``: the mean, with a band that
        holds the whole curve (simultaneous, not pointwise): a Gaussian multiplier bootstrap of the
        patients' deviations, 1,999 times, each studentised by itself, of which the largest t over x
        counts; at a single x it is Student's interval. Kind ``difference``: second minus first,
        with the global envelope under no difference and one ``p``, each in every row of the
        contrast.

    Raises
    ------
    CohortError
        If a column is missing, a patient has two values at one x or stands in two groups, or a
        value is text.

    Notes
    -----
    At each x the difference is divided by its standard error (Welch), whole curves are dealt to the
    groups, and the observed curve is ordered among them by extreme rank length (Myllymaki et al.
    2017, section 4), which weighs every x alike. The envelope is that of the ordered t curves times
    the observed standard error: the difference leaves it somewhere when p <= 1 - level. An x where
    a group has fewer than 3 curves takes no part. A gap elsewhere travels with its patient
    (fair where gaps have nothing to do with the group), and an arrangement that leaves a group with
    fewer than 2 curves at an x counts as no difference there.
    """
    found, remark = _curves(curves, group, groups, x, value)
    names = group_names(found.labels, group, groups)
    rows = [
        {"kind": "patient", "patient": patient, "group": label, "x": at, "value": one}
        for patient, label, curve in zip(found.patients, found.labels, found.values, strict=True)
        if label in names
        for at, one in zip(found.x, curve, strict=True)
    ]
    for name in names:
        rows += _band(found, name, seed, level)
    for first, second in combinations(names, 2):
        rows += _difference(found, (first, second), n_permutations, seed, level, remark)
    return table_of(({"statistic": value} | row for row in rows), CURVES)


def _curves(
    curves: pd.DataFrame, group: str, groups: Sequence[Any] | None, x: str, value: str
) -> tuple[_Curves, str]:
    rows = named_rows(curves)
    table = pd.DataFrame(
        {
            "patient": rows["patient"],
            "label": labels_in(rows, group),
            "x": numbers_in(rows, x),
            "value": numbers_in(rows, value),
        }
    )
    per_patient = table.groupby("patient")["label"].agg(["nunique", "first"])
    if (per_patient["nunique"] > 1).any():
        raise CohortError(
            f"Patient {per_patient.index[per_patient['nunique'] > 1][0]!r} stands in two groups of "
            f"{group!r}; a curve belongs to one group. Compare paired curves as differences."
        )
    if table.duplicated(["patient", "x"]).any():
        one = table[table.duplicated(["patient", "x"])].iloc[0]
        raise CohortError(
            f"Patient {one['patient']!r} has two values at {x} {one['x']:g}; expected one curve a "
            "patient. Aggregate slides first (cohort.aggregate)."
        )
    column_of(rows, group)
    grid = table.pivot(index="patient", columns="x", values="value").sort_index(axis=1)
    labels = per_patient["first"].reindex(grid.index).to_numpy(dtype=object)
    found = _Curves(grid.columns.to_numpy(float), tuple(grid.index), labels, grid.to_numpy(float))
    return found, left_out(int((labels == "").sum()), f"without {group!r}")


def _band(found: _Curves, name: str, seed: int, level: float) -> list[dict[str, Any]]:
    values = found.of(name)
    n = np.isfinite(values).sum(axis=0)
    mean, se = _mean_and_se(values)
    half = np.full(len(found.x), np.nan)
    enough = (n >= LEAST) & (se > 0)
    if enough.any():
        half[enough] = _reach(values[:, enough], seed, level) * se[enough]
    half[(n >= LEAST) & (se == 0)] = 0.0
    return [
        {
            "kind": "group",
            "group": name,
            "x": found.x[i],
            "value": mean[i],
            "ci_low": mean[i] - half[i],
            "ci_high": mean[i] + half[i],
            "n_patients": int(n[i]),
            "reason": too_few(name, int(n[i])),
        }
        for i in range(len(found.x))
    ]


def _reach(values: np.ndarray, seed: int, level: float) -> float:
    """How many standard errors hold the mean at every x."""
    there = np.isfinite(values)
    away = np.where(there, values - np.nanmean(values, axis=0), 0.0)
    away /= np.sqrt((away**2).sum(axis=0))
    n = min(int(there.sum(axis=0).min()), _MANY)
    draw = np.random.default_rng(seed)
    farthest = np.empty(_N_BOOTSTRAP)
    for number in range(_N_BOOTSTRAP):
        drawn = draw.normal(size=(n, len(values))) @ away
        t = drawn.mean(axis=0) / (drawn.std(axis=0, ddof=1) / np.sqrt(n))
        farthest[number] = np.abs(t).max()
    return float(np.quantile(farthest, level))


def _difference(
    found: _Curves,
    names: tuple[str, str],
    n_permutations: int,
    seed: int,
    level: float,
    remark: str,
) -> list[dict[str, Any]]:
    first, second = found.of(names[0]), found.of(names[1])
    (mean_1, se_1), (mean_2, se_2) = _mean_and_se(first), _mean_and_se(second)
    counts = np.isfinite(first).sum(axis=0), np.isfinite(second).sum(axis=0)
    tested = np.minimum(*counts) >= LEAST
    low, high = np.full((2, len(found.x)), np.nan)
    p, reason = np.nan, ""
    if min(len(first), len(second)) < LEAST:
        reason = sentences(*map(too_few, names, (len(first), len(second))))
    elif not tested.any():
        reason = f"at no x have both groups {LEAST} curves"
    else:
        p, t_low, t_high = _global(first[:, tested], second[:, tested], n_permutations, seed, level)
        se = np.sqrt(se_1**2 + se_2**2)[tested]
        low[tested], high[tested] = t_low * se, t_high * se
        reason = _told_of_gaps(np.vstack([first, second]), tested)
    return [
        {
            "kind": "difference",
            "contrast": f"{names[1]} - {names[0]}",
            "x": found.x[i],
            "value": mean_2[i] - mean_1[i],
            "envelope_low": low[i],
            "envelope_high": high[i],
            "p": p,
            "n_patients": int(counts[0][i] + counts[1][i]),
            "reason": sentences(reason, remark),
        }
        for i in range(len(found.x))
    ]


def _told_of_gaps(values: np.ndarray, tested: np.ndarray) -> str:
    gaps, n = int((~tested).sum()), len(tested)
    incomplete = int((~np.isfinite(values[:, tested])).any(axis=1).sum())
    return sentences(
        f"{gaps} of {n} x left out: fewer than {LEAST} curves in a group" if gaps else "",
        f"{counted(incomplete)} with gaps, which travel with the patient" if incomplete else "",
    )


def _global(
    first: np.ndarray, second: np.ndarray, n_permutations: int, seed: int, level: float
) -> tuple[float, np.ndarray, np.ndarray]:
    """p and the envelope of the t curves under no difference."""
    values = np.vstack([first, second])
    n, n_small = len(values), min(len(first), len(second))
    dealt, exact = members(n, n_small, seed, most=n_permutations)
    is_second = np.zeros((len(dealt[:n_permutations]) + (not exact), n), dtype=bool)
    np.put_along_axis(is_second[int(not exact) :], dealt[:n_permutations], True, axis=1)
    if len(first) < len(second):
        is_second = ~is_second
    observed = np.arange(n) >= len(first)
    if not exact:
        is_second[0] = observed
    place = 0 if not exact else int(np.flatnonzero((is_second == observed).all(axis=1))[0])
    t = welch_t(values, is_second)
    share = extreme_rank_length_p(t)
    kept = t[share > 1 - level + 1e-12]
    return float(share[place]), kept.min(axis=0), kept.max(axis=0)


def welch_t(values: np.ndarray, is_second: np.ndarray) -> np.ndarray:
    """Welch's t of second minus first at every x.

    ``values (n, n_x)`` may hold NaN, ``is_second (n_arrangements, n)``; 0 where a group has fewer
    than 2 values or nothing differs.
    """
    there = np.isfinite(values)
    centred = np.where(there, values - np.nanmean(values, axis=0), 0.0)
    spread = np.sqrt((centred**2).sum(axis=0) / there.sum(axis=0))
    centred /= np.where(spread > 0, spread, 1.0)
    means, variances, counts = [], [], []
    for inside in (~is_second, is_second):
        inside = inside.astype(float)
        n = inside @ there.astype(float)
        mean = inside @ centred / np.maximum(n, 1)
        square = np.maximum(inside @ centred**2 - n * mean**2, 0.0)
        means.append(mean)
        counts.append(n)
        variances.append(square / np.maximum(n - 1, 1) / np.maximum(n, 1))
    difference, se = means[1] - means[0], np.sqrt(variances[0] + variances[1])
    fair = (np.minimum(*counts) >= 2) & (np.abs(difference) > 1e-12)
    t = np.divide(difference, np.maximum(se, 1e-9), out=np.zeros_like(se), where=fair)
    return np.round(t, 9)  # arrangements that are equal on paper tie


def _mean_and_se(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Over the patients that have a value at each x; NaN where there are too few."""
    n = np.isfinite(values).sum(axis=0)
    filled = np.nan_to_num(values)
    mean = np.divide(filled.sum(axis=0), n, out=np.full(len(n), np.nan), where=n > 0)
    square = (np.where(np.isfinite(values), values - mean, 0.0) ** 2).sum(axis=0)
    return mean, np.sqrt(np.divide(square, n * (n - 1.0), out=np.full(len(n), np.nan), where=n > 1))
