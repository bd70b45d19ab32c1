"""A folder of slides: from pixels to reports, or brought up to date without pixels."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from macprox.batch.plan import ALL, Selection, plan_run
from macprox.batch.work import Work, working_in
from macprox.errors import PixelSizeError, ResultError
from macprox.io.images import SlideInfo, inspect_slide, open_slide
from macprox.io.samples import read_samples, sample_of
from macprox.io.store import STUDY_FILE, SlideFolder, slide_folders
from macprox.pipeline import RunOptions, finish_slide, run_slide
from macprox.results import SlideResult
from macprox.segment.learned import check_method
from macprox.slide import Url
from macprox.study import Study


def run(
    slides: str | Path | Url | Iterable[str | Path | Url],
    study: Study | str | Path,
    out: str | Path = "results",
    pixel_size_um: float | None = None,
    options: RunOptions | None = None,
    selection: Selection = ALL,
) -> list[SlideResult]:
    """Take slides from pixels to reports; the same call again does only what is missing.

    Parameters
    ----------
    slides : path or iterable of paths
        Slide files, folders of slides, globs, addresses of OME-Zarr on a web server, sample sheets
        with the columns ``slide_id`` and ``path``.
    study : Study or path of a study.toml
    out : path
        Result folder.
    pixel_size_um : float, optional
        For slides whose files do not state it.
    options : RunOptions, optional
        Tiles, workers, progress; changes no result.
    selection : Selection, optional
        Which of the slides this call works on: a part of them, or those that failed.

    Returns
    -------
    list of SlideResult
        One a slide.

    Raises
    ------
    BatchError
        After everything that could be done is done, if a slide failed.
    MacproxError
        Before anything is computed, if the study or the list of slides is not valid, or if
        another run is at work in the result folder.
    """
    study = study if isinstance(study, Study) else Study.from_toml(study)
    out, options = Path(out), options or RunOptions()
    if pixel_size_um is not None and not 0 < pixel_size_um < float("inf"):
        raise PixelSizeError(
            f"The pixel size must be a positive number of micrometres, found {pixel_size_um!r}."
        )
    plan = plan_run(slides, out, selection)
    samples = read_samples(study.cohort.samples)
    sheet = str(study.cohort.samples) if samples is not None else "the sample sheet"
    samples = samples if samples is not None else plan.samples
    options.workers.check()
    check_method(study.segmentation)
    given_um = pixel_size_um if pixel_size_um is not None else study.image.pixel_size_um
    paths = {one.slide_id: one.path for one in plan.ours}

    def one(folder: SlideFolder, options: RunOptions) -> SlideResult:
        path = paths[folder.slide_id]
        slide = open_slide(path, pixel_size_um=given_um, slide_id=folder.slide_id)
        problems = _problems(inspect_slide(path))
        if samples is not None and folder.slide_id not in set(samples["slide_id"]):
            problems.append(f"{sheet} has no row for this slide.")
        notes = {"problems": problems, **sample_of(samples, folder.slide_id)}
        return run_slide(slide, study, folder, options, notes)

    with working_in(out, study, selection.is_part):
        work = Work(out, study, options, "run")
        folders = [one.folder for one in plan.ours]
        planned = [one.slide_id for one in plan.slides]
        return work.each(folders, one, shard=str(selection), planned=planned)


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
        If the study asks for another segmentation than the cells were made with, or if another
        run is at work in the folder.
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

    def one(folder: SlideFolder, options: RunOptions) -> SlideResult:
        return finish_slide(after, folder, options)

    with working_in(results, after):
        return Work(results, after, options, "update").each(folders, one)
