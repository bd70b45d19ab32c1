"""Several slides or lesions a patient, each with its own value: a mixed model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from macprox.cohort.columns import TESTS, sentences, table_of
from macprox.cohort.design import design_of
from macprox.cohort.patients import labels_in, named_rows, numbers_in, too_few, two_groups
from macprox.cohort.random_intercept import fit_random_intercept
from macprox.cohort.rows import described, left_out_rows, t_row

TEST = "mixed model, random intercept a patient, REML"


def mixed_model(
    rows: pd.DataFrame,
    value: str,
    group: str,
    *,
    covariates: Sequence[str] = (),
    patient: str = "patient",
    groups: Sequence[Any] | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Compare two groups of patients by the values of their slides or lesions.

    Parameters
    ----------
    rows : DataFrame
        One row a slide or lesion, each of the same weight.
    value, group, patient : str
    covariates : sequence of str
        Of slides or of patients; labels or numbers.
    groups : sequence of two, optional
        As in `compare`.
    level : float

    Returns
    -------
    DataFrame
        One row of `TESTS`: ``effect`` is that of the second group over the first, given the
        covariates; t interval and p with the degrees of freedom of patients, not of rows (see
        `fit_random_intercept`). NaN with the reason where a group has fewer than 3 patients, no
        patient has two rows, or a covariate is missing, constant, or says the same as the group.
        Means and standard deviations are those of patients' means.

    Raises
    ------
    CohortError
        If a column is missing, there are not two groups, or a value is text.

    Notes
    -----
    A z test takes the variance between patients as known. Where slides and patients vary alike, 3
    slides a patient and no difference, z rejects 7.8 % at 5 % with 8 against 8 patients and 10 %
    with 4 against 4; t with the degrees of freedom of patients 5.6 % and 5.2 % (docs/patients.md).
    """
    named = named_rows(rows, patient)
    numbers, labels = numbers_in(named, value), labels_in(named, group)
    names = two_groups(labels, group, groups)
    used = np.isfinite(numbers) & np.isin(labels, names)
    of_patient = pd.factorize(named[patient][used], sort=True)
    given = named[used].reset_index(drop=True)
    second = labels[used] == names[1]
    means = pd.Series(numbers[used]).groupby([second, of_patient[0]]).mean()
    sides = [means[means.index.get_level_values(0) == side].to_numpy() for side in (False, True)]
    row = described(value, group, names, *sides) | {
        "test": TEST,
        "n_patients": len(of_patient[1]),
        "reason": "",
    }
    remark = left_out_rows(numbers, labels, names, group)
    design = design_of(given, {group: second.astype(float)}, covariates, separating=second)
    reason = (
        sentences(*map(too_few, names, map(len, sides)))
        or _unrepeated(of_patient[0], numbers[used])
        or design.problem
    )
    if reason:
        return table_of([row | {"reason": sentences(reason, remark)}], TESTS)
    tested = _tested(numbers[used], design.matrix, of_patient[0], level)
    return table_of([row | tested | {"reason": sentences(tested["reason"], remark)}], TESTS)


def _tested(y: np.ndarray, matrix: np.ndarray, patient: np.ndarray, level: float) -> dict[str, Any]:
    spread = y.std()
    fit = fit_random_intercept((y - y.mean()) / spread, matrix, patient)
    if fit.df[1] < 1 or fit.within <= 1e-12:
        return {"reason": "patients are too few for a model of so many terms"}
    row = t_row(fit.estimates[1] * spread, fit.se[1] * spread, int(fit.df[1]), level)
    return row | {"reason": "" if fit.between else "patients differ no more than slides do"}


def _unrepeated(patient: np.ndarray, y: np.ndarray) -> str:
    if np.bincount(patient).max(initial=0) < 2:
        return "no patient has two rows: use compare, which needs no model"
    means = np.bincount(patient, y) / np.bincount(patient)
    if np.abs(y - means[patient]).max() <= 1e-12 * np.abs(y).max(initial=1e-300):
        return "the rows of each patient have the same value: use compare with one row a patient"
    return ""
