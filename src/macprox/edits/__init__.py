"""The reviewer's events: appended one line at a time, never rewritten, replayed onto a table."""

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
    now_utc,
)
from macprox.edits.log import EditLog
from macprox.edits.replay import Corrections, GateCorrection, apply_to_cells, replay

__all__ = [
    "CellDeleted",
    "CellEvent",
    "CellRestored",
    "Corrections",
    "EditLog",
    "Event",
    "GateConfirmed",
    "GateCorrection",
    "GateMoved",
    "PhenotypeSet",
    "RegionDrawn",
    "SignedOff",
    "apply_to_cells",
    "now_utc",
    "replay",
]
