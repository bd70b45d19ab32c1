"""Which slides of a result folder speak for their patients, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from macprox.claims import CLAIMS, ClaimSlide
from macprox.claims.measures import Row, to_measures
from macprox.claims.named import Named
from macprox.claims.slide import ADJACENT, Roles
from macprox.cohort.parameters import CohortParameters
from macprox.errors import CohortError, MacproxError
from macprox.io.samples import read_sample_sheet
from macprox.io.store import SlideFolder, slide_folders
from macprox.io.tables import ColumnMapping, read_foreign_sheet, samples_of_slides
from macprox.pipeline.contents import OUTDATED
from macprox.pipeline.marks import is_current
from macprox.quality import RED, light_of, light_reasons
from macprox.results import SlideResult
from macprox.study import Study

RED_REASON = "red light"
PATIENT = "patient"  # what the column is called from here on


@dataclass(frozen=True)
class Found:
    """One slide of the result folder.

    Parameters
    ----------
    result : SlideResult
    reason : str
        Why it cannot speak; empty if it can.
    """

    result: SlideResult
    reason: str = ""

    @property
    def slide_id(self) -> str:
        return self.result.slide_id

    @property
    def light(self) -> str | None:
        return light_of(self.result.manifest)

    @property
    def n_cells(self) -> int:
        """Observed cells."""
        counts = self.result.manifest.get("counts", {})
        return int(counts.get("cells_observed", counts.get("cells", 0)))

    def facts(self) -> dict[str, Any]:
        """For the report's list of slides."""
        manifest = self.result.manifest
        counts, signed = manifest.get("counts", {}), manifest.get("signed_off")
        regions = {} if self.reason else _exclusions(self.result)
        return {
            "slide_id": self.slide_id,
            "light": self.light,
            "light_reasons": light_reasons(manifest),
            "signed_off": signed["by"] if signed else None,
            "cells": self.n_cells,
            **{name: counts.get(name) for name in ("tissue_mm2", "tumour_mm2", "excluded_mm2")},
            "exclusions": regions,
            "link": f"../slides/{self.slide_id}/report.html",
        }


def _exclusions(result: SlideResult) -> list[dict[str, Any]]:
    regions = result.regions()
    return [
        {"reason": reason, "mm2": (area & regions.tissue_window).area / 1e6}
        for reason, area in regions.exclusion_reasons
    ]


def find_slides_of(results: Path, study: Study) -> list[Found]:
    """Every slide of a result folder, and why some cannot speak."""
    return [_found(folder, study) for folder in slide_folders(results)]


def _found(folder: SlideFolder, study: Study) -> Found:
    result = SlideResult(folder.path)
    try:
        if failure := result.manifest.get("failure"):
            return Found(result, f"failed: {failure}")
        return Found(result, "" if is_current(study, folder) else OUTDATED)
    except MacproxError as error:
        return Found(result, str(error))


def sheet_of(results: Path, study: Study, found: Sequence[Found]) -> tuple[pd.DataFrame, str]:
    """The sample sheet and where it is from: the study's, else what the slides were run with.

    Returns
    -------
    DataFrame
        Text; ``slide_id``, ``patient`` and everything else under its own name.
    str

    Raises
    ------
    CohortError
        If nobody says which slide belongs to which patient.
    TableError
        If the sheet cannot be read.
    """
    terms = study.cohort
    noted = [{**one.result.manifest.get("sample", {}), "slide_id": one.slide_id} for one in found]
    known = pd.DataFrame(noted).fillna("").astype(str)
    if terms.samples is None:
        if terms.patient not in known:
            raise CohortError(
                f"Nobody says which slide of {results} belongs to which patient. Give --samples: a "
                f"CSV file with slide_id, {terms.patient} and {terms.group}, one row a slide."
            )
        return known.rename(columns={terms.patient: PATIENT}), "the slides' own records"
    sheet = read_foreign_sheet(terms.samples)
    _require_named(terms, sheet, known)
    if {"slide_id", terms.patient} <= set(sheet.columns):
        sheet = read_sample_sheet(terms.samples, terms.patient)
        return sheet.rename(columns={terms.patient: PATIENT}), terms.samples
    # A clinical sheet of other columns, or of one row a patient.
    named = terms.patient if terms.patient in {*sheet.columns, *known.columns} else None
    joined = samples_of_slides(known, ColumnMapping(patient=named), sheet)
    if joined is None or not joined[PATIENT].astype(bool).any():
        raise CohortError(
            f"{terms.samples} does not say which slide belongs to which patient: expected the "
            f"columns slide_id and {terms.patient}, found {', '.join(sheet.columns)}. Name the "
            "column of patients with --patient."
        )
    return joined, terms.samples


