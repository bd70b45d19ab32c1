"""The cohort's printed tables: saved numbers, rounded, each dash with its reason."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
import pandas as pd

from macprox.printable import printable
from macprox.report.cohort.answer import as_sentence
from macprox.report.cohort.forest import TARGET_POWER, changes, effect_name
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
    p_text,
    shown,
    significant_text,
)
from macprox.report.rows import micrometres

# Tests that compare no groups of patients.
TEST_NAMES = {
    "cox": "Cox regression, hazard ratio per standard deviation",
    "spearman": "Spearman's rank correlation between patients",
    "within_slope": "slope within patients, mixed model",
}



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
        table.add(*(_relation_cells if row["test"] in TEST_NAMES else _group_cells)(row))
    return table


def _heading(row: Row) -> str:
    what = quantity(row["statistic"])
    words = TEST_NAMES.get(row["statistic"], what.words)
    test = TEST_NAMES.get(row["test"], printable(row["test"]))
    named = "; ".join(dict.fromkeys(filter(None, (words, test))))
    unit = "; effect in percentage points" if what.kind in ("share", "points") else ""
    return f"{named[:1].upper()}{named[1:]}{'' if row['test'] in TEST_NAMES else unit}"


def _group_cells(row: Row) -> list[Shown | str]:
    """A line of a comparison of groups."""
    reason, what = micrometres(as_sentence(row["reason"])), quantity(row["statistic"])
    first = shown(row["mean_first"], what.value, reason or "no group")
    second = shown(row["mean_second"], what.value, reason or "no second group")
    size = shown(row["effect_size"], lambda _: _size(row), reason or "not computed")
    return [_whose(row), _contrast(row), _numbers_of(row, reason), first, second,
            shown(row["effect"], lambda _: _effect(row, what), reason), size,
            *_p_cells(row, reason)]  # fmt: skip


def _relation_cells(row: Row) -> list[Shown | str]:
    """A line of a test that compares no groups: what it has no use for is left empty."""
    reason = micrometres(as_sentence(row["reason"]))
    effect = shown(row["effect"], lambda _: _relation(row), reason)
    return [_whose(row), _contrast(row), _numbers_of(row, reason), "", "", effect, "",
            *_p_cells(row, reason)]  # fmt: skip


def _p_cells(row: Row, reason: str) -> list[Shown]:
    p = Shown(p_text(row["p"]), reason) if is_number(row["p"]) else missing(reason)
    without = "the primary test is not one of several" if row["primary"] == 1 else "not adjusted"
    if not is_number(row["p"]):
        without = reason
    return [p, shown(row["p_adjusted"], p_text, without), shown(row["p_min"], _least, reason)]


def _whose(row: Row) -> str:
    primary = " (primary)" if row["primary"] == 1 else ""
    return f"{title(Key.of(row))}{primary}"  # type: ignore[arg-type]


def _contrast(row: Row) -> str:
    return printable(row["contrast"]).replace(" - ", " − ")


def _effect(row: Row, what: Quantity) -> str:
    if not (is_number(row["ci_low"]) and is_number(row["ci_high"])):
        return what.signed(row["effect"])
    low, high = what.signed(row["ci_low"]), what.signed(row["ci_high"])
    return f"{what.signed(row['effect'])} ({low} to {high})"


def _relation(row: Row) -> str:
    """A correlation or slope as it is; of a Cox regression the hazard ratio."""
    if row["test"] != "cox":
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
    if is_number(row["n_first"]) and is_number(row["n_second"]):
        return Shown(f"{count_text(row['n_first'])} v {count_text(row['n_second'])}")
    return shown(row["n_patients"], count_text, reason)


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
    return f"{value:g}" if is_number(value) and not isinstance(value, str) else printable(str(value))


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
    """The least number of patients in each group that reaches the power asked for, by difference."""
    saved = cohort.result.power()
    saved = saved[saved["power"].notna() & saved["n_per_arm"].notna()]
    what = quantity(str((cohort.primary or {}).get("statistic", "")))
    titles = {"pilot sd": "with the sd of these patients",
              "upper limit of sd": "with its upper 80 % limit"}  # fmt: skip
    table = Table([("True difference", False), *((title, True) for title in titles.values())])
    for size in sorted(saved["effect_size"].abs().dropna().unique()):
        rows = saved[np.isclose(saved["effect_size"].abs(), size)]
        cells = [_enough(rows[rows["basis"] == basis]) for basis in titles]
        table.add(effect_name(rows[rows["basis"] == "pilot sd"], what) or f"{size:.2g} sd", *cells)
    return table


def _enough(rows: pd.DataFrame) -> Shown:
    if not len(rows):
        return missing("not computed")
    enough = rows.loc[rows["power"] >= TARGET_POWER, "n_per_arm"]
    most = count_text(rows["n_per_arm"].max())
    return Shown(count_text(enough.min())) if len(enough) else Shown(f"more than {most}")
