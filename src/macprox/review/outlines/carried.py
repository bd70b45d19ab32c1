"""What was said of a cell by hand holds when its outline is drawn anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from macprox.edits import CellEvent, CellsRedrawn, Corrections, now_utc
from macprox.io.drawn_pixels import box_of, mask_of


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
