"""`read_cells`: tables of other tools as cell tables; `read_given`: and what they say of slides."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype

from macprox.celltable import OTHER, positive_column, validate
from macprox.errors import TableError, shortened
from macprox.io.slide_names import unique_slide_ids
from macprox.io.tables import positivity
from macprox.io.tables.cells import (
    cells_only,
    middle,
    require_plausible,
    require_positions,
    rois_of,
    slides_of,
    um_per_unit,
    with_ids,
)
from macprox.io.tables.derived_classes import of_derived
from macprox.io.tables.facts import facts_of, one_row_a_slide
from macprox.io.tables.file_kinds import open_table
from macprox.io.tables.gates import Gate, gated_intensities, with_intensities
from macprox.io.tables.held_to_gates import held_to, no_gates
from macprox.io.tables.layout import Layout
from macprox.io.tables.mapping import ColumnMapping, require_present
from macprox.io.tables.own import own_cells
from macprox.io.tables.recognition import layout_of
from macprox.io.tables.text import Header, table_stem

_POSITIVE_COLUMN = re.compile(r"(?P<marker>.+)_positive")


@dataclass(frozen=True, eq=False)
class GivenCells:
    """What tables say.

    Attributes
    ----------
    cells : DataFrame
        See `read_cells`.
    markers : dict of str to str
        By marker as the tables spell it, the column of the cells that says who is positive.
    facts : DataFrame
        One row a slide: ``slide_id`` and the fact columns that the mapping names, as text.
    gates : DataFrame
        ``slide_id`` and the columns of a result's gates, where the mapping has gates.
    """

    cells: pd.DataFrame
    markers: dict[str, str]
    facts: pd.DataFrame
    gates: pd.DataFrame = field(default_factory=no_gates)


@dataclass(frozen=True, eq=False)
class _One:
    """What one file says."""

    path: Path
    cells: pd.DataFrame
    markers: dict[str, str]
    facts: pd.DataFrame


def read_cells(
    paths: str | Path | Iterable[str | Path],
    *,
    mapping: ColumnMapping | None = None,
    pixel_size_um: float | None = None,
) -> pd.DataFrame:
    """Read one cell table out of the tables of any tool.

    Recognised by content: macprox, inForm (single fields, merges, consolidated), QuPath
    (measurements, GeoJSON), HALO, MCMICRO, histoCAT, CellProfiler, steinbock, scikit-image's
    regionprops, Xenium, MERSCOPE, CosMx, AnnData, SpatialData, and columns that are plainly
    called x and y. Anything else needs a mapping.

    Parameters
    ----------
    paths : path or iterable of paths
        CSV, TSV, GeoJSON (``.gz`` and ``.zip`` too), Parquet, ``.h5ad``, zarr of AnnData or
        SpatialData, or a steinbock folder.
    mapping : ColumnMapping, optional
        Overrides what was recognised, column by column.
    pixel_size_um : float, optional
        Micrometres per pixel; needed where positions are in pixels or say no unit.

    Returns
    -------
    DataFrame
        ``slide_id, roi_id, cell_id, x_um, y_um, phenotype`` and, where the table has it,
        ``tissue_category``. A cell without a phenotype is ``"Other"``. Where markers are known,
        from columns of positivity, from names such as ``"CK+CD8-"`` or from gates of the mapping,
        ``<marker>_positive``; with gates also ``mean_<marker>_cell`` (or ``_nucleus``).
        ``cell_id`` is the table's where that is a number and unique on the slide, else 1..N; then
        the table's own is kept in ``source_cell_id``. macprox's tables keep all their columns.

    Raises
    ------
    TableError
        If a table is not recognised, has no rows or no finite position, lacks a unit, or
        brings the same cell twice; if two tables bring the same field of a slide.
    """
    return read_given(paths, mapping, pixel_size_um).cells


def read_given(
    paths: str | Path | Iterable[str | Path],
    mapping: ColumnMapping | None = None,
    pixel_size_um: float | None = None,
    elsewhere: Sequence[str] = (),
) -> GivenCells:
    """Cells, markers and the facts of slides; parameters and errors as of `read_cells`.

    Parameters
    ----------
    elsewhere : sequence of str
        Columns of the sample sheet, where facts that the tables lack may stand.

    Raises
    ------
    TableError
        Also if a fact is not the same in every row of a slide.
    """
    if pixel_size_um is not None and not (np.isfinite(pixel_size_um) and pixel_size_um > 0):
        raise TableError(f"The pixel size must be a positive number, found {pixel_size_um!r}.")
    files = [Path(path) for path in ([paths] if isinstance(paths, (str, Path)) else paths)]
    if not files:
        raise TableError("No table was given; expected at least one file.")
    named = unique_slide_ids([path.with_name(table_stem(path)) for path in files])
    mapping = mapping or ColumnMapping()
    tables = [
        _read_one(path, of_file, mapping, pixel_size_um, elsewhere)
        for path, of_file in zip(files, named, strict=True)
    ]
    cells = pd.concat([one.cells for one in tables], ignore_index=True)
    try:
        cells = validate(with_ids(cells, files))
    except TableError as error:
        raise TableError(f"{', '.join(path.name for path in files[:3])}: {error}") from None
    _refuse_same_field(tables)
    markers = {name: column for one in tables for name, column in one.markers.items()}
    facts = pd.concat([one.facts for one in tables], ignore_index=True)
    given = GivenCells(cells, markers, one_row_a_slide(facts, mapping))
    return _held_to(given, mapping.gates) if mapping.gates else given


def _held_to(given: GivenCells, gates: Sequence[Gate]) -> GivenCells:
    cells, table = held_to(given.cells, gates)
    gated = {str(marker): positive_column(str(marker)) for marker in table["marker"].unique()}
    others = {m: column for m, column in given.markers.items() if column not in gated.values()}
    return replace(given, cells=cells, markers={**gated, **others}, gates=table)


def _read_one(
    path: Path,
    of_file: str,
    mapping: ColumnMapping,
    pixel_size_um: float | None,
    elsewhere: Sequence[str],
) -> _One:
    opened = open_table(path, mapping.table)
    header = opened.header
    facts = require_present(header, mapping, elsewhere)
    intensities = gated_intensities(header, mapping.gates)
    if opened.own is not None and not mapping.of_cells:
        found = _own(opened.own(facts), path, facts)
        if not intensities:
            return found
        table = opened.columns([one.column for one in intensities])
        return replace(found, cells=with_intensities(found.cells, table, intensities, path))
    layout = layout_of(header, mapping, opened.layout)
    table = opened.columns([*layout.columns, *facts, *(one.column for one in intensities)])
    table = cells_only(table, layout, path)
    cells, markers = _foreign(table, layout, header, of_file, pixel_size_um)
    told = facts_of(cells["slide_id"], table, facts)
    return _One(path, with_intensities(cells, table, intensities, path), markers, told)


def _foreign(
    table: pd.DataFrame,
    layout: Layout,
    header: Header,
    of_file: str,
    pixel_size_um: float | None,
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Cells of another tool's table, and the columns of their markers."""
    path = header.path
    scale = um_per_unit(layout, pixel_size_um, header)
    names, positive = _phenotypes(table, layout, path)
    cells = pd.DataFrame(
        {
            "slide_id": slides_of(table, layout, path, of_file),
            "roi_id": rois_of(table, layout),
            "source_cell_id": table[layout.cell_id] if layout.cell_id else None,
            "x_um": (middle(table, layout.x, path) + layout.to_corner) * scale,
            "y_um": (middle(table, layout.y, path) + layout.to_corner) * scale,
            "phenotype": names,
        }
    )
    if layout.tissue_category:
        cells["tissue_category"] = table[layout.tissue_category].fillna("").astype(object)
    markers = {marker: positive_column(marker) for marker in positive}
    cells = cells.assign(**{markers[marker]: values for marker, values in positive.items()})
    require_positions(cells, path)
    require_plausible(cells, path)
    return cells, markers


