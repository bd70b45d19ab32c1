"""What is wrong with a slide's folder, each with what to do about it; nothing here raises."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from macprox import __version__
from macprox.edits import EditLog
from macprox.errors import MacproxError, ResultError, reason_of
from macprox.io.images import open_slide
from macprox.io.store import LABEL_NAMES, STUDY_FILE, SlideFolder, read_manifest
from macprox.pipeline.marks import is_current, is_given
from macprox.report.rows import micrometres
from macprox.results import SlideResult
from macprox.slide import location
from macprox.study import Study

INFO, WARNING, STOP = "info", "warning", "stop"
_LEVELS = (STOP, WARNING, INFO)
# Without these columns a cell cannot be shown, and without the others not counted; tables of other
# tools have only the first.
SHOWN_COLUMNS = frozenset({"cell_id", "x_um", "y_um", "phenotype"})
COUNTED_COLUMNS = frozenset({"in_window", "excluded", "anchor_px"})
RUN_AGAIN = "Run the same `macprox run` command again; it goes on from there."


@dataclass(frozen=True)
class Notice:
    """One thing to know about the folder.

    Parameters
    ----------
    level : "info", "warning" or "stop"
        ``"stop"``: this slide cannot be reviewed before.
    text : str
        What is wrong and what to do, for the window.
    about : str
        What it concerns, for whoever offers a button: ``"result"``, ``"image"``, ``"labels"``,
        ``"log"``, ``"version"``, ``"rights"``, ``"statistics"`` or ``"edits"``.
    """

    level: str
    text: str
    about: str = "result"


def folder_notices(path: str | Path) -> list[Notice]:
    """Everything wrong with ``results/slides/<slide_id>``, the worst first; none if all is well."""
    folder = SlideFolder(Path(os.path.abspath(path)))
    found = list(_notices(folder))
    return sorted(found, key=lambda notice: _LEVELS.index(notice.level))


def read_only_reason(folder: SlideFolder) -> str:
    """Why nothing can be saved in a slide's folder; empty if it can."""
    if not folder.path.is_dir():
        return (
            f"The folder {folder.path} is gone: it was moved or deleted while the slide was open. "
            "Bring it back; until then nothing can be saved."
        )
    target = folder.edits if folder.edits.exists() else folder.path
    if os.access(target, os.W_OK):
        return ""
    return (
        f"{target} cannot be written: this slide can be looked at, not changed. Copy the "
        "result folder to a place of yours, or ask for the right to write."
    )


def _notices(folder: SlideFolder) -> Iterator[Notice]:
    if not folder.manifest.exists():
        yield Notice(STOP, _no_result(folder))
        return
    try:
        manifest = read_manifest(folder)
        study = Study.from_toml(folder.results / STUDY_FILE)
    except MacproxError as error:
        yield Notice(STOP, str(error))
        return
    unfinished = list(_unfinished(folder, manifest))
    yield from unfinished
    if reason := read_only_reason(folder):
        yield Notice(WARNING, reason, "rights")
    log = list(_log(folder))
    yield from log
    if "pixel_size_um" in manifest.get("source", {}):
        yield from _image(folder, manifest["source"])
    if unfinished:
        return
    yield from _labels(folder, manifest["source"])
    if not any(notice.level == STOP for notice in log):
        yield from _age(folder, study, manifest)
    for sentence in manifest.get("lost_edits", []):
        text = f"{micrometres(sentence)} Look at the place and decide again if it matters."
        yield Notice(WARNING, text, "edits")


def _no_result(folder: SlideFolder) -> str:
    text = f"{folder.path} is not the result of a slide: it has no manifest.json."
    if not folder.path.is_dir():
        text = f"There is no folder {folder.path}."
    slides = sorted(found.parent for found in folder.path.glob("slides/*/manifest.json"))
    if slides:
        return (
            f"{text} It holds the results of {len(slides)} slides; open one, such as {slides[0]}."
        )
    return f"{text} Open a folder such as results/slides/<slide_id>."


def _unfinished(folder: SlideFolder, manifest: dict[str, Any]) -> Iterator[Notice]:
    """A run that failed or stopped, or a table that is not there or not whole."""
    if manifest.get("failure"):
        text = f"The run of this slide failed: {manifest['failure']} Mend that, then: {RUN_AGAIN}"
        yield Notice(STOP, text)
    elif "pixel_size_um" not in manifest.get("source", {}) or "analysis" not in manifest["stages"]:
        done = ", ".join(manifest["stages"]) or "nothing"
        yield Notice(STOP, f"This result is half written (done: {done}). {RUN_AGAIN}")
    else:
        for path in (folder.cells, folder.gates, folder.regions, folder.statistics):
            if not path.exists():
                yield Notice(STOP, f"{path.name} is missing from this result. {RUN_AGAIN}")
        yield from _cell_table(folder, manifest["source"])


