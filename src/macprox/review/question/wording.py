"""The answer of the review in words, for who knows slides; every number is one of the table's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from macprox.report import sentences
from macprox.report.numbers import NBSP, count_text, is_number
from macprox.report.rows import Direction, micrometres, text_of
from macprox.study import Study

# Tables: the rows of `macprox.review.question.answer.Answer`.


def change(before: pd.DataFrame, after: pd.DataFrame) -> str:
    """What happened to the first number, in a sentence; empty if nothing."""
    old, new = _first(before), _first(after)
    same = all(_same(old[key], new[key]) for key in ("value", "expected", "n_source", "n_target"))
    if same:
        return ""
    if not (is_number(old["value"]) and is_number(new["value"])):
        return "There is an answer now." if is_number(new["value"]) else "There is no answer now."
    parts = [f"Observed {_from_to(old['value'], new['value'])}"]
    if is_number(old["expected"]) and is_number(new["expected"]):
        parts.append(f"expected by chance {_from_to(old['expected'], new['expected'])}")
    for key, name in (("n_source", new["source"]), ("n_target", new["target"])):
        if old[key] != new[key]:
            parts.append(f"{name} {count_text(old[key])} → {count_text(new[key])}")
    return "; ".join(parts) + "."


def _same(old: Any, new: Any) -> bool:
    return bool(old == new) or not (is_number(old) or is_number(new))


def _from_to(old: float, new: float) -> str:
    """Two shares with as many digits as it takes to tell them apart, at most three decimals."""
    for decimals in (1, 2, 3):
        texts = [f"{100 * value:.{decimals}f}{NBSP}%" for value in (old, new)]
        if texts[0] != texts[1]:
            return " → ".join(texts)
    return f"{texts[1]} as before"


def _first(table: pd.DataFrame) -> Mapping[Any, Any]:
    """Tumour to the first class that has a number; else the first row of that direction."""
    back = table.iloc[1::2]  # macrophage to tumour, tumour to macrophage, class by class
    given = back[back["value"].notna()]
    chosen = given if len(given) else back
    return chosen.iloc[0].to_dict()


def sentence(table: pd.DataFrame, study: Study) -> str:
    """Seen, then what chance would give, then how they compare; or why there is no number."""
    first = _first(table)
    if not is_number(first["value"]):
        return f"No answer: {micrometres(text_of(first['reason']))}."
    direction = Direction(first["source"], first["target"])
    seen = sentences.seen(first, direction, study)
    if not is_number(first["expected"]):
        return f"{seen} What chance would give is not known: {text_of(first['reason'])}."
    moved = sentences.noun(first["target"], study, plural=True)
    return (
        f"{seen} If the {moved} were placed at random among the non-tumour cells"
        f"{sentences.strata_text(study)}, {_percent(first['expected'])} would be expected"
        f"{_range(first)}."
    )


def _range(first: Mapping[Any, Any]) -> str:
    low, high, value = first["ci_low"], first["ci_high"], first["value"]
    if not (is_number(low) and is_number(high)):
        return ""
    said = "below" if value < low else "above" if value > high else "within"
    return (
        f", and {_percent(low)} to {_percent(high)} in 95 of 100 random arrangements: the slide "
        f"lies {said} that"
    )


def _percent(share: float) -> str:
    """One digit more than `percent_text`, so that two ends of a range differ."""
    percent = 100 * share
    return f"{percent:.{2 if percent < 9.995 else 1}f}{NBSP}%"
