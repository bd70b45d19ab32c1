"""Slide after slide: one failure stops no other, and every failure is said."""

from __future__ import annotations

import errno
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from macprox.batch.journal import (
    RUN_ENDS,
    SLIDE_ENDS,
    SLIDE_FAILS,
    Journal,
    Watched,
)
from macprox.errors import MacproxError, ResultError
from macprox.io.atomic import make_folder, write_text
from macprox.io.lock import TakenError, alone_in, listing, run_in
from macprox.io.store import STUDY_FILE, SlideFolder
from macprox.pipeline import RunOptions
from macprox.pipeline.cluster import ClusterLost
from macprox.pipeline.contents import write_contents
from macprox.pipeline.stages import Ledger
from macprox.quality import RED, light_of
from macprox.results import SlideResult
from macprox.study import Study

TRACEBACK_FILE = "error.txt"
# A disk that takes nothing more will take nothing of the next slide either.
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
ONCE_MENDED = "Make room there, or make it writable; the same command goes on from here."

One = Callable[[SlideFolder, RunOptions], SlideResult]


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


@dataclass(frozen=True)
class _Failed:
    failure: Failure
    stops_all: bool = False


@dataclass(frozen=True)
class Work:
    """What every slide of one command shares.

    Parameters
    ----------
    out : Path
        Result folder, this process's own while it works there (`working_in`).
    study : Study
    options : RunOptions
    command : str
    """

    out: Path
    study: Study
    options: RunOptions
    command: str

    def each(self, folders: Sequence[SlideFolder], one: One, **facts: Any) -> list[SlideResult]:
        """Do every slide; keep what works, note what does not.

        Parameters
        ----------
        folders : sequence of SlideFolder
        one : callable
            Finishes a slide.
        **facts
            For the journal.

        Raises
        ------
        BatchError
            After the last slide, if one failed.
        """
        journal = Journal(self.out)
        journal.run_begins(self.command, [folder.slide_id for folder in folders], **facts)
        done = list(self._one_by_one(folders, one, journal))
        results = [ended for ended in done if isinstance(ended, SlideResult)]
        failures = [ended.failure for ended in done if isinstance(ended, _Failed)]
        for folder in folders[len(done) :]:
            why = f"not begun, as the run ended with {folders[len(done) - 1].slide_id}"
            failures.append(Failure(folder.slide_id, why))
        journal.note(RUN_ENDS, finished=len(results), failed=len(failures))
        self._list(results, failures)
        if failures:
            raise BatchError(results, failures)
        return results

    def _one_by_one(
        self, folders: Sequence[SlideFolder], one: One, journal: Journal
    ) -> Iterator[SlideResult | _Failed]:
        """How each slide ended, up to one that ends the run."""
        watcher = Watched(journal, self.options.watcher)
        with self.options.workers.started() as workers:
            options = replace(self.options, watcher=watcher, workers=workers)
            for number, folder in enumerate(folders, start=1):
                watcher.slide(folder.slide_id, number, len(folders))
                begun = time.monotonic()
                ended = _tried(one, folder, options)
                took = {"slide_id": folder.slide_id, "seconds": round(time.monotonic() - begun, 1)}
                if isinstance(ended, SlideResult):
                    journal.note(SLIDE_ENDS, **took)
                else:
                    journal.note(SLIDE_FAILS, **took, reason=ended.failure.reason)
                yield ended
                if isinstance(ended, _Failed) and ended.stops_all:
                    return

    def _list(self, results: list[SlideResult], failures: list[Failure]) -> None:
        failed = {failure.slide_id: failure.reason for failure in failures}
        try:
            with listing(self.out):
                write_contents(self.out, self.study, results, failed)
        except ResultError as error:
            if not failures:
                raise
            failures.append(Failure("index.html", str(error)))  # the slides' reasons come first


@contextmanager
def working_in(out: Path, study: Study, is_part: bool = False) -> Iterator[None]:
    """Have a result folder to oneself, with this study written out in it.

    Raises
    ------
    ResultError
        If it cannot be written, if another run is at work there, or if the other parts of this
        run have another study.
    """
    text = study.to_toml()
    make_folder(out)
    with run_in(out, is_part) as is_first:
        there = out / STUDY_FILE
        before = there.read_bytes() if there.is_file() else None
        is_same = before == text.encode()
        if not is_same and (is_first or before is None):
            write_text(there, text)
        elif not is_same:
            raise ResultError(
                f"The other parts of this run work with another study, {there}; give all --shard "
                "the same --study, or another --out."
            )
        yield


def _tried(one: One, folder: SlideFolder, options: RunOptions) -> SlideResult | _Failed:
    try:
        result = one(folder, options)
        _forget_failure(folder)
        return result
    except TakenError as error:  # the folder is somebody else's: nothing is noted there
        return _Failed(Failure(folder.slide_id, str(error)))
    except ClusterLost as error:
        return _Failed(_noted(folder, str(error)), stops_all=True)
    except Exception as error:  # noqa: BLE001 - a bug in one slide must not cost the others
        if (reason := _of_the_disk(error, folder)) is not None:
            return _Failed(_noted(folder, reason), stops_all=True)
        if isinstance(error, MacproxError):
            return _Failed(_noted(folder, str(error)))
        return _Failed(_note_bug(folder, error))


def _of_the_disk(error: BaseException, folder: SlideFolder) -> str | None:
    """A sentence where this error, or what it came from, says that the disk takes nothing more."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in DISK_ERRORS:
            sentence = f"Cannot write {cause.filename or folder.path}: {cause.strerror}."
            return f"{error if isinstance(error, MacproxError) else sentence} {ONCE_MENDED}"
        cause = cause.__cause__
    return None


def _note_bug(folder: SlideFolder, error: Exception) -> Failure:
    details = folder.path / TRACEBACK_FILE
    with suppress(MacproxError):
        write_text(details, traceback.format_exc())
    reason = f"unexpected {type(error).__name__}: {error} (a bug; details in {details})"
    return _noted(folder, reason)


def _noted(folder: SlideFolder, reason: str) -> Failure:
    failure = Failure(folder.slide_id, " ".join(reason.split()))
    # A manifest that cannot be read or written may be the very reason; it is told all the same.
    with suppress(MacproxError), alone_in(folder):
        Ledger.open(folder).note(failure=failure.reason, light=RED)
    return failure


def _forget_failure(folder: SlideFolder) -> None:
    if "failure" in Ledger.open(folder).manifest:
        with alone_in(folder):
            ledger = Ledger.open(folder)
            ledger.manifest.pop("failure", None)
            ledger.note(light=light_of(ledger.manifest))
    (folder.path / TRACEBACK_FILE).unlink(missing_ok=True)
