"""The cells that a gate cuts, sorted once: every question while a gate is dragged is a look-up."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from macprox.celltable import mean_column, positive_column
from macprox.errors import TableError
from macprox.io.store import SlideFolder
from macprox.phenotype.gate_table import SENSITIVITY_FRAC
from macprox.phenotype.intensity_axis import Axis

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["N_PER_SLIDE", "Axis", "Population", "cohort_population"]

N_PER_SLIDE = 20_000  # of one slide: a histogram of 60 bins says the same with more


@dataclass(frozen=True, eq=False)
class Population:
    """One marker in the cells that its gate cuts.

    Parameters
    ----------
    values : (n,) float
        Increasing; cells without a value are left out.
    n_slides : int
        Where they come from.
    """

    values: np.ndarray = field(repr=False)
    n_slides: int = 1

    @classmethod
    def of(
        cls,
        cells: pd.DataFrame,
        marker: str,
        compartment: str,
        parent_positive: ArrayLike | None = None,
    ) -> Population:
        """The cells of one slide, or those of a parent population.

        Parameters
        ----------
        cells : DataFrame
            With ``mean_<marker>_<compartment>``.
        marker, compartment : str
        parent_positive : (n,) bool, optional
            The cells that count.

        Raises
        ------
        TableError
            If the marker was not measured there.
        """
        column = mean_column(marker, compartment)
        if column not in cells:
            raise TableError(
                f"Marker {marker!r} was not measured in the {compartment} on this slide: its cells "
                f"have no column {column}. Run the slide again with this study."
            )
        values = cells[column].to_numpy(dtype=float)
        if parent_positive is not None:
            values = values[np.asarray(parent_positive, dtype=bool)]
        return cls(np.sort(values[np.isfinite(values)]))

    def percent_positive(self, gate: float) -> float:
        """Per cent of the cells strictly above a gate; NaN without cells."""
        n = len(self.values)
        if n == 0:
            return float("nan")
        return 100 * ((n - int(np.searchsorted(self.values, gate, side="right"))) / n)

    def sensitivity(self, gate: float) -> tuple[float, float, float]:
        """Per cent positive at the gate, 10 % of it below and 10 % above: as the gate table."""
        step = SENSITIVITY_FRAC * abs(gate)
        at, minus, plus = (self.percent_positive(g) for g in (gate, gate - step, gate + step))
        return at, minus, plus

    def axis(self, gate: float | None = None) -> Axis:
        """The axis that shows these cells, and the gate if there is one."""
        return Axis.of(self.values, gate)

    def histogram(self, axis: Axis, n_bins: int) -> np.ndarray:
        """Cells in bins of equal width on an axis: ``(n_bins,)`` int64."""
        return axis.counts(self.values, n_bins)


def cohort_population(
    results: Path,
    marker: str,
    compartment: str,
    leave_out: str,
    n_per_slide: int = N_PER_SLIDE,
    parent: str | None = None,
) -> Population:
    """The same marker on the other slides of a result folder.

    Parameters
    ----------
    results : Path
    marker, compartment : str
    leave_out : str
        The slide that is looked at.
    n_per_slide : int
        A larger slide gives every second, third ... cell, so that it does not stand for all.
    parent : str, optional
        Only cells positive for this marker.

    Returns
    -------
    Population
        Without any cell where no other slide has the marker; slides that are unfinished or
        cannot be read are left out.
    """
    found = []
    for path in sorted((Path(results) / "slides").glob("*/manifest.json")):
        folder = SlideFolder(path.parent)
        if folder.slide_id != leave_out:
            values = _column(folder.cells, mean_column(marker, compartment), parent)
            values = values[np.isfinite(values)]
            if len(values):
                found.append(values[:: -(-len(values) // n_per_slide)])
    values = np.sort(np.concatenate(found)) if found else np.empty(0)
    return Population(values, n_slides=len(found))


def _column(path: Path, name: str, parent: str | None) -> np.ndarray:
    """One column of a cell table, of the parent's cells; empty where it cannot be read."""
    import pyarrow.parquet as parquet

    among = [] if parent is None else [positive_column(parent)]
    try:
        # One column of a hundred: whole tables of 300 slides would take minutes.
        table = parquet.read_table(path, columns=[name, *among])
    except (OSError, ValueError):
        return np.empty(0)
    if set(table.column_names) != {name, *among}:
        return np.empty(0)
    values = table[name].to_numpy().astype(float)
    for column in among:
        values = values[table[column].to_numpy().astype(bool)]
    return values
