"""One cohort, one self-contained page; its figures and their data beside it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from macprox.io.atomic import make_folder, write_text
from macprox.printable import printable
from macprox.report.cohort import answer, doubts, fieldmap, methods, people, tables
from macprox.report.cohort.answer import as_sentence
from macprox.report.cohort.curves import curve_findings
from macprox.report.cohort.figures import (
    HALVES,
    HAZARD,
    POWER,
    SENSITIVITY,
    claim_plates,
    drawn_keys,
    file_name,
    shared_plates,
)
from macprox.report.cohort.plate import Plate
from macprox.report.cohort.quantities import Key
from macprox.report.cohort.reading import Row, SavedCohort
from macprox.report.numbers import Table
from macprox.report.page import environment
from macprox.report.rows import micrometres

if TYPE_CHECKING:
    import pandas as pd

    from macprox.cohort_results import CohortResult

FIGURES = "figures"
PX_PER_IN = 97.4  # 10.6 in fill the page's column, as in a slide's report
MOST_ROWS = 14  # a longer table is folded after its main rows
MOST_FINDINGS = 9


@dataclass(frozen=True)
class Picture:
    """A figure in the page."""

    svg: Markup
    caption: str
    width_px: int
    name: str


def write_cohort_report(result: CohortResult, path: str | os.PathLike) -> Path:
    """Write the cohort's report.

    Parameters
    ----------
    result : CohortResult
        The saved tables: nothing is computed, neither from slides nor between patients.
    path : path-like
        The HTML file. One file: style and figures are inside; it needs no network and no script.
        Beside it, in the folder ``figures``, each figure as ``.svg`` and ``.pdf`` with the numbers
        that are drawn as ``.csv``; within a result that folder is made anew.

    Returns
    -------
    Path

    Raises
    ------
    ResultError
        If a saved table is damaged, or the page cannot be written.
    """
    path = Path(path)
    folder = path.parent / FIGURES
    if folder.resolve() == result.figures.resolve():
        # Figures of an earlier answer would lie beside ours; a folder elsewhere is not ours.
        shutil.rmtree(folder, ignore_errors=True)
    make_folder(folder)
    html = environment().get_template("cohort.html.j2").render(cohort_context(result, folder))
    write_text(path, html)
    return path


def cohort_context(result: CohortResult, folder: Path) -> dict[str, Any]:
    """Everything the template shows, by the section that shows it; figures go into ``folder``."""
    cohort, facts = SavedCohort(result), result.facts
    measures = result.measures()
    shared = {plate.name: _picture(plate, folder) for plate in shared_plates(cohort)}
    return {
        "facts": facts,
        "column": printable(str(cohort.column)) if cohort.column is not None else "",
        "groups": cohort.groups if cohort.column is not None else (),
        "lead": [sentence for sentence in answer.lead(cohort) if sentence],
        "answered": cohort.primary is not None,
        "doubts": doubts.doubts(cohort),
        "group_table": people.group_table(cohort),
        "patient_table": people.patient_table(cohort),
        "slides": people.slide_lines(cohort),
        "study": result.study,
        "claims": [_claim(cohort, claim, measures, folder) for claim in facts["claims"]],
        "survival": [shared[name] for name in (HAZARD, HALVES) if name in shared],
        "sensitivity": shared.get(SENSITIVITY),
        "changes": tables.changes_table(cohort),
        "gates_varied": bool((result.sensitivity()["kind"] == "gate").any()),
        "power": shared.get(POWER),
        "power_table": tables.power_table(cohort),
        "methods": methods.paragraphs(cohort),
        "topics": fieldmap.TOPICS,
        "definitions": methods.definitions(cohort),
        "figures": FIGURES,
    }


def _picture(plate: Plate, folder: Path) -> Picture:
    svg = Markup(plate.publish(folder))  # matplotlib escapes every text that it draws
    return Picture(svg, plate.caption, round(plate.size_in[0] * PX_PER_IN), plate.name)


def _claim(cohort: SavedCohort, claim: dict, measures: pd.DataFrame, folder: Path) -> dict:
    """One claim's section."""
    name, keys = claim["id"], drawn_keys(cohort, claim["id"])
    rows = cohort.tests_in(name)
    main, rest = _main_rows(rows, [tuple(key) for key in keys])
    findings = [said for key in keys if (said := answer.finding(cohort, key))]
    findings += [said for row in rows if (said := answer.association(cohort, row))]
    findings += curve_findings(cohort, name)
    return {
        "id": printable(name) if name != "table" else "Further",
        "anchor": file_name(name),
        "title": printable(claim["title"]),
        **{
            part: micrometres(as_sentence(claim[part])) if claim[part] else ""
            for part in ("estimand", "null", "limits", "reason")
        },
        "question": micrometres(claim["question"]),
        "findings": findings[:MOST_FINDINGS],
        "pictures": [_picture(plate, folder) for plate in claim_plates(cohort, name)],
        "tests": tables.tests_table(cohort, main),
        "rest": tables.tests_table(cohort, rest),
        "values": people.value_table(cohort, keys) if keys else Table([]),
        "no_numbers": tables.no_numbers(cohort, measures, name),
    }


def _main_rows(rows: list[Row], drawn: list[tuple]) -> tuple[list[Row], list[Row]]:
    """The rows that the figures draw and those that are no comparison of groups; then the rest."""
    if len(rows) <= MOST_ROWS:
        return rows, []
    main = [row for row in rows if tuple(Key.of(row)) in drawn]  # type: ignore[arg-type]
    return main, [row for row in rows if row not in main]
