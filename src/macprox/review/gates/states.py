"""What is known of each gate: who set it, where it would stand without them, what it cuts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from macprox.celltable import mean_column
from macprox.edits import Corrections
from macprox.phenotype.gate_table import gate_name, gate_of
from macprox.phenotype.gates import propose_gate
from macprox.pipeline.calling import MIN_TRUSTED_FRAC, CalledCells
from macprox.report.numbers import DASH, NBSP, count_text, significant_text
from macprox.report.rows import text_of
from macprox.review.clock import told
from macprox.review.gates.population import Population
from macprox.study import Study

if TYPE_CHECKING:
    import pandas as pd

PROPOSAL, SET, CONFIRMED = "proposal", "set", "confirmed"
PROPOSED, BY_STUDY, OF_ALL = "proposal", "the study's gate", "the gate of all cells"
COMPARTMENTS = {"nucleus": "in the nucleus", "ring": "around the nucleus", "cell": "whole cell"}


@dataclass(frozen=True)
class Fallback:
    """Where a gate stands once nobody has moved it, and what that is."""

    value: float
    name: str
    reason: str = ""


@dataclass(frozen=True)
class GateState:
    """One gate and who stands by it.

    Parameters
    ----------
    marker, parent, compartment : str
        ``parent`` "" for all cells.
    value : float
        NaN: nobody is positive.
    state : str
        `PROPOSAL`, `SET` or `CONFIRMED`.
    words : str
        The state as a sentence, with name and date.
    percent_positive : float
        As of the last recalculation; NaN if it was not computed yet.
    is_own : bool
        False for a parent without a gate of its own: that of all cells holds there.
    """

    marker: str
    parent: str
    compartment: str
    value: float
    state: str
    words: str
    percent_positive: float
    is_own: bool = True

    @property
    def title(self) -> str:
        return gate_name(self.marker, self.parent)

    def in_words(self, back: Fallback | None) -> str:
        """Who stands by the gate, and what was proposed instead, where that is known."""
        if back is None or not back.reason:
            return self.words
        reason = back.reason.removeprefix(f"{self.marker}: ")
        if self.state == PROPOSAL:
            return f"{self.words} It found {reason}."
        return f"{self.words} The automatic proposal is {gate_text(back.value)} ({reason})."


@dataclass(frozen=True, eq=False)
class Cut:
    """The cells that a gate divides, ready to be lit while it is dragged.

    Parameters
    ----------
    population : Population
        What percentages refer to: trusted cells, as in the gate table.
    ids, values : (n,)
        The cells that hang on this gate and on no other.
    steady : (m,) int
        Ids of cells that are positive by a gate of their parent's, wherever this one lies.
    """

    population: Population
    ids: np.ndarray = field(repr=False)
    values: np.ndarray = field(repr=False)
    steady: np.ndarray = field(repr=False)

    def lit(self, gate: float) -> np.ndarray:
        """``(highest id + 1,)`` bool: which cell ids are positive."""
        highest = max(int(ids.max(initial=0)) for ids in (self.ids, self.steady))
        lit = np.zeros(highest + 1, bool)
        lit[self.ids[self.values > gate]] = True
        lit[self.steady] = True
        return lit

    def positive_text(self, gate: float) -> str:
        """Per cent positive, and of how many."""
        n = len(self.population.values)
        if not n:
            return "There are no cells to gate here."
        if not np.isfinite(gate):
            return f"No gate: none of {count_text(n)} cells is positive."
        percent = self.population.percent_positive(gate)
        n_positive = count_text(percent * n / 100)
        return f"{_percent(percent)} positive: {n_positive} of {count_text(n)} cells"

    def sensitivity_text(self, gate: float) -> str:
        """What ten per cent of the gate would change."""
        if not len(self.population.values) or not np.isfinite(gate):
            return ""
        _, minus, plus = (_percent(p) for p in self.population.sensitivity(gate))
        step = f"10{NBSP}%"
        if minus == plus == _percent(self.population.percent_positive(gate)):
            return f"The same with a gate {step} lower or {step} higher."
        return f"{minus} with a gate {step} lower, {plus} with one {step} higher."


def gate_states(
    called: CalledCells,
    study: Study,
    corrections: Corrections,
    also: tuple[str, str] | None = None,
) -> list[GateState]:
    """Every gate of the slide as the log has it now, a marker's parent gates after its own.

    Parameters
    ----------
    called : CalledCells
        Of the last recalculation, perhaps older than ``corrections``.
    also : (marker, parent), optional
        A gate that is looked at, whether anybody has set it or not.
    """
    keys = [(marker, "") for marker in study.markers] + ([] if also is None else [also])
    known = [(str(row["marker"]), text_of(row["parent"])) for _, row in called.gates.iterrows()]
    moved = [(marker, parent or "") for marker, parent in corrections.gates]
    for marker, parent in dict.fromkeys([*known, *moved]):
        if parent and marker in study.markers and _stands(corrections, marker, parent):
            keys.append((marker, parent))
    order = {marker: i for i, marker in enumerate(study.markers)}
    keys = sorted(dict.fromkeys(keys), key=lambda key: (order[key[0]], key[1] != ""))
    return [gate_state(called, study, corrections, *key) for key in keys]


def gate_state(
    called: CalledCells, study: Study, corrections: Corrections, marker: str, parent: str = ""
) -> GateState:
    """One gate as the log has it now; a parent's gate that nobody set is the one of all cells."""
    own = gate_of(called.gates, marker, parent or None)
    compartment = study.markers[marker].compartment
    standing = corrections.gates.get((marker, parent or None))
    percent = float("nan") if own is None else float(own["percent_positive"])
    if standing is not None and standing.value is not None:
        state = CONFIRMED if standing.confirmed else SET
        verb = "Confirmed" if standing.confirmed else "Set"
        words = f"{verb} by {standing.by}, {told(standing.time)}."
        words += "" if standing.confirmed else " Not confirmed yet."
        value = float(standing.value)
    elif parent:
        value = gate_state(called, study, corrections, marker).value
        state, words = PROPOSAL, f"No gate of its own: the gate of all cells holds in {parent}+."
    else:
        at = fallback(called, study, corrections, marker)
        state, value = (PROPOSAL, at.value) if at.name == PROPOSED else (CONFIRMED, at.value)
        words = "Automatic proposal; nobody has confirmed it yet."
        words = words if at.name == PROPOSED else "Given by the study, which confirms it."
    is_own = not parent or _stands(corrections, marker, parent)
    return GateState(marker, parent, compartment, value, state, words, percent, is_own)


