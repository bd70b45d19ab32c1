"""The order of stages for one slide, and what of an earlier run still holds."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

import zarr

from macprox.edits import EditLog
from macprox.errors import DamageError
from macprox.image.damage import without_damage
from macprox.io.atomic import clear_leftovers, make_folder, write_parquet
from macprox.io.lock import alone_in
from macprox.io.store import SlideFolder
from macprox.pipeline.analysis import analyse_slide, review_facts
from macprox.pipeline.artefacts import find_artefacts
from macprox.pipeline.damage import allowed_damage, with_remedy
from macprox.pipeline.label_images import segmentation_files
from macprox.pipeline.marks import (
    analysis_mark,
    check_segmented,
    has_labels,
    has_survey,
    has_tables,
    refuse_namesake,
    segmentation_mark,
    survey_mark,
)
from macprox.pipeline.memory import give_back_freed
from macprox.pipeline.options import RunOptions, Silent, Watcher
from macprox.pipeline.redrawing.stage import (
    forget_drawings,
    redraw_cells,
    take_off_drawings,
    waiting_warnings,
)
from macprox.pipeline.seam_check import check_seams
from macprox.pipeline.segmentation import Segmented, segment_slide
from macprox.pipeline.stages import Ledger, fingerprint
from macprox.pipeline.survey import load_survey, survey_slide
from macprox.results import SlideResult
from macprox.segment.given import MAX_EXTENT_UM
from macprox.slide import Slide
from macprox.spatial import contacts
from macprox.study import Study

# What the report shows besides the analysis.
SHOWN = ("patient", "seam_check", "varied", "calibrated", "signed_off", "edits")


def run_slide(
    slide: Slide,
    study: Study,
    folder: SlideFolder,
    options: RunOptions | None = None,
    notes: Mapping[str, Any] | None = None,
) -> SlideResult:
    """Take one slide from pixels to its report; do only what is missing or changed.

    Parameters
    ----------
    notes : mapping, optional
        For the manifest: ``problems``, what is doubtful about the file, which stands among the
        warnings of the report; ``patient`` and ``sample``, what a sample sheet says of the slide.

    Raises
    ------
    PanelError
        If the study needs a channel that the slide does not have; before any pixel is read.
    DamageError
        If a tile does not decode and the options allow no damage.
    ResultError
        If the folder holds the results, and perhaps a reviewer's edits, of another slide; or if
        another macprox writes into it.
    """
    options = options or RunOptions()
    study.check_slide(slide)
    make_folder(folder.path)  # there is no lock where there is no folder
    with alone_in(folder):
        try:
            return _run_slide(slide, study, folder, options, notes or {})
        except DamageError as error:
            raise with_remedy(error, folder, options) from error


def _run_slide(
    slide: Slide, study: Study, folder: SlideFolder, options: RunOptions, notes: Mapping[str, Any]
) -> SlideResult:
    ledger = Ledger.open(folder)
    refuse_namesake(slide, ledger)
    for place in (folder.path, folder.work):
        clear_leftovers(place)
    damage = allowed_damage(slide, ledger.manifest.get("source") or {}, options)
    source = _source(slide, study)
    if damage is not None:
        slide, source["damage"] = without_damage(slide, damage), damage.to_dict()
    notes = {"problems": [], **notes}
    ledger.note(source=source, seed=study.proximity.seed, **notes)
    _survey(slide, study, ledger, options)
    _segment(slide, study, ledger, options)
    if options.check_seams:
        take_off_drawings(folder, ledger)
        tile_px = ledger.manifest["segmentation"]["tile_px"]
        check = check_seams(slide, study, folder, tile_px, options)
        ledger.note(seam_check=check.to_dict())
    return _finish_slide(study, folder, options)


def finish_slide(
    study: Study, folder: SlideFolder, options: RunOptions | None = None
) -> SlideResult:
    """From the measurements on: drawn cells, gates, phenotypes, regions, statistics, report.

    No pixel is read but those around cells that a reviewer drew since.

    Raises
    ------
    ResultError
        If the slide has no cells, or none that this study's segmentation would have made; or if
        another macprox writes into its folder.
    """
    with alone_in(folder):
        return _finish_slide(study, folder, options or RunOptions())


def _finish_slide(study: Study, folder: SlideFolder, options: RunOptions) -> SlideResult:
    ledger = Ledger.open(folder)
    check_segmented(study, ledger)
    cells = redraw_cells(study, folder, ledger)
    _touch(study, folder, ledger, options, cells)
    corrections = EditLog(folder.edits).corrections()
    mark = analysis_mark(study, folder, cells, corrections)
    if not (ledger.is_done("analysis", mark) and has_tables(folder)):
        options.watcher.stage(folder.slide_id, "analysis", 0)
        with ledger.stage("analysis", mark):
            found = analyse_slide(study, folder, ledger.manifest, corrections)
            problems = ledger.manifest.get("problems", []) + _left_out(ledger.manifest)
            problems += waiting_warnings(ledger.manifest)
            ledger.note(**{**found, "warnings": [*problems, *found["warnings"]]})
    reviewed = review_facts(folder)
    if {fact: ledger.manifest.get(fact, "") for fact in reviewed} != reviewed:
        ledger.note(**reviewed)
    ledger.note_light()
    refresh_report(folder, options.watcher)
    return SlideResult(folder.path)


def refresh_report(folder: SlideFolder, watcher: Watcher | None = None) -> None:
    """Write the report of a slide whose analysis is finished, unless it shows all there is."""
    ledger = Ledger.open(folder)
    seen = [ledger.manifest.get(fact) for fact in SHOWN]
    mark = fingerprint("report", ledger.manifest["stages"]["analysis"]["fingerprint"], *seen)
    if not ledger.is_done("report", mark) or not folder.report.exists():
        (watcher or Silent()).stage(folder.slide_id, "report", 0)
        with ledger.stage("report", mark):
            from macprox.report import write_slide_report  # matplotlib: no tile needs it

            write_slide_report(SlideResult(folder.path), folder.report)


def _touch(
    study: Study, folder: SlideFolder, ledger: Ledger, options: RunOptions, cells: str
) -> None:
    gap_um = study.proximity.contact_gap_um
    mark = fingerprint("contacts", cells, gap_um)
    if not ledger.is_done("contacts", mark) or not folder.contacts.exists():
        with ledger.stage("contacts", mark):
            labels = zarr.open_array(str(folder.labels / "cells" / "0"), mode="r")
            pixel_size_um = ledger.manifest["source"]["pixel_size_um"]
            n_workers = options.workers.n_workers
            pairs = contacts(labels, pixel_size_um, gap_um, n_workers=n_workers)
            write_parquet(folder.contacts, pairs)


def _survey(slide: Slide, study: Study, ledger: Ledger, options: RunOptions) -> None:
    mark = survey_mark(study, ledger.manifest["source"])
    if not (ledger.is_done("survey", mark) and has_survey(ledger.folder)):
        with ledger.stage("survey", mark):
            ledger.manifest["stages"].pop("segmentation", None)  # its measurements go, too
            ledger.note()
            forget_drawings(ledger.folder, ledger)
            shutil.rmtree(ledger.folder.work, ignore_errors=True)  # all of it depends on the survey
            survey = survey_slide(slide, study.image, ledger.folder, options)
            ledger.note(survey_quality=[flag.to_dict() for flag in survey.quality])
            del survey
            give_back_freed()


def _segment(slide: Slide, study: Study, ledger: Ledger, options: RunOptions) -> None:
    mark = segmentation_mark(study, ledger.manifest["source"])
    if not (ledger.is_done("segmentation", mark) and has_labels(ledger.folder)):
        survey = load_survey(ledger.folder, slide.channels)
        with ledger.stage("segmentation", mark):
            forget_drawings(ledger.folder, ledger)  # on labels that are made anew
            done = segment_slide(slide, study, survey, ledger.folder, options, mark)
            found = find_artefacts(slide, study.image, survey, ledger.folder, done.squares)
            ledger.manifest.pop("seam_check", None)  # of labels that are gone
            ledger.note(segmentation=_facts(done), clipped=found.clipped)


def _facts(done: Segmented) -> dict[str, object]:
    return {
        "n_cells": done.n_cells,
        "n_cut": done.n_cut,
        "n_streaks": done.n_streaks,
        "unmeasured_px": done.unmeasured_px,
        "tile_px": done.core_px,
        "n_left_out": done.n_left_out,
        "n_without_cell": done.n_without_cell,
        "views": None if done.views is None else done.views.to_dict(),
        "body_thresholds": {
            name: value if value < float("inf") else None
            for name, value in done.body_thresholds.items()
        },
    }


def _left_out(manifest: dict[str, Any]) -> list[str]:
    """What a person should know of a label image that was given."""
    facts, told = manifest.get("segmentation", {}), []
    if n := facts.get("n_left_out", 0):
        told.append(
            f"{n} values of the label image reach over more than {MAX_EXTENT_UM:g} um and were "
            "left out: a number that is used for several objects, or no cell."
        )
    if n := facts.get("n_without_cell", 0):
        told.append(f"{n} nuclei of the label image lie in no cell of the other and were left out.")
    return told


def _source(slide: Slide, study: Study) -> dict[str, object]:
    return {
        "path": slide.place,
        "format": slide.format,
        "fingerprint": slide.fingerprint,
        "shape": list(slide.shape),
        "channels": list(slide.channels),
        "pixel_size_um": slide.pixel_size_um,
        "dtype": str(slide.dtype),
        "segmentation_files": segmentation_files(study.segmentation, slide),
    }
