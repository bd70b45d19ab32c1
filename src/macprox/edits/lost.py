"""Decisions that find nothing to hold for any more, as sentences."""

from __future__ import annotations

from collections.abc import Collection

from macprox.edits.events import CellDeleted, CellEvent, CellMarked, PhenotypeSet
from macprox.edits.replay import Corrections


def lost_sentence(event: CellEvent) -> str:
    """What the reviewer said of a cell that is not there any more.

    Examples
    --------
    >>> said = {"slide_id": "a", "reviewer": "Dr B", "time": "2026-11-22T10:00:00+00:00"}
    >>> lost_sentence(CellDeleted(**said, x_um=120.2, y_um=340.0))
    'Deletion of the cell at x 120, y 340 µm (Dr B, 2026-11-22): no cell lies there any more.'
    """
    cell = f"of the cell at x {event.x_um:.0f}, y {event.y_um:.0f} µm"
    match event:
        case PhenotypeSet():
            done = f"Relabelling {cell} as {event.after!r}"
        case CellMarked():
            done = f"Marking {cell} as an artefact ({event.after})"
        case CellDeleted():
            done = f"Deletion {cell}"
        case _:
            raise TypeError(f"{type(event).__name__} does nothing that could be lost")
    return f"{done} ({event.reviewer}, {event.time[:10]}): no cell lies there any more."


def lost_gates(corrections: Corrections, markers: Collection[str]) -> list[str]:
    """A sentence for each gate whose marker, or parent, the study does not gate any more."""
    sentences = []
    for (marker, parent), gate in corrections.gates.items():
        unknown = [name for name in (marker, parent) if name is not None and name not in markers]
        if gate.value is not None and unknown:
            of = marker if parent is None else f"{marker} among {parent}+"
            sentences.append(
                f"Gate of {of} at {gate.value:.4g} ({gate.by}, {gate.time[:10]}): the study has "
                f"no marker {' and no marker '.join(unknown)}."
            )
    return sentences
