"""The answer in words: seen, expected, difference, how sure; and plainly where nothing is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from macprox.cohort.columns import AGAINST_NOTHING, SURVIVAL
from macprox.cohort.cox import PERMUTED
from macprox.printable import printable, visible
from macprox.report.cohort.quantities import (
    PLAIN_NUMBER,
    Key,
    Quantity,
    about,
    place,
    quantity,
    title,
)
from macprox.report.cohort.reading import EVERYONE, NOT_BETWEEN_GROUPS, Row, SavedCohort
from macprox.report.numbers import NBSP, count_text, is_number, p_text
from macprox.report.rows import micrometres
from macprox.report.sentences import noun

if TYPE_CHECKING:
    from macprox.cohort_results import CohortResult

ABSENCE = "Absence of evidence is not evidence of absence"
MOST_NAMED = 6


def cohort_answer(result: CohortResult) -> list[str]:
    """The answer of a saved cohort in sentences, as its page begins with them."""
    return lead(SavedCohort(result))


def lead(cohort: SavedCohort) -> list[str]:
    """The answer of the primary test, or why there is none: sentences in reading order."""
    row = cohort.primary
    if row is None:
        return ["There is no answer between patients.", _why_none(cohort)]
    key = Key.of(row)  # type: ignore[arg-type]
    said = [_observed(cohort, key, row), *_against_chance(cohort, key),
            _difference(cohort, row, whole=True)]  # fmt: skip
    spelt = (sentence.replace(f"{NBSP}pp", " percentage points") for sentence in said)
    return [*spelt, verdict(cohort, row)]


def _against_chance(cohort: SavedCohort, key: Key) -> list[str]:
    """Each group by itself against what the null expects, where that was tested."""
    what, said = quantity(key.statistic), []
    for row in cohort.tests_of(key):
        alone = row["question"] == AGAINST_NOTHING
        if alone and is_number(row["effect"]) and row is not cohort.primary and row["contrast"]:
            effect = effect_text(row, what, cohort.level)
            said.append(f"{printable(row['contrast'].removesuffix(' - 0'))}: {effect}{_p(row)}")
    return [f"Against chance, {'; '.join(said)}."] if said else []


def _why_none(cohort: SavedCohort) -> str:
    if cohort.column is None:
        return (
            "No group was asked for, so nothing is compared: the patients' values stand below. "
            "Name a column of the sample sheet with --group."
        )
    reasons = [c["reason"] for c in cohort.facts["claims"] if c["reason"]]
    return as_sentence(reasons[0]) if reasons else "No primary test was saved."


def _observed(cohort: SavedCohort, key: Key, row: Row) -> str:
    """What each group's patients have, and what the null expects, on the average of patients."""
    what = quantity(key.statistic)
    said = []
    for group, n, mean in _arms(cohort, row):
        seen, expected = (_mean(cohort, key._replace(statistic=s), group)
                          for s in ("g", "g_expected"))  # fmt: skip
        whose = f"{group} (n{NBSP}={NBSP}{n})" if group != EVERYONE else f"{n} patients"
        if key.statistic == "g_excess" and is_number(seen) and is_number(expected):
            shares = quantity("g")
            said.append(f"{whose}: {shares.value(seen)} seen, {shares.value(expected)} expected, "
                        f"{what.difference(mean)}")  # fmt: skip
        else:
            said.append(f"{whose}: {what.value(mean)}")
    return f"{_subject(cohort, key)}, mean over patients: {'; '.join(said)}."


def _arms(cohort: SavedCohort, row: Row) -> list[tuple[str, str, float]]:
    """(group, patients, mean) of both sides of a test; of one side where it has only one."""
    first, second = _sides(cohort, row)
    arms = [
        (first, row["n_first"], row["mean_first"]),
        (second, row["n_second"], row["mean_second"]),
    ]
    return [(g, count_text(n), float(m)) for g, n, m in arms if g and is_number(n) and is_number(m)]


def _sides(cohort: SavedCohort, row: Row) -> tuple[str, str]:
    return cohort.sides(row) or (cohort.groups[0] if len(cohort.groups) == 1 else "", "")


def _mean(cohort: SavedCohort, key: Key, group: str) -> float:
    return cohort.moments(key).get(group, (float("nan"), float("nan")))[0]


def _subject(cohort: SavedCohort, key: Key) -> str:
    """What the primary number is about, as a noun phrase."""
    study = cohort.result.study
    if key.statistic == "g_excess" and study is not None:
        source, target = noun(key.source, study, plural=True), noun(key.target, study)
        where = f" ({place(key)})" if place(key) else ""
        radius = f"{key.r_um:g}{NBSP}µm" if key.r_um >= 0 else "r"
        return f"Share of {source} with at least one {target} within {radius}{where}"
    words = quantity(key.statistic).words
    return f"{words[:1].upper()}{words[1:]} ({title(key)})" if about(key) else words.capitalize()


def _difference(cohort: SavedCohort, row: Row, whole: bool = False) -> str:
    """Contrast, effect, interval and p; ``whole``: how p was found, too."""
    what = quantity(row["statistic"])
    if not is_number(row["effect"]):
        return ""
    contrast = cohort.contrast(row)
    named = f"Difference, {contrast}: " if contrast else "Mean: "
    sure = _p(row) + (_test(row) if whole else "")
    return f"{named}{effect_text(row, what, cohort.level)}{sure}."


def effect_text(row: Row, what: Quantity, level: float) -> str:
    """``"−9.1 pp (95 % interval −14.2 to −4.0)"``."""
    effect = what.difference(row["effect"])
    if not (is_number(row["ci_low"]) and is_number(row["ci_high"])):
        return f"{effect} (no interval)"
    low, high = what.signed(row["ci_low"]), what.signed(row["ci_high"])
    return f"{effect} ({100 * level:g}{NBSP}% interval {low} to {high})"


