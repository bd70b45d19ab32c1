"""Third stage: from measurements to statistics. Gates, regions, phenotypes, edits; no pixel."""

from __future__ import annotations

from typing import Any

import pandas as pd

from macprox.edits import Corrections, EditLog, lost_gates, lost_sentence
from macprox.io.atomic import write_parquet
from macprox.io.region_files import write_regions
from macprox.io.store import SlideFolder, read_table
from macprox.pipeline.areas import content_hash
from macprox.pipeline.artefacts import facts_of
from macprox.pipeline.calling import CalledCells, Caller
from macprox.pipeline.damage import damage_facts
from macprox.pipeline.lesions import lesion_table
from macprox.pipeline.odd_cells import macrophages_without_nucleus
from macprox.pipeline.quality_gate import slide_quality
from macprox.pipeline.redrawing.stage import measurements_of
from macprox.regions import Regions
from macprox.spatial import (
    annotate_neighbours,
    headline_without,
    slide_statistics,
)
from macprox.study import Study
from macprox.window import Window

# What the headline is told without.
AF_SUSPECT, ARTEFACT, ANUCLEATE = "af_suspect", "artefact", "anucleate"


def analysis_inputs(study: Study, folder: SlideFolder, corrections: Corrections) -> list[Any]:
    """What the stage depends on besides the measurements, for its fingerprint.

    Of the log, where it leads: a sign-off, or what was done and undone, changes no number.
    """
    parts = study.to_dict()
    regions = study.regions
    files = regions.tumour_file(folder.slide_id), regions.exclusions_file(folder.slide_id)
    return [
        {key: parts[key] for key in ("markers", "regions", "phenotypes", "proximity")},
        [content_hash(path) for path in files],
        corrections.content(),
    ]


def review_facts(folder: SlideFolder) -> dict[str, Any]:
    """What the manifest says of the review, whether or not it changed a number.

    Returns
    -------
    dict
        ``signed_off``: None, or ``by``, ``time``, ``comment``, ``changed_since``; ``edits``: how
        many decisions of each reviewer stand.
    """
    corrections = EditLog(folder.edits).corrections()
    signed = corrections.signed_off
    facts = None
    if signed is not None:
        facts = {
            "by": signed.reviewer,
            "time": signed.time,
            "comment": signed.comment,
            "changed_since": corrections.changed_since_sign_off,
        }
    return {"signed_off": facts, "edits": corrections.by_reviewer()}


def analyse_slide(
    study: Study, folder: SlideFolder, manifest: dict[str, Any], corrections: Corrections
) -> dict[str, Any]:
    """Write gates, areas, cells and statistics; return what the manifest should say of them.

    The corrections are those of the stage's fingerprint: the log may grow meanwhile.
    """
    source = manifest["source"]
    called = Caller(measurements_of(folder), study, folder, source).call(corrections)
    cells, regions, observed = called.cells, called.regions, called.observed
    proximity = study.proximity
    targets = [name for name in (*proximity.macrophages, proximity.tumour) if study.phenotypes]
    counted = annotate_neighbours(called.counted(study), targets, proximity.radii_um)
    window = None if regions.observed.is_empty else Window.from_polygon(regions.observed)
    statistics = slide_statistics(
        counted, window, regions.tumour, proximity, study.regions.margin_um,
        contacts=read_table(folder.contacts),
    )  # fmt: skip
    write_parquet(folder.gates, called.gates)
    write_regions(folder.regions, regions, source["pixel_size_um"])
    lesions = lesion_table(called, study)
    write_parquet(folder.lesions, lesions)
    write_parquet(folder.cells, _with_columns_of(cells, counted))
    write_parquet(folder.statistics, statistics)
    lost = [*manifest.get("lost_redraws", []), *_lost(called, study, corrections)]
    found = facts_of(called.artefacts, observed["artefact"], regions)
    known = {**manifest, "artefacts": found, "damaged": damage_facts(source, regions)}
    return {
        "counts": {
            **_counts(cells, regions),
            "macrophages_without_nucleus": macrophages_without_nucleus(observed, study),
        },
        "artefacts": found,
        "damaged": known["damaged"],
        "sensitivity": _sensitivity(counted, study, regions),
        "quality": slide_quality(observed, regions, study, known, lost, lesions),
        "lost_edits": lost,
        "warnings": [*called.areas.messages, *lost],
    }


def _lost(called: CalledCells, study: Study, corrections: Corrections) -> list[str]:
    """Decisions that hold for nothing any more, a sentence each."""
    of_cells = [lost_sentence(event) for event in called.lost_edits]
    return of_cells + lost_gates(corrections, study.markers)


def _with_columns_of(cells: pd.DataFrame, counted: pd.DataFrame) -> pd.DataFrame:
    """All cells with the distances of the counted; an excluded cell has no neighbours."""
    return cells.join(counted[counted.columns.difference(cells.columns, sort=False)])


def _sensitivity(counted: pd.DataFrame, study: Study, regions: Regions) -> list[dict[str, Any]]:
    """The headline without cells that may not be what they seem; JSON knows no NaN."""
    if regions.tumour.is_empty:
        return []
    glowing = counted["af_suspect"].to_numpy(bool)
    flagged = counted["artefact"].to_numpy(object) != ""
    doubtful = {AF_SUSPECT: glowing, ARTEFACT: flagged}
    doubtful[ANUCLEATE] = ~counted["has_nucleus"].to_numpy(bool)
    if glowing.any() and flagged.any():
        doubtful[f"{AF_SUSPECT} or {ARTEFACT}"] = glowing | flagged
    rows = headline_without(counted, study.proximity, doubtful)
    return [{key: None if value != value else value for key, value in row.items()} for row in rows]


def _counts(cells: pd.DataFrame, regions: Regions) -> dict[str, Any]:
    observed = cells["in_window"] & ~cells["excluded"]
    return {
        "cells": len(cells),
        "cells_observed": int(observed.sum()),
        "cells_without_nucleus": int((~cells["has_nucleus"]).sum()),
        "by_phenotype": cells.loc[observed, "phenotype"].value_counts().to_dict(),
        "tissue_mm2": regions.observed.area / 1e6,
        "tumour_mm2": regions.tumour.area / 1e6,
        "excluded_mm2": regions.exclusions.area / 1e6,
        "airspace_mm2": regions.airspace.area / 1e6,
    }