def fallback(
    called: CalledCells, study: Study, corrections: Corrections, marker: str, parent: str = ""
) -> Fallback:
    """Where "back" leads: the automatic proposal, the study's number, or the gate of all cells.

    A proposal that was replaced is computed again: half a second for a million cells.
    """
    if parent:
        return Fallback(gate_state(called, study, corrections, marker).value, OF_ALL)
    given = study.markers[marker].gate
    if given != "auto":
        return Fallback(float(given), BY_STUDY)
    row = gate_of(called.gates, marker)
    if row is not None and row["source"] == "auto":
        return Fallback(float(row["value"]), PROPOSED, text_of(row["reason"]))
    cells = called.cells
    population = Population.of(cells, marker, study.markers[marker].compartment, _trusted(cells))
    found = propose_gate(population.values, marker)
    return Fallback(found.value, PROPOSED, found.reason)


def cut_of(
    called: CalledCells, study: Study, corrections: Corrections, marker: str, parent: str = ""
) -> Cut:
    """The cells that a gate divides: all of the slide, or the positive ones of a parent.

    Raises
    ------
    TableError
        If the marker was not measured.
    """
    cells, at = called.cells, (called, study, corrections)
    compartment = study.markers[marker].compartment
    values = cells[mean_column(marker, compartment)].to_numpy(float)
    ids = cells["cell_id"].to_numpy(np.int64)
    parents = [name for name in study.markers if _stands(corrections, marker, name)]
    held = np.full(len(cells), -np.inf)  # by the highest of the parents' gates
    for name in parents:
        np.maximum(held, gate_state(*at, marker, name).value, out=held, where=_above(*at, name))
    among = _above(*at, parent) if parent else np.ones(len(cells), bool)
    hangs = among if parent else np.isneginf(held)
    steady = ids[~hangs & (values > held)] if not parent else ids[:0]
    population = Population.of(cells, marker, compartment, among & _trusted(cells))
    return Cut(population, ids[hangs], values[hangs], steady)


def _above(called: CalledCells, study: Study, corrections: Corrections, marker: str) -> np.ndarray:
    """Above the marker's gate for all cells as the log has it: who is a parent's cell."""
    level = gate_state(called, study, corrections, marker).value
    column = mean_column(marker, study.markers[marker].compartment)
    return called.cells[column].to_numpy(float) > level


def standing_gate(
    gates: pd.DataFrame, corrections: Corrections, marker: str, parent: str | None = None
) -> float | None:
    """A gate as the log has it, else as the saved table; None where nobody is positive."""
    standing = corrections.gates.get((marker, parent))
    if standing is not None and standing.value is not None:
        return float(standing.value)
    row = gate_of(gates, marker, parent)
    value = float("nan") if row is None else float(row["value"])
    return value if np.isfinite(value) else None


def gate_text(value: float) -> str:
    """A gate to three digits, a dash where there is none."""
    return significant_text(value) if np.isfinite(value) else DASH


def percent_text(percent: float) -> str:
    """Per cent with one decimal, a dash where there is none."""
    return _percent(percent) if np.isfinite(percent) else DASH


def _percent(percent: float) -> str:
    return f"{percent:.1f}{NBSP}%"


def _trusted(cells: pd.DataFrame) -> np.ndarray:
    """The cells that gates are found on (`macprox.pipeline.calling`)."""
    if "artefact" not in cells:
        return np.ones(len(cells), bool)
    trusted = (cells["artefact"].fillna("") == "").to_numpy(bool)
    return trusted if trusted.mean() >= MIN_TRUSTED_FRAC else np.ones(len(cells), bool)


def _stands(corrections: Corrections, marker: str, parent: str) -> bool:
    standing = corrections.gates.get((marker, parent))
    return standing is not None and standing.value is not None
