"""What a field of an event may hold: a line of the log may have been written by anybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def check_drawn(cell: Any) -> None:
    """Refuse, as a ValueError, what is no cell that somebody drew."""
    expected = {"anchor_px", "x_um", "y_um", "cell", "nucleus"}
    if not isinstance(cell, dict) or set(cell) != expected:
        raise ValueError(f"a drawn cell has {', '.join(sorted(expected))}, found {cell!r:.80}")
    if not (is_number(cell["x_um"]) and is_number(cell["y_um"])):
        raise ValueError("a drawn cell's x_um and y_um must be numbers")
    if not (cell["anchor_px"] is None or _is_whole(cell["anchor_px"])):
        raise ValueError("a drawn cell's anchor_px must be a whole number")
    for part in ("cell", "nucleus"):
        runs = cell[part]
        if not isinstance(runs, list | tuple) or len(runs) % 3 or not all(map(is_number, runs)):
            raise ValueError(f"a drawn {part} must be whole runs: row, first column, column after")


def is_number(value: object) -> bool:
    """Whether it is finite, and a number that an array can hold."""
    if isinstance(value, int):
        return abs(value) < 2**64  # what numpy can hold
    return isinstance(value, (float, np.number)) and bool(np.isfinite(value))


def _is_whole(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        return False
    return abs(int(value)) < 2**64


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _or_null(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or fits(value)


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


# By a field's annotation: what a line may hold there. Sorting events and finding cells rely on it.
FITS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "str": ("a text", _is_text),
    "str | None": ("a text or null", _or_null(_is_text)),
    "float": ("a number", is_number),
    "float | None": ("a number or null", _or_null(is_number)),
    "int": ("a whole number", _is_whole),
    "int | None": ("a whole number or null", _or_null(_is_whole)),
    "dict | None": ("a table or null", _or_null(_is_table)),
    "dict[str, int]": (
        "a table of whole numbers",
        lambda sizes: _is_table(sizes) and all(map(_is_whole, sizes.values())),
    ),
    "tuple[dict[str, Any], ...]": ("a list", lambda value: isinstance(value, list)),
}
