"""Patients who were followed up: a value, a time, and whether the event came."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from macprox.cohort.patients import column_of, label_of, left_out, numbers_in, one_row_each
from macprox.errors import CohortError

_EVENT = {"0": 0.0, "1": 1.0, "false": 0.0, "true": 1.0, "": np.nan}


@dataclass(frozen=True, eq=False)
class Followed:
    """Patients with all that a model of survival needs.

    Attributes
    ----------
    rows : DataFrame
        One row a patient, by name.
    value, time, event : (n,) float
        ``event`` is 1 where the patient had it at ``time``, 0 where they were last seen without.
    remark : str
        Who was left out.
    """

    rows: pd.DataFrame
    value: np.ndarray
    time: np.ndarray
    event: np.ndarray
    remark: str


def followed(patients: pd.DataFrame, value: str, time: str, event: str) -> Followed:
    """Patients with value, time and event; the others are counted.

    Raises
    ------
    CohortError
        See `survival`.
    """
    rows = one_row_each(patients)
    numbers, times, events = numbers_in(rows, value), numbers_in(rows, time), _events(rows, event)
    if (times < 0).any():
        raise CohortError(
            f"Column {time!r} holds {times[times < 0][0]:g}; expected times from 0 on, from the "
            "same start for every patient."
        )
    known = np.isfinite(numbers) & np.isfinite(times) & np.isfinite(events)
    return Followed(
        rows[known].reset_index(drop=True),
        numbers[known],
        times[known],
        events[known],
        left_out(int((~known).sum()), "without value, time or event"),
    )


def _events(rows: pd.DataFrame, event: str) -> np.ndarray:
    cells = [label_of(cell).lower() for cell in column_of(rows, event)]
    if odd := [cell for cell in cells if cell not in _EVENT]:
        raise CohortError(
            f"Column {event!r} holds {odd[0]!r}; expected 1 or true for patients who had the "
            "event, 0 or false for those last seen without."
        )
    return np.array([_EVENT[cell] for cell in cells])
