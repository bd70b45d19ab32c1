"""Where the reviewer's events lead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from macprox.edits.events import (
    CellDeleted,
    CellEvent,
    CellMarked,
    CellRestored,
    CellsRedrawn,
    Event,
    GateConfirmed,
    GateMoved,
    PhenotypeSet,
    RedrawWithdrawn,
    RegionDrawn,
    SignedOff,
    SignOffWithdrawn,
)
from macprox.edits.naming import CellNames


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
    marked : tuple of CellMarked
        One a cell.
    redraws : tuple of CellsRedrawn
        Those that were not withdrawn, in the order of the log.
    regions : dict of (kind, region_id) to RegionDrawn
        Those that were not withdrawn.
    signed_off : SignedOff or None
    changed_since_sign_off : bool
        What was done and undone again is no change.
    """

    gates: dict[tuple[str, str | None], GateCorrection] = field(default_factory=dict)
    phenotypes: tuple[PhenotypeSet, ...] = ()
    deleted: tuple[CellDeleted, ...] = ()
    marked: tuple[CellMarked, ...] = ()
    redraws: tuple[CellsRedrawn, ...] = ()
    regions: dict[tuple[str, str], RegionDrawn] = field(default_factory=dict)
    signed_off: SignedOff | None = None
    changed_since_sign_off: bool = False

    def drawn(self, kind: str) -> list[RegionDrawn]:
        """The current drawings of a kind, ``"tumour"`` or ``"exclusion"``."""
        return [event for (of_kind, _), event in self.regions.items() if of_kind == kind]

    def content(self) -> dict[str, Any]:
        """What results depend on, for JSON: no times, no sign-off, nothing that was undone."""
        gates = ((key, g) for key, g in self.gates.items() if g.value is not None)
        return {
            "gates": sorted([m, p or "", g.value, g.confirmed, g.by] for (m, p), g in gates),
            "phenotypes": sorted([*_who_and_where(e), e.after or ""] for e in self.phenotypes),
            "deleted": sorted(_who_and_where(event) for event in self.deleted),
            "marked": sorted([*_who_and_where(e), e.after or ""] for e in self.marked),
            "redraws": [[e.redraw_id, e.removed, e.added] for e in self.redraws],
            "regions": [[kind, e.after, e.reason] for (kind, _), e in self.regions.items()],
        }

    def by_reviewer(self) -> dict[str, int]:
        """How many of the standing decisions are whose, in name order."""
        decisions: Sequence[Event] = (
            *self.phenotypes, *self.deleted, *self.marked, *self.redraws, *self.regions.values(),
        )  # fmt: skip
        found = Counter(event.reviewer for event in decisions)
        found.update(gate.by for gate in self.gates.values() if gate.value is not None)
        return dict(sorted(found.items()))


def _who_and_where(event: CellEvent) -> list[Any]:
    anchor_px = -1 if event.anchor_px is None else event.anchor_px
    return [event.x_um, event.y_um, anchor_px, event.reviewer]


def replay(events: Iterable[Event]) -> Corrections:
    """Where the events lead, read in order; later ones win.

    A drawing of cells that was withdrawn is as if it had never been; what was said before of
    cells that a standing one removed is no longer said.
    """
    events = list(events)
    found = _decisions(events)
    signed_off, n_before = _sign_off(events)
    if signed_off is None:
        return found
    changed = (
        n_before + 1 < len(events) and _decisions(events[:n_before]).content() != found.content()
    )
    return replace(found, signed_off=signed_off, changed_since_sign_off=changed)


def _sign_off(events: Sequence[Event]) -> tuple[SignedOff | None, int]:
    """The sign-off that still stands, and how many events it had before it."""
    for number, event in reversed(list(enumerate(events))):
        if isinstance(event, SignedOff):
            return event, number
        if isinstance(event, SignOffWithdrawn):
            break
    return None, 0


def _decisions(events: Sequence[Event]) -> Corrections:
    """Everything but the sign-off. Drawings first: which of them stand is known only at the end."""
    redraws = _standing_redraws(events)
    gates: dict[tuple[str, str | None], GateCorrection] = {}
    regions: dict[tuple[str, str], RegionDrawn] = {}
    of_cells = _OfCells()
    for event in events:
        match event:
            case GateMoved():
                gates[event.marker, event.parent] = GateCorrection(
                    event.after, False, event.reviewer, event.time
                )
            case GateConfirmed():
                gates[event.marker, event.parent] = GateCorrection(
                    event.value, True, event.reviewer, event.time
                )
            case RegionDrawn():
                key = event.kind, event.region_id
                _set_or_drop(regions, key, event, keep=event.after is not None)
            case CellEvent():
                of_cells.take(event)
            case CellsRedrawn() if redraws.get(event.redraw_id) is event:
                of_cells.forget(event.removed)
    return Corrections(
        gates=gates,
        phenotypes=tuple(of_cells.phenotypes.values()),
        deleted=tuple(of_cells.deleted.values()),
        marked=tuple(of_cells.marked.values()),
        redraws=tuple(redraws.values()),
        regions=regions,
    )


def _standing_redraws(events: Sequence[Event]) -> dict[str, CellsRedrawn]:
    standing: dict[str, CellsRedrawn] = {}
    for event in events:
        if isinstance(event, CellsRedrawn | RedrawWithdrawn):
            standing.pop(event.redraw_id, None)  # drawn again stands where it was drawn again
        if isinstance(event, CellsRedrawn):
            standing[event.redraw_id] = event
    return standing


class _OfCells:
    """What stands of single cells, by the cell's number."""

    def __init__(self) -> None:
        self.phenotypes: dict[int, PhenotypeSet] = {}
        self.deleted: dict[int, CellDeleted] = {}
        self.marked: dict[int, CellMarked] = {}
        self._names = CellNames()

    def take(self, event: CellEvent) -> None:
        number = self._names.number(event.anchor_px, event.x_um, event.y_um)
        match event:
            case PhenotypeSet():
                _set_or_drop(self.phenotypes, number, event, keep=event.after is not None)
            case CellMarked():
                _set_or_drop(self.marked, number, event, keep=event.after is not None)
            case CellDeleted():
                self.deleted[number] = event
            case CellRestored():
                self.deleted.pop(number, None)

    def forget(self, removed: Iterable[dict[str, Any]]) -> None:
        """What was said of cells that are drawn away."""
        for cell in removed:
            number = self._names.find(cell["anchor_px"], cell["x_um"], cell["y_um"])
            if number is not None:
                for said in (self.phenotypes, self.deleted, self.marked):
                    said.pop(number, None)


def _set_or_drop(table: dict, key: object, event: Event, keep: bool) -> None:
    if keep:
        table[key] = event
    else:
        table.pop(key, None)
