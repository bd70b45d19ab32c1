"""What speaks against trusting the answer, before anybody reads on."""

from __future__ import annotations

from macprox.printable import printable
from macprox.report.cohort.answer import as_sentence, listed, shows, small_p
from macprox.report.cohort.forest import changes
from macprox.report.cohort.reading import SavedCohort
from macprox.report.numbers import count_text, is_number
from macprox.report.rows import micrometres


def doubts(cohort: SavedCohort) -> list[str]:
    """What speaks against trusting the answer, the gravest first."""
    facts = cohort.facts
    return [
        *_few(cohort),
        *_lights(facts["slides"]),
        *_gates(facts["gates"]),
        *_left_out(facts["slides"]),
        *(micrometres(as_sentence(problem)) for problem in facts["problems"]),
        *_fragile(cohort),
        *_exploratory(cohort),
        *_unasked(facts["claims"]),
    ]


def _few(cohort: SavedCohort) -> list[str]:
    row = cohort.primary
    if row is None or not is_number(row["p_min"]) or row["p_min"] < 1 - cohort.level:
        return []
    n = " and ".join(count_text(row[c]) for c in ("n_first", "n_second") if is_number(row[c]))
    return [f"With {n} patients p cannot fall below {small_p(row['p_min'])}, whatever is true."]


def _lights(slides: list[dict]) -> list[str]:
    said = []
    for light, words in (("red", "whose headline should not be read"),
                         ("amber", "to look at before their numbers are believed")):  # fmt: skip
        names = [s["slide_id"] for s in slides if s["light"] == light and s["used"]]
        if names:
            said.append(f"{_count(len(names), 'slide')} {light} ({words}) in the numbers: "
                        f"{listed(names)}.")  # fmt: skip
    return said


def _gates(gates: dict) -> list[str]:
    n, sure = (float(gates.get(k) or 0) for k in ("unconfirmed", "confirmed"))
    if n == 0:
        return []
    return [f"{count_text(n)} of {count_text(n + sure)} gates are proposals that nobody has "
            "confirmed; every number depends on them."]  # fmt: skip


def _left_out(slides: list[dict]) -> list[str]:
    names = [s["slide_id"] for s in slides if not s["used"]]
    return [f"{_count(len(names), 'slide')} left out: {listed(names)}; the reasons are under "
            "Who."] if names else []  # fmt: skip


def _fragile(cohort: SavedCohort) -> list[str]:
    """Changes under which the answer would have been another."""
    rows = changes(cohort)
    if not rows or not is_number(rows[0][1]["effect"]):
        return []
    (_, as_is), rest = rows[0], rows[1:]
    turned = [said for said, row in rest
              if is_number(row["effect"]) and row["effect"] * as_is["effect"] < 0]  # fmt: skip
    lost = [
        said
        for said, row in rest
        if said not in turned
        and is_number(row["p"])
        and shows(row, cohort.level) != shows(as_is, cohort.level)
    ]
    said = []
    if turned:
        said.append(f"The difference changes its sign under: {listed(turned)}.")
    if lost:
        word = "is no longer shown" if shows(as_is, cohort.level) else "would be shown"
        said.append(f"The difference {word} under: {listed(lost)}.")
    return said


def _exploratory(cohort: SavedCohort) -> list[str]:
    tests = cohort.tests[cohort.tests["p"].notna()]
    n, n_primary = len(tests), int((tests["primary"] == 1).sum())
    if n - n_primary < 1:
        return []
    return [f"{count_text(n - n_primary)} further tests are exploratory: they raise questions and "
            "settle none. Read their adjusted p."]  # fmt: skip


def _unasked(claims: list[dict]) -> list[str]:
    return [f"{printable(c['id'])} could not be asked: {micrometres(as_sentence(c['reason']))}"
            for c in claims if c["reason"]]  # fmt: skip


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
