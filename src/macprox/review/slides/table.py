"""The slides of a result folder and how far each has come: manifests and logs, no cell table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from macprox.edits import Corrections, EditLog, Event, replay
from macprox.errors import MacproxError, ResultError
from macprox.io.samples import read_samples
from macprox.io.store import STUDY_FILE, SlideFolder, read_manifest, slide_folder
from macprox.pipeline.marks import is_current, is_given
from macprox.quality import light_of, worth_a_look
from macprox.report.rows import micrometres
from macprox.study import Study

# What a slide can be; a failed one says why after the word.
NOT_STARTED = "not started"
FAILED = "failed"
UNFINISHED = "unfinished"
READY = "ready"
IN_REVIEW = "in review"
SIGNED_OFF = "signed off"
CHANGED = "changed since sign-off"
NEEDS_UPDATE = "needs update"


@dataclass(frozen=True)
class SlideRow:
    """One line of the list.

    Parameters
    ----------
    slide_id, patient, group : str
    status : str
        One of the words above; ``failed: <reason>``.
    needs_update : bool
        Its statistics are older than the study, the review or this version of macprox.
    n_cells : int
    light : "green", "amber", "red" or ""
        Of the quality gate (`macprox.quality`), as last computed; empty before.
    quality_text : str
        What to look at, in sentences.
    gates_to_confirm : int
        Gates that nobody has confirmed.
    reviewer : str
        Who signed off, else who decided last.
    signed_off_at : str
        ISO 8601, UTC; empty if it is not.
    changed_since : bool
        The review went on after the sign-off.
    path : str
    """

    slide_id: str
    patient: str = ""
    group: str = ""
    status: str = NOT_STARTED
    needs_update: bool = False
    n_cells: int = 0
    light: str = ""
    quality_text: str = ""
    gates_to_confirm: int = 0
    reviewer: str = ""
    signed_off_at: str = ""
    changed_since: bool = False
    path: str = ""


def slides_table(results: str | Path) -> pd.DataFrame:
    """One row a slide, in name order; also those of the sample sheet that were never run.

    Parameters
    ----------
    results : path
        The folder that `macprox run` wrote.

    Returns
    -------
    DataFrame
        Columns of `SlideRow`.

    Raises
    ------
    ResultError
        If it is no result folder.
    """
    results = Path(results)
    folders = {path.name: SlideFolder(path) for path in (results / "slides").glob("[!.]*/")}
    if not folders:
        raise ResultError(
            f"No slides in {results}: expected slides/<slide_id> below it. Give the folder that "
            "`macprox run` wrote (its --out)."
        )
    study = Study.from_toml(results / STUDY_FILE)
    samples = _samples(study)
    rows = []
    for name in sorted({*folders, *samples}):
        folder = folders.get(name, slide_folder(results, name))
        rows.append(_row(folder, study, samples.get(name, {})))
    return pd.DataFrame(rows, columns=list(SlideRow.__dataclass_fields__))


def _samples(study: Study) -> dict[str, dict[str, Any]]:
    """The sample sheet by slide; a sheet that is gone or wrong hides no slide."""
    try:
        sheet = read_samples(study.cohort.samples)
    except MacproxError:
        return {}
    rows = [] if sheet is None else sheet.to_dict("records")
    return {str(row["slide_id"]): {str(k): v for k, v in row.items()} for row in rows}


def _row(folder: SlideFolder, study: Study, sample: dict[str, Any]) -> SlideRow:
    about: dict[str, Any] = {
        "slide_id": folder.slide_id,
        "patient": str(sample.get("patient", "")),
        "group": str(sample.get("group", "")),
        "path": str(folder.path),
    }
    try:
        manifest = read_manifest(folder)
        events = EditLog(folder.edits).read()
        corrections = replay(events)
        known = manifest.get("sample") or {}
        about["patient"] = about["patient"] or str(manifest.get("patient") or "")
        about["group"] = about["group"] or str(known.get("group", ""))
        status, needs_update = _status(folder, study, manifest, (events, corrections))
    except MacproxError as error:
        return SlideRow(**about, status=f"{FAILED}: {error}")
    signed = corrections.signed_off
    return SlideRow(
        **about,
        status=status,
        needs_update=needs_update,
        n_cells=int(manifest.get("counts", {}).get("cells", 0)),
        light=light_of(manifest) or "",
        quality_text=_quality_text(manifest),
        gates_to_confirm=_gates_to_confirm(study, manifest, corrections),
        reviewer=signed.reviewer if signed else events[-1].reviewer if events else "",
        signed_off_at=signed.time if signed else "",
        changed_since=corrections.changed_since_sign_off,
    )


def _status(
    folder: SlideFolder,
    study: Study,
    manifest: dict[str, Any],
    log: tuple[list[Event], Corrections],
) -> tuple[str, bool]:
    """The word, and whether statistics are old. A review is named before what it leaves to do."""
    if manifest.get("failure"):
        return f"{FAILED}: {manifest['failure']}", False
    if "source" not in manifest:
        return NOT_STARTED, False
    if "analysis" not in manifest["stages"]:
        return UNFINISHED, False
    events, corrections = log
    is_old = not is_current(study, folder)
    if corrections.changed_since_sign_off:
        return CHANGED, is_old
    if corrections.signed_off is not None:
        return SIGNED_OFF, is_old
    if events:
        return IN_REVIEW, is_old
    return (NEEDS_UPDATE if is_old else READY), is_old


def _quality_text(manifest: dict[str, Any]) -> str:
    messages = [flag["message"] for flag in worth_a_look(manifest)]
    return " ".join(map(micrometres, [*messages, *manifest.get("warnings", [])]))


def _gates_to_confirm(study: Study, manifest: dict[str, Any], corrections: Corrections) -> int:
    """Proposals and moved gates without a person's word; as `gates.parquet` will have it."""
    if is_given(manifest.get("source")):
        return 0
    moved = {key: gate for key, gate in corrections.gates.items() if gate.value is not None}
    open_ = [
        marker
        for marker, parameters in study.markers.items()
        if parameters.gate == "auto" and (marker, None) not in moved
    ]
    unconfirmed = [
        key
        for key, gate in moved.items()
        if not gate.confirmed
        and key[0] in study.markers
        and (key[1] is None or key[1] in study.markers)
    ]
    return len(open_) + len(unconfirmed)
