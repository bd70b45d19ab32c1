"""Find one number in the statistics table by what it means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from macprox.report.numbers import is_number

if TYPE_CHECKING:
    import pandas as pd

# The share of sources with a target within r, uncorrected, is G(r): whichever name is stored.
SHARE_STATISTICS = ("fraction_within", "g")
POSITION, LINEAGE, CSR = "position", "lineage", "csr"
ALL = "all"  # every field, every region
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
    return re.sub(r"\b(u|m)m2\b", lambda hit: f"{'µ' if hit[1] == 'u' else 'm'}m²", text)


def null_kind(row: pd.Series) -> str:
    """Which null a row carries: ``position``, ``lineage``, ``csr`` or ``""``."""
    null = text_of(row["null"])
    if null in ("relabel", "permute"):
        # Both are relabellings; who could carry the moved label tells them apart.
        return POSITION if text_of(row["eligible"]).startswith("all non-") else LINEAGE
    return CSR if null == "csr" else ""


def under_null(rows: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Those of the rows that carry one kind of null."""
    # Not a list of bools: an empty one would select columns, not rows.
    return rows[np.array([null_kind(row) == kind for _, row in rows.iterrows()], dtype=bool)]


def numeric(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Those of the rows that hold a finite number in a column."""
    return rows[np.isfinite(rows[column].to_numpy(dtype=float))]


def directed(statistics: pd.DataFrame, direction: Direction, names: tuple[str, ...]):
    """The rows of some statistics in one direction, for the slide as a whole."""
    return statistics[
        statistics["statistic"].isin(names)
        & (statistics["source"] == direction.source)
        & (statistics["target"] == direction.target)
        & (statistics["region"] == ALL)
        & (statistics["roi_id"] == ALL)
    ]


def shares(statistics: pd.DataFrame, direction: Direction, kind: str) -> pd.DataFrame:
    """Observed and expected share within r under one null, a row a radius, r increasing."""
    for name in SHARE_STATISTICS:
        rows = directed(statistics, direction, (name,))
        rows = under_null(rows, kind)
        if len(rows):
            return rows.sort_values("r_um").drop_duplicates("r_um")
    return statistics.iloc[:0]


def has_numbers(statistics: pd.DataFrame, direction: Direction) -> bool:
    """True if any share in this direction could be computed."""
    return any(len(numeric(shares(statistics, direction, kind), "value")) for kind in NULLS)


def at_radius(rows: pd.DataFrame, r_um: float):
    """The row at a radius, or None."""
    hit = rows[np.isclose(rows["r_um"].to_numpy(dtype=float), r_um)]
    return hit.iloc[0] if len(hit) else None


def has_value(row) -> bool:
    """True if the row exists and carries an observed number."""
    return row is not None and is_number(row["value"])
