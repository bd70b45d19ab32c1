"""What can be taken back: every decision of a session, and the events that undo it.

The log only grows. To undo is to append events that lead back to where the log stood before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from macprox.edits import (
    CellDeleted,
    CellMarked,
    CellRestored,
    CellsRedrawn,
    Corrections,
    Event,
    GateConfirmed,
    GateMoved,
    PhenotypeSet,
    RedrawWithdrawn,
    RegionDrawn,
    SignedOff,
    SignOffWithdrawn,
    now_utc,
)
from macprox.edits.events import CellEvent


@dataclass(frozen=True)
class Step:
    """One decision.

    Parameters
    ----------
    text : str
        In words, for the menu: "relabel 3 cells as Treg".
    done : tuple of Event
        What was appended.
    undone : tuple of Event
        What takes it back.
    """

    text: str
    done: tuple[Event, ...]
    undone: tuple[Event, ...]


@dataclass
class History:
    """Steps of one session, the last one on top."""

    _done: list[Step] = field(default_factory=list)
    _undone: list[Step] = field(default_factory=list)

    def add(self, step: Step) -> None:
        """A new decision: what was undone before it cannot be redone any more."""
        self._done.append(step)
        self._undone.clear()

    @property
    def undo_text(self) -> str:
        return self._done[-1].text if self._done else ""

    @property
    def redo_text(self) -> str:
        return self._undone[-1].text if self._undone else ""

    def undo(self) -> tuple[Event, ...]:
        """Events to append now, stamped with this moment; call `undid` once they are saved."""
        return _now(self._done[-1].undone)

    def redo(self) -> tuple[Event, ...]:
        """Events to append now; call `redid` once they are saved."""
        return _now(self._undone[-1].done)

    def undid(self) -> str:
        self._undone.append(self._done.pop())
        return self._undone[-1].text

    def redid(self) -> str:
        self._done.append(self._undone.pop())
        return self._done[-1].text


def _now(events: Sequence[Event]) -> tuple[Event, ...]:
    return tuple(replace(event, time=now_utc()) for event in events)


def step(text: str, events: Sequence[Event], before: Corrections) -> Step:
    """A decision with what takes it back.

    Parameters
    ----------
    text : str
    events : sequence of Event
        To be appended.
    before : Corrections
        Where the log stands without them.
    """
    undone = [back for event in reversed(events) for back in inverse(event, before)]
    return Step(text, tuple(events), tuple(undone))


def inverse(event: Event, before: Corrections) -> list[Event]:
    """The events that lead from after ``event`` back to ``before``."""
    who: dict[str, Any] = {"slide_id": event.slide_id, "reviewer": event.reviewer}
    match event:
        case GateMoved() | GateConfirmed():
            return _gate_back(event, before, who)
        case PhenotypeSet():
            earlier = _earlier(event, before.phenotypes)
            return [replace(event, before=event.after, after=earlier)]
        case CellMarked():
            earlier = _earlier(event, before.marked)
            return [replace(event, before=event.after, after=earlier)]
        case CellDeleted():
            return [CellRestored(**who, **_place(event))]
        case CellRestored():
            return [CellDeleted(**who, **_place(event))]
        case CellsRedrawn():
            # What was carried over to the drawn cells is taken back by place, hence said again.
            removed = {cell["anchor_px"] for cell in event.removed}
            said = [e for e in (*before.phenotypes, *before.marked) if e.anchor_px in removed]
            return [RedrawWithdrawn(**who, redraw_id=event.redraw_id), *said]
        case RegionDrawn():
            return [replace(event, before=event.after, after=event.before)]
        case SignedOff():
            return [SignOffWithdrawn(**who)]
        case SignOffWithdrawn():
            signed = before.signed_off
            return [] if signed is None else [SignedOff(**who, comment=signed.comment)]
    raise TypeError(f"{type(event).__name__} cannot be undone")


def _gate_back(
    event: GateMoved | GateConfirmed, before: Corrections, who: dict[str, Any]
) -> list[Event]:
    """A confirmed gate is confirmed again: moving it there alone would leave it open."""
    gate = before.gates.get((event.marker, event.parent))
    now = event.after if isinstance(event, GateMoved) else event.value
    of: dict[str, Any] = {**who, "marker": event.marker, "parent": event.parent}
    value = None if gate is None else gate.value
    moved: list[Event] = [GateMoved(**of, before=now, after=value)]
    if gate is not None and gate.confirmed and gate.value is not None:
        moved.append(GateConfirmed(**of, value=gate.value))
    return moved


def _earlier(
    event: PhenotypeSet | CellMarked, standing: Sequence[PhenotypeSet] | Sequence[CellMarked]
) -> str | None:
    """What the reviewer had said of the same cell before."""
    for other in standing:
        if _place(other) == _place(event):
            return other.after
    return None


def _place(event: CellEvent) -> dict:
    return {"anchor_px": event.anchor_px, "x_um": event.x_um, "y_um": event.y_um}
