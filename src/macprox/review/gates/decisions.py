"""What a reviewer decides about gates, as events."""

from __future__ import annotations

import numpy as np

from macprox.edits import GateConfirmed, GateMoved
from macprox.errors import MacproxError
from macprox.phenotype.gate_table import gate_name
from macprox.review.decision import Decision, Standing
from macprox.review.gates.states import standing_gate


def moved(at: Standing, marker: str, value: float, parent: str | None) -> Decision:
    """A marker's gate is set, of all cells or of a parent's.

    Raises
    ------
    MacproxError
        If the study gates no such marker, or ``value`` is no number.
    """
    _check_marker(at, marker, parent)
    if not np.isfinite(value):
        raise MacproxError(f"The gate of {marker} must be a number, found {value!r}.")
    event = GateMoved(
        **at.who(), marker=marker, parent=parent, before=_gate(at, marker, parent),
        after=float(value),
    )  # fmt: skip
    return Decision(f"move the gate of {gate_name(marker, parent)}", [event])


def reset(at: Standing, marker: str, parent: str | None) -> Decision:
    """Back to the study's gate or the automatic one; a parent's gate goes."""
    _check_marker(at, marker, parent)
    before = _gate(at, marker, parent)
    event = GateMoved(**at.who(), marker=marker, parent=parent, before=before, after=None)
    return Decision(f"reset the gate of {gate_name(marker, parent)}", [event])


def confirmed(at: Standing, marker: str, parent: str | None) -> Decision:
    """The gate is right as it is.

    Raises
    ------
    MacproxError
        If there is none.
    """
    _check_marker(at, marker, parent)
    value, name = _gate(at, marker, parent), gate_name(marker, parent)
    if value is None:
        raise MacproxError(f"{name} has no gate to confirm; draw one in the histogram.")
    event = GateConfirmed(**at.who(), marker=marker, parent=parent, value=value)
    return Decision(f"confirm the gate of {name}", [event])


def _gate(at: Standing, marker: str, parent: str | None) -> float | None:
    return standing_gate(at.called.gates, at.corrections, marker, parent)


def _check_marker(at: Standing, marker: str, parent: str | None) -> None:
    known = at.study.markers
    for name in (marker, marker if parent is None else parent):
        if name not in known:
            raise MacproxError(f"The study gates no {name!r}; it gates {', '.join(known)}.")
    if parent == marker:
        raise MacproxError(f"{marker} cannot be gated among its own positive cells.")
