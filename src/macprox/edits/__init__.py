"""The reviewer's events: appended one line at a time, never rewritten, replayed onto a table."""

from macprox.edits.applying import REASONS_JOINED_BY, apply_to_cells
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
from macprox.edits.lost import lost_gates, lost_sentence
from macprox.edits.naming import SAME_CELL_UM
from macprox.edits.replay import Corrections, GateCorrection, replay

__all__ = [
    "REASONS_JOINED_BY",
    "SAME_CELL_UM",
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
    "lost_gates",
    "lost_sentence",
    "now_utc",
    "replay",
]
