"""How many are left, by time: the Kaplan-Meier curves of a figure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from macprox.cohort.followed import Followed, followed

COLUMNS = (
    "group",
    "time",
    "survival",
    "ci_low",
    "ci_high",
    "n_at_risk",
    "n_events",
    "n_censored",
    "n_patients",
)
LOW, HIGH = "at or below the median", "above the median"


def kaplan_meier(
    patients: pd.DataFrame, value: str, time: str, event: str, *, level: float = 0.95
) -> pd.DataFrame:
    """Survival of patients at or below, and above, the median of a value.

    Parameters
    ----------
    patients : DataFrame
        One row a patient, with a column ``patient``.
    value, time, event : str
        As in `survival`.
    level : float
        Of the pointwise interval.

    Returns
    -------
    DataFrame
        ``group, time, survival, ci_low, ci_high, n_at_risk, n_events, n_censored, n_patients``: one
        row a group and time at which a patient had the event or was last seen, and one at time 0.
        The split is for the eye; no test is made of it, `survival` takes the value whole. Variance
        by Greenwood (1926), interval on the scale log(-log S) (Kalbfleisch & Prentice 1980).

    Raises
    ------
    CohortError
        As `survival`.
    """
    found = followed(patients, value, time, event)
    above = found.value > np.median(found.value) if len(found.value) else np.zeros(0, dtype=bool)
    rows = [
        {"group": name, **row}
        for name, inside in ((LOW, ~above), (HIGH, above))
        if inside.any()
        for row in _steps(found, inside, level)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _steps(found: Followed, inside: np.ndarray, level: float) -> list[dict[str, Any]]:
    time, event = found.time[inside], found.event[inside]
    survival, greenwood = 1.0, 0.0
    rows = []
    for at in np.unique(np.append(time, 0.0)):
        at_risk, events = int((time >= at).sum()), int(event[time == at].sum())
        survival *= 1 - events / at_risk
        greenwood += events / (at_risk * (at_risk - events)) if at_risk > events else 0.0
        low, high = _interval(survival, greenwood, level)
        rows.append(
            {
                "time": at,
                "survival": survival,
                "ci_low": low,
                "ci_high": high,
                "n_at_risk": at_risk,
                "n_events": events,
                "n_censored": int((time == at).sum()) - events,
                "n_patients": len(time),
            }
        )
    return rows


def _interval(survival: float, greenwood: float, level: float) -> tuple[float, float]:
    if survival in (0.0, 1.0):  # no variance can be told from no, or only, events
        return (1.0, 1.0) if survival else (np.nan, np.nan)
    half = stats.norm.ppf((1 + level) / 2) * np.sqrt(greenwood) / np.log(survival)
    return survival ** np.exp(-half), survival ** np.exp(half)