def _cell_table(folder: SlideFolder, source: dict[str, Any]) -> Iterator[Notice]:
    import pyarrow.parquet as parquet

    if not folder.cells.exists():
        return
    try:
        columns = set(parquet.read_schema(folder.cells).names)
    except (OSError, ValueError) as error:
        reason = reason_of(error)
        text = f"The cell table {folder.cells} is damaged ({reason}). Delete it. {RUN_AGAIN}"
        yield Notice(STOP, text)
        return
    needed = SHOWN_COLUMNS if is_given(source) else SHOWN_COLUMNS | COUNTED_COLUMNS
    if missing := sorted(needed - columns):
        text = (
            f"The cell table lacks {', '.join(missing)}: another version of macprox wrote it. Run "
            "`macprox update` on the result folder; it reads no pixels."
        )
        yield Notice(STOP, text, "version")


def _image(folder: SlideFolder, source: dict[str, Any]) -> Iterator[Notice]:
    if is_given(source):
        text = (
            "These cells came as a table of another tool: there is no image and there are no "
            "outlines. Cells are shown as points."
        )
        yield Notice(INFO, text, "image")
        return
    path = location(source["path"])
    without = "Cells, outlines and numbers open without it."
    if isinstance(path, Path) and not path.exists():
        text = (
            f"The slide's image is not at {path} any more. {without} If it was moved, say where it "
            "is now."
        )
        yield Notice(WARNING, text, "image")
        return
    try:
        slide = open_slide(path, pixel_size_um=source["pixel_size_um"], slide_id=folder.slide_id)
    except MacproxError as error:
        yield Notice(WARNING, f"The slide's image cannot be opened: {error} {without}", "image")
        return
    if slide.fingerprint != source["fingerprint"]:
        text = (
            f"The image {path} has changed since its cells were found: outlines may not lie on "
            "what you see. Bring the original back, or give the slide to `macprox run` again."
        )
        yield Notice(WARNING, text, "image")


def _labels(folder: SlideFolder, source: dict[str, Any]) -> Iterator[Notice]:
    if is_given(source):
        return
    lacking = {name: why for name in LABEL_NAMES if (why := _unreadable(folder, name))}
    if lacking:
        are = "missing" if "missing" in lacking.values() else "damaged"
        text = (
            f"The outlines of {' and '.join(lacking)} are {are} ({folder.labels}). Cells can be "
            "looked at as points and named; to draw cells, copy labels.zarr back, or delete what "
            "is left of it and give the slide to `macprox run` again: corrections are kept."
        )
        yield Notice(WARNING, text, "labels")


def _unreadable(folder: SlideFolder, name: str) -> str:
    """Whether a label image is missing or damaged; empty if it is neither."""
    if not (folder.labels / name / "zarr.json").exists():
        return "missing"
    try:
        SlideResult(folder.path).label_levels(name)
    except ResultError:
        return "damaged"
    return ""


def _log(folder: SlideFolder) -> Iterator[Notice]:
    log = EditLog(folder.edits)
    try:
        log.read()
        is_torn = log.is_torn
    except MacproxError as error:
        yield Notice(STOP, str(error), "log")
        return
    if is_torn:
        text = (
            "The last decision was cut off while it was being saved (a crash). All decisions "
            "before it are there; look at what you did last, and do it again."
        )
        yield Notice(WARNING, text, "log")


def _age(folder: SlideFolder, study: Study, manifest: dict[str, Any]) -> Iterator[Notice]:
    """Results of another version, or older than the log or the study."""
    made_by = manifest.get("versions", {}).get("macprox", "an unknown version")
    if made_by != __version__:
        text = (
            f"These results were made with macprox {made_by}; this is {__version__}. You can look "
            "and correct; saved numbers and those that are computed now may differ a little until "
            "`macprox run` (or `macprox update`) has gone over the folder."
        )
        yield Notice(WARNING, text, "version")
    elif not is_current(study, folder):
        why = "the corrections" if folder.edits.exists() else "study.toml"
        text = (
            f"Statistics and report on the disk are older than {why}. Nothing is lost: the numbers "
            "in this window are new, and `macprox update` writes them."
        )
        yield Notice(INFO, text, "statistics")
