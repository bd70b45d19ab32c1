"""The gates of a slide as a table: who set each, and what ten per cent more or less would do."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

import numpy as np

from macprox.celltable import mean_column, positive_column
from macprox.edits.replay import GateCorrection
from macprox.errors import TableError
from macprox.phenotype.gates import GateProposal, propose_gate
from macprox.phenotype.parameters import MarkerParameters

if TYPE_CHECKING:
    import pandas as pd

SENSITIVITY_FRAC = 0.1
GATE_COLUMNS = (
    "marker",
    "compartment",
    "parent",
    "value",
    "source",
    "confirmed",
    "bimodal",
    "reason",
    "by",
    "time",
    "percent_positive",
    "percent_positive_minus10",
    "percent_positive_plus10",
)


def sensitivity(values: np.ndarray, gate: float) -> tuple[float, float, float]:
    """Per cent positive at the gate, 10 % below it and 10 % above it.

    Ten per cent of the gate's own value on the linear, background-corrected scale, which is what
    a few per cent of drift in staining or exposure does to a marker.

    Returns
    -------
    (at, minus10, plus10) : tuple of float
        Of the cells with a finite value; NaN without any.
    """
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan"), float("nan")
    step = SENSITIVITY_FRAC * abs(gate)
    at, minus, plus = (
        float(100 * np.mean(values > level)) for level in (gate, gate - step, gate + step)
    )
    return at, minus, plus


# A proposal belongs to a marker among all cells (""), or among those above a parent's gate.
ProposalKey = tuple[str, str, float]


def gate_table(
    cells: pd.DataFrame,
    markers: Mapping[str, MarkerParameters],
    corrections: Mapping[tuple[str, str | None], GateCorrection] | None = None,
    proposals: MutableMapping[ProposalKey, GateProposal] | None = None,
) -> pd.DataFrame:
    """Where each marker becomes positive, who says so, and how many cells are around that place.

    A row a marker for all cells, with an empty ``parent``, and after it one for every parent
    among whose positive cells the reviewer gated it apart: MARCO among CD68+. Positive for the
    parent is what lies above the parent's own gate for all cells.

    Parameters
    ----------
    cells : DataFrame
        With ``mean_<marker>_<compartment>`` of every marker.
    markers : mapping of str to MarkerParameters
    corrections : mapping of (marker, parent) to GateCorrection, optional
        The reviewer's gates (`macprox.edits.replay`); they win over the study's numbers, which
        win over proposals. Gates of markers, or among parents, that the study no longer has are
        not used.
    proposals : mutable mapping, optional
        Proposals that were made of these very cells before; those that are missing are added.

    Returns
    -------
    DataFrame
        Columns `GATE_COLUMNS`. The proposal's reason is kept beside a gate that replaced it. Per
        cents of a row with a parent are of the parent's cells.

    Raises
    ------
    TableError
        If a marker was not measured, or was gated among its own positive cells.
    """
    import pandas as pd

    corrections = corrections or {}
    made = {} if proposals is None else proposals
    values = {m: _measured(cells, m, markers[m].compartment) for m in markers}
    of_all = {
        m: _gate_row(values[m], (m, "", 0.0), markers[m], corrections.get((m, None)), made)
        for m in markers
    }
    rows = []
    for marker, row in of_all.items():
        rows.append(row)
        for parent in _parents(marker, corrections, markers):
            gate = float(of_all[parent]["value"])
            of_parent = values[marker][values[parent] > gate]
            key, correction = (marker, parent, gate), corrections[marker, parent]
            rows.append(_gate_row(of_parent, key, markers[marker], correction, made))
    return pd.DataFrame(rows, columns=list(GATE_COLUMNS))


def _parents(
    marker: str,
    corrections: Mapping[tuple[str, str | None], GateCorrection],
    markers: Mapping[str, MarkerParameters],
) -> list[str]:
    """Among whose positive cells the marker has a gate of its own, in the study's order."""
    parents = [p for p in markers if (marker, p) in corrections]
    if marker in parents:
        raise TableError(
            f"The reviewer gated {marker!r} among its own positive cells, which says nothing. Take "
            "that gate back."
        )
    return [parent for parent in parents if corrections[marker, parent].value is not None]


