"""Cells drawn by hand, as events; what was said of a cell holds when it is drawn anew."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from macprox.edits import CellEvent, CellsRedrawn, Corrections, now_utc
from macprox.io.drawn_pixels import box_of, mask_of
from macprox.review.decision import Decision, Standing

if TYPE_CHECKING:
    from macprox.review.outlines.crop import CropEdit


def redrawn(at: Standing, edit: CropEdit, pixel_size_um: float) -> Decision:
    """Drawn outlines in the place of cells."""
    drawn = CellsRedrawn(
        **at.who(), redraw_id=uuid.uuid4().hex[:8],
        removed=tuple(edit.removed), added=tuple(edit.added),
    )  # fmt: skip
    said = carried_over(drawn, at.corrections, pixel_size_um)
    text = f"draw {len(drawn.added)} for {len(drawn.removed)} cells"
    return Decision(text, [drawn, *said])


def carried_over(
    drawn: CellsRedrawn, corrections: Corrections, pixel_size_um: float
) -> list[CellEvent]:
    """Names and marks of removed cells, for the drawn cells that lie where those were.

    Parameters
    ----------
    drawn : CellsRedrawn
    corrections : Corrections
        Where the log stands before the drawing.
    pixel_size_um : float

    Returns
    -------
    list of CellEvent
        To be appended after the drawing, which drops what was said of the cells it removes. Where
        a cell became several, the one with the old centre takes its name.
    """
    removed = {cell["anchor_px"] for cell in drawn.removed}
    said: list[CellEvent] = []
    standing: list[CellEvent] = [*corrections.phenotypes, *corrections.marked]
    for event in standing:
        if event.anchor_px in removed:
            for cell in drawn.added:
                if _holds(cell, event.x_um / pixel_size_um, event.y_um / pixel_size_um):
                    place = {name: cell[name] for name in ("anchor_px", "x_um", "y_um")}
                    said.append(replace(event, **place, reviewer=drawn.reviewer, time=now_utc()))
    return said


def _holds(cell: dict[str, Any], x_px: float, y_px: float) -> bool:
    box = box_of(cell["cell"])
    if not (box.x0 <= x_px < box.x1 and box.y0 <= y_px < box.y1):
        return False
    mask = mask_of(cell["cell"], box)
    return bool(mask[int(np.floor(y_px)) - box.y0, int(np.floor(x_px)) - box.x0])
