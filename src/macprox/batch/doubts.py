"""How far to trust the numbers of every slide: what changes them, and how often tests reject."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from macprox.batch.work import Work, working_in
from macprox.io.atomic import write_text
from macprox.io.spreadsheet import without_formulas
from macprox.io.store import STUDY_FILE, SlideFolder, slide_folders
from macprox.pipeline import RunOptions
from macprox.pipeline.calibrating import N_SIMULATIONS, calibrate_slide
from macprox.pipeline.variations import vary_slide
from macprox.results import SlideResult
from macprox.study import Study


def sensitivity(
    results: str | Path, options: RunOptions | None = None, with_pixels: bool = True
) -> pd.DataFrame:
    """How the headline of every slide changes with gates, expansion and radius.

    Writes ``sensitivity.parquet`` beside each slide's statistics, draws it in its report, and for
    all slides ``sensitivity.csv`` and ``sensitivity.svg`` in the result folder.

    Parameters
    ----------
    results : path
        Result folder of an earlier run.
    with_pixels : bool
        False leaves out the expansion, which alone reads the slides.

    Returns
    -------
    DataFrame
        See `macprox.pipeline.variations.vary_slide`.

    Raises
    ------
    BatchError
        If a slide failed; the tables of the others are on disk.
    """
    from macprox.report.variations import write_variations_figure

    def found(study: Study, folder: SlideFolder, options: RunOptions) -> pd.DataFrame:
        return vary_slide(study, folder, options, with_pixels)

    study, table = _asked_of_each(Path(results), options or RunOptions(), "sensitivity", found)
    write_text(Path(results) / "sensitivity.csv", without_formulas(table).to_csv(index=False))
    write_variations_figure(table, study, Path(results) / "sensitivity.svg")
    return table


def calibrate(
    results: str | Path, n_simulations: int = N_SIMULATIONS, options: RunOptions | None = None
) -> pd.DataFrame:
    """How often each test rejects on simulated slides of every slide's own geometry.

    Writes ``calibration.parquet`` beside each slide's statistics, draws it in its report, and for
    all slides ``calibration.csv`` and ``calibration.svg`` in the result folder.

    Parameters
    ----------
    results : path
        Result folder of an earlier run.
    n_simulations : int
        A slide and null.

    Returns
    -------
    DataFrame
        See `macprox.spatial.calibrate`, with ``slide_id`` in front.

    Raises
    ------
    BatchError
        If a slide failed; the tables of the others are on disk.
    """
    from macprox.report.calibration import write_calibration_figure

    def found(study: Study, folder: SlideFolder, options: RunOptions) -> pd.DataFrame:
        return calibrate_slide(study, folder, options, n_simulations)

    _, table = _asked_of_each(Path(results), options or RunOptions(), "calibrate", found)
    write_text(Path(results) / "calibration.csv", without_formulas(table).to_csv(index=False))
    write_calibration_figure(table, Path(results) / "calibration.svg")
    return table


def _asked_of_each(
    results: Path,
    options: RunOptions,
    command: str,
    found: Callable[[Study, SlideFolder, RunOptions], pd.DataFrame],
) -> tuple[Study, pd.DataFrame]:
    """The study of finished results, and one table of what is found of every slide."""
    folders = slide_folders(results)
    study = Study.from_toml(results / STUDY_FILE)
    tables: list[pd.DataFrame] = []

    def one(folder: SlideFolder, options: RunOptions) -> SlideResult:
        tables.append(found(study, folder, options))
        return SlideResult(folder.path)

    with working_in(results, study):
        Work(results, study, options, command).each(folders, one)
    return study, pd.concat(tables, ignore_index=True)
