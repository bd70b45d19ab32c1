"""One slide's gate for other slides: what it would do there, and an event in each one's log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from macprox.celltable import mean_column
from macprox.edits import Corrections, EditLog, GateMoved
from macprox.errors import MacproxError, ResultError
from macprox.io.store import SlideFolder, slide_folder
from macprox.phenotype.gate_table import gate_of
from macprox.pipeline.marks import is_given
from macprox.results import SlideResult
from macprox.review.gates.population import Population
from macprox.review.gates.states import standing_gate
from macprox.review.slides.notices import read_only_reason


@dataclass(frozen=True)
class GateCopy:
    """What is copied: a gate in the marker's own units, which the slides of one batch share.

    Parameters
    ----------
    marker : str
    parent : str or None
        Another marker, among whose positive cells the gate holds.
    value : float
    """

    marker: str
    parent: str | None
    value: float


@dataclass(frozen=True)
class Target:
    """A slide that the gate could be copied to.

    Parameters
    ----------
    slide_id : str
    gate : float or None
        As it is there now.
    is_confirmed : bool
        A person stands by it: copying undoes that.
    percent_now, percent_then : float
        Positive cells with the slide's own gate and with the copied one.
    refusal : str
        Why it cannot be copied there; empty if it can.
    """

    slide_id: str
    gate: float | None = None
    is_confirmed: bool = False
    percent_now: float = float("nan")
    percent_then: float = float("nan")
    refusal: str = ""


def copy_targets(results: Path, copied: GateCopy, leave_out: str) -> list[Target]:
    """The other slides of a result folder, and what the gate would do on each.

    Parameters
    ----------
    results : Path
    copied : GateCopy
    leave_out : str
        The slide that the gate comes from.
    """
    names = sorted(path.parent.name for path in Path(results).glob("slides/*/manifest.json"))
    return [_target(results, copied, name) for name in names if name != leave_out]


def copy_gate(
    results: Path, copied: GateCopy, slide_ids: Iterable[str], reviewer: str
) -> dict[str, str]:
    """Append the gate to each slide's log; their numbers follow with their next update.

    A gate that already is the same, to the bit, is left alone.

    Returns
    -------
    dict of str to str
        Slides that could not take it, and why; the others have.

    Raises
    ------
    MacproxError
        Before anything is written: without a reviewer's name or a number to copy.
    """
    if not reviewer.strip():
        raise MacproxError(
            "Who are you? Enter your name before copying a gate: it is saved with the name of "
            "who copied it."
        )
    if not np.isfinite(copied.value):
        raise MacproxError(f"{copied.marker} has no gate to copy; draw one in the histogram first.")
    refused = {}
    for slide_id in slide_ids:
        try:
            _copy_to(slide_folder(Path(results), slide_id), copied, reviewer.strip())
        except (MacproxError, OSError) as error:
            refused[slide_id] = str(error)
    return refused


def _copy_to(folder: SlideFolder, copied: GateCopy, reviewer: str) -> None:
    gates, corrections = _gates_of(folder, copied)
    before = standing_gate(gates, corrections, copied.marker, copied.parent)
    if before == copied.value and (copied.marker, copied.parent) in corrections.gates:
        return
    moved = GateMoved(
        slide_id=folder.slide_id, reviewer=reviewer, marker=copied.marker, parent=copied.parent,
        before=before, after=float(copied.value),
    )  # fmt: skip
    EditLog(folder.edits).append(moved)


def _target(results: Path, copied: GateCopy, slide_id: str) -> Target:
    folder = slide_folder(Path(results), slide_id)
    try:
        gates, corrections = _gates_of(folder, copied)
        cells = _cells_of(folder, copied, gates, corrections)
    except MacproxError as error:
        return Target(slide_id, refusal=str(error))
    gate = standing_gate(gates, corrections, copied.marker, copied.parent)
    if gate is None and copied.parent is not None:
        gate = standing_gate(gates, corrections, copied.marker)
    now = float("nan") if gate is None else cells.percent_positive(gate)
    then = cells.percent_positive(copied.value)
    confirmed = _is_confirmed(gates, corrections, copied)
    return Target(slide_id, gate, confirmed, now, then)


def _gates_of(folder: SlideFolder, copied: GateCopy) -> tuple[pd.DataFrame, Corrections]:
    """The saved gates and the log of a slide that can take a gate."""
    result = SlideResult(folder.path)
    if is_given(result.manifest.get("source")):
        raise ResultError("Its cells came as a table of another tool and have no gates.")
    if not (folder.cells.exists() and folder.gates.exists()):
        raise ResultError("It is not finished: there are no cells to gate yet.")
    if reason := read_only_reason(folder):
        raise ResultError(reason)
    gates = result.gates()
    for name in filter(None, (copied.marker, copied.parent)):
        if gate_of(gates, name) is None:
            raise ResultError(f"{name} was not measured on it.")
    return gates, EditLog(folder.edits).corrections()


def _cells_of(
    folder: SlideFolder, copied: GateCopy, gates: pd.DataFrame, corrections: Corrections
) -> Population:
    """The trusted cells that the gate would cut there."""
    places = {str(row["marker"]): str(row["compartment"]) for _, row in gates.iterrows()}
    names = [copied.marker, *filter(None, [copied.parent])]
    columns = [mean_column(name, places[name]) for name in names]
    cells = pd.read_parquet(folder.cells, columns=["artefact", *columns])
    among = (cells["artefact"].fillna("") == "").to_numpy(bool)
    if copied.parent is not None:
        level = standing_gate(gates, corrections, copied.parent)
        among = among & (cells[columns[1]].to_numpy(float) > (np.inf if level is None else level))
    return Population.of(cells, copied.marker, places[copied.marker], among)


def _is_confirmed(gates: pd.DataFrame, corrections: Corrections, copied: GateCopy) -> bool:
    standing = corrections.gates.get((copied.marker, copied.parent))
    if standing is not None:
        return standing.confirmed
    row = gate_of(gates, copied.marker, copied.parent)
    return row is not None and bool(row["confirmed"])
