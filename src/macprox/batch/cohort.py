"""A folder of finished slides and a sample sheet in, a patient-level answer out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from macprox import cohort
from macprox.batch.cohort_facts import facts_of
from macprox.batch.gathering import (
    RED_REASON,
    Found,
    find_slides_of,
    gather,
    is_adjacent,
    require_known,
    sheet_of,
    silenced,
    without_red,
)
from macprox.claims import Answers, Roles, ask, patient_values
from macprox.claims.asking import PRIMARY, groups_of, lesion_table
from macprox.claims.named import Named
from macprox.claims.robustness import Material, sensitivity
from macprox.claims.terms import Terms, default_primary, named_primary
from macprox.cohort.parameters import CohortParameters
from macprox.cohort.patients import group_names, in_order, labels_in
from macprox.cohort_results import (
    COHORT_FOLDER,
    FACTS_FILE,
    REPORT_FILE,
    TABLES,
    CohortResult,
)
from macprox.errors import CohortError
from macprox.io.atomic import write_json, write_parquet
from macprox.io.store import STUDY_FILE, slide_folders
from macprox.pipeline import Silent
from macprox.report.cohort import write_cohort_report
from macprox.study import Study


@dataclass(frozen=True)
class CohortOptions:
    """What is asked beyond the study's ``[cohort]``.

    Parameters
    ----------
    named : Named, optional
        The statistic that the answer is about, instead of the proximity headline.
    include_red : bool
        Whether slides with a red light speak, too.
    watcher : Watcher
    """

    named: Named | None = None
    include_red: bool = False
    watcher: Any = field(default_factory=Silent)


def run_cohort(
    results: str | Path,
    samples: str | Path | None = None,
    options: CohortOptions | None = None,
    **asked: Any,
) -> CohortResult:
    """Compare the patients of finished slides; writes ``results/cohort``.

    Parameters
    ----------
    results : path
        Result folder of `macprox.run` or of ``macprox stats``.
    samples : path, optional
        CSV file: slide_id, patient, group, covariates; else the study's, else what the slides
        were run with.
    options : CohortOptions, optional
    **asked
        Keys of the study's ``[cohort]`` that are asked otherwise here: ``group``, ``groups``,
        ``covariates``, ``time``, ``event`` ... (`macprox.cohort.parameters.CohortParameters`).

    Returns
    -------
    CohortResult

    Raises
    ------
    CohortError
        If nobody says whose slides they are, or no slide can speak.
    """
    results, options = Path(results), options or CohortOptions()
    slide_folders(results)  # a folder without results has no study either
    study = _study_of(results, samples, asked)
    found = find_slides_of(results, study)
    sheet, sheet_from = sheet_of(results, study, found)
    judged = _judged(found, options)
    _require_askable(study, sheet, _speaking(judged, results), options.named)
    adjacent = is_adjacent(sheet, study.cohort.tissue)
    gathered = gather(_speaking(found, results), adjacent, study, options)
    found = silenced(found, gathered.silent)
    judged = _judged(found, options)
    listed = _patients(sheet, _speaking(judged, results), study.cohort)
    everyone = _patients(sheet, _speaking(found, results), study.cohort).slides
    slides = listed.slides.merge(_cells_of(judged), on="slide_id", how="left")
    values = patient_values(gathered.measures, slides, Roles.of(study))
    terms, missing = _terms(study, sheet, slides, values, options.named)
    answers = ask(gathered.measures, values, slides, terms)
    tables = {
        **_tables(answers, gathered.measures, slides, terms),
        "sensitivity": sensitivity(
            answers, Material(gathered.measures, everyone, gathered.varied), slides, terms
        ),
    }
    problems = [*missing, *listed.problems, *gathered.problems]
    facts = {**facts_of(study, terms, judged, slides, problems), "samples": sheet_from}
    return _written(results / COHORT_FOLDER, tables, facts)


def _written(folder: Path, tables: dict[str, pd.DataFrame], facts: dict[str, Any]) -> CohortResult:
    """The folder with these tables, and none of an earlier question."""
    for name in TABLES.keys() - tables.keys():
        (folder / f"{name}.parquet").unlink(missing_ok=True)
    for name, table in tables.items():
        write_parquet(folder / f"{name}.parquet", table)
    write_json(folder / FACTS_FILE, facts)
    result = CohortResult(folder)
    write_cohort_report(result, folder / REPORT_FILE)
    return result


def _study_of(results: Path, samples: str | Path | None, asked: dict[str, Any]) -> Study:
    study = Study.from_toml(results / STUDY_FILE)
    known = {name: value for name, value in asked.items() if value is not None}
    unknown = known.keys() - CohortParameters.__dataclass_fields__.keys()
    if unknown:
        raise TypeError(f"[cohort] has no key {', '.join(sorted(unknown))}.")
    if samples is not None:
        known["samples"] = str(Path(samples).absolute())
    return replace(study, cohort=replace(study.cohort, **known))


def _speaking(found: Sequence[Found], results: Path) -> list[Found]:
    speaking = [one for one in found if not one.reason]
    if not speaking:
        reasons = "; ".join(f"{one.slide_id}: {one.reason}" for one in found[:3])
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        is_red = any(one.reason.startswith(RED_REASON) for one in found)
        remedy = " --include-red lets red slides speak, too." if is_red else ""
        raise CohortError(
            f"No slide of {results} can speak for a patient ({reasons}{more}).{remedy}"
        )
    return speaking


def _judged(found: Sequence[Found], options: CohortOptions) -> list[Found]:
    """The slides, of which a red one may speak only if that was asked for."""
    return list(found) if options.include_red else without_red(found)


def _require_askable(
    study: Study, sheet: pd.DataFrame, used: Sequence[Found], named: Named | None
) -> None:
    """A mistake in what is asked is told before anything is measured."""
    slides = _patients(sheet, used, study.cohort).slides
    if study.cohort.group in sheet:
        groups, _ = _groups(study.cohort, sheet, slides)
        group_names(labels_in(slides, study.cohort.group), study.cohort.group, groups or None)
    if named is not None:
        require_known(named, used, study)


def _patients(
    sheet: pd.DataFrame, speaking: Sequence[Found], terms: CohortParameters
) -> cohort.Sheet:
    columns = [*terms.covariates, *filter(None, (terms.time, terms.event))]
    group = terms.group if terms.group in sheet or terms.groups else None
    return cohort.patients_of(
        sheet, [one.slide_id for one in speaking], group=group, covariates=columns
    )


def _cells_of(found: Sequence[Found]) -> pd.DataFrame:
    rows = [(one.slide_id, one.n_cells) for one in found]
    return pd.DataFrame(rows, columns=["slide_id", "n_cells"])


def _terms(
    study: Study,
    sheet: pd.DataFrame,
    slides: pd.DataFrame,
    values: pd.DataFrame,
    named: Named | None,
) -> tuple[Terms, list[str]]:
    """What is compared, and a sentence for each group of which nobody is left."""
    roles, asked = Roles.of(study), study.cohort
    primary = default_primary(roles, study.proximity.primary_radius_um)
    if named is not None:
        primary = named_primary(named, values, primary)
    group = asked.group if asked.group in sheet else None
    groups, missing = _groups(asked, sheet, slides) if group else ((), [])
    terms = Terms(
        roles=roles, primary=primary, group=group, groups=groups, covariates=asked.covariates,
        time=asked.time, event=asked.event, seed=asked.seed,
    )  # fmt: skip
    return terms, missing


def _groups(
    asked: CohortParameters, sheet: pd.DataFrame, slides: pd.DataFrame
) -> tuple[tuple[str, ...], list[str]]:
    """The groups that were asked for, as far as somebody is left of them."""
    listed = in_order(labels_in(sheet, asked.group))
    if unknown := [name for name in asked.groups if name not in listed]:
        raise CohortError(
            f"No slide of the sample sheet is in group {unknown[0]!r} of {asked.group!r}; found "
            f"{', '.join(listed)}."
        )
    left = set(labels_in(slides, asked.group))
    missing = [
        f"No patient of {name!r} is left: every slide of that group was left out or was not run."
        for name in asked.groups or listed
        if name not in left
    ]
    return tuple(name for name in asked.groups if name in left), missing


def _tables(
    answers: Answers, measures: pd.DataFrame, slides: pd.DataFrame, terms: Terms
) -> dict[str, pd.DataFrame]:
    """What is written, by the name of its file."""
    owner = slides.set_index("slide_id")["patient"]
    tables = {
        "measures": measures.assign(patient=measures["slide_id"].map(owner)),
        "values": answers.values,
        "patients": answers.patients,
        "tests": answers.tests,
        "curves": answers.curves,
        "lesions": _with_group(lesion_table(measures, slides), answers.patients, terms),
    }
    pair = groups_of(answers.patients, terms)[:2]
    if len(pair) == 2:
        planned = cohort.power(answers.patients, PRIMARY, str(terms.group), groups=pair)
        tables["power"] = cohort.power_curves(planned)
    if terms.time is not None and terms.event is not None:
        tables["kaplan_meier"] = cohort.kaplan_meier(
            answers.patients, PRIMARY, terms.time, terms.event
        )
    return tables


def _with_group(lesions: pd.DataFrame, people: pd.DataFrame, terms: Terms) -> pd.DataFrame:
    """Each lesion with its patient's group, whatever the sheet calls that column."""
    if terms.group is None:
        return lesions.assign(group="")
    group = dict(zip(people["patient"], labels_in(people, terms.group), strict=True))
    return lesions.assign(group=lesions["patient"].map(group))
