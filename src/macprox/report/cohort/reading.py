"""The saved tables of a cohort, found by quantity and group."""

from __future__ import annotations

import re
from collections.abc import Hashable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from macprox.cohort.columns import ASSOCIATION, BETWEEN, SURVIVAL
from macprox.cohort.patients import label_of
from macprox.printable import printable
from macprox.report.cohort.quantities import Key
from macprox.report.numbers import is_number

if TYPE_CHECKING:
    from macprox.cohort_results import CohortResult

Row = dict[Hashable, Any]
EVERYONE = "all patients"  # the one group of a cohort without groups
NOT_BETWEEN_GROUPS = (SURVIVAL, ASSOCIATION)


class SavedCohort:
    """What the page and its figures look up.

    Parameters
    ----------
    result : CohortResult
    """

    def __init__(self, result: CohortResult) -> None:
        self.result = result
        self.facts = result.facts
        self.level = float(self.facts["level"])
        self.column = self.facts["group"]
        self.patients = result.patients()
        self.tests = result.tests()
        self.curves = result.curves()
        self._tests_by_key: dict[Key, list[Row]] = {}
        for row in self.tests.to_dict("records"):
            self._tests_by_key.setdefault(Key.of(row), []).append(row)  # type: ignore[arg-type]

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """In the order of comparison: the first is what the others are compared with."""
        if self.column is None:
            return (EVERYONE,)
        named = [printable(name) for name in self.facts["groups"]]
        return tuple(named or sorted({g for g in self.group_of.values() if g}, key=natural))

    @cached_property
    def group_of(self) -> dict[str, str]:
        """Patient to group, "" where it has none."""
        patients = self.patients["patient"].astype(str)
        if self.column is None:
            return dict.fromkeys(patients, EVERYONE)
        if self.column not in self.patients:
            return dict.fromkeys(patients, "")
        groups = (printable(label_of(name)) for name in self.patients[self.column])
        return dict(zip(patients, groups, strict=True))

    @cached_property
    def values(self) -> dict[Key, pd.DataFrame]:
        """For every quantity the patients' values, with the column ``group``."""
        table = self.result.values()
        table = table.assign(group=[self.group_of.get(p, "") for p in table["patient"]])
        keys = [Key.of(row) for row in table.to_dict("records")]  # type: ignore[arg-type]
        places: dict[Key, list[int]] = {}
        for i, key in enumerate(keys):
            places.setdefault(key, []).append(i)
        return {key: table.iloc[rows] for key, rows in places.items()}

    def known(self, key: Key) -> pd.DataFrame:
        """The patients of a group that have a number; empty where nobody has."""
        rows = self.values.get(key)
        if rows is None:
            return pd.DataFrame({"patient": [], "group": [], "value": []})
        return rows[rows["value"].notna() & rows["group"].isin(self.groups)]

    def keys(self, claim: str, statistic: str | None = None) -> list[Key]:
        """The quantities of a claim that have values or tests, the primary one first."""
        every = dict.fromkeys([*self._tests_by_key, *self.values])
        found = [k for k in every if k.claim == claim and statistic in (None, k.statistic)]
        return sorted(found, key=lambda key: key != self.primary_key)

    def tests_of(self, key: Key) -> list[Row]:
        return self._tests_by_key.get(key, [])

    def tests_in(self, claim: str) -> list[Row]:
        rows = self.tests[self.tests["claim"] == claim]
        return rows.to_dict("records")

    def between(self, key: Key, first: str, second: str) -> Row | None:
        """The test of two groups, second minus first; the first of several."""
        rows = (row for row in self.tests_of(key) if row["question"] == BETWEEN)
        return next((row for row in rows if self.sides(row) == (first, second)), None)

    @cached_property
    def _contrasts(self) -> dict[str, tuple[str, str]]:
        named = (
            self.facts["groups"]
            if self.column is not None and self.facts["groups"]
            else self.groups
        )
        raw = dict(zip(self.groups, named, strict=True))
        return {f"{raw[b]} - {raw[a]}": (a, b) for a, b in self.pairs()}

    def sides(self, row: Row) -> tuple[str, str] | None:
        """The groups of a test, the one that is subtracted first; None where it compares none."""
        return self._contrasts.get(str(row["contrast"]).replace(" − ", " - "))

    def contrast(self, row: Row) -> str:
        """``"late − early"``, as it is read."""
        sides = self.sides(row)
        return (
            f"{sides[1]} − {sides[0]}"
            if sides
            else printable(row["contrast"]).replace(" - ", " − ")
        )

    def pairs(self) -> list[tuple[str, str]]:
        """Every two groups, in order."""
        names = self.groups
        return [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]

    def moments(self, key: Key) -> dict[str, tuple[float, float]]:
        """Mean and standard deviation of each group, as saved beside a test."""
        found: dict[str, tuple[float, float]] = {}
        for first, second in self.pairs():
            row = self.between(key, first, second)
            if row is not None:
                found.setdefault(first, (row["mean_first"], row["sd_first"]))
                found.setdefault(second, (row["mean_second"], row["sd_second"]))
        if self.column is None:
            for row in self.tests_of(key):
                found.setdefault(EVERYONE, (row["mean_first"], row["sd_first"]))
        return {group: pair for group, pair in found.items() if is_number(pair[0])}

    @cached_property
    def primary(self) -> Row | None:
        """The one test that answers."""
        flagged = self.tests[self.tests["primary"] == 1]
        if len(flagged):
            return flagged.iloc[0].to_dict()
        declared = self.facts["primary"]
        rows = self.tests_of(Key.of(declared)) if isinstance(declared, dict) else []
        return next((row for row in rows if row["question"] == BETWEEN), None)

    @cached_property
    def primary_key(self) -> Key | None:
        """The quantity that answers, with or without a test."""
        if self.primary is not None:
            return Key.of(self.primary)  # type: ignore[arg-type]
        declared = self.facts["primary"]
        return Key.of(declared) if isinstance(declared, dict) else None

    @property
    def primary_radius_um(self) -> float | None:
        radius = self.facts["primary_radius_um"]
        return round(float(radius), 6) if is_number(radius) else None

    def claim(self, claim: str) -> dict[str, Any]:
        return next((c for c in self.facts["claims"] if c["id"] == claim), {})


def natural(name: str) -> tuple:
    """For sorting: numbers inside a name as numbers, so that P2 stands before P10."""
    parts = re.split(r"(\d+)", str(name))
    return tuple((0, int(p), "") if p.isdigit() else (1, 0, p.lower()) for p in parts if p)
