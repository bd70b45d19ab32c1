"""Where a table's cells lie and what they are called: positions, slides, fields, ids."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from macprox.errors import TableError, shortened
from macprox.io.slide_names import slide_id_of
from macprox.io.tables.layout import Layout
from macprox.io.tables.text import Header, numbers

MOST_UM = 1e8  # a hundred metres: stage coordinates may begin anywhere
_MICROMETRES_IN = {"um": 1.0, "mm": 1000.0}
# What QuPath lists beside cells; with "Path" or "Object" before 0.3.
_NO_CELL = r"(?:Path)?(?:Annotation|Root|Image|TMA ?core|Tile)(?: ?object)?(?: \(image\))?"
# inForm's (with a comma: a table in a comma locale) and the mass cytometer's
_IMAGE_SUFFIX = re.compile(r"[.,]im3$|\.mcd$", re.IGNORECASE)


def um_per_unit(layout: Layout, pixel_size_um: float | None, header: Header) -> float:
    """Micrometres per unit of the positions; a unit that nobody says is asked for."""
    if layout.unit in _MICROMETRES_IN:
        return _MICROMETRES_IN[layout.unit]
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


def cells_only(table: pd.DataFrame, layout: Layout, path: Path) -> pd.DataFrame:
    """Without annotations, cores and images (QuPath), and totals (inForm's summaries).

    Raises
    ------
    TableError
        If nothing is left.
    """
    if table.empty:
        raise TableError(f"{path} has a header but no cells.")
    is_cell = np.ones(len(table), dtype=bool)
    if layout.object_type:
        kinds = table[layout.object_type].fillna("").astype(str).str.strip()
        is_cell &= ~kinds.str.fullmatch(_NO_CELL, case=False).to_numpy(dtype=bool)
    if layout.n_inside:
        is_cell &= (table[layout.n_inside].fillna("").astype(str).str.strip() == "").to_numpy()
    if not is_cell.any():
        raise TableError(no_cells(path, f"{layout.tool}'s annotations"))
    if layout.tool == "inForm" and layout.cell_id:
        is_total = table[layout.cell_id].astype(str).str.lower() == "all"
        if is_total.all():
            raise TableError(
                f"{path} is inForm's summary: it has totals and no cells. Give the "
                "..._cell_seg_data.txt file beside it."
            )
    return table if is_cell.all() else table.loc[is_cell].reset_index(drop=True)


def no_cells(path: Path, what: str) -> str:
    """The sentence where QuPath exported something else than cells."""
    return (
        f"{path} holds {what}, not cells. Export measurements again with 'Export type: Cells' "
        "(or Detections)."
    )


def middle(table: pd.DataFrame, columns: tuple[str, ...], path: Path) -> np.ndarray:
    """Positions along one axis ``(n,)``: of a column, or half-way between the sides of boxes."""
    return np.mean([numbers(table[name], path) for name in columns], axis=0)


def slides_of(table: pd.DataFrame, layout: Layout, path: Path, of_file: str) -> pd.Series:
    """Each cell's slide, safe as a folder name; of the file where the table says none."""
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


def rois_of(table: pd.DataFrame, layout: Layout) -> pd.Series:
    """Each cell's field, "1" where the table says none."""
    if layout.roi is None:
        return pd.Series("1", index=table.index, dtype=object)
    names = table[layout.roi].fillna("").astype(str).str.strip()
    return names.str.replace(_IMAGE_SUFFIX, "", regex=True).replace("", "1").astype(object)


def require_positions(cells: pd.DataFrame, path: Path) -> None:
    """Refuse cells without a finite position."""
    missing = ~np.isfinite(cells[["x_um", "y_um"]].to_numpy()).all(axis=1)
    if missing.any():
        row = int(np.flatnonzero(missing)[0])
        raise TableError(
            f"{path}: {missing.sum():,} of {len(cells):,} cells have no position (first in row "
            f"{row + 2}). Remove those rows, or export the table again."
        )


def require_plausible(cells: pd.DataFrame, path: Path) -> None:
    """Refuse places that no slide has; distances between them would be meaningless."""
    farthest_um = np.abs(cells[["x_um", "y_um"]].to_numpy(float)).max()
    if MOST_UM < farthest_um < np.inf:
        raise TableError(
            f"{path}: a cell lies at {farthest_um:.3g} µm, farther than any slide reaches. Are "
            "the positions, and the pixel size, in the unit that they should be?"
        )


def with_ids(cells: pd.DataFrame, files: list[Path]) -> pd.DataFrame:
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
