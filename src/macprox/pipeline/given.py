"""Cells that another tool found: from its tables to an ordinary result folder, without labels."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from shapely import MultiPolygon

from macprox.celltable import AMBIGUOUS, OTHER
from macprox.errors import TableError
from macprox.io.atomic import write_parquet, write_text
from macprox.io.drawn_areas import read_drawn
from macprox.io.fingerprint import content_fingerprint
from macprox.io.masks import is_mask_name, read_mask
from macprox.io.region_files import write_regions
from macprox.io.samples import read_samples, sample_of
from macprox.io.slide_names import unique_slide_ids
from macprox.io.store import STUDY_FILE, SlideFolder, slide_folder
from macprox.io.tables import ColumnMapping, read_cells
from macprox.phenotype.gate_table import GATE_COLUMNS
from macprox.pipeline.contents import write_contents
from macprox.pipeline.lesions import LESION_COLUMNS
from macprox.pipeline.marks import GIVEN_FORMAT, given_mark
from macprox.pipeline.quality_gate import extent_flags
from macprox.pipeline.run import refresh_report
from macprox.pipeline.stages import Ledger
from macprox.quality import INFO, MIN_TUMOUR_CELLS, QualityFlag
from macprox.regions import Regions, polygons_from_mask
from macprox.results import SlideResult
from macprox.spatial import ProximityParameters, annotate_neighbours, proximity
from macprox.study import GIVEN, CohortParameters, ImageParameters, Study
from macprox.window import Window

STRATUM_COLUMNS = ("region", "compartment", "tissue_category")


@dataclass(frozen=True)
class TableRequest:
    """What to compute from given cells.

    Parameters
    ----------
    source, target : str
        Phenotypes. The null moves the source's label among all cells that are not targets.
    radii_um : tuple of float
    seed : int
    window_file : Path or None
        The observed area: GeoJSON in full-resolution pixels, or a mask TIFF of the same pixels
        (micrometres where no pixel size is given). Without it only distances, counts
        and relabelling are given; a hull never takes its place.
    samples : Path or None
        Which slide belongs to which patient.
    """

    source: str
    target: str
    radii_um: tuple[float, ...] = ProximityParameters.radii_um
    seed: int = 0
    window_file: Path | None = None
    samples: Path | None = None

    def study(self, phenotypes: Sequence[str]) -> Study:
        """The study that these statistics are the result of."""
        named = [name for name in phenotypes if name not in (OTHER, AMBIGUOUS)]
        names = dict.fromkeys([self.source, self.target, *named])
        primary = ProximityParameters.primary_radius_um
        return Study(
            image=ImageParameters(nucleus="(cells from a table)"),
            phenotypes=dict.fromkeys(names, GIVEN),
            proximity=ProximityParameters(
                macrophages=(self.source,),
                tumour=self.target,
                radii_um=self.radii_um,
                primary_radius_um=primary if primary in self.radii_um else self.radii_um[0],
                seed=self.seed,
            ),
            cohort=CohortParameters(samples=None if self.samples is None else str(self.samples)),
        )


def run_tables(
    tables: Sequence[Path],
    columns: ColumnMapping | None,
    request: TableRequest,
    out: Path,
    pixel_size_um: float | None = None,
) -> list[SlideResult]:
    """Write a result folder from tables made by other tools: one slide a value of the slide column.

    Raises
    ------
    TableError
        If a table cannot be read, its unit is not known, or no cell anywhere is called as the
        request says; if the samples cannot be read.
    """
    cells = read_cells(list(tables), mapping=columns, pixel_size_um=pixel_size_um)
    named = sorted(cells["phenotype"].astype(str).unique())
    for phenotype in (request.source, request.target):
        if phenotype not in named:
            raise TableError(_nobody(phenotype, named))
    study = request.study(named)
    samples = read_samples(request.samples)
    write_text(out / STUDY_FILE, study.to_toml())
    origin: dict[str, Any] = {
        "path": ", ".join(str(path) for path in tables),
        "format": GIVEN_FORMAT,
        "fingerprint": content_fingerprint(tuple(Path(path) for path in tables)),
        "shape": None,
        "channels": [],
        "pixel_size_um": pixel_size_um or 1.0,
    }
    results = []
    groups = list(cells.groupby("slide_id", sort=True))
    slide_ids = unique_slide_ids([Path(str(name)) for name, _ in groups])
    for slide_id, (_, of_slide) in zip(slide_ids, groups, strict=True):
        of_slide = of_slide.reset_index(drop=True).assign(slide_id=slide_id)
        folder = slide_folder(out, slide_id)
        folder.path.mkdir(parents=True, exist_ok=True)
        Ledger.open(folder).note(source=origin, seed=request.seed, **sample_of(samples, slide_id))
        results.append(_one_slide(folder, of_slide, study, request))
    write_contents(out, study, results, {})
    return results


def _nobody(phenotype: str, named: Sequence[str]) -> str:
    near = difflib.get_close_matches(phenotype, named, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"No cell is called {phenotype!r}; the tables name {', '.join(named)}.{hint}"


def _one_slide(
    folder: SlideFolder, cells: pd.DataFrame, study: Study, request: TableRequest
) -> SlideResult:
    ledger = Ledger.open(folder)
    origin = ledger.manifest["source"]
    mark = given_mark(study, origin)
    with ledger.stage("analysis", mark):
        area = _window_area(request, origin["pixel_size_um"])
        window = None if area.is_empty else Window.from_polygon(area)
        parameters = study.proximity
        cells = annotate_neighbours(cells, [request.source, request.target], parameters.radii_um)
        strata = [name for name in STRATUM_COLUMNS if name in cells]
        statistics = proximity(
            cells, request.source, request.target, window, radii_um=parameters.radii_um,
            strata=strata, n_permutations=parameters.n_permutations, seed=request.seed,
        )  # fmt: skip
        write_parquet(folder.cells, cells)
        write_parquet(folder.gates, pd.DataFrame(columns=list(GATE_COLUMNS)))
        write_regions(folder.regions, Regions(tissue_window=area), origin["pixel_size_um"])
        write_parquet(folder.lesions, pd.DataFrame(columns=list(LESION_COLUMNS)))
        write_parquet(folder.statistics, statistics)
        ledger.note(**_facts(cells, area, strata, request.target))
    ledger.note_light()
    refresh_report(folder)
    return SlideResult(folder.path)


def _window_area(request: TableRequest, pixel_size_um: float) -> MultiPolygon:
    if request.window_file is None:
        return MultiPolygon()
    if is_mask_name(request.window_file):
        return polygons_from_mask(read_mask(request.window_file), pixel_size_um)
    return read_drawn(request.window_file, pixel_size_um, "tissue_window").area


def _facts(
    cells: pd.DataFrame, area: MultiPolygon, strata: list[str], target: str
) -> dict[str, Any]:
    counts = cells["phenotype"].astype(str).value_counts()
    quality = [] if area.is_empty else extent_flags(Regions(tissue_window=area))
    if area.is_empty:
        message = (
            "No window was given: densities and edge-corrected values are not. "
            "Give the observed area with --window."
        )
        quality.append(QualityFlag("no_window", 0.0, message, INFO))
    if not strata:
        message = "The table names no region or tissue category: the null is not stratified."
        quality.append(QualityFlag("not_stratified", 0.0, message))
    n_target = int(counts.get(target, 0))
    if n_target < MIN_TUMOUR_CELLS:  # a warning only: nobody says that the target is tumour
        message = f"{n_target} cells called {target}; below {MIN_TUMOUR_CELLS} a slide says little."
        quality.append(QualityFlag("few_target_cells", n_target, message))
    return {
        "counts": {
            "cells": len(cells),
            "by_phenotype": counts.to_dict(),
            "tissue_mm2": area.area / 1e6,
        },
        "quality": [flag.to_dict() for flag in quality],
        "warnings": [],
    }
