"""Where the reviewer's events lead, and what they do to a cell table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from macprox.edits.events import (
    CellDeleted,
    CellEvent,
    CellRestored,
    Event,
    GateConfirmed,
    GateMoved,
    PhenotypeSet,
    RegionDrawn,
    SignedOff,
)

if TYPE_CHECKING:
    import pandas as pd

# A cell found by position may have moved by rounding or by a neighbouring pixel, not further:
# two nuclei are at least 4 um apart, so within 2 um there is one candidate.
SAME_CELL_UM = 2.0


@dataclass(frozen=True)
class GateCorrection:
    """What the reviewer decided about one gate. ``value`` None: the automatic one."""

    value: float | None
    confirmed: bool
    by: str
    time: str


@dataclass(frozen=True)
class Corrections:
    """The log's last word.

    Attributes
    ----------
    gates : dict of (marker, parent or None) to GateCorrection
    phenotypes : tuple of PhenotypeSet
        One a cell.
    deleted : tuple of CellDeleted
    regions : dict of (kind, region_id) to RegionDrawn
        Those that were not withdrawn.
    signed_off : SignedOff or None
    changed_since_sign_off : bool
    """

    gates: dict[tuple[str, str | None], GateCorrection] = field(default_factory=dict)
    phenotypes: tuple[PhenotypeSet, ...] = ()
    deleted: tuple[CellDeleted, ...] = ()
    regions: dict[tuple[str, str], RegionDrawn] = field(default_factory=dict)
    signed_off: SignedOff | None = None
    changed_since_sign_off: bool = False

    def drawn(self, kind: str) -> list[RegionDrawn]:
        """The current drawings of a kind, ``"tumour"`` or ``"exclusion"``."""
        return [event for (of_kind, _), event in self.regions.items() if of_kind == kind]


def replay(events: Iterable[Event]) -> Corrections:
    """Where the events lead, read in order; later ones win."""
    gates: dict[tuple[str, str | None], GateCorrection] = {}
    phenotypes: dict[object, PhenotypeSet] = {}
    deleted: dict[object, CellDeleted] = {}
    regions: dict[tuple[str, str], RegionDrawn] = {}
    signed_off, changed = None, False
    for event in events:
        changed = signed_off is not None and not isinstance(event, SignedOff)
        match event:
            case GateMoved():
                gates[event.marker, event.parent] = GateCorrection(
                    event.after, False, event.reviewer, event.time
                )
            case GateConfirmed():
                gates[event.marker, event.parent] = GateCorrection(
                    event.value, True, event.reviewer, event.time
                )
            case PhenotypeSet():
                _set_or_drop(phenotypes, _cell_key(event), event, keep=event.after is not None)
            case CellDeleted():
                deleted[_cell_key(event)] = event
            case CellRestored():
                deleted.pop(_cell_key(event), None)
            case RegionDrawn():
                key = event.kind, event.region_id
                _set_or_drop(regions, key, event, keep=event.after is not None)
            case SignedOff():
                signed_off = event
    return Corrections(
        gates=gates,
        phenotypes=tuple(phenotypes.values()),
        deleted=tuple(deleted.values()),
        regions=regions,
        signed_off=signed_off,
        changed_since_sign_off=changed,
    )


def apply_to_cells(
    cells: pd.DataFrame, corrections: Corrections
) -> tuple[pd.DataFrame, list[CellEvent]]:
    """A table with its cells relabelled and deleted as the reviewer said.

    A cell is found by ``anchor_px`` if the cell of that anchor lies within 2 um of where the
    event saw it; else by position, the nearest centroid within 2 um.

    Parameters
    ----------
    cells : DataFrame
        Of one slide, with ``x_um, y_um, phenotype`` and perhaps ``anchor_px``.
    corrections : Corrections

    Returns
    -------
    DataFrame
        A copy; ``phenotype_source`` is ``reviewer`` where a phenotype was set by hand.
    list of CellEvent
        Those whose cell is not there any more: to be shown, never dropped silently.
    """
    cells = cells.copy()
    events: list[CellEvent] = [*corrections.phenotypes, *corrections.deleted]
    if not events:
        return cells, []
    rows = _find_rows(cells, events)
    unmatched = [event for event, row in zip(events, rows, strict=True) if row < 0]
    n_set = len(corrections.phenotypes)
    if "phenotype_source" not in cells:
        cells["phenotype_source"] = "auto"
    phenotype = cells["phenotype"].astype(object).to_numpy(copy=True)
    source = cells["phenotype_source"].astype(object).to_numpy(copy=True)
    for event, row in zip(corrections.phenotypes, rows[:n_set], strict=True):
        if row >= 0:
            phenotype[row], source[row] = event.after, "reviewer"
    cells["phenotype"], cells["phenotype_source"] = phenotype, source
    kept = np.ones(len(cells), dtype=bool)
    kept[rows[n_set:][rows[n_set:] >= 0]] = False
    return cells.loc[kept].reset_index(drop=True), unmatched


def _find_rows(cells: pd.DataFrame, events: list[CellEvent]) -> np.ndarray:
    """Row of each event's cell, -1 where there is none."""
    from scipy.spatial import cKDTree

    xy = cells[["x_um", "y_um"]].to_numpy(dtype=float)
    if not len(xy):
        return np.full(len(events), -1)
    anchors = cells["anchor_px"].tolist() if "anchor_px" in cells else []
    row_of_anchor = {anchor: row for row, anchor in enumerate(anchors)}
    places = np.array([[event.x_um, event.y_um] for event in events])
    distance, nearest = cKDTree(xy).query(places, distance_upper_bound=SAME_CELL_UM * (1 + 1e-9))
    rows = np.where(np.isfinite(distance), nearest, -1)
    for i, event in enumerate(events):
        row = row_of_anchor.get(event.anchor_px, -1) if event.anchor_px is not None else -1
        if row >= 0 and np.hypot(*(xy[row] - places[i])) <= SAME_CELL_UM:
            rows[i] = row
    return rows


def _cell_key(event: CellEvent) -> object:
    """Events about the same cell: by anchor, else by place to a tenth of a micrometre."""
    if event.anchor_px is not None:
        return event.anchor_px
    return round(event.x_um, 1), round(event.y_um, 1)


def _set_or_drop(table: dict, key: object, event: Event, keep: bool) -> None:
    if keep:
        table[key] = event
    else:
        table.pop(key, None)
