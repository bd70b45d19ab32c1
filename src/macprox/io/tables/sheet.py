"""samples.csv of slides that came as tables: facts of the tables, and of a sheet of any columns."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from macprox.errors import TableError, shortened
from macprox.io.slide_names import slide_id_of
from macprox.io.tables.mapping import ColumnMapping, listed
from macprox.io.tables.text import plain, read_columns, read_header, table_stem

SAMPLE_FILE = "samples.csv"
SLIDE, PATIENT, GROUP = "slide_id", "patient", "group"
_PATIENT_NAMES = ("patient", "patient id", "patientid", "case", "case id", "subject", "subject id")


def read_foreign_sheet(path: str | Path) -> pd.DataFrame:
    """A sample or clinical sheet as text, whatever its columns are called.

    Raises
    ------
    TableError
        If it is not a table, or two of its columns have one name.
    """
    header = read_header(Path(path))
    columns = [name for name in header.columns if name]
    if twice := [name for name in columns if columns.count(name) > 1]:
        raise TableError(f"{path} has two columns called {twice[0]!r}; rename one.")
    sheet = read_columns(header, columns).fillna("")
    sheet = sheet.apply(lambda column: column.astype(str).str.strip())
    return sheet[(sheet != "").any(axis="columns")].reset_index(drop=True)


def samples_of_slides(
    facts: pd.DataFrame, mapping: ColumnMapping, sheet: pd.DataFrame | None = None
) -> pd.DataFrame | None:
    """One row a slide: ``slide_id, patient, group`` and everything else under its own name.

    The sheet is joined by slide, or, where it has one row a patient, by the patient whom the
    tables name. What the tables say goes before what the sheet says.

    Parameters
    ----------
    facts : DataFrame
        ``slide_id`` and fact columns of the tables.
    mapping : ColumnMapping
        Which of the columns are the patient and the group.
    sheet : DataFrame, optional
        Text, as `read_foreign_sheet` gives it.

    Returns
    -------
    DataFrame or None
        Text, empty where nobody says; None where there is neither fact nor sheet.

    Raises
    ------
    TableError
        If the sheet fits neither way, or a column's own name is taken by another fact.
    """
    if sheet is None and facts.columns.tolist() == [SLIDE]:
        return None
    joined = facts if sheet is None else _joined(facts, mapping, sheet)
    patient = mapping.patient or next(
        (name for name in joined.columns if plain(name) in _PATIENT_NAMES), None
    )
    group = mapping.group or (GROUP if GROUP in joined else None)
    own = joined.drop(columns=[SLIDE, *([patient] if patient else [])])
    named = {SLIDE: joined[SLIDE], PATIENT: joined[patient] if patient else ""}
    if group:
        named[GROUP] = joined[group]
    for name in own.columns:
        if name in named and name != group:
            raise TableError(
                f"Column {name!r} would stand beside another {name} in {SAMPLE_FILE}; rename it, "
                f"or give it as --{name}-column."
            )
    return pd.DataFrame({**named, **{name: own[name] for name in own.columns}})


def _joined(facts: pd.DataFrame, mapping: ColumnMapping, sheet: pd.DataFrame) -> pd.DataFrame:
    """The facts with the sheet's columns that they do not have themselves."""
    by_slide = _slide_column(facts, mapping, sheet)
    if by_slide is not None:
        key, of_facts = sheet[by_slide].map(_slide_named), facts[SLIDE]
        what = f"slide {{}} twice in its column {by_slide!r}; a slide belongs to one patient"
    else:
        patient = mapping.patient
        if patient is None or patient not in sheet or patient not in facts:
            raise TableError(_no_key(facts, sheet))
        key, of_facts, by_slide = sheet[patient], facts[patient], patient
        what = "patient {} twice, and no column of slides"
    repeated = key[key.duplicated() & (key != "")]
    if len(repeated):
        raise TableError(f"The sample sheet lists {what.format(repr(repeated.iloc[0]))}.")
    rest = sheet.drop(columns=[by_slide]).set_axis(key)
    rest = rest[[name for name in rest.columns if name not in facts or name == SLIDE]]
    rest = rest.drop(columns=[SLIDE], errors="ignore")
    found = rest.reindex(of_facts).fillna("").set_axis(facts.index)
    return pd.concat([facts, found], axis="columns")


def _slide_column(facts: pd.DataFrame, mapping: ColumnMapping, sheet: pd.DataFrame) -> str | None:
    """The sheet's column of slides: by its name, else the one that names our slides."""
    for name in (SLIDE, mapping.slide):
        if name in sheet:
            return str(name)
    ours = set(facts[SLIDE])
    n_named = {
        name: len(ours & set(sheet[name].map(_slide_named)))
        for name in sheet.columns
        if name not in (mapping.patient, mapping.group, *mapping.samples) and sheet[name].is_unique
    }
    found = [name for name, n in n_named.items() if n and n == max(n_named.values())]
    if len(found) > 1:
        raise TableError(
            f"Which column of the sample sheet is the slide? {listed(found)} could be it. Call it "
            "slide_id, or as in the tables."
        )
    return found[0] if found else None


def _slide_named(text: str) -> str:
    """A sheet's name of a slide, or of its file, as its results are called."""
    return slide_id_of(Path(table_stem(Path(text.replace("\\", "/"))))) if text else ""


def _no_key(facts: pd.DataFrame, sheet: pd.DataFrame) -> str:
    some = shortened(", ".join(map(repr, facts[SLIDE].head(3))), 120)
    return (
        f"The sample sheet has {listed(list(sheet.columns))}, and none of them names slides such "
        f"as {some}. Call its column slide_id, or give the column of patients that it shares with "
        "the tables as --patient-column."
    )