def _refuse_same_field(tables: Sequence[_One]) -> None:
    """A slide in two tables is two exports of it, unless they hold different fields."""
    seen: dict[tuple[str, str], Path] = {}
    for one in tables:
        roi = one.cells.get("roi_id", "1")
        fields = one.cells.assign(roi_id=roi)[["slide_id", "roi_id"]].drop_duplicates()
        for slide_id, roi_id in fields.astype(str).itertuples(index=False):
            before = seen.setdefault((slide_id, roi_id), one.path)
            if before is not one.path:
                raise TableError(
                    f"Slide {slide_id!r}, field {shortened(repr(roi_id))}, is in both "
                    f"{before.name} and {one.path.name}. Give each field in one table, or name "
                    "the field's column with --roi-column."
                )


def _own(cells: pd.DataFrame, path: Path, facts: tuple[str, ...]) -> _One:
    cells = own_cells(cells, path)
    require_plausible(cells, path)
    markers = {
        match["marker"]: name
        for name in cells.columns
        if (match := _POSITIVE_COLUMN.fullmatch(str(name))) and is_bool_dtype(cells[name])
    }
    return _One(path, cells, markers, facts_of(cells["slide_id"], cells, facts))


def _phenotypes(
    table: pd.DataFrame, layout: Layout, path: Path
) -> tuple[pd.Series, positivity.Positivity]:
    """Each cell's name, and where the columns or the names say it, its markers."""
    columns = layout.phenotype
    if not columns:  # called by gates, once all tables are read
        return pd.Series(None, index=table.index, dtype=object), {}
    if len(columns) == 1:
        names = table[columns[0]].fillna("").astype(str).str.strip()
        if not positivity.is_of_calls(names):
            names = _with_other(names)
            found = of_derived(names) if layout.has_derived_classes else {}
            if found:
                return names, found
            found = positivity.of_names(names)
            if found:
                names = names.where(np.logical_or.reduce(list(found.values())), OTHER)
            return names, found
    found = positivity.of_columns(table, columns, path)
    return _with_other(positivity.joined_names(found, len(table)).set_axis(table.index)), found


def _with_other(names: pd.Series) -> pd.Series:
    is_other = names.str.lower().isin(["", "other", "others", "other+"])
    return names.mask(is_other, OTHER).astype(object)
