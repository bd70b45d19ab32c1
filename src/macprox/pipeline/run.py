"""The order of stages for one slide, and what of an earlier run still holds."""

from __future__ import annotations

from macprox.io.store import SlideFolder
from macprox.pipeline.analysis import analyse_slide, analysis_inputs
from macprox.pipeline.options import RunOptions
from macprox.pipeline.segmentation import Segmented, segment_slide
from macprox.pipeline.stages import Ledger, fingerprint
from macprox.pipeline.survey import load_survey, survey_slide
from macprox.report import write_slide_report
from macprox.results import SlideResult
from macprox.slide import Slide
from macprox.study import Study


def run_slide(
    slide: Slide, study: Study, folder: SlideFolder, options: RunOptions | None = None
) -> SlideResult:
    """Take one slide from pixels to its report; do only what is missing or changed.

    Raises
    ------
    PanelError
        If the study needs a channel that the slide does not have; before any pixel is read.
    SlideError
        If a tile cannot be read.
    """
    options = options or RunOptions()
    study.check_slide(slide)
    folder.work.mkdir(parents=True, exist_ok=True)
    ledger = Ledger.open(folder)
    ledger.note(source=_source(slide), seed=study.proximity.seed)
    seen = _survey(slide, study, ledger, options)
    segmented = _segment(slide, study, ledger, options, seen)
    return finish_slide(study, folder, options, segmented)


def finish_slide(
    study: Study, folder: SlideFolder, options: RunOptions | None = None, segmented: str = ""
) -> SlideResult:
    """From the measurements on: gates, phenotypes, regions, statistics, report. No pixel is read.

    Parameters
    ----------
    segmented : str
        Fingerprint of the segmentation; taken from the manifest when empty.
    """
    options = options or RunOptions()
    ledger = Ledger.open(folder)
    segmented = segmented or ledger.manifest["stages"]["segmentation"]["fingerprint"]
    mark = fingerprint("analysis", segmented, analysis_inputs(study, folder))
    if not ledger.is_done("analysis", mark):
        options.watcher.stage(folder.slide_id, "analysis", 0)
        with ledger.stage("analysis", mark):
            ledger.note(**analyse_slide(study, folder, ledger.manifest))
    mark = fingerprint("report", mark)
    result = SlideResult(folder.path)
    if not ledger.is_done("report", mark) or not folder.report.exists():
        options.watcher.stage(folder.slide_id, "report", 0)
        with ledger.stage("report", mark):
            write_slide_report(result, folder.report)
    return SlideResult(folder.path)


def _survey(slide: Slide, study: Study, ledger: Ledger, options: RunOptions) -> str:
    mark = fingerprint("survey", slide.fingerprint, slide.pixel_size_um, study.to_dict()["image"])
    if not ledger.is_done("survey", mark):
        with ledger.stage("survey", mark):
            survey = survey_slide(slide, study.image, ledger.folder, options)
            ledger.note(survey_quality=[flag.to_dict() for flag in survey.quality])
    return mark


def _segment(slide: Slide, study: Study, ledger: Ledger, options: RunOptions, surveyed: str) -> str:
    mark = fingerprint("segmentation", surveyed, study.to_dict()["segmentation"])
    if not ledger.is_done("segmentation", mark):
        survey = load_survey(ledger.folder, slide.channels)
        with ledger.stage("segmentation", mark):
            done = segment_slide(slide, study, survey, ledger.folder, options, mark)
            ledger.note(segmentation=_facts(done))
    return mark


def _facts(done: Segmented) -> dict[str, object]:
    return {
        "n_cells": done.n_cells,
        "n_cut": done.n_cut,
        "unmeasured_px": done.unmeasured_px,
        "body_thresholds": {
            name: value if value < float("inf") else None
            for name, value in done.body_thresholds.items()
        },
    }


def _source(slide: Slide) -> dict[str, object]:
    return {
        "path": str(slide.path),
        "format": slide.format,
        "fingerprint": slide.fingerprint,
        "shape": list(slide.shape),
        "channels": list(slide.channels),
        "pixel_size_um": slide.pixel_size_um,
        "dtype": str(slide.dtype),
    }
