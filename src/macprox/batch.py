"""Many slides: one failure stops no other, and every failure is said."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pandas as pd

from macprox.errors import MacproxError, PixelSizeError, ResultError
from macprox.io.atomic import write_text
from macprox.io.images import SlideInfo, find_slides, inspect_slide, open_slide, unique_slide_ids
from macprox.io.samples import read_samples, sample_of
from macprox.io.store import STUDY_FILE, SlideFolder, slide_folder, slide_folders
from macprox.pipeline import RunOptions, finish_slide, run_slide
from macprox.pipeline.calibrating import N_SIMULATIONS, calibrate_slide
from macprox.pipeline.contents import INDEX_FILE, write_contents
from macprox.pipeline.stages import Ledger
from macprox.pipeline.variations import vary_slide
from macprox.results import SlideResult
from macprox.segment.learned import check_method
from macprox.slide import Url
from macprox.study import Study

__all__ = ["INDEX_FILE", "BatchError", "Failure", "calibrate", "run", "sensitivity", "update"]

TRACEBACK_FILE = "error.txt"
Place = TypeVar("Place")  # a slide, or its result folder


@dataclass(frozen=True)
class Failure:
    """A slide that could not be finished, and why, in one line."""

    slide_id: str
    reason: str

    def __str__(self) -> str:
        return f"{self.slide_id}: {self.reason}"


class BatchError(MacproxError):
    """Some slides failed; the others are finished and on disk.

    Attributes
    ----------
    results : list of SlideResult
    failures : list of Failure
    """

    def __init__(self, results: list[SlideResult], failures: list[Failure]):
        self.results, self.failures = results, failures
        lines = "\n".join(f"  {failure}" for failure in failures)
        super().__init__(
            f"{len(failures)} of {len(results) + len(failures)} slides failed:\n{lines}"
        )


def run(
    slides: str | Path | Url | Iterable[str | Path | Url],
    study: Study | str | Path,
    out: str | Path = "results",
    pixel_size_um: float | None = None,
    options: RunOptions | None = None,
) -> list[SlideResult]:
    """Take slides from pixels to reports; the same call again does only what is missing.

    Parameters
    ----------
    slides : path or iterable of paths
        Slide files, folders of slides, globs, addresses of OME-Zarr on a web server.
    study : Study or path of a study.toml
    out : path
        Result folder.
    pixel_size_um : float, optional
        For slides whose files do not state it.
    options : RunOptions, optional
        Tiles, workers, progress; changes no result.

    Returns
    -------
    list of SlideResult
        One a slide.

    Raises
    ------
    BatchError
        After everything that could be done is done, if a slide failed.
    MacproxError
        Before anything is computed, if the study or the list of slides is not valid.
    """
    study = study if isinstance(study, Study) else Study.from_toml(study)
    out, options = Path(out), options or RunOptions()
    if pixel_size_um is not None and not 0 < pixel_size_um < float("inf"):
        raise PixelSizeError(
            f"The pixel size must be a positive number of micrometres, found {pixel_size_um!r}."
        )
    paths = find_slides(slides)
    samples = read_samples(study.cohort.samples)
    options.workers.check()
    check_method(study.segmentation)
    write_text(out / STUDY_FILE, study.to_toml())
    given_um = pixel_size_um if pixel_size_um is not None else study.image.pixel_size_um

    def one(path: Path | Url, folder: SlideFolder) -> SlideResult:
        slide = open_slide(path, pixel_size_um=given_um, slide_id=folder.slide_id)
        Ledger.open(folder).note(**sample_of(samples, folder.slide_id))
        problems = _problems(inspect_slide(path))
        if samples is not None and folder.slide_id not in set(samples["slide_id"]):
            problems.append(f"{study.cohort.samples} has no row for this slide.")
        return run_slide(slide, study, folder, options, problems)

    folders = [slide_folder(out, slide_id) for slide_id in unique_slide_ids(paths)]
    work = _Work(out, study, options)
    return work.each(list(zip(paths, folders, strict=True)), one)


def _problems(info: SlideInfo) -> list[str]:
    """What stays doubtful about a slide that could be opened: a missing scale was given."""
    if info.pixel_size_um is not None:
        return list(info.problems)
    return [problem for problem in info.problems if not problem.startswith("no pixel size")]


def update(
    results: str | Path, study: Study | str | Path | None = None, options: RunOptions | None = None
) -> list[SlideResult]:
    """Replay edits and gates: phenotypes, regions, statistics and reports again, without pixels.

    Parameters
    ----------
    results : path
        Result folder of an earlier run.
    study : Study or path, optional
        Replaces the folder's study.toml; its segmentation must be the one the cells come from.

    Raises
    ------
    ResultError
        If the study asks for another segmentation than the cells were made with.
    BatchError
        If a slide failed; the others are finished.
    """
    results, options = Path(results), options or RunOptions()
    folders = slide_folders(results)
    before = Study.from_toml(results / STUDY_FILE)
    after = before
    if study is not None:
        after = study if isinstance(study, Study) else Study.from_toml(study)
    if (after.segmentation, after.image) != (before.segmentation, before.image):
        raise ResultError(
            "The study's [image] or [segmentation] differs from the one that made these cells; "
            "`macprox update` reads no pixels. Use `macprox run` with the slides."
        )
    write_text(results / STUDY_FILE, after.to_toml())

    def one(path: Path, folder: SlideFolder) -> SlideResult:
        return finish_slide(after, folder, options)

    return _Work(results, after, options).each([(folder.path, folder) for folder in folders], one)


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

    study, table = _asked_of_each(Path(results), options or RunOptions(), found)
    write_text(Path(results) / "sensitivity.csv", table.to_csv(index=False))
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

    _, table = _asked_of_each(Path(results), options or RunOptions(), found)
    write_text(Path(results) / "calibration.csv", table.to_csv(index=False))
    write_calibration_figure(table, Path(results) / "calibration.svg")
    return table


def _asked_of_each(
    results: Path,
    options: RunOptions,
    found: Callable[[Study, SlideFolder, RunOptions], pd.DataFrame],
) -> tuple[Study, pd.DataFrame]:
    """The study of finished results, and one table of what is found of every slide."""
    study = Study.from_toml(results / STUDY_FILE)
    tables: list[pd.DataFrame] = []

    def one(path: Path, folder: SlideFolder) -> SlideResult:
        tables.append(found(study, folder, options))
        return SlideResult(path)

    folders = slide_folders(results)
    _Work(results, study, options).each([(folder.path, folder) for folder in folders], one)
    return study, pd.concat(tables, ignore_index=True)


@dataclass(frozen=True)
class _Work:
    """What every slide of one call shares."""

    out: Path
    study: Study
    options: RunOptions

    def each(
        self,
        slides: Sequence[tuple[Place, SlideFolder]],
        one: Callable[[Place, SlideFolder], SlideResult],
    ) -> list[SlideResult]:
        """Do every slide; keep what works, note what does not."""
        results: list[SlideResult] = []
        failures: list[Failure] = []
        for number, (path, folder) in enumerate(slides, start=1):
            self.options.watcher.slide(folder.slide_id, number, len(slides))
            try:
                results.append(one(path, folder))
                _forget_failure(folder)
            except MacproxError as error:
                failures.append(_note_failure(folder, str(error)))
            except Exception as error:  # noqa: BLE001 - a bug in one slide must not cost the others
                failures.append(_note_bug(folder, error))
        failed = {failure.slide_id: failure.reason for failure in failures}
        write_contents(self.out, self.study, results, failed)
        if failures:
            raise BatchError(results, failures)
        return results


def _note_bug(folder: SlideFolder, error: Exception) -> Failure:
    details = folder.path / TRACEBACK_FILE
    with suppress(MacproxError):
        write_text(details, traceback.format_exc())
    reason = f"unexpected {type(error).__name__}: {error} (a bug; details in {details})"
    return _note_failure(folder, reason)


def _note_failure(folder: SlideFolder, reason: str) -> Failure:
    failure = Failure(folder.slide_id, " ".join(reason.split()))
    # A manifest that cannot be read or written may be the very reason; it is told all the same.
    with suppress(MacproxError):
        Ledger.open(folder).note(failure=failure.reason)
    return failure


def _forget_failure(folder: SlideFolder) -> None:
    ledger = Ledger.open(folder)
    if ledger.manifest.pop("failure", None) is not None:
        ledger.note()
    (folder.path / TRACEBACK_FILE).unlink(missing_ok=True)
