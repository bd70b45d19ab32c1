"""`read_cells`: tables of other tools as cell tables."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from macprox.celltable import OTHER, REQUIRED_COLUMNS, validate
from macprox.errors import TableError, reason_of, shortened
from macprox.io.slide_names import slide_id_of
from macprox.io.tables.layouts import ColumnMapping, Layout, layout_of, positivity_marker
from macprox.io.tables.text import Header, numbers, read_columns, read_header, table_stem

_IMAGE_SUFFIX = re.compile(r"[.,]im3$", re.IGNORECASE)  # comma: a table in a comma locale


def read_cells(
    paths: str | Path | Iterable[str | Path],
    *,
    mapping: ColumnMapping | None = None,
    pixel_size_um: float | None = None,
) -> pd.DataFrame:
    """Read one cell table out of the tables of any tool.

    Recognised by their columns: macprox (CSV, Parquet), inForm (single fields, merges,
    consolidated), QuPath, HALO, MCMICRO, histoCAT. Anything else needs a mapping.

    Parameters
    ----------
    paths : path or iterable of paths
        CSV, TSV (``.gz`` too) or Parquet.
    mapping : ColumnMapping, optional
        Overrides what was recognised, column by column.
    pixel_size_um : float, optional
        Micrometres per pixel; needed where positions are in pixels or say no unit.

    Returns
    -------
    DataFrame
        ``slide_id, roi_id, cell_id, x_um, y_um, phenotype`` and, where the table has it,
        ``tissue_category``. A cell without a phenotype is ``"Other"``. ``cell_id`` is the
        table's where that is a number and unique on the slide, else 1..N; then the table's
        own is kept in ``source_cell_id``. macprox's tables keep all their columns.

    Raises
    ------
    TableError
        If a table is not recognised, has no rows or no finite position, lacks a unit, or
        brings the same cell twice.
    """
    if pixel_size_um is not None and not (np.isfinite(pixel_size_um) and pixel_size_um > 0):
        raise TableError(f"The pixel size must be a positive number, found {pixel_size_um!r}.")
    single = isinstance(paths, (str, Path))
    files = [Path(paths)] if single else [Path(path) for path in paths]  # type: ignore[arg-type, union-attr]
    if not files:
        raise TableError("No table was given; expected at least one file.")
    tables = [_read_one(path, mapping, pixel_size_um) for path in files]
    cells = pd.concat(tables, ignore_index=True) if len(tables) > 1 else tables[0]
    try:
        return validate(_with_ids(cells, files))
    except TableError as error:
        raise TableError(f"{', '.join(path.name for path in files[:3])}: {error}") from None


def _read_one(path: Path, mapping: ColumnMapping | None, pixel_size_um: float | None):
    if path.suffix.lower() == ".parquet":
        return _own(_read_parquet(path), path)
    header = read_header(path)
    if set(REQUIRED_COLUMNS) <= set(header.columns) and mapping is None:
        return _own(_read_own_text(path), path)
    layout = layout_of(header, mapping)
    table = _cells_only(read_columns(header, layout.columns), layout, header)
    if table.empty:
        raise TableError(f"{path} has a header but no cells.")
    scale = _um_per_unit(layout, pixel_size_um, header)
    cells = pd.DataFrame(
        {
            "slide_id": _slides(table, layout, path),
            "roi_id": _rois(table, layout),
            "source_cell_id": table[layout.cell_id] if layout.cell_id else None,
            "x_um": (_middle(table, layout.x, path) + layout.to_corner) * scale,
            "y_um": (_middle(table, layout.y, path) + layout.to_corner) * scale,
            "phenotype": _phenotypes(table, layout),
        }
    )
    if layout.tissue_category:
        cells["tissue_category"] = table[layout.tissue_category].fillna("").astype(object)
    _require_positions(cells, path)
    return cells


def _read_own_text(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype={"slide_id": str}, low_memory=False)
    except (OSError, EOFError, ValueError) as error:
        raise TableError(f"{path} is damaged: {reason_of(error)}.") from None


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise TableError(f"There is no table {path}.") from None
    except (OSError, ValueError, KeyError, TypeError, NotImplementedError) as error:
        raise TableError(f"{path} is not a Parquet table: {reason_of(error)}.") from None


def _own(cells: pd.DataFrame, path: Path) -> pd.DataFrame:
    missing = [name for name in (*REQUIRED_COLUMNS, "phenotype") if name not in cells]
    if missing:
        raise TableError(
            f"{path} lacks {', '.join(missing)} of macprox's own columns. Other tools' Parquet "
            "files: export them as CSV and name the columns with --x, --y and --phenotype."
        )
    if cells.empty:
        raise TableError(f"{path} has a header but no cells.")
    texts = [name for name in ("x_um", "y_um") if not is_numeric_dtype(cells[name])]
    return cells.assign(**{name: numbers(cells[name], path) for name in texts})


def _cells_only(table: pd.DataFrame, layout: Layout, header: Header) -> pd.DataFrame:
    """Without annotations (QuPath) and totals (inForm's summaries)."""
    if layout.object_type:
        kinds = table[layout.object_type].fillna("")
        is_cell = ~kinds.str.contains("annotation|image|tma core|root", case=False)
        if len(table) and not is_cell.any():
            raise TableError(
                f"{header.path} holds QuPath's annotations, not cells. Export measurements "
                "again with 'Export type: Cells' (or Detections)."
            )
        return table.loc[is_cell].reset_index(drop=True)
    if layout.tool == "inForm" and layout.cell_id and len(table):
        is_total = table[layout.cell_id].astype(str).str.lower() == "all"
        if is_total.all():
            raise TableError(
                f"{header.path} is inForm's summary: it has totals and no cells. Give the "
                "..._cell_seg_data.txt file beside it."
            )
    return table


def _um_per_unit(layout: Layout, pixel_size_um: float | None, header: Header) -> float:
    if layout.unit == "um":
        return 1.0
    if pixel_size_um is not None:
        return float(pixel_size_um)
    names = f"{layout.x[0]!r} and {layout.y[0]!r}"
    if layout.unit == "px":
        raise TableError(
            f"{header.path}: positions in {names} are in pixels ({layout.tool}). Give the "
            "micrometres per pixel with --pixel-size."
        )
    raise TableError(
        f"{header.path}: neither {names} nor another column says the unit of positions. Give "
        "--pixel-size (micrometres per pixel; 1 if they are micrometres already)."
    )


def _middle(table: pd.DataFrame, columns: tuple[str, ...], path: Path) -> np.ndarray:
    return np.mean([numbers(table[name], path) for name in columns], axis=0)


def _slides(table: pd.DataFrame, layout: Layout, path: Path) -> pd.Series:
    of_file = slide_id_of(Path(table_stem(path)))
    if layout.slide is None:
        return pd.Series(of_file, index=table.index, dtype=object)
    names = table[layout.slide].fillna("").astype(str).str.strip()
    safe = {
        name: slide_id_of(Path(_IMAGE_SUFFIX.sub("", name.replace("\\", "/")))) if name else of_file
        for name in names.unique()
    }
    if len(set(safe.values())) < len(safe):
        raise TableError(
            f"{path}: slides {shortened(', '.join(map(repr, sorted(safe))), 200)} would share a "
            "folder name; "
            "rename them."
        )
    return names.map(safe).astype(object)


def _rois(table: pd.DataFrame, layout: Layout) -> pd.Series:
    if layout.roi is None:
        return pd.Series("1", index=table.index, dtype=object)
    names = table[layout.roi].fillna("").astype(str).str.strip()
    return names.str.replace(_IMAGE_SUFFIX, "", regex=True).replace("", "1").astype(object)


def _phenotypes(table: pd.DataFrame, layout: Layout) -> pd.Series:
    if len(layout.phenotype) == 1:
        names = table[layout.phenotype[0]].fillna("").astype(str).str.strip()
    else:
        parts = [_positives(table[column], column) for column in layout.phenotype]
        names = parts[0]
        for part in parts[1:]:
            names = names.str.cat(part, sep=" ")
        names = names.str.split().str.join(" ")
    is_other = names.str.lower().isin(["", "other", "other+"])
    return names.mask(is_other, OTHER).astype(object)


def _positives(values: pd.Series, column: str) -> pd.Series:
    """``"CD8+"`` where a cell is positive, else empty."""
    text = values.fillna("").astype(str).str.strip()
    if text.str.endswith("+").any() or text.str.endswith("-").any():
        return text.where(text.str.endswith("+"), "")
    is_positive = pd.to_numeric(text, errors="coerce").fillna(0) > 0
    return pd.Series(np.where(is_positive, f"{positivity_marker(column)}+", ""), values.index)


def _require_positions(cells: pd.DataFrame, path: Path) -> None:
    missing = ~np.isfinite(cells[["x_um", "y_um"]].to_numpy()).all(axis=1)
    if missing.any():
        row = int(np.flatnonzero(missing)[0])
        raise TableError(
            f"{path}: {missing.sum():,} of {len(cells):,} cells have no position (first in row "
            f"{row + 2}). Remove those rows, or export the table again."
        )


def _with_ids(cells: pd.DataFrame, files: list[Path]) -> pd.DataFrame:
    """Cells with an id that is unique on their slide, in the order of the cell table."""
    if "source_cell_id" not in cells:
        return cells
    keys = ["slide_id", "roi_id", "source_cell_id"]
    named = cells["source_cell_id"].notna()
    repeated = named & cells.duplicated(keys)
    if repeated.any():
        row = cells[repeated].iloc[0]
        raise TableError(
            f"Cell {shortened(str(row['source_cell_id']))} of slide {row['slide_id']!r}, field "
            f"{row['roi_id']!r}, occurs twice in {', '.join(path.name for path in files[:3])}. "
            "Was a table given twice, or a field beside the merge that holds it?"
        )
    number = pd.to_numeric(cells["source_cell_id"], errors="coerce")
    fits = number.notna() & (number > 0) & (number == np.floor(number)) & (number < 2**53)
    if fits.all() and not cells.assign(n=number).duplicated(["slide_id", "n"]).any():
        ids, drop = number.astype(np.int64), ["source_cell_id"]
    else:
        ids = cells.groupby("slide_id", sort=False).cumcount() + 1
        drop = [] if named.any() else ["source_cell_id"]
    cells = cells.assign(cell_id=ids).drop(columns=drop)
    first = ["slide_id", "roi_id", "cell_id"]
    return cells[[*first, *(name for name in cells.columns if name not in first)]]
