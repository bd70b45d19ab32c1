"""Facts of slides that stand in a cell table: patient, group, covariates, the same in every row."""

from __future__ import annotations

import numpy as np
import pandas as pd

from macprox.errors import TableError, shortened
from macprox.io.tables.mapping import ColumnMapping


def facts_of(slides: pd.Series, table: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    """Every combination of facts that the rows of a table say, with their slide."""
    texts = {name: table[name].fillna("").astype(str).str.strip() for name in columns}
    return pd.DataFrame({"slide_id": slides, **texts}).drop_duplicates(ignore_index=True)


def one_row_a_slide(facts: pd.DataFrame, mapping: ColumnMapping) -> pd.DataFrame:
    """One value a slide and fact; an empty cell says nothing, and nothing at all is empty.

    Raises
    ------
    TableError
        Naming the slide and two of its values.
    """
    rows = {"slide_id": np.sort(facts["slide_id"].drop_duplicates().to_numpy(object))}
    for name in facts.columns.drop("slide_id"):
        said = facts.loc[facts[name].fillna("") != "", ["slide_id", name]].drop_duplicates()
        twice = said[said["slide_id"].duplicated(keep=False)]
        if len(twice):
            raise TableError(_contradiction(twice, name, mapping))
        by_slide = said.set_index("slide_id")[name]
        rows[name] = by_slide.reindex(rows["slide_id"]).fillna("").to_numpy(object)
    return pd.DataFrame(rows)


def _contradiction(twice: pd.DataFrame, name: str, mapping: ColumnMapping) -> str:
    slide_id = twice["slide_id"].iloc[0]
    values = twice.loc[twice["slide_id"] == slide_id, name].tolist()
    first, second = (shortened(repr(value)) for value in values[:2])
    if name == mapping.patient:
        return (
            f"Slide {slide_id!r} has two patients in column {name!r}, {first} and {second}; a "
            "slide belongs to one. If each core or field is a patient's, name its column with "
            "--slide-column."
        )
    return (
        f"Column {name!r} is not the same in all rows of slide {slide_id!r}: {first} and {second}. "
        "It is a fact of cells, not of slides; leave it out, or correct the table."
    )