def _require_named(terms: CohortParameters, sheet: pd.DataFrame, known: pd.DataFrame) -> None:
    """A column of patients that somebody named must be there; the usual name may be guessed."""
    if terms.patient != PATIENT and terms.patient not in {*sheet.columns, *known.columns}:
        raise CohortError(
            f"{terms.samples} has no column {terms.patient!r} of patients; found "
            f"{', '.join(sheet.columns)}. Name the column of patients with --patient."
        )


@dataclass(frozen=True, eq=False)
class Gathered:
    """What the slides say.

    Parameters
    ----------
    measures : DataFrame
    varied : DataFrame
        Headlines under changed gates, of the slides that have them.
    silent : dict of str to str
        Slides that could not be measured after all, and why.
    """

    measures: pd.DataFrame = field(repr=False)
    varied: pd.DataFrame = field(repr=False)
    silent: dict[str, str] = field(default_factory=dict)

    @property
    def problems(self) -> list[str]:
        """A sentence a slide."""
        return [f"{slide_id} could not be measured: {why}" for slide_id, why in self.silent.items()]


def gather(found: Sequence[Found], adjacent: set[str], study: Study, options: Any) -> Gathered:
    """Measure every slide as each claim says; a slide that cannot be read costs no other.

    Parameters
    ----------
    found : sequence of Found
        Those that can speak.
    adjacent : set of str
        Slides of uninvolved tissue.
    study : Study
    options : CohortOptions
    """
    asked = [claim for claim in CLAIMS if not claim.lacking(Roles.of(study))]
    rows: list[Row] = []
    varied, silent = [], {}
    for number, one in enumerate(found, start=1):
        options.watcher.slide(one.slide_id, number, len(found))
        try:
            slide = ClaimSlide.of(one.result, study, one.slide_id in adjacent)
            of_slide = [row for claim in asked for row in claim.of_slide(slide)]
            if options.named is not None:
                of_slide += options.named.of_slide(slide)
            table = one.result.sensitivity()
        except MacproxError as error:
            silent[one.slide_id] = str(error)
            continue
        rows += of_slide
        varied += [] if table is None else [table]
    return Gathered(to_measures(rows), _of_all(varied, len(found) - len(silent)), silent)


def require_known(named: Named, found: Sequence[Found], study: Study) -> None:
    """Refuse a statistic that neither a claim nor a slide's table has.

    Raises
    ------
    CohortError
        With the nearest name, or the pairs and radii that there are.
    """
    if named.is_bare and any(named.statistic in claim.tested for claim in CLAIMS):
        return
    tables = []
    for one in found:
        table = one.result.statistics()
        if len(named.rows(table, study.proximity.primary_radius_um)):
            return
        tables.append(table)
    raise named.unknown_in(pd.concat(tables, ignore_index=True))


def _of_all(varied: list[pd.DataFrame], n_slides: int) -> pd.DataFrame:
    """One table where every slide has one: a mean over some of them would be another cohort's."""
    if not varied or len(varied) < n_slides:
        return pd.DataFrame()
    return pd.concat(varied, ignore_index=True)


def silenced(found: Sequence[Found], silent: dict[str, str]) -> list[Found]:
    """The slides, of which those that could not be measured have the reason."""
    return [
        Found(one.result, silent[one.slide_id]) if one.slide_id in silent else one for one in found
    ]


def is_adjacent(sheet: pd.DataFrame, column: str) -> set[str]:
    """Slides of uninvolved tissue, by the sheet."""
    if column not in sheet:
        return set()
    words = sheet[column].astype(str).str.strip().str.lower()
    return set(sheet.loc[words == ADJACENT, "slide_id"])


def without_red(found: Sequence[Found]) -> list[Found]:
    """The slides, of which those with a red light cannot speak."""
    return [_read_at_amber(one) for one in found]


def _read_at_amber(one: Found) -> Found:
    if one.reason or one.light != RED:
        return one
    return Found(one.result, f"{RED_REASON}: {', '.join(light_reasons(one.result.manifest))}")
