"""What stands beside the group in a model: covariates as columns of numbers, or why they cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from macprox.cohort.patients import column_of, in_order, label_of


@dataclass(frozen=True, eq=False)
class Design:
    """Columns of a model.

    Attributes
    ----------
    matrix : (n, n_terms) float
        The intercept, the given terms, then the covariates: numbers as standard scores, labels as
        one column a label but the first.
    names : tuple of str
    problem : str
        Why no model can be fitted; empty where one can.
    """

    matrix: np.ndarray
    names: tuple[str, ...]
    problem: str


def design_of(
    rows: pd.DataFrame,
    terms: dict[str, np.ndarray],
    covariates: Sequence[str],
    *,
    separating: np.ndarray | None = None,
) -> Design:
    """A model's columns.

    Parameters
    ----------
    rows : DataFrame
    terms : dict of str to (n,) float
        What the question is about, in units of its own.
    covariates : sequence of str
        Columns of ``rows``.
    separating : (n,) bool, optional
        Which of two groups a row is in: a covariate whose values do not overlap between them is
        refused, since no patient says what it does within a group.

    Returns
    -------
    Design
        With a ``problem`` where a covariate is missing in some rows, constant, separates the groups
        or follows from other columns.

    Raises
    ------
    CohortError
        If there is no such column.
    """
    names, columns = ["intercept", *terms], [np.ones(len(rows)), *terms.values()]
    problem = ""
    for name in covariates:
        coded, wrong = _coded(column_of(rows, name), name)
        if not wrong and separating is not None:
            wrong = _separates(coded, name, separating)
        if not wrong and not _independent([*columns, *coded.values()]):
            wrong = f"covariate {name!r} follows from the group or other covariates"
        problem = problem or wrong
        names += coded
        columns += coded.values()
    matrix = np.column_stack(columns)
    if not problem and len(rows) <= matrix.shape[1]:
        problem = f"{len(rows)} rows are too few for a model of {matrix.shape[1]} terms"
    return Design(matrix, tuple(names), problem)


def _coded(column: pd.Series, name: str) -> tuple[dict[str, np.ndarray], str]:
    labels = np.array([label_of(cell) for cell in column], dtype=object)
    missing = int((labels == "").sum())
    if missing:
        return {}, f"covariate {name!r} is missing in {missing} of {len(labels)} rows"
    if len(set(labels)) < 2:
        return {}, f"covariate {name!r} is the same in all rows"
    numbers = pd.to_numeric(pd.Series(labels), errors="coerce").to_numpy(float)
    if not np.isfinite(numbers).all():
        return {f"{name}: {one}": (labels == one).astype(float) for one in in_order(labels)[1:]}, ""
    return {name: (numbers - numbers.mean()) / numbers.std()}, ""


def _separates(coded: dict[str, np.ndarray], name: str, second: np.ndarray) -> str:
    if len(coded) > 1:
        return ""  # labels of their own groups show as columns that follow from the group
    (one,) = coded.values()
    before, after = one[~second], one[second]
    if len(before) and len(after) and (before.max() < after.min() or after.max() < before.min()):
        return f"covariate {name!r} does not overlap between the groups"
    return ""


def _independent(columns: Sequence[np.ndarray]) -> bool:
    matrix = np.column_stack(columns)
    scale = np.linalg.norm(matrix, axis=0)
    if not (scale > 0).all():
        return False
    return int(np.linalg.matrix_rank(matrix / scale, tol=1e-8)) == matrix.shape[1]
