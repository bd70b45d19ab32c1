"""Find one number in the statistics table by what it means."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from macprox.report.numbers import is_number
from macprox.spatial.table import ALL

if TYPE_CHECKING:
    import pandas as pd

# The share of sources with a target within r, uncorrected, is G(r): whichever name is stored.
SHARE_STATISTICS = ("g", "fraction_within")
POSITION, LINEAGE, CSR = "position", "lineage", "csr"
NO_ROW = "no such row in the statistics table"
NULLS = (POSITION, LINEAGE)  # those that answer; CSR is a reference


@dataclass(frozen=True)
class Direction:
    """From every ``source`` cell to its nearest ``target`` cell."""

    source: str
    target: str

    @property
    def text(self) -> str:
        return f"{self.source} → {self.target}"


def text_of(value: object) -> str:
    """A table's text; NaN, None and NA are empty."""
    if value is None or value != value or str(value) in ("<NA>", "nan", "None"):
        return ""
    return str(value)


def micrometres(text: str) -> str:
    """Units in a saved sentence as they are printed: ``um2`` is µm²."""
    text = re.sub(r"\bum(2?)\b", r"µm\1", text)
    return re.sub(r"\b([µm]m)2\b", r"\1²", text)


Row = dict[Hashable, Any]  # one row of the statistics table


class SavedNumbers:
    """The rows that speak for the slide as a whole, found by statistic and direction.

    Parameters
    ----------
    statistics : DataFrame
        The tidy statistics table of one slide.
    """

    def __init__(self, statistics: pd.DataFrame) -> None:
        whole = (statistics["roi_id"] == ALL) & (statistics["region"] == ALL)
        self._rows: dict[tuple[str, Direction], list[Row]] = {}
        for row in statistics[whole].sort_values("r_um", kind="stable").to_dict("records"):
            key = (row["statistic"], Direction(row["source"], row["target"]))
            self._rows.setdefault(key, []).append(row)

    def rows(self, statistic: str, direction: Direction) -> list[Row]:
        """Every row of one statistic in one direction, r increasing, whatever its null."""
        return self._rows.get((statistic, direction), [])

    def shares(self, direction: Direction, kind: str) -> list[Row]:
        """Observed and expected share within r under one null, one row a radius."""
        for name in SHARE_STATISTICS:
            raw = [row for row in self.rows(name, direction) if row["correction"] == "none"]
            # Where there was nothing to compare, the rows hold a reason and name no null.
            rows = under_null(raw, kind) or (under_null(raw, "") if kind == POSITION else [])
            if rows:
                return list({row["r_um"]: row for row in reversed(rows)}.values())[::-1]
        return []

    def has_shares(self, direction: Direction) -> bool:
        """True if any share in this direction could be computed."""
        return any(numeric(self.shares(direction, kind), "value") for kind in NULLS)


def null_kind(row: Row) -> str:
    """Which null a row carries: ``position``, ``lineage``, ``csr`` or ``""``."""
    null = text_of(row["null"])
    if null in ("relabel", "permute"):
        # Both are relabellings; who could carry the moved label tells them apart.
        return POSITION if text_of(row["eligible"]).startswith("all non-") else LINEAGE
    return CSR if null == "csr" else ""


def under_null(rows: list[Row], kind: str) -> list[Row]:
    """Those of the rows that carry one kind of null."""
    return [row for row in rows if null_kind(row) == kind]


def numeric(rows: list[Row], column: str) -> list[Row]:
    """Those of the rows that hold a finite number in a column."""
    return [row for row in rows if is_number(row[column])]


def at_radius(rows: list[Row], r_um: float) -> Row | None:
    """The row at a radius, or None."""
    return next((row for row in rows if math.isclose(row["r_um"], r_um)), None)


def has_value(row: Row | None) -> bool:
    """True if the row exists and carries an observed number."""
    return row is not None and is_number(row["value"])
