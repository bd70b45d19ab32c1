"""index.html: every slide of a result folder, also those of earlier runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from macprox.errors import MacproxError
from macprox.io.store import SlideFolder, slide_folders
from macprox.pipeline.marks import is_current
from macprox.report import FailedSlide, write_index
from macprox.results import SlideResult
from macprox.study import Study

INDEX_FILE = "index.html"
OUTDATED = (
    "its numbers are from another study or from before the last edits; run `macprox update`, or "
    "`macprox run` with this slide, again"
)


def write_contents(
    out: Path, study: Study, results: Iterable[SlideResult], failures: dict[str, str]
) -> Path:
    """List the slides just worked on, and those that were in the folder already.

    Parameters
    ----------
    out : Path
        Result folder.
    study : Study
        Its effective study. A slide whose numbers come from another one is not shown beside
        numbers that do not compare, but named as outdated.
    results : iterable of SlideResult
        Finished just now.
    failures : dict of str to str
        Slide id and reason of those that could not be finished just now.
    """
    shown: dict[str, SlideResult | FailedSlide] = {r.slide_id: r for r in results}
    shown |= {name: FailedSlide(name, reason) for name, reason in failures.items()}
    for folder in slide_folders(out) if any(out.glob("slides/*/manifest.json")) else []:
        if folder.slide_id not in shown:
            shown[folder.slide_id] = _earlier(folder, study)
    return write_index([shown[name] for name in sorted(shown)], out / INDEX_FILE)


def _earlier(folder: SlideFolder, study: Study) -> SlideResult | FailedSlide:
    result = SlideResult(folder.path)
    try:
        if failure := result.manifest.get("failure"):
            return FailedSlide(folder.slide_id, failure)
        if is_current(study, folder):
            return result
    except MacproxError as error:
        return FailedSlide(folder.slide_id, str(error))
    return FailedSlide(folder.slide_id, OUTDATED)
