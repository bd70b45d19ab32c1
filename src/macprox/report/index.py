"""The list of slides: status, headline numbers and a link to each report."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from macprox.io.atomic import write_text
from macprox.quality import light_of, light_reasons, worth_a_look
from macprox.report import sentences
from macprox.report.lights import ICONS, reason_text, severity, tally
from macprox.report.numbers import count_text
from macprox.report.page import axis_max, environment, observed, saved_gates, saved_regions
from macprox.report.reviewed import sign_off_status
from macprox.report.rows import SavedNumbers


@dataclass(frozen=True)
class FailedSlide:
    """A slide without a result, and the one line that says why."""

    slide_id: str
    reason: str


@dataclass(frozen=True)
class IndexRow:
    """One line of the list."""

    slide_id: str
    failure: str = ""
    link: str = ""
    light: str | None = None
    icon: str = ""
    reasons: str = ""
    patient: str = ""
    status: str = ""
    cells: str = ""
    answer: sentences.Answer | None = None
    why_not: str = ""
    heading: str = ""


def write_index(results: Iterable[Any], path: str | os.PathLike) -> Path:
    """Write one page that links every slide's report.

    Parameters
    ----------
    results : iterable of SlideResult or FailedSlide
        Anything with ``slide_id`` and a one-line ``reason`` counts as failed.
    path : path-like
        The HTML file; links are relative to its folder. The slides whose light is worst stand
        first; those of one light in the order given.

    Returns
    -------
    Path
    """
    path, results = Path(path), list(results)
    rows = [_row(result, path.parent) for result in results]
    failed = sum(bool(row.failure) for row in rows)
    html = (
        environment()
        .get_template("index.html.j2")
        .render(
            slides=sorted(rows, key=lambda row: severity(row.light)),
            tally=tally([_known_of(result) for result in results]),
            axis_max=axis_max([row.answer for row in rows if row.answer]),
            n_done=len(rows) - failed,
            n_failed=failed,
            headings=list(dict.fromkeys(row.heading for row in rows if row.heading)),
        )
    )
    write_text(path, html)
    return path


def _row(result: Any, folder: Path) -> IndexRow:
    known = _known_of(result)
    light = light_of(known)
    icon = ICONS[light] if light else ""
    if known.get("failure"):
        return IndexRow(result.slide_id, failure=known["failure"], light=light, icon=icon)
    cells, saved, study = observed(result.cells()), SavedNumbers(result.statistics()), result.study
    lead = sentences.headline(saved, study)
    why_not = ""
    if lead is None:
        regions = saved_regions(result, result.overview())
        reasons = sentences.no_headline_reasons(cells, regions, saved, study)
        why_not = " ".join(reasons)
    return IndexRow(
        slide_id=result.slide_id,
        light=light,
        icon=icon,
        reasons=", ".join(map(reason_text, light_reasons(known))),
        link=_link(Path(result.path) / "report.html", folder),
        patient=str(result.manifest.get("patient") or ""),
        status=_status(result),
        cells=count_text(len(cells)),
        answer=lead,
        why_not=why_not,
        heading=_heading(lead, study) if lead else "",
    )


def _known_of(result: Any) -> Mapping[str, Any]:
    """The manifest of a slide; of one that failed, why."""
    reason = getattr(result, "reason", None)
    return {"failure": " ".join(str(reason).split())} if reason else result.manifest


def _link(report: Path, folder: Path) -> str:
    if not report.is_file():
        return ""
    relative = os.path.relpath(report.resolve(), folder.resolve())
    return quote(Path(relative).as_posix())


def _status(result: Any) -> str:
    """Finished, and how much of it a person should still look at."""
    n = len(worth_a_look(result.manifest)) + len(result.manifest.get("warnings") or [])
    parts = [sign_off_status(result.manifest) or "finished"]
    if n:
        parts.append(f"{n} warning{'' if n == 1 else 's'}")
    if sentences.gate_notice(saved_gates(result, result.overview())):
        parts.append("gates unconfirmed")
    return ", ".join(parts)


def _heading(lead: sentences.Answer, study) -> str:
    return (
        f"Observed: share of {sentences.noun(lead.direction.source, study, plural=True)} with "
        f"at least one {sentences.noun(lead.direction.target, study)} within "
        f"{study.proximity.primary_radius_um:g} µm; expected: under the position null, "
        f"macrophages placed among the non-tumour cells{sentences.strata_text(study)}."
    )
