"""The gates of a slide as a table: who set each, and what ten per cent more or less would do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from macprox.celltable import mean_column, positive_column
from macprox.edits.replay import GateCorrection
from macprox.errors import TableError
from macprox.phenotype.gates import propose_gate
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


def gate_table(
    cells: pd.DataFrame,
    markers: Mapping[str, MarkerParameters],
    corrections: Mapping[tuple[str, str | None], GateCorrection] | None = None,
) -> pd.DataFrame:
    """One row a marker: its gate, who says so, and how many cells are positive around it.

    Parameters
    ----------
    cells : DataFrame
        With ``mean_<marker>_<compartment>`` of every marker.
    markers : mapping of str to MarkerParameters
    corrections : mapping of (marker, parent) to GateCorrection, optional
        The reviewer's gates (`macprox.edits.replay`); they win over the study's numbers, which
        win over proposals. Gates of markers that the study no longer has are not used.

    Returns
    -------
    DataFrame
        Columns `GATE_COLUMNS`. The proposal's reason is kept beside a gate that replaced it.

    Raises
    ------
    TableError
        If a marker was not measured, or a correction is for a parent population, which gates do
        not know yet.
    """
    import pandas as pd

    corrections = corrections or {}
    for marker, parent in corrections:
        if parent is not None and marker in markers:
            raise TableError(
                f"The reviewer gated {marker!r} within {parent!r}, but a gate holds for all cells "
                "of a slide. Set it without a parent population."
            )
    rows = [_gate_row(cells, m, markers[m], corrections.get((m, None))) for m in markers]
    return pd.DataFrame(rows, columns=list(GATE_COLUMNS))


def _gate_row(
    cells: pd.DataFrame,
    marker: str,
    parameters: MarkerParameters,
    correction: GateCorrection | None,
) -> dict[str, object]:
    values = _measured(cells, marker, parameters.compartment)
    proposal = propose_gate(values, marker)
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
        "parent": "",
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


def apply_gates(cells: pd.DataFrame, gates: pd.DataFrame) -> pd.DataFrame:
    """A copy of the cells with ``<marker>_positive`` for every gate.

    A cell is positive when its mean in the gate's compartment is strictly greater than the gate;
    a NaN gate, and a cell without a value, are negative.
    """
    rows = gates[["marker", "compartment", "value"]].itertuples(index=False, name=None)
    positive = {
        positive_column(marker): _measured(cells, marker, compartment) > value
        for marker, compartment, value in rows
    }
    return cells.assign(**positive)


def _measured(cells: pd.DataFrame, marker: str, compartment: str) -> np.ndarray:
    column = mean_column(marker, compartment)
    if column not in cells:
        found = ", ".join(c for c in map(str, cells.columns) if c.startswith("mean_")) or "none"
        raise TableError(
            f"Marker {marker!r} needs the column {column}, but the cells have the means {found}. "
            "Measure it, or correct the marker or its compartment in study.toml."
        )
    return cells[column].to_numpy(dtype=float)