def _gate_row(
    values: np.ndarray,
    key: ProposalKey,
    parameters: MarkerParameters,
    correction: GateCorrection | None,
    proposals: MutableMapping[ProposalKey, GateProposal],
) -> dict[str, Any]:
    marker, parent, _ = key
    if key not in proposals:
        proposals[key] = propose_gate(values, marker)
    proposal = proposals[key]
    value, source, confirmed, by, time = proposal.value, "auto", False, "", ""
    if correction is not None and correction.value is not None:
        value, source, confirmed = correction.value, "reviewer", correction.confirmed
        by, time = correction.by, correction.time
    elif parameters.gate != "auto":
        value, source, confirmed = float(parameters.gate), "study", True
    reason = proposal.reason
    if source != "auto":
        reason = f"set by {by or 'study.toml'}; proposed {proposal.value:.4g} ({reason})"
    at, minus, plus = sensitivity(values, value)
    return {
        "marker": marker,
        "compartment": parameters.compartment,
        "parent": parent,
        "value": float(value),
        "source": source,
        "confirmed": confirmed,
        "bimodal": proposal.bimodal,
        "reason": reason,
        "by": by,
        "time": time,
        "percent_positive": at,
        "percent_positive_minus10": minus,
        "percent_positive_plus10": plus,
    }


def gate_of(gates: pd.DataFrame, marker: str, parent: str | None = None) -> pd.Series | None:
    """The row of a marker's gate, for all cells or among a parent's; None where there is none."""
    rows = gates[(gates["marker"] == marker) & (gates["parent"].fillna("") == (parent or ""))]
    return None if rows.empty else rows.iloc[0]


def gate_name(marker: str, parent: str | None = None) -> str:
    """How a gate is called: ``"MARCO"``, or ``"MARCO among CD68+"``."""
    return f"{marker} among {parent}+" if parent else marker


def above_gate(cells: pd.DataFrame, gates: pd.DataFrame, marker: str) -> np.ndarray:
    """(n,) bool: above the marker's gate for all cells; who is a parent's cell.

    Raises
    ------
    TableError
        If the marker has no gate, or was not measured.
    """
    row = gate_of(gates, marker)
    if row is None:
        raise TableError(f"There is no gate of {marker!r}; found {', '.join(gates['marker'])}.")
    return _measured(cells, marker, row["compartment"]) > row["value"]


def apply_gates(cells: pd.DataFrame, gates: pd.DataFrame) -> pd.DataFrame:
    """A copy of the cells with ``<marker>_positive`` for every marker.

    A cell is positive when its mean in the gate's compartment is strictly greater than the gate;
    a NaN gate, and a cell without a value, are negative. A cell of a parent with a gate of its
    own is held to that gate, and to the highest of them if it is of several.
    """
    is_part = gates["parent"].fillna("") != ""
    markers = gates.loc[~is_part, "marker"].tolist()
    above = {marker: above_gate(cells, gates, marker) for marker in markers}
    positive = dict(above)
    for marker, rows in gates[is_part].groupby("marker"):
        cut = np.full(len(cells), -np.inf)
        for parent, value in zip(rows["parent"], rows["value"], strict=True):
            np.maximum(cut, value, out=cut, where=above[parent])
        values = _measured(cells, str(marker), rows["compartment"].iloc[0])
        positive[marker] = np.where(np.isneginf(cut), above[marker], values > cut)
    return cells.assign(**{positive_column(marker): positive[marker] for marker in markers})


def _measured(cells: pd.DataFrame, marker: str, compartment: str) -> np.ndarray:
    column = mean_column(marker, compartment)
    if column not in cells:
        found = ", ".join(c for c in map(str, cells.columns) if c.startswith("mean_")) or "none"
        raise TableError(
            f"Marker {marker!r} needs the column {column}, but the cells have the means {found}. "
            "Measure it, or correct the marker or its compartment in study.toml."
        )
    return cells[column].to_numpy(dtype=float)
