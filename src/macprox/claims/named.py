"""Any statistic of the slides' own table, asked for by its name, as a claim of its own."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from macprox.claims.measures import TABLE, Row, measure
from macprox.claims.slide import ClaimSlide
from macprox.errors import CohortError
from macprox.spatial import is_lineage, is_position
from macprox.spatial.table import ALL

VALUE, EXCESS, RATIO = "value", "excess", "ratio"
OF = (VALUE, EXCESS, RATIO)
LINEAGE = "lineage"
_PREFERRED = ("none", "translate", "km", "border")  # corrections, where none is asked for


@dataclass(frozen=True)
class Named:
    """A statistic of ``statistics.parquet``, and which of its rows.

    Parameters
    ----------
    statistic : str
    source, target : str, optional
        Every pair where they are left out.
    r_um : float, optional
        The primary radius where it is left out and the statistic has radii.
    region : str
    of : "value", "excess" or "ratio"
        The number itself, minus what the null expects, or divided by it.
    null : "position" or "lineage"
    correction : str, optional
    """

    statistic: str
    source: str | None = None
    target: str | None = None
    r_um: float | None = None
    region: str = ALL
    of: str = VALUE
    null: str = "position"
    correction: str | None = None

    def __post_init__(self) -> None:
        if self.of not in OF:
            raise CohortError(f"Of a statistic one of {', '.join(OF)} is taken, found {self.of!r}.")

    @property
    def name(self) -> str:
        return self.statistic if self.of == VALUE else f"{self.statistic}_{self.of}"

    def of_slide(self, slide: ClaimSlide) -> list[Row]:
        """The rows of the measures table of one slide."""
        if slide.is_adjacent:
            return []
        return [
            measure(
                TABLE, self.name, self._number(row), source=row["source"], target=row["target"],
                region="" if self.region == ALL else self.region, r_um=row["r_um"],
                slide_id=slide.slide_id, weight=float(max(row["n_source"], 1)),
                reason=self._reason(row),
            )
            for row in self._of(slide).to_dict("records")
        ]  # fmt: skip

    def unknown_in(self, tables: pd.DataFrame) -> CohortError:
        """Why no slide has it: the nearest name, or the pairs and radii that there are."""
        known = sorted(set(tables["statistic"]))
        if self.statistic not in known:
            near = difflib.get_close_matches(self.statistic, known, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            return CohortError(
                f"No slide has a statistic called {self.statistic!r}.{hint} There are "
                f"{', '.join(known)}."
            )
        rows = tables[tables["statistic"] == self.statistic]
        pairs = rows[["source", "target"]].drop_duplicates().itertuples(index=False)
        radii = ", ".join(f"{r:g}" for r in sorted(set(rows["r_um"].dropna())))
        there = "; ".join(f"{source} to {target}" if target else source for source, target in pairs)
        return CohortError(
            f"No slide has {self.statistic} as asked (source {self.source or 'any'}, target "
            f"{self.target or 'any'}, radius {self.r_um or 'the primary'}, region {self.region}). "
            f"There are {there}{f', at {radii} um' if radii else ''}."
        )

    def _number(self, row) -> float:
        if self.of == EXCESS:
            return float(row["value"] - row["expected"])
        return float(row["ratio"] if self.of == RATIO else row["value"])

    def _reason(self, row) -> str:
        if np.isfinite(self._number(row)):
            return ""
        return row["reason"] or f"no expectation of {self.statistic} on this slide"

    @property
    def is_bare(self) -> bool:
        """Whether nothing but the statistic is said, as a claim may have it."""
        return self.of == VALUE and self.r_um is None and self.region == ALL and not self.correction

    def _of(self, slide: ClaimSlide) -> pd.DataFrame:
        return self.rows(slide.statistics, slide.proximity.primary_radius_um)

    def rows(self, table: pd.DataFrame, primary_radius_um: float) -> pd.DataFrame:
        """The rows of a slide's statistics table that are meant, one a pair."""
        rows = table[
            (table["statistic"] == self.statistic)
            & (table["roi_id"] == ALL)
            & (table["region"] == self.region)
        ]
        relabelled = is_position(rows) | is_lineage(rows)
        chosen = is_lineage(rows) if self.null == LINEAGE else is_position(rows)
        rows = rows[chosen | ~relabelled]
        for column, wanted in (("source", self.source), ("target", self.target)):
            if wanted is not None:
                rows = rows[rows[column] == wanted]
        rows = _at_radius(rows, self.r_um, primary_radius_um)
        return _corrected(rows, self.correction).drop_duplicates(["source", "target", "r_um"])


def _at_radius(rows: pd.DataFrame, asked: float | None, primary: float) -> pd.DataFrame:
    """Rows at the radius asked for, else at the primary one, else at the only one."""
    radii = set(rows["r_um"].dropna())
    if asked is None and len(radii - {primary}) < 2 and primary not in radii:
        return rows
    return rows[rows["r_um"] == (primary if asked is None else asked)]


def _corrected(rows: pd.DataFrame, asked: str | None) -> pd.DataFrame:
    there = set(rows["correction"])
    preferred = [asked] if asked else [name for name in _PREFERRED if name in there]
    return rows[rows["correction"] == preferred[0]] if preferred else rows
