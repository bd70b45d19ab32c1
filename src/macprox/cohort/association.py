"""Two measurements of the same patients, or of the lesions of patients: do they go together?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from macprox.cohort.arrangements import orders, share
from macprox.cohort.columns import TESTS, sentences, table_of
from macprox.cohort.patients import LEAST, counted, left_out, named_rows, numbers_in, one_row_each
from macprox.cohort.random_intercept import fit_random_intercept
from macprox.cohort.rows import t_row
from macprox.cohort.shift import TIE

TEST = "Spearman correlation, permutation"
WITHIN = "mixed model, slope within patients"
BETWEEN = "mixed model, slope between patients"


def associate(
    patients: pd.DataFrame, x: str, y: str, *, seed: int = 0, level: float = 0.95
) -> pd.DataFrame:
    """Spearman's correlation of two columns over patients.

    Parameters
    ----------
    patients : DataFrame
        One row a patient, with a column ``patient``.
    x, y : str
        Numeric columns. A patient who lacks either is left out, and ``reason`` counts it.
    seed : int
    level : float

    Returns
    -------
    DataFrame
        One row of `TESTS`: ``effect`` is the correlation of ranks, p two-sided over all orders of
        up to 8 patients and 9,999 drawn ones beyond. The interval is Fisher's with the standard
        error sqrt((1 + r**2 / 2) / (n - 3)) of Bonett & Wright (2000, Psychometrika 65), a large
        sample's: with few patients read p.

    Raises
    ------
    CohortError
        If a column is missing, a patient has two rows, or a value is text.
    """
    rows = one_row_each(patients)
    first, second = numbers_in(rows, x), numbers_in(rows, y)
    both = np.isfinite(first) & np.isfinite(second)
    first, second = stats.rankdata(first[both]), stats.rankdata(second[both])
    n = len(first)
    remark = left_out(int((~both).sum()), "without both values")
    row: dict[str, Any] = {
        "statistic": y,
        "group": x,
        "contrast": f"{y} against {x}",
        "test": TEST,
        "n_patients": n,
        "seed": seed,
    }
    reason = ""
    if n < LEAST:
        reason = (
            f"{counted(n)} with both values: {LEAST} are the least for a test; the points stand"
        )
    elif np.ptp(first) == 0 or np.ptp(second) == 0:
        reason = f"every patient has the same {x if np.ptp(first) == 0 else y}"
    tested = {} if reason else _tested(first, second, seed, level)
    return table_of([row | tested | {"reason": sentences(reason, remark)}], TESTS)


def _tested(first: np.ndarray, second: np.ndarray, seed: int, level: float) -> dict[str, Any]:
    n = len(first)
    a, b = first - first.mean(), second - second.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    dealt, exact = orders(n, seed)
    r = float(np.clip(a @ b / scale, -1.0, 1.0))
    low, high = np.nan, np.nan
    if n > 3 and abs(r) < 1 - 1e-12:
        half = stats.norm.ppf((1 + level) / 2) * np.sqrt((1 + r**2 / 2) / (n - 3))
        low, high = np.tanh(np.arctanh(r) - half), np.tanh(np.arctanh(r) + half)
    return {
        "effect": r,
        "ci_low": low,
        "ci_high": high,
        "p": share(np.abs(b[dealt] @ a) >= abs(a @ b) - TIE * scale, exact),
        "p_min": 2 / len(dealt) if exact else 1 / (len(dealt) + 1),
        "n_arrangements": len(dealt),
        "exact": exact,
    }


def associate_within(
    lesions: pd.DataFrame, x: str, y: str, patient: str = "patient", *, level: float = 0.95
) -> pd.DataFrame:
    """Slopes of y on x over lesions, within patients and between them apart.

    Parameters
    ----------
    lesions : DataFrame
        One row a lesion or slide.
    x, y : str
        Numeric columns. A row that lacks either is left out, and ``reason`` counts it.
    patient : str
    level : float

    Returns
    -------
    DataFrame
        Two rows of `TESTS`. Within: how y differs between lesions of one patient per unit of x,
        which no trait of patients can feign. Between: how the means of patients go together. They
        need not agree, and one slope for both would mix them (Mundlak 1978; a random intercept a
        patient, x less the patient's mean, and that mean, as terms). NaN with the reason for fewer
        than 3 patients, or where x does not vary.

    Raises
    ------
    CohortError
        If a column is missing, a row has no patient, or a value is text.
    """
    rows = named_rows(lesions, patient)
    first, second = numbers_in(rows, x), numbers_in(rows, y)
    both = np.isfinite(first) & np.isfinite(second)
    codes, names = pd.factorize(rows.loc[both, patient], sort=True)
    first, second = first[both], second[both]
    n_left_out = int((~both).sum())
    remark = f"{counted(n_left_out, 'row')} without both values left out" if n_left_out else ""
    size = np.bincount(codes, minlength=len(names))
    mean = (np.bincount(codes, first, minlength=len(names)) / np.maximum(size, 1))[codes]
    row: dict[str, Any] = {"statistic": y, "group": x, "contrast": f"{y} per unit of {x}"}
    found: list[dict[str, Any]] = []
    for test, reason, line in zip(
        (WITHIN, BETWEEN),
        _unanswerable(first, second, mean, codes, len(names)),
        _slopes(first, second, mean, codes, level),
        strict=True,
    ):
        told = {"test": test, "n_patients": len(names), "reason": sentences(reason, remark)}
        found.append(row | told | ({} if reason else line))
    return table_of(found, TESTS)


def _slopes(
    x: np.ndarray, y: np.ndarray, mean: np.ndarray, patient: np.ndarray, level: float
) -> list[dict[str, Any]]:
    """Rows of the within and the between slope, empty where there is no such term."""
    terms = {0: x - mean, 1: mean - mean.mean() if len(mean) else mean}
    varying = {number: t for number, t in terms.items() if len(t) and np.abs(t).max() > _least(x)}
    lines: list[dict[str, Any]] = [{}, {}]
    n_patients = int(patient.max(initial=-1)) + 1
    if n_patients < LEAST or not varying or np.ptp(y) == 0:
        return lines
    spread = y.std()
    scales = [np.abs(t).max() for t in varying.values()]
    matrix = np.column_stack(
        [np.ones(len(y)), *(t / s for t, s in zip(varying.values(), scales, strict=True))]
    )
    fit = fit_random_intercept((y - y.mean()) / spread, matrix, patient)
    for place, (number, scale) in enumerate(zip(varying, scales, strict=True), start=1):
        unit = spread / scale
        if fit.df[place] >= 1 and fit.within > 1e-12:
            lines[number] = t_row(
                fit.estimates[place] * unit, fit.se[place] * unit, int(fit.df[place]), level
            )
    return lines


def _unanswerable(
    x: np.ndarray, y: np.ndarray, mean: np.ndarray, patient: np.ndarray, n_patients: int
) -> tuple[str, str]:
    if n_patients < LEAST:
        few = f"{counted(n_patients)} with both values: {LEAST} are the least for a test"
        return few, few
    if np.ptp(y) == 0:
        return ("every row has the same value",) * 2
    repeated = int((np.bincount(patient) > 1).sum())
    within = "" if np.abs(x - mean).max() > _least(x) else "x does not vary within any patient"
    between = "" if np.ptp(mean) > _least(x) else "patients do not differ in x"
    if not within and len(x) - n_patients < 2:
        within = f"{counted(repeated)} with two rows or more: too few for a slope"
    return within, between


def _least(x: np.ndarray) -> float:
    return 1e-9 * float(np.abs(x).max(initial=1e-300))
