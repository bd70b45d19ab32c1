"""Gates of somebody: above which intensity a marker is positive, on all slides or on one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from macprox.celltable import mean_column, slug
from macprox.errors import TableError, shortened
from macprox.io.slide_names import slide_id_of
from macprox.io.tables.intensities import Intensity, intensity_of
from macprox.io.tables.text import Header, numbers, read_columns, read_header, table_stem

_GATE = re.compile(r"(?P<marker>[^=]*[^=\s])\s*=\s*(?:(?P<column>.*\S)\s*>\s*)?(?P<value>[^>\s]+)")
_ALL_SLIDES = ("gate", "gates", "value", "threshold", "cutoff")


@dataclass(frozen=True)
class Gate:
    """Above which value of a column a marker is positive.

    Parameters
    ----------
    marker : str
    value : float or "auto"
        In the table's own unit; ``"auto"`` is macprox's proposal for each slide.
    column : str, optional
        Where the intensity is, if the marker's name does not say it.
    slide : str, optional
        The slide, or its file, that the gate is of; None: all.
    """

    marker: str
    value: float | Literal["auto"]
    column: str | None = None
    slide: str | None = None

    def is_of(self, slide_id: str) -> bool:
        """Whether the gate counts on a slide."""
        if self.slide is None or self.slide == slide_id:
            return True
        named = table_stem(Path(self.slide.replace("\\", "/")))
        return slide_id_of(Path(named)) == slide_id


def gate_of_text(text: str) -> Gate:
    """The gate that ``"CD68=1200"``, ``"CD68=auto"`` or ``"CD68 = COLUMN > 1200"`` says.

    Raises
    ------
    TableError
        If it says none.

    Examples
    --------
    >>> gate_of_text("CD68 = Cell: CD68 mean > 12.5")
    Gate(marker='CD68', value=12.5, column='Cell: CD68 mean', slide=None)
    """
    match = _GATE.fullmatch(text.strip())
    if match is None:
        raise TableError(
            f"A gate is written MARKER=VALUE, MARKER=auto or 'MARKER = COLUMN > VALUE'; found "
            f"{shortened(repr(text))}."
        )
    return Gate(match["marker"].strip(), _value(match["value"], match["marker"]), match["column"])


def read_gates(path: str | Path) -> tuple[Gate, ...]:
    """Gates from a table: marker and gate, or as scimap keeps them a column of gates a slide.

    Raises
    ------
    TableError
        If it is no table of gates, or a value is no number.
    """
    header = read_header(Path(path))
    marker = header.find("marker", "markers", "channel", "channel name", "marker name")
    if marker is None or len(header.columns) < 2:
        raise TableError(
            f"{path} is no table of gates: expected the columns marker and gate (and slide_id), or "
            f"marker and a column of gates for each slide; found {', '.join(header.columns)}."
        )
    value = header.find(*_ALL_SLIDES)
    table = read_columns(header, [name for name in header.columns if name]).fillna("")
    if value is None:
        columns = {name: name for name in table.columns if name != marker}
        return tuple(
            Gate(row[marker].strip(), _value(row[name], row[marker]), slide=slide)
            for slide, name in columns.items()
            for row in table.to_dict("records")
            if row[name].strip()
        )
    slide = header.find("slide id", "slide", "imageid", "image id", "image", "sample", "sample id")
    column = header.find("column")
    return tuple(
        Gate(
            row[marker].strip(),
            _value(row[value], row[marker]),
            (row[column].strip() or None) if column else None,
            (row[slide].strip() or None) if slide else None,
        )
        for row in table.to_dict("records")
        if row[value].strip()
    )


def on_scale(gates: Sequence[Gate], scale: str) -> tuple[Gate, ...]:
    """Gates in the table's own unit: those of scale "log1p" are of ``log(1 + intensity)``.

    Raises
    ------
    TableError
        If there is no such scale.
    """
    if scale == "table":
        return tuple(gates)
    if scale != "log1p":
        raise TableError(f"--gate-scale is 'table' or 'log1p' (as scimap's), found {scale!r}.")
    return tuple(
        gate if gate.value == "auto" else replace(gate, value=float(np.expm1(gate.value)))
        for gate in gates
    )


def _value(text: str, marker: str) -> float | Literal["auto"]:
    if text.strip().lower() == "auto":
        return "auto"
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise TableError(
            f"The gate of {shortened(repr(marker.strip()))} should be a number or auto, found "
            f"{shortened(repr(text))}."
        )
    return value


def gated_intensities(header: Header, gates: Sequence[Gate]) -> list[Intensity]:
    """What to read of a table for its gates: each marker once.

    Raises
    ------
    TableError
        If a marker's column is not there, or two columns are asked for.
    """
    found: dict[str, Intensity] = {}
    for gate in gates:
        one = intensity_of(header, gate.marker, gate.column)
        before = found.setdefault(slug(gate.marker), one)
        if before.column != one.column:
            raise TableError(
                f"{gate.marker!r} is gated on two columns, {before.column!r} and {one.column!r}; "
                "give one of the markers another name."
            )
    return list(found.values())


def with_intensities(
    cells: pd.DataFrame, table: pd.DataFrame, intensities: Sequence[Intensity], path: Path
) -> pd.DataFrame:
    """The cells with ``mean_<marker>_<compartment>``, read out of a table of text."""
    means = {
        mean_column(one.marker, one.compartment): numbers(table[one.column], path)
        for one in intensities
    }
    return cells.assign(**means)
