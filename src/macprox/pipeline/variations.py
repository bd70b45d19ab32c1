"""How the headline changes with gates, expansion and radius: what a reviewer of a journal asks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pandas as pd

from macprox.edits import EditLog
from macprox.errors import MacproxError, ResultError, SlideError
from macprox.io.atomic import write_parquet
from macprox.io.images import reopen_slide
from macprox.io.store import SlideFolder
from macprox.pipeline.calling import ALL_MARKERS, CalledCells, Caller, call_cells
from macprox.pipeline.marks import is_given
from macprox.pipeline.options import RunOptions
from macprox.pipeline.redrawing.stage import measurements_of
from macprox.pipeline.run import finish_slide, refresh_report
from macprox.pipeline.segmentation import segment_slide
from macprox.pipeline.stages import Ledger
from macprox.pipeline.survey import load_survey
from macprox.spatial.sensitivity import KEPT, headline_at
from macprox.study import Study

AS_RUN, GATE, EXPANSION, RADIUS = "as run", "gate", "expansion", "radius"
GATE_CHANGE = 0.1
EXPANSION_CHANGE_UM = 1.0
COLUMNS = ("slide_id", "kind", "what", "change", *KEPT, "reason")
NO_TUMOUR = "no tumour region"


@dataclass(frozen=True)
class Variation:
    """One thing that is changed.

    Parameters
    ----------
    kind : "as run", "gate", "expansion" or "radius"
    what : str
        The marker; empty for the others.
    change : float
        Share of the gate, micrometres of expansion, or the radius in micrometres.
    """

    kind: str
    what: str = ""
    change: float = 0.0


def vary_slide(
    study: Study, folder: SlideFolder, options: RunOptions, with_pixels: bool = True
) -> pd.DataFrame:
    """The headline of a finished slide under every variation; written beside its statistics.

    Gates are multiplied by 0.9 and 1.1, one marker at a time and all together, and everything
    that follows from them is found again: phenotypes, the tumour region, strata. Cells are grown
    1 um less and more around the same nuclei and measured again. The radius takes every value of
    the study's ``radii_um``.

    Parameters
    ----------
    study : Study
        The one that the results come from.
    folder : SlideFolder
    options : RunOptions
    with_pixels : bool
        False leaves the expansion alone, which alone reads pixels.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`; a variation that cannot be made is one row with the reason.

    Raises
    ------
    ResultError
        If the slide's analysis is not finished, or its cells came as another tool's table.
    """
    ledger = Ledger.open(folder)
    source = ledger.manifest.get("source") or {}
    if is_given(source):
        raise ResultError(
            f"The cells of {folder.slide_id!r} came with their phenotypes; there is no gate and no "
            "expansion to vary. Use slides, or vary them in the tool that called the cells."
        )
    finish_slide(study, folder, options)  # current, or one sentence why it cannot be
    ledger = Ledger.open(folder)
    measurements = measurements_of(folder)
    rows = list(_of_gates(measurements, study, folder, source))
    if with_pixels:
        rows += _of_expansion(study, folder, ledger, options)
    table = pd.DataFrame(rows, columns=list(COLUMNS)).assign(slide_id=folder.slide_id)
    write_parquet(folder.sensitivity, table)
    ledger = Ledger.open(folder)  # an image may have been found again meanwhile
    ledger.note(varied=ledger.manifest["stages"]["analysis"]["fingerprint"])
    refresh_report(folder, options.watcher)
    return table


def _of_gates(
    measurements: pd.DataFrame, study: Study, folder: SlideFolder, source: dict
) -> Iterator[dict]:
    caller = Caller(measurements, study, folder, source)
    corrections = EditLog(folder.edits).corrections()
    as_run = caller.call(corrections)
    primary = study.proximity.primary_radius_um
    yield from _headline(Variation(AS_RUN), as_run, study, (primary,))
    for row in _headline(Variation(RADIUS), as_run, study, study.proximity.radii_um):
        yield {**row, "change": row.get("r_um", float("nan"))}
    markers = [ALL_MARKERS, *study.markers] if len(study.markers) > 1 else list(study.markers)
    for marker in markers:
        for change in (-GATE_CHANGE, GATE_CHANGE):
            called = caller.call(corrections, {marker: 1 + change})
            yield from _headline(Variation(GATE, marker, change), called, study, (primary,))


def _headline(
    variation: Variation, called: CalledCells, study: Study, radii_um: tuple[float, ...]
) -> Iterator[dict]:
    said = {"kind": variation.kind, "what": variation.what, "change": variation.change}
    if called.regions.tumour.is_empty:
        yield {**said, "reason": NO_TUMOUR}
        return
    for row in headline_at(called.counted(study), study.proximity, radii_um):
        yield {**said, **row, "reason": ""}


def _of_expansion(
    study: Study, folder: SlideFolder, ledger: Ledger, options: RunOptions
) -> Iterator[dict]:
    source = ledger.manifest["source"]
    for change in (-EXPANSION_CHANGE_UM, EXPANSION_CHANGE_UM):
        variation = Variation(EXPANSION, "", change)
        try:
            measurements = _grown(change, study, folder, ledger, options)
        except MacproxError as error:
            yield {"kind": EXPANSION, "what": "", "change": change, "reason": str(error)}
            continue
        called = call_cells(measurements, study, folder, source)
        primary = study.proximity.primary_radius_um
        yield from _headline(variation, called, study, (primary,))


def _grown(
    change_um: float, study: Study, folder: SlideFolder, ledger: Ledger, options: RunOptions
) -> pd.DataFrame:
    """Measurements of cells grown less or more around the nuclei that are there."""
    source = ledger.manifest["source"]
    segmentation = study.segmentation
    if segmentation.cells_are_given:
        raise ResultError("the cells were given as they are: nothing is grown")
    slide = reopen_slide(source, folder.slide_id)
    if slide.fingerprint != source["fingerprint"]:
        raise SlideError(f"{source['path']} is not the slide that was analysed")
    expansion_um = max(segmentation.expansion_um + change_um, 0.0)
    changed = replace(
        segmentation, method="labels", labels=str(folder.labels), label_page=None,
        model=None, model_pixel_size_um=None,
        expansion_um=expansion_um,
    )  # fmt: skip
    scratch = SlideFolder(folder.work / "varied" / folder.slide_id)
    try:
        scratch.path.mkdir(parents=True, exist_ok=True)
        survey = load_survey(folder, slide.channels)
        segment_slide(slide, replace(study, segmentation=changed), survey, scratch, options, "")
        return pd.read_parquet(scratch.measurements)
    finally:
        shutil.rmtree(scratch.path.parent, ignore_errors=True)
