"""A table of patients, checked before anything is computed: one row each, numbers, groups."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from macprox.cohort.columns import sentences
from macprox.errors import CohortError, shortened

LEAST = 3
"""Patients in a group below which no p value is given."""

MOST_GROUPS = 8


@dataclass(frozen=True, eq=False)
class Groups:
    """The values of every group, and who was left out.

    Attributes
    ----------
    column : str
        The column that the groups come from.
    names : tuple of str
        In order: the first is what the others are compared with.
    values : tuple of (n,) float
        Of the patients of each group, in the order of the table.
    remark : str
        How many rows have no value or no group.
    """

    column: str
    names: tuple[str, ...]
    values: tuple[np.ndarray, ...]
    remark: str


def one_row_each(patients: pd.DataFrame, patient: str = "patient") -> pd.DataFrame:
    """The table with names as text, in the order of the names.

    Raises
    ------
    CohortError
        If there is no such column, a row has no patient, or a patient has two rows.
    """
    named = named_rows(patients, patient)
    repeated = named.loc[named[patient].duplicated(), patient]
    if len(repeated):
        raise CohortError(
            f"Patient {shortened(repr(repeated.iloc[0]))} has "
            f"{int((named[patient] == repeated.iloc[0]).sum())} rows; expected one row a patient. "
            "Aggregate slides and lesions first (cohort.aggregate), or use cohort.mixed_model."
        )
    return named.sort_values(patient, kind="stable", ignore_index=True)


def named_rows(rows: pd.DataFrame, patient: str = "patient") -> pd.DataFrame:
    """Rows of slides or lesions with their patients' names as text.

    Raises
    ------
    CohortError
        If there is no such column, or a row has no patient.
    """
    if patient not in rows:
        raise CohortError(
            f"There is no column {patient!r}; found {_listed(rows.columns)}. Between patients the "
            "patient is the unit: name each row's patient."
        )
    names = [label_of(name) for name in rows[patient]]
    if "" in names:
        raise CohortError(
            f"Row {names.index('') + 1} has no patient; name it, or leave the row out."
        )
    return rows.assign(**{patient: names}).reset_index(drop=True)


def column_of(table: pd.DataFrame, name: str) -> pd.Series:
    """A column by its name.

    Raises
    ------
    CohortError
        If there is none; the nearest name is suggested.
    """
    if name in table:
        return table[name]
    near = difflib.get_close_matches(str(name), [str(c) for c in table.columns], n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]!r}?" if near else f"Found {_listed(table.columns)}."
    raise CohortError(f"There is no column {name!r} in the table. {hint}")


def numbers_in(table: pd.DataFrame, name: str) -> np.ndarray:
    """A column as numbers; NaN where a cell is empty or infinite.

    Raises
    ------
    CohortError
        If there is no such column, or a cell holds text.
    """
    column = column_of(table, name)
    parsed = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    empty = np.array([label_of(cell) == "" for cell in column], dtype=bool)
    if wrong := [cell for cell, bad in zip(column, np.isnan(parsed) & ~empty, strict=True) if bad]:
        raise CohortError(
            f"Column {name!r} holds {shortened(repr(wrong[0]))}; expected numbers. Give a numeric "
            "column, or leave such cells empty."
        )
    return np.where(np.isfinite(parsed), parsed, np.nan)


def labels_in(table: pd.DataFrame, name: str) -> np.ndarray:
    """A column as labels, "" where a cell is empty: ``(n_rows,)`` of str."""
    return np.array([label_of(cell) for cell in column_of(table, name)], dtype=object)


def label_of(cell: Any) -> str:
    """A cell as a label: 1.0 is "1", empty and missing cells are "".

    Examples
    --------
    >>> label_of(1.0), label_of(" late "), label_of(float("nan"))
    ('1', 'late', '')
    """
    if (
        cell is None
        or cell is pd.NA
        or cell is pd.NaT
        or (isinstance(cell, float) and cell != cell)
    ):
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def in_order(labels: Iterable[str]) -> tuple[str, ...]:
    """Different labels in natural order: numbers as numbers, anything else by the alphabet.

    Examples
    --------
    >>> in_order(["15", "5", "30", "5"])
    ('5', '15', '30')
    """
    different = sorted(set(labels) - {""})
    try:
        return tuple(sorted(different, key=float))
    except ValueError:
        return tuple(different)


def group_names(
    labels: np.ndarray, column: str, groups: Sequence[Any] | None = None
) -> tuple[str, ...]:
    """The groups to compare, in order.

    Parameters
    ----------
    labels : (n_patients,) str
        One a patient; "" where it is not known.
    column : str
        For sentences.
    groups : sequence, optional
        Some of the labels, in the order wanted.

    Raises
    ------
    CohortError
        If a group of ``groups`` is nobody's or is named twice, or the column looks like a
        measurement rather than groups.
    """
    found = in_order(labels)
    if groups is not None:
        wanted = tuple(label_of(name) for name in groups)
        if unknown := [name for name in wanted if name not in found]:
            raise CohortError(
                f"No patient is in group {unknown[0]!r} of {column!r}; found {_listed(found)}."
            )
        if len(set(wanted)) < len(wanted):
            raise CohortError(f"groups names a group twice: {', '.join(wanted)}.")
        return wanted
    n = int((labels != "").sum())
    if len(found) > MOST_GROUPS or (len(found) > 2 and len(found) == n):
        raise CohortError(
            f"Column {column!r} has {len(found)} different values in {n} patients, which looks "
            f"like a covariate; expected 2 to {MOST_GROUPS} groups. Use cohort.associate for a "
            "measurement, or name the groups to compare."
        )
    return found


def two_groups(labels: np.ndarray, group: str, groups: Sequence[Any] | None) -> tuple[str, str]:
    """The two groups of a model.

    Raises
    ------
    CohortError
        If there are more or fewer.
    """
    names = group_names(labels, group, groups)
    if len(names) != 2:
        raise CohortError(
            f"A model compares two groups, found {counted(len(names), 'group')} in {group!r}: "
            f"{', '.join(names) or 'none'}. Name two of them with groups=."
        )
    return names[0], names[1]


def grouped(
    patients: pd.DataFrame, value: str, group: str, groups: Sequence[Any] | None = None
) -> Groups:
    """The values of each group out of a table with one row a patient.

    Raises
    ------
    CohortError
        See `one_row_each`, `numbers_in` and `group_names`.
    """
    rows = one_row_each(patients)
    numbers, labels = numbers_in(rows, value), labels_in(rows, group)
    names = group_names(labels, group, groups)
    known = np.isfinite(numbers)
    others = sum(label not in (*names, "") for label in labels)
    return Groups(
        column=group,
        names=names,
        values=tuple(numbers[known & (labels == name)] for name in names),
        remark=sentences(
            left_out(int(((labels != "") & ~known).sum()), "without a value"),
            left_out(int((labels == "").sum()), f"without {group!r}"),
            left_out(others, "of other groups"),
        ),
    )


def left_out(n: int, what: str) -> str:
    """The remark that n patients were not compared; empty for none."""
    return f"{counted(n)} {what} left out" if n else ""


def counted(n: int, noun: str = "patient") -> str:
    """A number with its noun: "1 patient", "2 patients"."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def too_few(name: str, n: int) -> str:
    """Why a group is shown and not tested; empty where it is large enough."""
    if n >= LEAST:
        return ""
    return f"{counted(n)} in {name!r}: {LEAST} are the least for a test; the points stand"


def _listed(names: Iterable[Any]) -> str:
    return shortened(", ".join(str(name) for name in names), most=200) or "none"
