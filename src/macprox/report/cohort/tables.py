"""The cohort's printed tables: saved numbers, rounded, each dash with its reason."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pandas as pd

from macprox.cohort.columns import AGAINST_NOTHING, SURVIVAL
from macprox.cohort.sample_size import CAUTIOUS, POOLED
from macprox.printable import printable
from macprox.report.cohort.answer import as_sentence
from macprox.report.cohort.forest import TARGET_POWER, changes, effect_name
from macprox.report.cohort.quantities import PLAIN_NUMBER, Key, Quantity, quantity, title
from macprox.report.cohort.reading import NOT_BETWEEN_GROUPS, Row, SavedCohort
from macprox.report.numbers import (
    NBSP,
    Shown,
    Table,
    count_text,
    is_number,
    missing,
    p_text,
    shown,
)
from macprox.report.rows import micrometres

COX = "Cox regression"


def tests_table(cohort: SavedCohort, rows: list[Row]) -> Table:
    """Every test of a claim, those of one statistic under one heading."""
    table = Table([("", False), ("contrast", False), ("n", True), ("mean, first", True),
                   ("mean, second", True), ("effect (interval)", True), ("Hedges g", True),
                   ("p", True), ("p adjusted", True), ("smallest p", True)])  # fmt: skip
    heading = ""
    for row in rows:
        named = _heading(row)
        if named != heading:
            table.rows.append([Shown(named)])
            heading = named
        cells = _relation_cells if row["question"] in NOT_BETWEEN_GROUPS else _group_cells
        table.add(*cells(cohort, row))
    return table


def _heading(row: Row) -> str:
    what = quantity(row["statistic"])
    named = "; ".join(dict.fromkeys(filter(None, (what.words, printable(row["test"])))))
    unit = "; effect in percentage points" if what.kind in ("share", "points") else ""
    unit = "" if row["question"] in NOT_BETWEEN_GROUPS else unit
    return f"{named[:1].upper()}{named[1:]}{unit}"


def _group_cells(cohort: SavedCohort, row: Row) -> list[Shown | str]:
    """A line of a comparison of groups."""
    reason, what = micrometres(as_sentence(row["reason"])), quantity(row["statistic"])
    first = shown(row["mean_first"], what.value, reason or "no group")
    alone = row["question"] == AGAINST_NOTHING
    second = shown(row["mean_second"], what.value, reason or "no second group")
    second = Shown("") if alone else second
    size = shown(row["effect_size"], lambda _: _size(row), reason or "not computed")
    return [_whose(row), cohort.contrast(row), _numbers_of(row, reason), first, second,
            shown(row["effect"], lambda _: _effect(row, what), reason), size,
            *_p_cells(row, reason)]  # fmt: skip


def _relation_cells(cohort: SavedCohort, row: Row) -> list[Shown | str]:
    """A line of a test that compares no groups: what it has no use for is left empty."""
    reason = micrometres(as_sentence(row["reason"]))
    effect = shown(row["effect"], lambda _: _relation(row), reason)
    return [_whose(row), cohort.contrast(row), _numbers_of(row, reason), "", "", effect, "",
            *_p_cells(row, reason)]  # fmt: skip


def _p_cells(row: Row, reason: str) -> list[Shown]:
    p = Shown(p_text(row["p"]), reason) if is_number(row["p"]) else missing(reason)
    without = "the primary test is not one of several" if row["primary"] == 1 else "not adjusted"
    if not is_number(row["p"]):
        without = reason
    return [
        p,
        shown(row["p_adjusted"], p_text, without),
        shown(row["p_min"], _least, reason or "not of a permutation test"),
    ]


def _whose(row: Row) -> str:
    primary = " (primary)" if row["primary"] == 1 else ""
    return f"{title(Key.of(row))}{primary}"  # type: ignore[arg-type]


def _effect(row: Row, what: Quantity) -> str:
    if not (is_number(row["ci_low"]) and is_number(row["ci_high"])):
        return what.signed(row["effect"])
    low, high = what.signed(row["ci_low"]), what.signed(row["ci_high"])
    return f"{what.signed(row['effect'])} ({low} to {high})"


def _relation(row: Row) -> str:
    """A correlation or slope as it is; of a Cox regression the hazard ratio."""
    if not row["test"].startswith(COX):
        return _effect(row, PLAIN_NUMBER)
    ratio, *ends = (math.exp(row[name]) for name in ("effect", "ci_low", "ci_high"))
    interval = f" ({ends[0]:.2f} to {ends[1]:.2f})" if all(map(is_number, ends)) else ""
    return f"HR {ratio:.2f}{interval}"


def _size(row: Row) -> str:
    size = f"{row['effect_size']:.2f}"
    if is_number(row["effect_size_low"]) and is_number(row["effect_size_high"]):
        size += f" ({row['effect_size_low']:.1f} to {row['effect_size_high']:.1f})"
    return size.replace("-", "−")


def _least(p: float) -> str:
    return f"{float(p):.2g}" if p >= 1e-4 else "< 0.0001"


def _numbers_of(row: Row, reason: str) -> Shown:
    if row["question"] == SURVIVAL and is_number(row["n_second"]):
        events, n = count_text(row["n_second"]), count_text(row["n_patients"])
        return Shown(f"{events} events of {n}")
    if is_number(row["n_first"]) and is_number(row["n_second"]):
        return Shown(f"{count_text(row['n_first'])}{NBSP}v{NBSP}{count_text(row['n_second'])}")
    return shown(row["n_patients"], count_text, reason)


def no_numbers(cohort: SavedCohort, measures: pd.DataFrame, claim: str) -> list[str]:
    """Why slides gave no number for a claim, each reason once with how many slides it holds for."""
    rows = measures[(measures["claim"] == claim) & measures["value"].isna()]
    rows = rows[rows["reason"] != ""]
    pairs = rows[["slide_id", "reason"]].drop_duplicates()["reason"]
    counts = Counter(micrometres(as_sentence(reason)) for reason in pairs)
    return [f"{n} slide{'' if n == 1 else 's'}: {reason}" for reason, n in counts.most_common()]


def changes_table(cohort: SavedCohort) -> Table:
    """The primary difference as reported and under each change."""
    table = Table([("Changed", False), ("n", True), ("difference (interval)", True), ("p", True)])
    for said, row in changes(cohort):
        reason, what = micrometres(as_sentence(row["reason"])), quantity(row["statistic"])
        table.add(said, _numbers_of(row, reason),
                  shown(row["effect"], lambda _, r=row, w=what: _effect(r, w), reason),
                  shown(row["p"], p_text, reason))  # fmt: skip
    return table


def power_table(cohort: SavedCohort) -> Table:
    """The least number of patients in each group that is enough, by true difference."""
    saved = cohort.result.power()
    saved = saved[saved["power"].notna() & saved["n_per_arm"].notna()]
    what = quantity(str((cohort.primary or {}).get("statistic", "")))
    titles = {POOLED: "with the sd of these patients", CAUTIOUS: "with its upper 80 % limit"}
    table = Table([("True difference", False), *((title, True) for title in titles.values())])
    for size in sorted(saved["effect_size"].abs().dropna().unique()):
        rows = saved[np.isclose(saved["effect_size"].abs(), size)]
        cells = [_enough(rows[rows["spread"] == basis]) for basis in titles]
        table.add(effect_name(rows[rows["spread"] == POOLED], what) or f"{size:.2g} sd", *cells)
    return table


def _enough(rows: pd.DataFrame) -> Shown:
    if not len(rows):
        return missing("not computed")
    enough = rows.loc[rows["power"] >= TARGET_POWER, "n_per_arm"]
    most = count_text(rows["n_per_arm"].max())
    return Shown(count_text(enough.min())) if len(enough) else Shown(f"more than {most}")
