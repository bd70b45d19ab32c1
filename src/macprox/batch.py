"""Many slides: one failure stops no other, and every failure is said."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from macprox.errors import MacproxError, ResultError
from macprox.io.atomic import write_text
from macprox.io.images import find_slides, open_slide, unique_slide_ids
from macprox.io.samples import read_samples, sample_of
from macprox.io.store import STUDY_FILE, SlideFolder, slide_folder, slide_folders
from macprox.pipeline import RunOptions, finish_slide, run_slide
from macprox.pipeline.stages import Ledger
from macprox.report import FailedSlide, write_index
from macprox.results import SlideResult
from macprox.study import Study

INDEX_FILE = "index.html"
TRACEBACK_FILE = "error.txt"


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
    slides: str | Path | Iterable[str | Path],
    study: Study | str | Path,
    out: str | Path = "results",
    pixel_size_um: float | None = None,
    options: RunOptions | None = None,
) -> list[SlideResult]:
    """Take slides from pixels to reports; the same call again does only what is missing.

    Parameters
    ----------
    slides : path or iterable of paths
        Slide files, folders of slides, globs.
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
    out = Path(out)
    paths = find_slides(slides)
    samples = read_samples(study.cohort.samples)
    _prepare(out, study)
    given_um = pixel_size_um if pixel_size_um is not None else study.image.pixel_size_um

    def one(path: Path, folder: SlideFolder) -> SlideResult:
        slide = open_slide(path, pixel_size_um=given_um, slide_id=folder.slide_id)
        Ledger.open(folder).note(**sample_of(samples, folder.slide_id))
        return run_slide(slide, study, folder, options)

    folders = [slide_folder(out, slide_id) for slide_id in unique_slide_ids(paths)]
    return _each(list(zip(paths, folders, strict=True)), one, out)


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
    results = Path(results)
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
    _prepare(results, after)

    def one(path: Path, folder: SlideFolder) -> SlideResult:
        return finish_slide(after, folder, options)

    return _each([(folder.path, folder) for folder in folders], one, results)


def _prepare(out: Path, study: Study) -> None:
    try:
        write_text(out / STUDY_FILE, study.to_toml())
    except OSError as error:
        raise ResultError(f"Cannot write to {out}: {error.strerror}.") from error


def _each(
    slides: Sequence[tuple[Path, SlideFolder]],
    one: Callable[[Path, SlideFolder], SlideResult],
    out: Path,
) -> list[SlideResult]:
    """Do every slide; keep what works, note what does not."""
    results: list[SlideResult] = []
    failures: list[Failure] = []
    for path, folder in slides:
        try:
            results.append(one(path, folder))
            _forget_failure(folder)
        except MacproxError as error:
            failures.append(_note_failure(folder, str(error)))
        except Exception as error:  # noqa: BLE001 - a bug in one slide must not cost the others
            write_text(folder.path / TRACEBACK_FILE, traceback.format_exc())
            failures.append(
                _note_failure(
                    folder,
                    f"unexpected {type(error).__name__}: {error} "
                    f"(a bug; details in {folder.path / TRACEBACK_FILE})",
                )
            )
    failed = [FailedSlide(failure.slide_id, failure.reason) for failure in failures]
    write_index([*results, *failed], out / INDEX_FILE)
    if failures:
        raise BatchError(results, failures)
    return results


def _note_failure(folder: SlideFolder, reason: str) -> Failure:
    failure = Failure(folder.slide_id, " ".join(reason.split()))
    Ledger.open(folder).note(failure=failure.reason)
    return failure


def _forget_failure(folder: SlideFolder) -> None:
    ledger = Ledger.open(folder)
    if ledger.manifest.pop("failure", None) is not None:
        ledger.note()
    (folder.path / TRACEBACK_FILE).unlink(missing_ok=True)
