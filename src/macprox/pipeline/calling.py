"""What each cell is: gates, regions, phenotypes, the reviewer's corrections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from shapely import MultiPolygon

from macprox.celltable import centroids_um, mean_column, positive_column
from macprox.edits import Corrections, EditLog, apply_to_cells
from macprox.io.region_files import read_artefacts
from macprox.io.store import SlideFolder
from macprox.phenotype.calls import call_phenotypes, inside_regions
from macprox.phenotype.gate_table import ProposalKey, apply_gates, gate_table
from macprox.phenotype.gates import GateProposal, propose_gate
from macprox.pipeline.areas import AreaFinder, Areas, Placed
from macprox.pipeline.artefacts import found_at
from macprox.pipeline.kept import Kept
from macprox.regions import Regions
from macprox.spatial.counted import is_counted, is_observed
from macprox.study import Study

MIN_TRUSTED_FRAC = 0.5
ALL_MARKERS = "all markers"


@dataclass(frozen=True)
class CalledCells:
    """A slide's cells with their phenotypes, and what those were called from.

    Parameters
    ----------
    cells : DataFrame
        All cells.
    gates : DataFrame
    areas : Areas
    artefacts : tuple of (str, MultiPolygon)
        Where the image is doubtful, and why.
    lost_edits : list of CellEvent
        Corrections that find no cell any more.
    """

    cells: pd.DataFrame
    gates: pd.DataFrame
    areas: Areas
    artefacts: tuple[tuple[str, MultiPolygon], ...]
    lost_edits: list[Any]

    @property
    def regions(self) -> Regions:
        return self.areas.regions

    @property
    def observed(self) -> pd.DataFrame:
        """The cells inside the window and outside exclusions."""
        return self.cells[is_observed(self.cells)]

    def counted(self, study: Study) -> pd.DataFrame:
        """Those of the observed that take part in statistics."""
        return self.observed[is_counted(self.observed, study.proximity)]


class Caller:
    """Calls one slide's cells again and again, and keeps what a reviewer's step leaves as it was.

    Gates are proposed once; areas are found again when what they depend on changes: drawings,
    the study's files, and for a tumour found from cells, which cells carry its markers.

    Parameters
    ----------
    measurements : DataFrame
    study : Study
    folder : SlideFolder
        Whose artefacts and tissue hold.
    source : dict
        The manifest's facts about the slide.
    """

    def __init__(
        self,
        measurements: pd.DataFrame,
        study: Study,
        folder: SlideFolder,
        source: dict[str, Any],
    ) -> None:
        xy_um = centroids_um(measurements)
        self._study = study
        self._artefacts = read_artefacts(folder.quality, source["pixel_size_um"])
        self._cells = measurements.assign(artefact=found_at(self._artefacts, xy_um))
        self._proposals: dict[ProposalKey, GateProposal] = {}
        self._finder = AreaFinder(study, folder, source, xy_um)
        self._gated: Kept[tuple[pd.DataFrame, pd.DataFrame]] = Kept()
        self._named: Kept[pd.DataFrame] = Kept()

    def call(
        self, corrections: Corrections, gate_factors: Mapping[str, float] | None = None
    ) -> CalledCells:
        """The cells under these corrections; reads no pixel and writes nothing.

        Parameters
        ----------
        corrections : Corrections
            Their drawings of cells must be in the measurements already.
        gate_factors : mapping of str to float, optional
            By marker or `ALL_MARKERS`: what its gates are multiplied with, to see what hangs on
            them.
        """
        factors = dict(gate_factors or {})
        gating = dict(corrections.gates), factors
        cells, gates = self._gated.get(gating, lambda: self._gate(corrections, factors))
        placed = self._finder.find(corrections, carries_tumour_marker(cells, self._study))
        named = self._named.get((gating, placed), lambda: self._name(cells, placed))
        edited, lost_edits = apply_to_cells(named, corrections)
        return CalledCells(edited, gates.copy(), placed.areas, self._artefacts, lost_edits)

    @cached_property
    def _trusted(self) -> np.ndarray:
        """Cells to find gates on: a dozen under a glowing fibre would pass for the positive."""
        trusted = self._cells["artefact"].eq("").to_numpy(bool, copy=True)
        if trusted.sum() < MIN_TRUSTED_FRAC * len(trusted):
            trusted[:] = True  # what is left of such a slide says less than the whole of it
        return trusted

    @cached_property
    def _trusted_means(self) -> pd.DataFrame:
        means = [name for name in self._cells.columns if str(name).startswith("mean_")]
        return self._cells.loc[self._trusted, means]

    @cached_property
    def _af_suspect(self) -> np.ndarray:
        """As bright in the blank channel as a stained cell is in a stained one.

        Without an upper population, where cells of one kind would hardly ever be.
        """
        blank = self._study.image.autofluorescence
        if blank is None:
            return np.zeros(len(self._cells), bool)
        level = self._cells[mean_column(blank, "cell")].to_numpy(float)
        gate = propose_gate(level[self._trusted], blank).value
        return level > gate  # of a NaN gate nobody is suspect

    def _gate(
        self, corrections: Corrections, factors: Mapping[str, float]
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """All cells with their calls, and the gates."""
        gates = gate_table(
            self._trusted_means, self._study.markers, corrections.gates, self._proposals
        )
        of_all = factors.get(ALL_MARKERS, 1.0)
        change = np.array([factors.get(marker, of_all) - 1 for marker in gates["marker"]])
        gates["value"] += change * gates["value"].abs()  # up is stricter, below 0 too
        return apply_gates(self._cells, gates).assign(af_suspect=self._af_suspect), gates

    def _name(self, cells: pd.DataFrame, placed: Placed) -> pd.DataFrame:
        cells = cells.assign(**{str(name): column.array for name, column in placed.columns.items()})
        phenotype = call_phenotypes(
            _positive(cells, self._study), inside_regions(cells), self._study.rules, len(cells)
        )
        return cells.assign(phenotype=phenotype, phenotype_source="auto")


def call_cells(
    cells: pd.DataFrame,
    study: Study,
    folder: SlideFolder,
    source: dict[str, Any],
    gate_factors: Mapping[str, float] | None = None,
) -> CalledCells:
    """Gates, regions and phenotypes of measured cells; reads no pixel and writes nothing.

    Parameters
    ----------
    cells : DataFrame
        Measurements.
    study : Study
    folder : SlideFolder
        Whose artefacts, tissue and edits hold.
    source : dict
        The manifest's facts about the slide.
    gate_factors : mapping of str to float, optional
        See `Caller.call`.
    """
    corrections = EditLog(folder.edits).corrections()
    return Caller(cells, study, folder, source).call(corrections, gate_factors)


def carries_tumour_marker(cells: pd.DataFrame, study: Study) -> np.ndarray:
    """``(n,)`` bool: the tumour's markers are as its rule asks, wherever the cell lies."""
    rule = study.tumour_marker_rule
    if rule is None:
        return np.zeros(len(cells), bool)
    return rule.evaluate(_positive(cells, study), {})


def _positive(cells: pd.DataFrame, study: Study) -> dict[str, np.ndarray]:
    return {name: cells[positive_column(name)].to_numpy(bool) for name in study.markers}
