"""One cell on a card: what it is called, why, and how far from the next tumour cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from macprox.celltable import centroids_um, positive_column
from macprox.errors import TableError
from macprox.phenotype.calls import explain_cell, inside_regions
from macprox.pipeline.calling import CalledCells
from macprox.review.gates.per_cell import cuts_of, values_of
from macprox.study import GIVEN, Study

CLICK_UM = 10.0  # a click farther from every centroid meant none of them
REVIEWER = "reviewer"

# What may be said of a cell beside its phenotype: a column, and its words if that is true.
_FLAGS = (
    ("af_suspect", "bright in the autofluorescence channel"),
    ("edge", "cut by the edge of the image"),
    ("clump", "part of a clump"),
    ("excluded", "left out of every number"),
)


@dataclass(frozen=True)
class Reading:
    """One marker of one cell.

    Parameters
    ----------
    marker : str
    value : float
        Mean intensity in the compartment that the gate cuts, background-corrected.
    gate : float
        The one that this cell is held to; NaN where there is none.
    positive : bool
    percentile : float
        Per cent of the slide's cells that are darker; NaN without a value.
    """

    marker: str
    value: float
    gate: float
    positive: bool
    percentile: float


@dataclass(frozen=True)
class CellCard:
    """What the window says of one cell.

    Parameters
    ----------
    cell_id : int
    x_um, y_um : float
    phenotype : str
    source : "auto", "reviewer" or "given"
        Who says so: the rules, a person, or the table that the cells came from.
    why : str
        In one sentence.
    readings : tuple of Reading
        In the study's order.
    nearest_tumour_id : int
        0 without another tumour cell.
    nearest_tumour_xy_um : (float, float) or None
    nearest_tumour_um : float
        NaN without.
    border_um : float
        Distance to the tumour border, inside negative; NaN without a tumour region.
    region, compartment : str
    has_nucleus : bool
        In this plane.
    flags : tuple of str
        What to be careful about, in words.
    """

    cell_id: int
    x_um: float
    y_um: float
    phenotype: str
    source: str
    why: str
    readings: tuple[Reading, ...]
    nearest_tumour_id: int
    nearest_tumour_xy_um: tuple[float, float] | None
    nearest_tumour_um: float
    border_um: float
    region: str
    compartment: str
    has_nucleus: bool
    flags: tuple[str, ...]

    @property
    def place_text(self) -> str:
        """Where the cell is, and what to be careful about."""
        if np.isfinite(self.nearest_tumour_um):
            text = f"Nearest tumour cell: {self.nearest_tumour_um:.1f} µm away."
        else:
            text = "There is no tumour cell on this slide."
        if np.isfinite(self.border_um):
            side = "inside" if self.border_um < 0 else "outside"
            text += f" {abs(self.border_um):.0f} µm {side} the tumour border"
            text += f", in {self.compartment}." if self.compartment else "."
        return text + "".join(f"\n⚠ {flag}" for flag in self.flags)


def cell_card(called: CalledCells, study: Study, cell_id: int) -> CellCard:
    """Everything about one cell of a slide.

    Raises
    ------
    TableError
        If the cell is not there any more.
    """
    cells = called.cells
    rows = np.flatnonzero(cells["cell_id"].to_numpy() == cell_id)
    if len(rows) == 0:
        raise TableError(
            f"Cell {cell_id} is not on this slide any more: it was deleted or drawn anew. Click "
            "another one."
        )
    row = int(rows[0])
    cell = cells.iloc[row]
    tumour_row, tumour_um = _nearest_tumour(called, study, row)
    has_tumour = tumour_row >= 0
    nearest = cells.iloc[tumour_row] if has_tumour else None
    return CellCard(
        cell_id=int(cell_id),
        x_um=float(cell["x_um"]),
        y_um=float(cell["y_um"]),
        phenotype=str(cell["phenotype"]),
        source=GIVEN if _is_given(study) else str(cell["phenotype_source"]),
        why=_why(cells.iloc[[row]], study),
        readings=_readings(called, study, row),
        nearest_tumour_id=0 if nearest is None else int(nearest["cell_id"]),
        nearest_tumour_xy_um=None
        if nearest is None
        else (float(nearest.x_um), float(nearest.y_um)),
        nearest_tumour_um=tumour_um,
        border_um=float(cell.get("tumour_border_distance_um", np.nan)),
        region=str(cell.get("region", "")),
        compartment=str(cell.get("compartment", "")),
        has_nucleus=bool(cell.get("has_nucleus", True)),
        flags=_flags(cell),
    )


def cell_at(cells: pd.DataFrame, x_um: float, y_um: float, within_um: float = CLICK_UM) -> int:
    """The cell whose centroid is nearest to a place; 0 if none is near enough.

    For slides whose labels are missing: a body can reach farther than its nucleus tells.
    """
    xy = centroids_um(cells)
    if len(xy) == 0:
        return 0
    distance = np.hypot(xy[:, 0] - x_um, xy[:, 1] - y_um)
    row = int(np.argmin(distance))
    return int(cells["cell_id"].iloc[row]) if distance[row] <= within_um else 0


def _nearest_tumour(called: CalledCells, study: Study, row: int) -> tuple[int, float]:
    """Row and distance of the nearest other tumour cell that counts; -1 and NaN without one."""
    cells = called.cells
    counts = cells["in_window"].to_numpy(bool) & ~cells["excluded"].to_numpy(bool)
    is_tumour = counts & (cells["phenotype"] == study.proximity.tumour).to_numpy(bool)
    is_tumour[row] = False
    if "roi_id" in cells:  # a neighbour in another field is no neighbour
        is_tumour &= (cells["roi_id"] == cells["roi_id"].iloc[row]).to_numpy(bool)
    others = np.flatnonzero(is_tumour)
    if len(others) == 0:
        return -1, float("nan")
    xy = centroids_um(cells)
    distance = np.hypot(*(xy[others] - xy[row]).T)
    nearest = int(np.argmin(distance))
    return int(others[nearest]), float(distance[nearest])


def _is_given(study: Study) -> bool:
    """Whether another tool named the cells."""
    return GIVEN in study.phenotypes.values()


def _why(one: pd.DataFrame, study: Study) -> str:
    if _is_given(study):
        return "The table that the cells came from says so."
    positive = {
        marker: bool(one[positive_column(marker)].iloc[0])
        for marker in study.markers
        if positive_column(marker) in one
    }
    inside = {word: bool(value[0]) for word, value in inside_regions(one).items()}
    by_rules = explain_cell(positive, inside, study.rules)
    if one["phenotype_source"].iloc[0] == REVIEWER:
        return f"Named by a reviewer. By the rules it would be {by_rules}"
    return by_rules


def _readings(called: CalledCells, study: Study, row: int) -> tuple[Reading, ...]:
    cells, readings = called.cells, []
    for marker in study.markers:
        values = values_of(cells, called.gates, marker)
        if values is None:
            continue
        value, finite = float(values[row]), values[np.isfinite(values)]
        known = np.isfinite(value) and len(finite) > 0
        readings.append(
            Reading(
                marker=marker,
                value=value,
                gate=float(cuts_of(cells.iloc[[row]], called.gates, marker)[0]),
                positive=bool(cells[positive_column(marker)].iloc[row]),
                percentile=float(100 * np.mean(finite < value)) if known else float("nan"),
            )
        )
    return tuple(readings)


def _flags(cell: pd.Series) -> tuple[str, ...]:
    flags = [reason for reason in str(cell.get("artefact", "")).split("; ") if reason]
    if not bool(cell.get("has_nucleus", True)):
        flags.append("no nucleus in this plane")
    if not bool(cell.get("in_window", True)):
        flags.append("outside the tissue")
    return (*flags, *(words for column, words in _FLAGS if bool(cell.get(column, False))))
