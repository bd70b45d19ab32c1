"""From given cells to a result folder: cells, regions, statistics, reports, who is whose slide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd

from macprox.errors import TableError
from macprox.io.atomic import make_folder, replacing, write_parquet, write_text
from macprox.io.region_files import write_regions
from macprox.io.samples import sample_of
from macprox.io.store import STUDY_FILE, SlideFolder, slide_folder
from macprox.io.tables import SAMPLE_FILE, ColumnMapping
from macprox.pipeline.contents import write_contents
from macprox.pipeline.given.prepare import GivenSlide, GivenTables, prepare_tables
from macprox.pipeline.given.request import TableRequest
from macprox.pipeline.given.statistics import given_statistics
from macprox.pipeline.lesions import lesions_of
from macprox.pipeline.marks import given_mark
from macprox.pipeline.options import Silent, Watcher
from macprox.pipeline.quality_gate import extent_flags
from macprox.pipeline.run import refresh_report
from macprox.pipeline.stages import Ledger
from macprox.quality import INFO, MIN_TUMOUR_CELLS, QualityFlag
from macprox.regions import Regions
from macprox.results import SlideResult
from macprox.spatial import annotate_neighbours
from macprox.spatial.counted import is_observed
from macprox.study import Study
from macprox.window import Window


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
    MacproxError
        As `prepare_tables` and `write_tables`; nothing is written where the tables cannot be used.
    """
    return write_tables(prepare_tables(tables, columns, request, pixel_size_um), out)


def write_tables(
    given: GivenTables, out: Path, watcher: Watcher | None = None, n_processes: int = 1
) -> list[SlideResult]:
    """Compute what prepared tables ask for, slide by slide.

    Parameters
    ----------
    given : GivenTables
    out : Path
        Result folder. ``samples.csv`` in it says which slide belongs to whom.
    watcher : Watcher, optional
    n_processes : int
        Changes no result. More than one only from a module that may be imported again.

    Raises
    ------
    TableError
        If the folder's ``samples.csv`` is the very sheet that was given.
    ResultError
        If it cannot be written.
    """
    make_folder(out)
    if given.samples is not None:
        _write_samples(given, out)
    write_text(out / STUDY_FILE, given.study.to_toml())
    study = Study.from_toml(out / STUDY_FILE)  # as later readers see it: marks must agree
    watcher = watcher or Silent()
    results = list(_each(given, study, out, watcher, min(n_processes, len(given.slides))))
    write_contents(out, study, results, {})
    return results


def _write_samples(given: GivenTables, out: Path) -> None:
    path = out / SAMPLE_FILE
    if given.sheet is not None and path.resolve() == Path(given.sheet).resolve():
        raise TableError(
            f"{path} is the sample sheet itself, and the results would take its place; give "
            "another --out."
        )
    if given.samples is not None:
        with replacing(path) as temporary:
            given.samples.to_csv(temporary, index=False)


def _each(
    given: GivenTables, study: Study, out: Path, watcher: Watcher, n_processes: int
) -> Iterator[SlideResult]:
    n_slides = len(given.slides)
    jobs = [
        (slide_folder(out, slide.slide_id), slide, study, _notes(given, slide))
        for slide in given.slides
    ]
    if n_processes < 2:
        for number, job in enumerate(jobs, start=1):
            watcher.slide(job[0].slide_id, number, n_slides)
            yield _one_slide(*job, watcher)
        return
    # Not forked: threads of this process, of a progress bar say, would hold locks for ever.
    with ProcessPoolExecutor(n_processes, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(_one_slide, *job) for job in jobs]
        for number, (job, future) in enumerate(zip(jobs, waiting, strict=True), start=1):
            watcher.slide(job[0].slide_id, number, n_slides)
            watcher.stage(job[0].slide_id, "analysis", 0)
            yield future.result()


def _notes(given: GivenTables, slide: GivenSlide) -> dict[str, Any]:
    seed = given.study.proximity.seed
    return {"source": given.source, "seed": seed, **sample_of(given.samples, slide.slide_id)}


def _one_slide(
    folder: SlideFolder,
    slide: GivenSlide,
    study: Study,
    notes: dict[str, Any],
    watcher: Watcher | None = None,
) -> SlideResult:
    make_folder(folder.path)
    ledger = Ledger.open(folder)
    ledger.note(**notes)
    source, parameters, regions = notes["source"], study.proximity, slide.regions
    (watcher or Silent()).stage(folder.slide_id, "analysis", 0)
    with ledger.stage("analysis", given_mark(study, source)):
        window = None
        if not regions.tissue_window.is_empty:
            window = Window.from_polygon(regions.observed)
        targets = [*parameters.macrophages, parameters.tumour]
        observed = slide.cells[is_observed(slide.cells)]
        counted = annotate_neighbours(observed, targets, parameters.radii_um)
        statistics = given_statistics(counted, window, regions, parameters)
        new = counted.columns.difference(slide.cells.columns, sort=False)
        write_parquet(folder.cells, slide.cells.join(counted[new]))
        write_parquet(folder.gates, slide.gates)
        write_regions(folder.regions, regions, source["pixel_size_um"])
        write_parquet(folder.lesions, _lesions(counted, regions, study))
        write_parquet(folder.statistics, statistics)
        ledger.note(**_facts(slide, counted, study))
    ledger.note_light()
    refresh_report(folder, watcher)
    return SlideResult(folder.path)


def _lesions(counted: pd.DataFrame, regions: Regions, study: Study) -> pd.DataFrame:
    """The table itself says who is tumour, wherever it lies: its names need no region."""
    is_tumour = (counted["phenotype"] == study.proximity.tumour).to_numpy(bool)
    if not regions.has_tumour:
        counted, is_tumour = counted.iloc[:0].assign(lesion_id=0), is_tumour[:0]
    return lesions_of(regions, counted, counted, study, is_tumour)


def _facts(slide: GivenSlide, counted: pd.DataFrame, study: Study) -> dict[str, Any]:
    counts = counted["phenotype"].astype(str).value_counts()
    regions = slide.regions
    return {
        "counts": {
            "cells": len(slide.cells),
            "by_phenotype": counts.to_dict(),
            "tissue_mm2": regions.observed.area / 1e6,
            "tumour_mm2": regions.tumour.area / 1e6,
        },
        "quality": [flag.to_dict() for flag in _flags(regions, counts, study)],
        "warnings": list(slide.warnings),
    }


def _flags(regions: Regions, counts: pd.Series, study: Study) -> list[QualityFlag]:
    target = study.proximity.tumour
    flags = [] if regions.tissue_window.is_empty else extent_flags(regions)
    if regions.tissue_window.is_empty:
        message = (
            "No window was given: densities and edge-corrected values are not. "
            "Give the observed area with --window."
        )
        flags.append(QualityFlag("no_window", 0.0, message, INFO))
    if not study.proximity.strata:
        message = "The table names no region or tissue category: the null is not stratified."
        flags.append(QualityFlag("not_stratified", 0.0, message))
    n_target = int(counts.get(target, 0))
    if n_target < MIN_TUMOUR_CELLS:  # a warning only: nobody says that the target is tumour
        message = f"{n_target} cells called {target}; below {MIN_TUMOUR_CELLS} a slide says little."
        flags.append(QualityFlag("few_target_cells", n_target, message))
    return flags
