"""Cells held to somebody's gates, slide by slide."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from macprox.celltable import OTHER, mean_column, positive_column, slug
from macprox.errors import TableError, shortened
from macprox.io.tables.gates import Gate
from macprox.io.tables.intensities import Compartment
from macprox.io.tables.positivity import joined_names
from macprox.phenotype.gate_table import GATE_COLUMNS, apply_gates, gate_table
from macprox.phenotype.parameters import MarkerParameters

GIVEN_GATE = "given"  # the source of a gate that came with a table


def no_gates() -> pd.DataFrame:
    """A table of gates without any."""
    return pd.DataFrame(columns=["slide_id", *GATE_COLUMNS])


def held_to(cells: pd.DataFrame, gates: Sequence[Gate]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cells with ``<marker>_positive`` for every gate, and the gates of each slide.

    Parameters
    ----------
    cells : DataFrame
        With ``mean_<marker>_<compartment>``. Who has no phenotype at all (None) is called by
        the markers above their gates.
    gates : sequence of Gate

    Returns
    -------
    cells, gates : DataFrame
        The second with ``slide_id`` and the columns of a result's gates.

    Raises
    ------
    TableError
        If a slide has no gate of a marker or two, was not measured, or a gate has all cells of
        all slides on one side: it is on another scale than the table.
    """
    compartments = {gate.marker: _compartment(cells, gate.marker) for gate in gates}
    held, tables = [], []
    for slide_id, part in cells.groupby("slide_id", sort=True):
        chosen = _of_slide(str(slide_id), gates)
        _require_measured(part, chosen, compartments)
        parameters = {
            gate.marker: MarkerParameters(compartments[gate.marker], gate.value) for gate in chosen
        }
        table = gate_table(part, parameters)
        is_given = table["source"] == "study"
        table["source"] = table["source"].mask(is_given, GIVEN_GATE)
        reason = table["reason"].str.replace("set by study.toml", "given with the table")
        held.append(apply_gates(part, table))
        tables.append(table.assign(slide_id=str(slide_id), reason=reason))
    whole = pd.concat(held).loc[cells.index]
    found = pd.concat(tables, ignore_index=True)[["slide_id", *GATE_COLUMNS]]
    _require_both_sides(whole, found)
    return _named(whole, list(compartments)), found


def _compartment(cells: pd.DataFrame, marker: str) -> Compartment:
    is_nuclear = mean_column(marker, "cell") not in cells
    return "nucleus" if is_nuclear and mean_column(marker, "nucleus") in cells else "cell"


def _of_slide(slide_id: str, gates: Sequence[Gate]) -> list[Gate]:
    """The gates that count on a slide; its own before those of all."""
    chosen: dict[str, Gate] = {}
    for gate in sorted(gates, key=lambda gate: gate.slide is not None):
        if not gate.is_of(slide_id):
            continue
        before = chosen.get(slug(gate.marker))
        # two names of a slide, "s" and "s.tif", are one slide
        is_second = before is not None and (before.slide is None) == (gate.slide is None)
        if before is not None and is_second and before.value != gate.value:
            raise TableError(
                f"{gate.marker!r} has two gates, {before.value} and {gate.value}; give one."
            )
        chosen[slug(gate.marker)] = gate
    missing = {gate.marker for gate in gates if slug(gate.marker) not in chosen}
    if missing:
        of = sorted({gate.slide for gate in gates if gate.slide})
        raise TableError(
            f"Slide {slide_id!r} has no gate of {', '.join(sorted(missing))}; the gates are of "
            f"{shortened(', '.join(map(repr, of)), 120)}. Add it, or give one gate for all slides."
        )
    order = {slug(gate.marker): i for i, gate in reversed(list(enumerate(gates)))}
    return sorted(chosen.values(), key=lambda gate: order[slug(gate.marker)])


def _require_measured(
    part: pd.DataFrame, gates: Sequence[Gate], compartments: dict[str, Compartment]
) -> None:
    for gate in gates:
        column = mean_column(gate.marker, compartments[gate.marker])
        if column not in part or not part[column].notna().any():
            raise TableError(
                f"Slide {part['slide_id'].iloc[0]!r} has no intensity of {gate.marker!r}, for "
                "which a gate is given."
            )


def _require_both_sides(cells: pd.DataFrame, gates: pd.DataFrame) -> None:
    for marker, rows in gates[gates["source"] == GIVEN_GATE].groupby("marker", sort=False):
        positive = cells[positive_column(str(marker))]
        if not (positive.all() or not positive.any()):
            continue
        values = cells[mean_column(str(marker), rows["compartment"].iloc[0])]
        raise TableError(
            f"The gate of {marker!r}, {rows['value'].iloc[0]:g}, has "
            f"{'every' if positive.all() else 'no'} cell above it: the table's intensities go from "
            f"{values.min():g} to {values.max():g}. Are both on one scale? Gates of scimap are of "
            "log(1 + intensity): --gate-scale log1p."
        )


def _named(cells: pd.DataFrame, markers: Sequence[str]) -> pd.DataFrame:
    unnamed = cells["phenotype"].isna().to_numpy(bool)
    if not unnamed.any():
        return cells
    positive = {m: cells[positive_column(m)].to_numpy(bool) for m in markers}
    names = joined_names(positive, len(cells)).replace("", OTHER).to_numpy(object)
    return cells.assign(phenotype=np.where(unnamed, names, cells["phenotype"].to_numpy(object)))
