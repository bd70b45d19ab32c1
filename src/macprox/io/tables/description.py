"""What is recognised in a table of cells, and what is missing, before anything is computed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd

from macprox.errors import TableError, shortened
from macprox.io.tables.cells import cells_only, um_per_unit
from macprox.io.tables.file_kinds import open_table
from macprox.io.tables.files_beside import is_steinbock
from macprox.io.tables.intensities import intensities_of
from macprox.io.tables.layout import Layout
from macprox.io.tables.mapping import ColumnMapping
from macprox.io.tables.opened import Opened
from macprox.io.tables.recognition import (
    recognised,
    with_phenotype,
    with_positions,
    with_slide,
)

_NAME = re.compile(r".+\.(?:(?:csv|tsv|txt|geojson|json)(?:\.gz)?|zip|parquet|h5ad)", re.IGNORECASE)
_UNITS = {"um": "µm", "mm": "mm", "px": "pixels", None: "not said"}
_MOST_NAMES = 12


def is_table_name(path: Path) -> bool:
    """Whether a file or folder is given as a table of cells and not as a slide."""
    if path.is_dir():
        has_table = any((path / name).is_dir() for name in ("obs", "tables"))
        return has_table or is_steinbock(path)
    return bool(_NAME.fullmatch(path.name))


def describe(path: str | Path, mapping: ColumnMapping | None = None) -> dict[str, Any]:
    """What `read_cells` would find in a table.

    Parameters
    ----------
    path : path
    mapping : ColumnMapping, optional

    Returns
    -------
    dict
        ``path, format, cells, positions, unit, slides, fields, phenotype, phenotypes,
        intensities, needs``: the last one sentence for everything that is to be said yet.

    Raises
    ------
    TableError
        If it is no table at all, or holds no cells.
    """
    path, mapping = Path(path), mapping or ColumnMapping()
    opened = open_table(path, mapping.table)
    known = opened.layout or recognised(opened.header)
    try:
        layout = with_positions(opened.header, mapping, known)
    except TableError as error:
        needs = [_without(str(error), path)]
        return {"path": str(path), "format": known.tool if known else None, "needs": needs}
    needs = []
    for ask in (with_slide, with_phenotype):
        try:
            layout = ask(opened.header, mapping, layout)
        except TableError as error:
            needs.append(_without(str(error), path))
    try:
        um_per_unit(layout, None, opened.header)
    except TableError as error:
        needs.append(_without(str(error), path))
    return {"path": str(path), **_facts(opened, layout), "needs": needs}


def _facts(opened: Opened, layout: Layout) -> dict[str, Any]:
    table = cells_only(opened.columns(layout.columns), layout, opened.header.path)
    called = layout.phenotype
    names = table[called[0]].fillna("").value_counts() if len(called) == 1 else pd.Series(dtype=int)
    measured = [one.marker for one in intensities_of(opened.header).values()]
    return {
        "format": layout.tool,
        "cells": len(table),
        "positions": [*layout.x, *layout.y],
        "unit": _UNITS[layout.unit],
        "slides": _column(table, layout.slide),
        "fields": _column(table, layout.roi),
        "phenotype": list(called),
        "phenotypes": [
            f"{shortened(str(name)) or '(none)'} {n:,}"
            for name, n in names.head(_MOST_NAMES).items()
        ],
        "intensities": measured,
    }


def _column(table: pd.DataFrame, name: str | None) -> str | None:
    return None if name is None else f"{name} ({table[name].nunique():,})"


def _without(sentence: str, path: Path) -> str:
    """A sentence that stands below the path already."""
    return sentence.removeprefix(f"{path}: ")