def _p(row: Row) -> str:
    if not is_number(row["p"]):
        return ""
    p = p_text(row["p"])
    return f"; p{NBSP}{p}" if p[0] in "<≤" else f"; p{NBSP}={NBSP}{p}"


def _test(row: Row) -> str:
    """How p was found, and the least that it could have been."""
    if not is_number(row["p"]):
        return ""
    said = [printable(row["test"])] if row["test"] else []
    if is_number(row["n_arrangements"]):
        drawn = count_text(row["n_arrangements"])
        said.append(f"all {drawn} arrangements" if row["exact"] == 1 else f"{drawn} arrangements")
    if is_number(row["p_min"]):
        said.append(f"smallest attainable p {small_p(row['p_min'])}")
    return f", {', '.join(said)}" if said else ""


def small_p(p: float) -> str:
    return f"{float(p):.2g}" if p >= 1e-4 else "below 0.0001"


def shows(row: Row, level: float, column: str = "p") -> bool:
    """Whether a test speaks for a difference: its p, and its interval where it has one."""
    if not (is_number(row[column]) and row[column] < 1 - level + 1e-12):
        return False
    ends = (row["ci_low"], row["ci_high"])
    return not all(map(is_number, ends)) or ends[0] > 0 or ends[1] < 0


def verdict(cohort: SavedCohort, row: Row, brief: bool = False) -> str:
    """What may be said; plainly, where nothing may.

    Parameters
    ----------
    cohort : SavedCohort
    row : Row
        A test.
    brief : bool
        For one of many findings: the sentence about absence stands in the answer alone.
    """
    alpha = 1 - cohort.level
    word = "relation" if row["question"] in NOT_BETWEEN_GROUPS else "difference"
    if not is_number(row["p"]):
        reason = micrometres(as_sentence(row["reason"])) or "No test was made."
        return f"{reason} No {word} is shown or excluded."
    if shows(row, cohort.level):
        adjusted = row["p_adjusted"]
        if is_number(adjusted) and adjusted >= alpha and row["primary"] != 1:
            return (
                "Corrected for the number of tests of its kind (adjusted p = "
                f"{p_text(adjusted)}) this does not show a {word}."
            )
        what = f"{word}{_direction(cohort, row)}"
        return f"The data speak for a {what}; what causes it they cannot tell."
    if is_number(row["p_min"]) and row["p_min"] >= alpha:
        return (
            f"This does not show a {word}, and could not have: with so few patients p cannot "
            f"fall below {small_p(row['p_min'])}. {ABSENCE}."
        )
    return f"This does not show a {word}{_compatible(row, brief)}."


def _direction(cohort: SavedCohort, row: Row) -> str:
    first, second = _sides(cohort, row)
    if not (first and second and is_number(row["effect"])):
        return ""
    return f": {'higher' if row['effect'] > 0 else 'lower'} in {second} than in {first}"


def _compatible(row: Row, brief: bool) -> str:
    """Which values the interval leaves open."""
    what = PLAIN_NUMBER if row["question"] in NOT_BETWEEN_GROUPS else quantity(row["statistic"])
    absence = "" if brief else f". {ABSENCE}"
    if not (is_number(row["ci_low"]) and is_number(row["ci_high"])):
        return absence
    low, high = what.signed(row["ci_low"]), what.difference(row["ci_high"])
    return f"{absence}: {low} to {high} are compatible with these patients"


def finding(cohort: SavedCohort, key: Key) -> str:
    """One quantity of a claim in a sentence or two: difference and what may be said."""
    rows = [row for a, b in cohort.pairs() if (row := cohort.between(key, a, b))]
    if not rows:
        rows = [r for r in cohort.tests_of(key) if r["question"] not in NOT_BETWEEN_GROUPS][:1]
    if not rows:
        return ""
    words = ", ".join(dict.fromkeys((title(key), quantity(key.statistic).words)))
    words = f"{words[:1].upper()}{words[1:]}"
    if len(rows) > 1:
        spoken = [cohort.contrast(r) for r in rows if shows(r, cohort.level, "p_adjusted")]
        said = f"{listed(spoken)} differ from 0" if spoken else "no difference is shown"
        return f"{words}: of {len(rows)} comparisons, corrected for their number, {said}."
    effect = _difference(cohort, rows[0])
    return f"{words}. {effect} {verdict(cohort, rows[0], brief=True)}".replace("  ", " ")


def association(cohort: SavedCohort, row: Row) -> str:
    """A finding of a test that compares no groups; empty for others.

    Of survival the permuted score alone: the tests beside it stand in the table.
    """
    if row["question"] not in NOT_BETWEEN_GROUPS:
        return ""
    if row["question"] == SURVIVAL and row["test"] != PERMUTED:
        return ""
    said = f"{printable(row['test'])} ({title(Key.of(row))})"  # type: ignore[arg-type]
    said = f"{said[:1].upper()}{said[1:]}"
    if is_number(row["effect"]):
        said += f": {effect_text(row, PLAIN_NUMBER, cohort.level)}{_p(row)}"
    return f"{said}. {verdict(cohort, row, brief=True)}"


def listed(names: list[str]) -> str:
    shown = [printable(name) for name in names[:MOST_NAMED]]
    rest = len(names) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")


def as_sentence(text: str) -> str:
    """A saved reason as a sentence: capital first, a stop at its end."""
    line = visible(" ".join(str(text).split()))
    return f"{line[:1].upper()}{line[1:].rstrip('.')}." if line else ""
