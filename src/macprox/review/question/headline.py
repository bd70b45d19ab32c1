"""The answer's rows as they are read: who is near whom, how often, and how often by chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from macprox.report.numbers import (
    NBSP,
    Shown,
    count_text,
    is_number,
    missing,
    p_text,
    percent_text,
    shown,
)
from macprox.report.rows import Direction, micrometres, text_of
from macprox.report.sentences import noun, with_a
from macprox.review.question.answer import Answer
from macprox.spatial.slide import ALL_MACROPHAGES
from macprox.study import Study

ANY, IN_ALL = "any of these", "in all"
Row = Mapping[Any, Any]


@dataclass(frozen=True)
class Line:
    """One direction of one class.

    Parameters
    ----------
    name : str
        The macrophage class, with the number of its cells where they are what is counted.
    words : str
        The same as a sentence: what the shares are shares of.
    seen, by_chance, p : Shown
        A dash where there is no number, with its reason.
    """

    name: str
    words: str
    seen: Shown
    by_chance: Shown
    p: Shown


@dataclass(frozen=True)
class Side:
    """One direction of the question."""

    title: str
    lines: tuple[Line, ...]


def headline_sides(answer: Answer, study: Study) -> list[Side]:
    """Tumour cells that have macrophages near, then macrophages that have tumour cells near."""
    rows = [dict(row) for row in answer.rows.to_dict("records")]
    if not rows:
        return []
    tumour = study.proximity.tumour
    radius = f"{study.proximity.primary_radius_um:g}{NBSP}µm"
    of_tumour = [row for row in rows if row["source"] == tumour]
    to_tumour = [row for row in rows if row["source"] != tumour]
    plural, single = noun(tumour, study, plural=True), noun(tumour, study)
    n = _count(of_tumour[0]["n_source"]) if of_tumour else ""
    return [
        Side(f"Of {n}{plural}, within {radius} of a …", _lines(of_tumour, study, "target")),
        Side(f"Within {radius} of a {single}, of the …", _lines(to_tumour, study, "source")),
    ]


def _lines(rows: list[dict[Any, Any]], study: Study, side: str) -> tuple[Line, ...]:
    return tuple(_line(row, study, side) for row in rows)


def _line(row: Row, study: Study, side: str) -> Line:
    direction = Direction(str(row["source"]), str(row["target"]))
    reason = micrometres(text_of(row["reason"]))
    n = _count(row["n_source"])
    all_name = IN_ALL if side == "source" else ANY
    name = str(row[side]) if row[side] != ALL_MACROPHAGES else all_name
    has_p = is_number(row["value"]) and is_number(row["p"])
    return Line(
        name=f"{n}{name}" if side == "source" else name,
        words=f"Of {n}{with_a(direction, study).replace(' with ', ', those with ', 1)} that near",
        seen=shown(row["value"], percent_text, reason),
        by_chance=shown(row["expected"], percent_text, reason),
        p=Shown(p_text(row["p"], row["n_permutations"])) if has_p else missing(reason),
    )


def _count(n: object) -> str:
    return f"{count_text(n)} " if is_number(n) else ""  # type: ignore[arg-type]


def shares_title(class_name: str, study: Study) -> str:
    """What the curve's shares are: ``"Share of tumour cells with a Treg cell within ..."``."""
    direction = Direction(study.proximity.tumour, class_name)
    return f"Share of {with_a(direction, study)} within a distance"


def class_noun(class_name: str, study: Study) -> str:
    """A class as it is chosen from a list: ``"AM/TRM-like macrophages"``."""
    return noun(class_name, study, plural=True)
