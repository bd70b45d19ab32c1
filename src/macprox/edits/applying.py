"""What the reviewer's decisions about single cells do to a cell table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from macprox.edits.events import CellEvent
from macprox.edits.naming import SAME_CELL_UM
from macprox.edits.replay import Corrections

if TYPE_CHECKING:
    import pandas as pd

REASONS_JOINED_BY = "; "  # several reasons in the column artefact
MARKED_BY_REVIEWER = "reviewer: "


def apply_to_cells(
    cells: pd.DataFrame, corrections: Corrections
) -> tuple[pd.DataFrame, list[CellEvent]]:
    """A table with its cells relabelled, marked and deleted as the reviewer said.

    A cell is found by ``anchor_px`` if the cell of that anchor lies within 2 um of where the
    event saw it; else by position, the nearest centroid within 2 um.

    Parameters
    ----------
    cells : DataFrame
        Of one slide, with ``x_um, y_um, phenotype`` and perhaps ``anchor_px``, ``artefact``,
        ``excluded``; drawings of cells are in it already.
    corrections : Corrections

    Returns
    -------
    DataFrame
        A copy; ``phenotype_source`` is ``reviewer`` where a phenotype was set by hand. A marked
        cell stays, ``excluded``, with ``reviewer: <reason>`` among its artefacts.
    list of CellEvent
        Those whose cell is not there any more: to be shown, never dropped silently.
    """
    cells = cells.assign()
    events: list[CellEvent] = [
        *corrections.phenotypes, *corrections.marked, *corrections.deleted,
    ]  # fmt: skip
    if not events:
        return cells, []
    rows = find_rows(cells, events)
    unmatched = [event for event, row in zip(events, rows, strict=True) if row < 0]
    n_set, n_marked = len(corrections.phenotypes), len(corrections.marked)
    cells = _relabelled(cells, corrections, rows[:n_set])
    cells = _marked(cells, corrections, rows[n_set : n_set + n_marked])
    gone = rows[n_set + n_marked :]
    if (gone >= 0).any():
        kept = np.ones(len(cells), dtype=bool)
        kept[gone[gone >= 0]] = False
        cells = cells.loc[kept].reset_index(drop=True)
    return cells, unmatched


def _relabelled(cells: pd.DataFrame, corrections: Corrections, rows: np.ndarray) -> pd.DataFrame:
    if "phenotype_source" not in cells:
        cells = cells.assign(phenotype_source="auto")
    names = [event.after for event in corrections.phenotypes]
    found = rows >= 0
    return cells.assign(
        phenotype=_changed(cells["phenotype"], rows[found], np.array(names, object)[found]),
        phenotype_source=_changed(cells["phenotype_source"], rows[found], "reviewer"),
    )


def _marked(cells: pd.DataFrame, corrections: Corrections, rows: np.ndarray) -> pd.DataFrame:
    if not corrections.marked:
        return cells
    if "artefact" not in cells:
        cells = cells.assign(artefact="")
    excluded = np.zeros(len(cells), dtype=bool)
    if "excluded" in cells:
        excluded = cells["excluded"].to_numpy(dtype=bool, copy=True)
    excluded[rows[rows >= 0]] = True
    said: dict[int, list[str]] = {}
    for event, row in zip(corrections.marked, rows.tolist(), strict=True):
        if row >= 0:
            before = said.setdefault(row, [str(cells["artefact"].iloc[row])])
            before.append(f"{MARKED_BY_REVIEWER}{event.after}")
    joined = [REASONS_JOINED_BY.join(filter(None, reasons)) for reasons in said.values()]
    marked = _changed(cells["artefact"], np.array(list(said), int), np.array(joined, object))
    return cells.assign(artefact=marked, excluded=excluded)


def _changed(column: pd.Series, rows: np.ndarray, values: np.ndarray | str) -> pd.Series:
    """Only the rows in question: a million strings converted there and back take half a second."""
    changed = column.copy()
    changed.iloc[rows] = values
    return changed


def find_rows(cells: pd.DataFrame, events: Sequence[CellEvent]) -> np.ndarray:
    """Row of each event's cell ``(n_events,)``, -1 where there is none; see `apply_to_cells`."""
    xy = cells[["x_um", "y_um"]].to_numpy(dtype=float)
    places = np.array([[event.x_um, event.y_um] for event in events], dtype=float)
    rows = np.full(len(events), -1)
    if not len(xy):
        return rows
    if "anchor_px" in cells:
        rows = _rows_of_anchors(cells["anchor_px"].to_numpy(), [e.anchor_px for e in events])
        moved = np.hypot(*(xy[rows] - places).T) > SAME_CELL_UM
        rows[moved] = -1
    missing = np.flatnonzero(rows < 0)
    if len(missing):
        rows[missing] = _rows_at(xy, places[missing])
    return rows


def _rows_of_anchors(of_cells: np.ndarray, asked: Sequence[int | None]) -> np.ndarray:
    """Row of each anchor; few are asked for, so the many are looked up among the few."""
    known = np.array(
        [n for n, anchor in enumerate(asked) if anchor is not None and anchor >= 0], dtype=int
    )
    rows = np.full(len(asked), -1)
    wanted = np.array([asked[n] for n in known], dtype=of_cells.dtype)
    if not len(wanted):
        return rows
    among = np.unique(wanted)
    place = np.minimum(np.searchsorted(among, of_cells), len(among) - 1)
    hit = np.flatnonzero(among[place] == of_cells)
    row_of = np.full(len(among), -1)
    row_of[place[hit]] = hit
    rows[known] = row_of[np.searchsorted(among, wanted)]
    return rows


def _rows_at(xy: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The nearest cell within 2 um of each place; a tree of a million cells is not worth it."""
    from scipy.spatial import cKDTree

    square = np.floor(xy / SAME_CELL_UM).astype(np.int64)
    around = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)])
    asked = np.floor(places / SAME_CELL_UM).astype(np.int64)[:, None] + around
    wide = np.int64(1) << 31
    near = np.flatnonzero(
        np.isin(square[:, 0] * wide + square[:, 1], (asked[..., 0] * wide + asked[..., 1]).ravel())
    )
    if not len(near):
        return np.full(len(places), -1)
    # The bound itself is beyond, and rounding must not lose a cell exactly 2 um away.
    distance, nearest = cKDTree(xy[near]).query(
        places, distance_upper_bound=SAME_CELL_UM * (1 + 1e-9)
    )
    return np.where(np.isfinite(distance), near[np.minimum(nearest, len(near) - 1)], -1)
