"""What each cell is: gates, regions, phenotypes, the reviewer's corrections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from shapely import MultiPolygon

from macprox.celltable import centroids_um, mean_column, positive_column
from macprox.edits import Corrections, EditLog, apply_to_cells, replay
from macprox.io.geojson import read_artefacts
from macprox.io.store import SlideFolder
from macprox.phenotype.calls import call_phenotypes, inside_regions
from macprox.phenotype.gate_table import apply_gates, gate_table
from macprox.phenotype.gates import propose_gate
from macprox.pipeline.areas import Areas, find_areas
from macprox.pipeline.artefacts import found_at
from macprox.pipeline.odd_cells import is_counted
from macprox.regions import Regions
from macprox.spatial import annotate_regions
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
    lost_edits : list
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
        return self.cells[self.cells["in_window"] & ~self.cells["excluded"]]

    def counted(self, study: Study) -> pd.DataFrame:
        """Those of the observed that take part in statistics."""
        return self.observed[is_counted(self.observed, study.proximity)]


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
        By marker or `ALL_MARKERS`: what its gate is multiplied with, to see what hangs on it.
    """
    corrections = replay(EditLog(folder.edits).read())
    artefacts = read_artefacts(folder.quality, source["pixel_size_um"])
    cells = cells.assign(artefact=found_at(artefacts, centroids_um(cells)))
    cells, gates = _gated(cells, study, corrections, gate_factors or {})
    rule = study.tumour_marker_rule
    marked = (
        np.zeros(len(cells), bool) if rule is None else rule.evaluate(_positive(cells, study), {})
    )
    areas = find_areas(study, folder, corrections, source, (cells, marked))
    cells = _place(cells, areas.regions)
    cells, lost_edits = _name(cells, study, corrections)
    return CalledCells(cells, gates, areas, artefacts, lost_edits)


def _gated(
    cells: pd.DataFrame,
    study: Study,
    corrections: Corrections,
    factors: Mapping[str, float],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All cells with their calls, and the gates, which are found on trusted cells.

    A dozen cells under a glowing fibre are bright enough to be taken for the positive ones.
    """
    trusted = cells["artefact"] == ""
    if trusted.mean() < MIN_TRUSTED_FRAC:
        trusted[:] = True  # what is left of such a slide says less than the whole of it
    gates = gate_table(cells[trusted], study.markers, corrections.gates)
    of_all = factors.get(ALL_MARKERS, 1.0)
    change = np.array([factors.get(marker, of_all) - 1 for marker in gates["marker"]])
    gates["value"] += change * gates["value"].abs()  # up is stricter, below 0 too
    cells = apply_gates(cells, gates)
    suspect = np.zeros(len(cells), bool)
    if study.image.autofluorescence is not None:
        # As bright in the blank channel as a stained cell is in a stained one; without an upper
        # population, where cells of one kind would hardly ever be.
        level = cells[mean_column(study.image.autofluorescence, "cell")].to_numpy(float)
        gate = propose_gate(level[trusted], study.image.autofluorescence).value
        suspect = level > gate if np.isfinite(gate) else suspect
    return cells.assign(af_suspect=suspect), gates


def _positive(cells: pd.DataFrame, study: Study) -> dict[str, np.ndarray]:
    return {name: cells[positive_column(name)].to_numpy(bool) for name in study.markers}


def _place(cells: pd.DataFrame, regions: Regions) -> pd.DataFrame:
    located = regions.locate(centroids_um(cells))
    columns = ["in_window", "excluded", "lesion_id", "compartment"]
    cells = cells.assign(**{name: located[name].to_numpy() for name in columns})
    return annotate_regions(cells, regions.tumour, regions.margin_um)


def _name(
    cells: pd.DataFrame, study: Study, corrections: Corrections
) -> tuple[pd.DataFrame, list[Any]]:
    cells["phenotype"] = call_phenotypes(
        _positive(cells, study), inside_regions(cells), study.rules, len(cells)
    )
    cells["phenotype_source"] = "auto"
    return apply_to_cells(cells, corrections)
