"""Cells that a person should look at first: those whose name hangs on a gate they lie close to."""

from __future__ import annotations

import numpy as np
import pandas as pd

from macprox.celltable import positive_column
from macprox.phenotype.calls import call_phenotypes, inside_regions
from macprox.phenotype.intensity_axis import Axis
from macprox.pipeline.calling import CalledCells
from macprox.review.cells.card import REVIEWER
from macprox.review.gates.per_cell import cuts_of, values_of
from macprox.study import Study

QUEUE_COLUMNS = ("cell_id", "x_um", "y_um", "phenotype", "marker", "distance")
N_QUEUED = 500
IQR_OF_NORMAL = 1.349  # in standard deviations


def review_queue(called: CalledCells, study: Study, n: int = N_QUEUED) -> pd.DataFrame:
    """The most uncertain cells, the nearest to a gate first.

    Parameters
    ----------
    called : CalledCells
    study : Study
    n : int
        At most so many.

    Returns
    -------
    DataFrame
        `QUEUE_COLUMNS`. ``marker`` is the one to look at: on the other side of its gate the cell
        would be something else. ``distance`` is that to the gate on the arcsinh axis, in units of
        the marker's own spread there. A cell whose name would stay whatever the marker said, one
        that is left out of every number, and one that a reviewer has named are not in it.
    """
    cells = called.observed
    cells = cells[cells["phenotype_source"] != REVIEWER] if study.rules else cells[:0]
    distance, marker = _nearest_gate(cells, called.gates, study)
    order = np.argsort(distance, kind="stable")[:n]
    order = order[np.isfinite(distance[order])]
    queue = cells.iloc[order][["cell_id", "x_um", "y_um", "phenotype"]]
    queue = queue.assign(marker=marker[order], distance=distance[order])
    return queue.reset_index(drop=True)


def _nearest_gate(
    cells: pd.DataFrame, gates: pd.DataFrame, study: Study
) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the nearest gate that matters, infinite without one, and whose it is."""
    nearest = np.full(len(cells), np.inf)
    of_marker = np.full(len(cells), "", dtype=object)
    positive = {name: cells[positive_column(name)].to_numpy(bool) for name in study.markers}
    inside = inside_regions(cells)
    named = call_phenotypes(positive, inside, study.rules, len(cells))
    for marker in dict.fromkeys(name for rule in study.rules.values() for name in rule.markers):
        distance = _distance(cells, gates, marker)
        # Most cells are far from most gates: what they would be called need not be asked.
        close = np.flatnonzero(distance < nearest)
        flipped = {name: values[close] for name, values in positive.items()}
        flipped[marker] = ~flipped[marker]
        there = {word: values[close] for word, values in inside.items()}
        other = call_phenotypes(flipped, there, study.rules, len(close))
        hangs = close[other != named[close]]
        nearest[hangs], of_marker[hangs] = distance[hangs], marker
    return nearest, of_marker


def _distance(cells: pd.DataFrame, gates: pd.DataFrame, marker: str) -> np.ndarray:
    """Of every cell to its gate, in spreads of the marker; infinite where that is not known."""
    unknown = np.full(len(cells), np.inf)
    values = values_of(cells, gates, marker)
    if values is None or not np.isfinite(values).any():
        return unknown
    finite = values[np.isfinite(values)]
    axis = Axis.of(finite)
    t = axis.to_position(values)
    lower, upper = np.quantile(axis.to_position(finite), (0.25, 0.75))
    spread = (upper - lower) / IQR_OF_NORMAL
    if not spread > 0:
        return unknown
    distance = np.abs(t - axis.to_position(cuts_of(cells, gates, marker))) / spread
    return np.where(np.isfinite(distance), distance, np.inf)
