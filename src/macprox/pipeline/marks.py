"""What of an earlier run still holds: each stage's mark covers all that its output depends on."""

from __future__ import annotations

from typing import Any

from macprox.edits import Corrections, EditLog
from macprox.errors import ResultError
from macprox.image.damage import Damage
from macprox.io.store import LABEL_NAMES, SlideFolder
from macprox.pipeline.analysis import analysis_inputs
from macprox.pipeline.redrawing.stage import cells_mark
from macprox.pipeline.stages import Ledger, fingerprint
from macprox.slide import Slide
from macprox.study import Study

GIVEN_FORMAT = "cell table"  # the source's format where another tool found the cells


def is_current(study: Study, folder: SlideFolder) -> bool:
    """Whether a slide's results are finished and what this study and the edits would give."""
    ledger = Ledger.open(folder)
    source = ledger.manifest.get("source") or {}
    if is_given(source):
        return ledger.is_done("analysis", given_mark(study, source))
    try:
        check_segmented(study, ledger)
    except ResultError:
        return False
    cells = cells_mark(folder, ledger)
    if cells is None or not has_tables(folder):
        return False
    corrections = EditLog(folder.edits).corrections()
    return ledger.is_done("analysis", analysis_mark(study, folder, cells, corrections))


def is_given(source: dict[str, Any] | None) -> bool:
    """Whether another tool found and named the cells, by the manifest's facts of the slide."""
    return (source or {}).get("format") == GIVEN_FORMAT


def given_mark(study: Study, source: dict[str, Any]) -> str:
    """Fingerprint of what another tool's cells are analysed with; patients change no slide."""
    analysed = {key: part for key, part in study.to_dict().items() if key != "cohort"}
    return fingerprint("given", source["fingerprint"], analysed)


def survey_mark(study: Study, source: dict[str, Any]) -> str:
    """Fingerprint of what the survey depends on: the file's bytes, its scale, ``[image]``."""
    seen = source["fingerprint"], source["pixel_size_um"], study.to_dict()["image"]
    damage = Damage.from_dict(source.get("damage"))
    return fingerprint("survey", *seen, *([damage.to_dict()] if damage else []))


def segmentation_mark(study: Study, source: dict[str, Any]) -> str:
    """Fingerprint of what cells depend on: the survey, ``[segmentation]``, files that it names."""
    parameters = study.to_dict()["segmentation"]
    files = source.get("segmentation_files")
    return fingerprint("segmentation", survey_mark(study, source), parameters, files)


def analysis_mark(study: Study, folder: SlideFolder, cells: str, corrections: Corrections) -> str:
    """Fingerprint of what numbers depend on: the cells, gates, rules, areas and corrections."""
    return fingerprint("analysis", cells, analysis_inputs(study, folder, corrections))


# The manifest says what was done, not what somebody deleted since.
def has_tables(folder: SlideFolder) -> bool:
    """Whether the analysis's files are there."""
    tables = folder.cells, folder.gates, folder.regions, folder.lesions, folder.statistics
    return all(path.exists() for path in tables)


def has_labels(folder: SlideFolder) -> bool:
    """Whether the segmentation's files are there."""
    labels = (folder.labels / name / "zarr.json" for name in LABEL_NAMES)
    return all(path.exists() for path in (folder.measurements, folder.quality, *labels))


def has_survey(folder: SlideFolder) -> bool:
    """Whether the survey's files are there."""
    needed = folder.survey, folder.sample, folder.overview, folder.tissue
    return all(path.exists() for path in needed)


def check_segmented(study: Study, ledger: Ledger) -> None:
    """Refuse a slide whose cells are not those of this study's segmentation.

    Raises
    ------
    ResultError
    """
    slide_id, source = ledger.folder.slide_id, ledger.manifest.get("source") or {}
    if is_given(source):
        raise ResultError(
            f"The cells of {slide_id!r} come from a table of another tool; run `macprox stats` "
            "with that table again."
        )
    if not source or "segmentation" not in ledger.manifest["stages"]:
        raise ResultError(
            f"Slide {slide_id!r} has no cells: its run failed or was stopped before. Give it to "
            "`macprox run` again."
        )
    mark = segmentation_mark(study, source)
    if not ledger.is_done("segmentation", mark):
        raise ResultError(
            f"The cells of {slide_id!r} were made with another [image] or [segmentation] than "
            "the study's, and no pixels are read here. Give the slide to `macprox run` again."
        )


def refuse_namesake(slide: Slide, ledger: Ledger) -> None:
    """A file that moved is the same slide, and one that changed in its place; not both at once.

    Raises
    ------
    ResultError
        If the folder holds the results of another slide.
    """
    before = ledger.manifest.get("source")
    if not before or not ledger.manifest["stages"]:
        return
    here = slide.place
    if before["fingerprint"] != slide.fingerprint and before["path"] != here:
        raise ResultError(
            f"{ledger.folder.path} holds the results of another slide, {before['path']}; this one "
            f"is {here}. Give another --out, give both slides in one command, or delete the folder."
        )
