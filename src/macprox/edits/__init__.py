"""The reviewer's events: appended one line at a time, never rewritten, replayed onto a table."""

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
    now_utc,
)
from macprox.edits.log import EditLog
from macprox.edits.replay import Corrections, GateCorrection, apply_to_cells, replay

__all__ = [
    "CellDeleted",
    "CellEvent",
    "CellMarked",
    "CellRestored",
    "CellsRedrawn",
    "Corrections",
    "EditLog",
    "Event",
    "GateConfirmed",
    "GateCorrection",
    "GateMoved",
    "PhenotypeSet",
    "RedrawWithdrawn",
    "RegionDrawn",
    "SignOffWithdrawn",
    "SignedOff",
    "apply_to_cells",
    "now_utc",
    "replay",
]
