"""One drawing of cells on labels in memory: which cells it removes, and where its own then lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from macprox.edits import SAME_CELL_UM, CellsRedrawn, EditLog, replay
from macprox.image.tiles import Box
from macprox.io.drawn_pixels import box_of, mask_of
from macprox.io.store import SlideFolder, read_table
from macprox.pipeline.stages import fingerprint
from macprox.segment.given import MAX_EXTENT_UM
from macprox.segment.parameters import SegmentationParameters

OVERLAP_FRAC = 0.5  # more than this of a cell's pixels: the same cell, or the same place

Labels = dict[str, np.ndarray]  # by image, "nuclei" and "cells": (y, x) int32


@dataclass(frozen=True)
class Drawing:
    """A drawing that stands.

    Parameters
    ----------
    event : CellsRedrawn
    first_id : int
        Of the cells that it adds, which are numbered from there.
    """

    event: CellsRedrawn
    first_id: int

    @property
    def ids(self) -> np.ndarray:
        """(n_added,) int64"""
        return self.first_id + np.arange(len(self.event.added))

    @property
    def key(self) -> str:
        """The same for a drawing that leaves the same cells on the same labels."""
        return fingerprint("drawing", self.first_id, self.event.removed, self.event.added)

    def box(self, shape: tuple[int, int], reach_px: int) -> Box:
        """What it may change, and so far around it, inside a slide of this shape ``(y, x)``."""
        cells = (*self.event.removed, *self.event.added)
        drawn = [box_of(cell["cell"]) for cell in cells if cell["cell"]]
        if not drawn:
            return Box(0, 0, 0, 0)
        y0, x0 = min(box.y0 for box in drawn), min(box.x0 for box in drawn)
        y1, x1 = max(box.y1 for box in drawn), max(box.x1 for box in drawn)
        height, width = shape
        y0, y1 = np.clip([y0 - reach_px, y1 + reach_px], 0, height).tolist()
        x0, x1 = np.clip([x0 - reach_px, x1 + reach_px], 0, width).tolist()
        return Box(y0, y1, x0, x1)


def standing_drawings(folder: SlideFolder) -> list[Drawing]:
    """The drawings of a slide's log that were not withdrawn, in its order.

    Numbers follow the highest that was measured and are given to withdrawn drawings, too: nobody
    else ever has the number of a cell that was seen once.
    """
    events = EditLog(folder.edits).read()
    if not any(isinstance(event, CellsRedrawn) for event in events):
        return []
    measured = read_table(folder.measurements, ["cell_id"])["cell_id"]
    stands = {id(event) for event in replay(events).redraws}
    next_id = int(measured.max()) + 1 if len(measured) else 1
    drawings = []
    for event in events:
        if isinstance(event, CellsRedrawn):
            if id(event) in stands and (event.removed or event.added):
                drawings.append(Drawing(event, next_id))
            next_id += len(event.added)
    return drawings


def reach_px(parameters: SegmentationParameters, pixel_size_um: float) -> int:
    """How far from a cell's place its outline can lie, whatever made it."""
    grown_um = max(parameters.expansion_um, parameters.macrophages.reach_um)
    return int(np.ceil((MAX_EXTENT_UM + 2 * grown_um) / pixel_size_um))


@dataclass(frozen=True)
class Placed:
    """What a drawing makes of the labels of its box.

    Parameters
    ----------
    labels : dict of str to (y, x) int32
    gone : (n,) int64
        Ids of the cells that it removes.
    lost : str
        Why nothing was drawn; empty where it was.
    """

    labels: Labels
    gone: np.ndarray
    lost: str = ""


def place(drawing: Drawing, labels: Labels, box: Box, known: pd.DataFrame) -> Placed:
    """Draw on the labels of a box; the arrays that are given stay as they are.

    Removed cells are found by place: a centroid within 2 um of where the reviewer saw it, that of
    its anchor before others; else the cell that covers most of its pixels, if more than half. Added
    cells take background and what is removed, never another cell's pixels.

    Parameters
    ----------
    drawing : Drawing
    labels : dict of str to (y, x) int32
    box : Box
        `Drawing.box`.
    known : DataFrame
        ``cell_id, anchor_px, x_um, y_um`` of the cells that there are.
    """
    event, cells = drawing.event, labels["cells"]
    gone: list[int] = []
    for removed in event.removed:
        found = _find(removed, cells, box, known, gone) if removed["cell"] else 0
        gone += [found] if found else []
    free = (cells == 0) | np.isin(cells, gone)
    drawn = [mask_of(cell["cell"], box) for cell in event.added]
    if not event.added and not gone:
        return Placed(
            labels, np.empty(0, np.int64), _sentence(event, "no cell lies there any more")
        )
    if any((mask & ~free).sum() > OVERLAP_FRAC * mask.sum() for mask in drawn):
        return Placed(
            labels, np.empty(0, np.int64), _sentence(event, "another cell lies there now")
        )
    if not all((mask & free).any() for mask in drawn):
        return Placed(labels, np.empty(0, np.int64), _sentence(event, "it lies outside the image"))
    after = {name: np.where(np.isin(image, gone), 0, image) for name, image in labels.items()}
    for number, cell, mask in zip(drawing.ids, event.added, drawn, strict=True):
        after["cells"][mask & free] = number
        after["nuclei"][mask & free & mask_of(cell["nucleus"], box)] = number
    return Placed(after, np.array(gone, np.int64))


def _find(
    removed: dict[str, Any], cells: np.ndarray, box: Box, known: pd.DataFrame, gone: Sequence[int]
) -> int:
    """Id of the cell that a drawing speaks of; 0 where there is none."""
    there = known[["x_um", "y_um"]].to_numpy(float)
    away_um = np.hypot(*(there - [removed["x_um"], removed["y_um"]]).T)
    near = np.flatnonzero(away_um <= SAME_CELL_UM * (1 + 1e-9))
    near = near[~np.isin(known["cell_id"].to_numpy()[near], gone)]
    if len(near):
        named = near[(known["anchor_px"].to_numpy()[near] == removed["anchor_px"])]
        row = named[0] if len(named) else near[away_um[near].argmin()]
        return int(known["cell_id"].iloc[row])
    covered = cells[mask_of(removed["cell"], box)]
    ids, n_px = np.unique(covered[(covered > 0) & ~np.isin(covered, gone)], return_counts=True)
    if not len(ids) or n_px.max() <= OVERLAP_FRAC * len(covered):
        return 0
    return int(ids[n_px.argmax()])


def _sentence(event: CellsRedrawn, why: str) -> str:
    cells = event.added or event.removed
    what = "Drawing" if event.added else "Removal"
    whom = "the cell" if len(cells) == 1 else f"{len(cells)} cells"
    place = f"x {cells[0]['x_um']:.0f}, y {cells[0]['y_um']:.0f} µm"
    return f"{what} of {whom} at {place} ({event.reviewer}, {event.time[:10]}): {why}."
