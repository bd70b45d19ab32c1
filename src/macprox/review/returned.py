"""Corrections made in QuPath come back: changed classes and removed cells, as events of the log."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from macprox.edits import CellDeleted, EditLog, Event, PhenotypeSet
from macprox.edits.naming import SAME_CELL_UM
from macprox.errors import MacproxError, ResultError
from macprox.io.returned_cells import ReturnedCells, read_returned_cells
from macprox.results import SlideResult
from macprox.review.cells.decisions import phenotypes_of
from macprox.review.slides.notices import read_only_reason

MOST_DELETED = 0.1  # of a slide's cells; more are a part of the slide that was exported


@dataclass(frozen=True)
class Returned:
    """What came back.

    Parameters
    ----------
    n_relabelled, n_deleted : int
        Events that were written.
    n_unclassed : int
        Cells whose class was taken away; they keep their phenotype.
    n_lost : int
        Changed cells that are not where they were: segmented or drawn anew since.
    """

    n_relabelled: int
    n_deleted: int
    n_unclassed: int
    n_lost: int


def take_back(
    result: SlideResult, path: Path, reviewer: str, delete_missing: bool = False
) -> Returned:
    """Write what was changed in QuPath into the slide's ``edits.jsonl``.

    A cell is changed where its class is not the phenotype that it was exported with, whatever it
    is called in the results by now; one that is called so already needs no event.

    Parameters
    ----------
    result : SlideResult
    path : Path
        GeoJSON from ``macprox export``, corrected in QuPath and exported there.
    reviewer : str
    delete_missing : bool
        Whether cells of the slide that the file lacks are no cells.

    Returns
    -------
    Returned

    Raises
    ------
    MacproxError
        Before anything is written: without a reviewer's name, of another slide, for a class that
        the study does not know, for a cell in two classes, or with more than a tenth of the cells
        missing.
    """
    if not reviewer.strip():
        raise MacproxError("Who corrected these cells? Give --reviewer: it is saved with them.")
    if reason := read_only_reason(result.folder):
        raise ResultError(reason)
    returned, cells = read_returned_cells(path), result.cells()
    _check(returned, cells, result, path)
    by_id = cells.set_index("cell_id", drop=False)
    changed = np.flatnonzero((returned.after != returned.before) & (returned.after != ""))
    rows = [_row(by_id, returned, n, result.pixel_size_um) for n in changed]
    who: dict[str, Any] = {"slide_id": result.slide_id, "reviewer": reviewer.strip()}
    events: list[Event] = [
        PhenotypeSet(
            **who, **_place(row), before=str(row["phenotype"]), after=str(returned.after[n])
        )
        for n, row in zip(changed, rows, strict=True)
        if row is not None and row["phenotype"] != returned.after[n]
    ]
    n_relabelled = len(events)
    if delete_missing:
        gone = _missing(cells, returned, path)
        events += [CellDeleted(**who, **_place(row)) for _, row in gone.iterrows()]
    EditLog(result.folder.edits).append(*events)
    return Returned(
        n_relabelled=n_relabelled,
        n_deleted=len(events) - n_relabelled,
        n_unclassed=int((returned.after == "").sum()),
        n_lost=sum(row is None for row in rows),
    )


def _check(returned: ReturnedCells, cells: pd.DataFrame, result: SlideResult, path: Path) -> None:
    others = set(returned.slide_id) - {result.slide_id}
    if others:
        raise ResultError(
            f"{path} holds cells of slide {sorted(others)[0]!r}, not of {result.slide_id!r}; give "
            "the folder of that slide."
        )
    classes = set(zip(returned.cell_id.tolist(), returned.after.tolist(), strict=True))
    if len(classes) > len(set(returned.cell_id.tolist())):
        cell_id, _ = Counter(cell_id for cell_id, _ in classes).most_common(1)[0]
        raise ResultError(
            f"{path} has cell {cell_id} several times, in different classes. Remove in QuPath "
            "those that do not hold."
        )
    known = phenotypes_of(cells, result.study)
    unknown = Counter(name for name in returned.after if name and name not in known)
    if unknown:
        name, n = unknown.most_common(1)[0]
        raise ResultError(
            f"{path}: {n} cells have the class {name!r}, which is no phenotype of the study: "
            f"{', '.join(known)}. Rename the class in QuPath, or add the phenotype to study.toml."
        )


def _row(
    by_id: pd.DataFrame, returned: ReturnedCells, n: np.integer, pixel_size_um: float
) -> pd.Series | None:
    """The cell of the table, if it is still where it was."""
    if returned.cell_id[n] not in by_id.index:
        return None
    row = by_id.loc[returned.cell_id[n]]
    away_um = returned.xy_px[n] * pixel_size_um - [row["x_um"], row["y_um"]]
    return row if np.hypot(*away_um) <= SAME_CELL_UM else None


def _place(row: pd.Series) -> dict[str, Any]:
    anchor_px = row.get("anchor_px")
    return {
        "anchor_px": None if anchor_px is None else int(anchor_px),
        "x_um": float(row["x_um"]),
        "y_um": float(row["y_um"]),
    }


def _missing(cells: pd.DataFrame, returned: ReturnedCells, path: Path) -> pd.DataFrame:
    gone = cells[~cells["cell_id"].isin(returned.cell_id)]
    if len(gone) > MOST_DELETED * len(cells):
        raise ResultError(
            f"{path} lacks {len(gone):,} of the slide's {len(cells):,} cells; expected all but a "
            "few that were removed. Export all objects from QuPath, or leave out --delete-missing."
        )
    return gone
