"""Who is in the cohort: groups, patients, slides, and what was left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from macprox.printable import printable
from macprox.report.cohort.answer import as_sentence
from macprox.report.cohort.quantities import PLAIN_NUMBER, Key, Quantity, quantity, title
from macprox.report.cohort.reading import Row, SavedCohort, natural
from macprox.report.lights import ICONS
from macprox.report.numbers import (
    DASH,
    Shown,
    Table,
    count_text,
    is_number,
    missing,
    shown,
    significant_text,
)
from macprox.report.rows import micrometres


def group_table(cohort: SavedCohort) -> Table:
    """How many patients, slides and cells each group has."""
    table = Table([("Group", False), ("patients", True), ("slides used", True), ("cells", True)])
    patients = cohort.patients.assign(_group=list(cohort.group_of.values()))
    used = [slide for slide in cohort.facts["slides"] if slide["used"]]
    for group in cohort.groups:
        rows = patients[patients["_group"] == group]
        own = set(rows["patient"])
        n_slides = sum(str(slide["patient"]) in own for slide in used)
        cells = rows["n_cells"].sum(min_count=1)
        table.add(group, count_text(len(rows)), count_text(n_slides),
                  shown(cells, count_text, "not saved"))  # fmt: skip
    n_without = int((~patients["_group"].isin(cohort.groups)).sum())
    if n_without:
        table.add("in no group", count_text(n_without), "", "")
    return table


def patient_table(cohort: SavedCohort) -> Table:
    """One row a patient: group, covariates, and the primary value with its unweighted twin."""
    covariates = [c for c in cohort.facts["covariates"] if c in cohort.patients]
    key = cohort.primary_key
    what = quantity(key.statistic) if key else PLAIN_NUMBER
    table = Table([("Patient", False)])
    table.columns += [("Group", False)] if cohort.column is not None else []
    table.columns += [(printable(str(c)), False) for c in covariates]
    table.columns += [("slides", True), ("cells", True)]
    if key:
        table.columns += [(f"{what.words}: {title(key)}", True), ("slides unweighted", True)]
    rows = cohort.patients.to_dict("records")
    place = {group: i for i, group in enumerate(cohort.groups)}
    values = {} if key is None else {r["patient"]: r for r in _values(cohort, key)}
    for row in sorted(rows, key=lambda r: (place.get(cohort.group_of[r["patient"]], len(place)),
                                           natural(r["patient"]))):  # fmt: skip
        patient = row["patient"]
        cells: list[Shown | str] = [printable(patient)]
        cells += [cohort.group_of[patient] or DASH] if cohort.column is not None else []
        cells += [_covariate(row[c]) for c in covariates]
        cells += [shown(row["n_slides"], count_text, "not saved"),
                  shown(row["n_cells"], count_text, "not saved")]  # fmt: skip
        if key:
            cells += _value_cells(values.get(patient), what)
        table.add(*cells)
    return table


def _values(cohort: SavedCohort, key: Key) -> list[Row]:
    found = cohort.values.get(key)
    return [] if found is None else found.to_dict("records")


def _value_cells(row: Row | None, what: Quantity) -> list[Shown]:
    if row is None:
        return [missing("no value for this patient")] * 2
    reason = micrometres(as_sentence(row["reason"]))
    return [shown(row["value"], what.value, reason),
            shown(row["value_unweighted"], what.value, reason)]  # fmt: skip


def _covariate(value: Any) -> Shown | str:
    if value is None or value != value or str(value) == "":
        return missing("not in the sample sheet")
    return (
        f"{value:g}" if is_number(value) and not isinstance(value, str) else printable(str(value))
    )


def value_table(cohort: SavedCohort, keys: list[Key]) -> Table:
    """Every patient's value of a claim's drawn quantities, side by side."""
    table = Table([("Patient", False), ("Group", False)])
    table.columns += [(f"{quantity(k.statistic).words}: {title(k)}", True) for k in keys]
    by_key = [{row["patient"]: row for row in _values(cohort, key)} for key in keys]
    place = {group: i for i, group in enumerate(cohort.groups)}
    for patient, group in sorted(
        cohort.group_of.items(), key=lambda pg: (place.get(pg[1], len(place)), natural(pg[0]))
    ):
        cells = [_value_cells(found.get(patient), quantity(key.statistic))[0]
                 for key, found in zip(keys, by_key, strict=True)]  # fmt: skip
        table.add(printable(patient), group or DASH, *cells)
    return table


@dataclass(frozen=True)
class SlideLine:
    """A slide in the folded list."""

    slide_id: str
    link: str
    patient: str
    group: str
    light: str
    icon: str
    light_reasons: str
    signed_off: str
    cells: str
    tissue: str
    tumour: str
    excluded: str
    status: str


def slide_lines(cohort: SavedCohort) -> list[SlideLine]:
    """Every slide: what became of it, and why what was left out was left out."""
    slides = sorted(cohort.facts["slides"], key=lambda s: natural(str(s["slide_id"])))
    return [_slide_line(slide) for slide in slides]


def _slide_line(slide: dict[str, Any]) -> SlideLine:
    light = slide["light"] if slide["light"] in ICONS else ""
    parts = [
        f"{printable(str(part.get('reason', '')))} {_mm2(part.get('mm2'))}"
        for part in slide["exclusions"]
        if isinstance(part, dict)
    ]
    excluded = _mm2(slide["excluded_mm2"]) + (f" ({', '.join(parts)})" if parts else "")
    return SlideLine(
        slide_id=printable(str(slide["slide_id"])),
        link=safe_link(str(slide["link"])),
        patient=printable(str(slide["patient"])),
        group=printable(str(slide["group"])),
        light=light,
        icon=ICONS.get(light, ""),
        light_reasons=", ".join(printable(str(r)) for r in slide["light_reasons"]),
        signed_off=printable(str(slide["signed_off"] or "")),
        cells=count_text(slide["cells"]) if is_number(slide["cells"]) else DASH,
        tissue=_mm2(slide["tissue_mm2"]),
        tumour=_mm2(slide["tumour_mm2"]),
        excluded=excluded,
        status="" if slide["used"] else f"left out: {as_sentence(slide['reason']) or 'no reason.'}",
    )


def _mm2(area: object) -> str:
    return significant_text(area) if is_number(area) else DASH  # type: ignore[arg-type]


def safe_link(link: str) -> str:
    """A link to a file beside ours; anything that leads elsewhere or runs is dropped."""
    try:
        parts = urlsplit(link)
    except ValueError:
        return ""
    outside = parts.scheme or parts.netloc or link.startswith(("/", "\\"))
    return "" if outside or ":" in link.split("/")[0] else quote(link)
