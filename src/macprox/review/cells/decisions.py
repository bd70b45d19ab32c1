"""What a reviewer decides about cells, as events; and the cells as they then are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from macprox.edits import CellDeleted, CellMarked, PhenotypeSet
from macprox.errors import MacproxError
from macprox.pipeline.calling import CalledCells
from macprox.review.decision import Decision, Standing
from macprox.study import Study


def phenotypes_of(cells: pd.DataFrame, study: Study) -> tuple[str, ...]:
    """What a cell can be called: as the study orders it, then what only the table names."""
    named = sorted(map(str, cells["phenotype"].unique()))
    return tuple(dict.fromkeys([*study.phenotypes, *named]))


def rows_of(called: CalledCells, cell_ids: Iterable[int]) -> np.ndarray:
    """Rows of the cells that are there; a cell that is gone needs no decision."""
    ids = called.cells["cell_id"].to_numpy()
    return np.flatnonzero(np.isin(ids, np.fromiter(cell_ids, np.int64)))


def relabelled(at: Standing, rows: np.ndarray, phenotype: str | None) -> Decision:
    """Cells get a name; None leaves it to the rules again.

    Raises
    ------
    MacproxError
        If the study has no such phenotype.
    """
    known = phenotypes_of(at.called.cells, at.study)
    if phenotype is not None and phenotype not in known:
        raise MacproxError(
            f"The study knows no phenotype {phenotype!r}; it has {', '.join(known)}."
        )
    now = at.called.cells["phenotype"].to_numpy(object)[rows]
    events = [
        PhenotypeSet(**place, before=str(before), after=phenotype)
        for place, before in zip(_places(at, rows), now, strict=True)
    ]
    what = "give back to the rules" if phenotype is None else f"relabel as {phenotype}"
    return Decision(f"{what}: {_n_cells(rows)}", events)


def deleted(at: Standing, rows: np.ndarray) -> Decision:
    """These are no cells."""
    events = [CellDeleted(**place) for place in _places(at, rows)]
    return Decision(f"delete {_n_cells(rows)}", events)


def marked(at: Standing, rows: np.ndarray, reason: str | None) -> Decision:
    """Cells are left out of every statistic, and why; None takes the mark back."""
    standing = {(m.anchor_px, m.x_um, m.y_um): m.after for m in at.corrections.marked}
    events = [
        CellMarked(
            **place,
            before=standing.get((place["anchor_px"], place["x_um"], place["y_um"])),
            after=reason,
        )
        for place in _places(at, rows)
    ]
    text = f"mark {_n_cells(rows)} as {reason}" if reason else f"unmark {_n_cells(rows)}"
    return Decision(text, events)


def without(called: CalledCells, rows: np.ndarray) -> CalledCells:
    """The cells but these."""
    kept = np.ones(len(called.cells), bool)
    kept[rows] = False
    return replace(called, cells=called.cells[kept].reset_index(drop=True))


def changed(called: CalledCells, rows: np.ndarray, **values: Any) -> CalledCells:
    """The cells with other values in some columns of these rows."""
    columns = {}
    for name, value in values.items():
        columns[name] = called.cells[name].to_numpy(copy=True)
        columns[name][rows] = value
    return replace(called, cells=called.cells.assign(**columns))


def _places(at: Standing, rows: np.ndarray) -> list[dict[str, Any]]:
    who, cells = at.who(), at.called.cells.iloc[rows]
    columns = (cells[name].tolist() for name in ("anchor_px", "x_um", "y_um"))
    return [
        {**who, "anchor_px": int(anchor), "x_um": x, "y_um": y}
        for anchor, x, y in zip(*columns, strict=True)
    ]


def _n_cells(rows: np.ndarray) -> str:
    return "1 cell" if len(rows) == 1 else f"{len(rows)} cells"
