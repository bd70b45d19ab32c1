"""Two groups of patients who differ in age or smoking too: the difference that remains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from macprox.cohort.arrangements import orders
from macprox.cohort.columns import TESTS, sentences, table_of
from macprox.cohort.design import Design, design_of
from macprox.cohort.patients import labels_in, numbers_in, one_row_each, too_few, two_groups
from macprox.cohort.rows import described, left_out_rows
from macprox.cohort.shift import Shifted

TEST = "Freedman-Lane permutation, robust t"


def adjusted(
    patients: pd.DataFrame,
    value: str,
    group: str,
    covariates: Sequence[str],
    *,
    groups: Sequence[Any] | None = None,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Compare two groups of patients given covariates.

    Parameters
    ----------
    patients : DataFrame
        One row a patient, with a column ``patient``.
    value, group : str
    covariates : sequence of str
        Columns of labels or numbers; numbers act linearly.
    groups : sequence of two, optional
        As in `compare`.
    seed : int
    level : float

    Returns
    -------
    DataFrame
        One row of `TESTS`: ``effect`` is the least-squares difference of the second group from the
        first at equal covariates. NaN with the reason where a covariate is missing for some,
        constant, does not overlap between the groups, or follows from other columns.

    Raises
    ------
    CohortError
        As `compare`; or if there are not two groups.

    Notes
    -----
    Residuals of the model without the group are permuted, added back and fitted again (Freedman &
    Lane 1983). The statistic is t with the variance HC2 (MacKinnon & White 1985), which without
    covariates is Welch's, so that groups may differ in spread (DiCiccio & Romano 2017, JASA 112,
    section 3). All orders of up to 8 patients, 9,999 drawn beyond. Residuals are exchangeable only
    nearly, so that p is near to exact, not exact. The interval inverts the test.
    """
    rows = one_row_each(patients)
    numbers, labels = numbers_in(rows, value), labels_in(rows, group)
    names = two_groups(labels, group, groups)
    used = np.isfinite(numbers) & np.isin(labels, names)
    y, second = numbers[used], labels[used] == names[1]
    row = described(value, group, names, y[~second], y[second]) | {
        "test": TEST,
        "n_patients": len(y),
        "seed": seed,
    }
    design = design_of(
        rows[used].reset_index(drop=True),
        {group: second.astype(float)},
        covariates,
        separating=second,
    )
    remark = left_out_rows(numbers, labels, names, group)
    reason = (
        sentences(*map(too_few, names, (int((~second).sum()), int(second.sum()))))
        or design.problem
        or _alone(design, rows.loc[used, "patient"].to_numpy())
        or ("every patient has the same value" if np.ptp(y) == 0 else "")
    )
    tested = {} if reason else _tested(y, design.matrix, seed, level)
    reason = sentences(reason, tested.get("reason", ""), remark)
    return table_of([row | tested | {"reason": reason}], TESTS)


def _tested(y: np.ndarray, matrix: np.ndarray, seed: int, level: float) -> dict[str, Any]:
    arranged, spread = arranged_residuals(y, matrix, seed)
    if arranged.se == 0:
        return {"reason": "the model fits every value", "effect": arranged.effect * spread}
    p_min = 1 / (len(arranged.effects) + (not arranged.exact))
    low, high = (end * spread for end in arranged.interval(level))
    return {
        "effect": arranged.effect * spread,
        "ci_low": low,
        "ci_high": high,
        "p": arranged.p(),
        "p_min": p_min,
        "n_arrangements": len(arranged.effects),
        "exact": False,
        "reason": "" if np.isfinite(low) else "no interval: the test can reject no difference",
    }


def arranged_residuals(y: np.ndarray, matrix: np.ndarray, seed: int) -> tuple[Shifted, float]:
    """Effects of the second column of ``matrix`` when residuals without it change places."""
    spread = float(y.std())
    hat = matrix @ np.linalg.pinv(matrix)
    maker, weights = np.eye(len(y)) - hat, np.linalg.pinv(matrix)[1]
    robust = weights**2 / (1 - np.diag(hat))
    without = np.delete(matrix, 1, axis=1)
    free = np.eye(len(y)) - without @ np.linalg.pinv(without)
    dealt, exact = orders(len(y), seed)
    scaled = (y - y.mean()) / spread
    # What the model without the group fits drops out: it is at right angles to the weights.
    parts = [(free @ column)[dealt] for column in (scaled, matrix[:, 1])]
    left = [part @ maker for part in parts]
    variances = [
        left[0] ** 2 @ robust,
        (left[0] * left[1]) @ robust,
        left[1] ** 2 @ robust,
    ]
    effects, carried = (part @ weights for part in parts)
    se = np.sqrt((maker @ scaled) ** 2 @ robust)
    shifted = Shifted(
        float(weights @ scaled),
        float(se) if se > 1e-10 else 0.0,
        effects,
        carried,
        np.array(variances),
        exact,
    )
    return shifted, spread


def _alone(design: Design, patients: np.ndarray) -> str:
    """A patient whom covariates fit alone says nothing of the group, nor of the spread."""
    leverage = np.diag(design.matrix @ np.linalg.pinv(design.matrix))
    alone = patients[leverage > 1 - 1e-9]
    if not len(alone):
        return ""
    return f"patient {alone[0]!r} alone decides what a covariate does; leave one of them out"
