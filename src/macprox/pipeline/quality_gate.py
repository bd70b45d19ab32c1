"""Everything found about one slide, held against the limits of `macprox.quality`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from macprox.image.quality import artefact_flags, clipping_flags, scale_flags
from macprox.pipeline.damage import damage_flags
from macprox.pipeline.lesions import border_flags
from macprox.pipeline.odd_cells import odd_cell_flags, streak_flags
from macprox.quality import (
    AUTOFLUORESCENT_FRAC,
    INFO,
    MAX_EXCLUDED_FRAC,
    MIN_TISSUE_MM2,
    MIN_TUMOUR_CELLS,
    STOP,
    WARNING,
    QualityFlag,
)
from macprox.regions import Regions
from macprox.study import Study

NO_TUMOUR_FLAGS = frozenset({"no_tumour_cells", "no_tumour_region", "few_tumour_cells"})


def slide_quality(
    observed: pd.DataFrame,
    regions: Regions,
    study: Study,
    manifest: dict[str, Any],
    lost: Sequence[str],
    lesions: pd.DataFrame,
) -> list[dict[str, Any]]:
    """Flags of the pixels (survey), of the segmentation, and of what came out.

    Parameters
    ----------
    observed : DataFrame
        The cells inside the window that are not excluded.
    regions : Regions
    study : Study
    manifest : dict
        Facts of the earlier stages, and the ``artefacts`` and ``damaged`` of this one.
    lost : sequence of str
        Decisions of the review that hold for nothing any more.
    lesions : DataFrame
        `macprox.pipeline.lesions.lesion_table`.
    """
    flags = damage_flags(manifest["source"], manifest["damaged"])
    flags += [QualityFlag(**flag) for flag in manifest.get("survey_quality", [])]
    flags += scale_flags(manifest["source"]["pixel_size_um"])
    flags += extent_flags(regions)
    flags += tumour_flags(observed, regions, study)
    flags += border_flags(lesions)
    flags += _segmentation_flags(manifest.get("segmentation", {}), len(observed), study)
    flags += artefact_flags(manifest["artefacts"])
    clipped = {name: cut["tissue_frac"] for name, cut in manifest.get("clipped", {}).items()}
    flags += clipping_flags(clipped, study.image.autofluorescence)
    flags += autofluorescence_flags(int(observed["af_suspect"].sum()), len(observed))
    flags += odd_cell_flags(observed, study)
    if lost:
        message = "Decisions of the review find nothing to hold for any more; see the warnings."
        flags.append(QualityFlag("lost_edits", len(lost), message))
    return [flag.to_dict() for flag in flags]


def extent_flags(regions: Regions) -> list[QualityFlag]:
    """No tissue, little tissue, or too much of it left out; exclusions drawn by hand count."""
    tissue_um2, counted_um2 = regions.tissue_window.area, regions.observed.area
    if tissue_um2 == 0:
        return [QualityFlag("no_tissue", 0.0, "No nuclei were found, hence no tissue.", STOP)]
    flags = []
    excluded_frac, counted_mm2 = 1 - counted_um2 / tissue_um2, counted_um2 / 1e6
    if excluded_frac > MAX_EXCLUDED_FRAC:
        message = (
            f"{excluded_frac:.1%} of the tissue is excluded; above {MAX_EXCLUDED_FRAC:.0%} the "
            "rest does not speak for the slide."
        )
        flags.append(QualityFlag("mostly_excluded", excluded_frac, message, STOP))
    if counted_mm2 < MIN_TISSUE_MM2:
        message = (
            f"Only {counted_mm2:.2f} mm² of tissue; below {MIN_TISSUE_MM2:g} mm² a slide says "
            "little."
        )
        flags.append(QualityFlag("small_tissue", counted_mm2, message))
    return flags


def tumour_flags(observed: pd.DataFrame, regions: Regions, study: Study) -> list[QualityFlag]:
    """No tumour, too little of it, or one that nobody has confirmed.

    A study that asks for no tumour gets none, and no light for it.
    """
    is_asked_for = study.tumour_marker_rule is not None and study.regions.tumour != "none"
    missing = STOP if is_asked_for else INFO
    flags = []
    n_tumour = int((observed["phenotype"] == study.proximity.tumour).sum())
    already_said = "few_tumour_cells" in regions.flags
    if study.phenotypes and n_tumour < MIN_TUMOUR_CELLS and not already_said:
        message = f"{n_tumour} tumour cells; below {MIN_TUMOUR_CELLS} a slide is usually left out."
        flags.append(QualityFlag("few_tumour_cells", n_tumour, message, missing))
    flags += [
        QualityFlag(flag, 0.0, regions.reason, missing if flag in NO_TUMOUR_FLAGS else WARNING)
        for flag in regions.flags
    ]
    if regions.tumour_source == "auto":
        message = "The tumour region was found automatically; nobody has confirmed it."
        flags.append(QualityFlag("tumour_unconfirmed", 0.0, message, INFO))
    return flags


def autofluorescence_flags(n_suspect: int, n_cells: int) -> list[QualityFlag]:
    """Cells as bright in the blank channel as a stained cell is in a stained one."""
    if not n_suspect:
        return []
    share = n_suspect / n_cells
    message = f"{n_suspect} cells ({share:.1%}) are bright in the autofluorescence channel."
    level = WARNING if share > AUTOFLUORESCENT_FRAC else INFO
    return [QualityFlag("autofluorescent_cells", share, message, level)]


def _segmentation_flags(facts: dict[str, Any], n_cells: int, study: Study) -> list[QualityFlag]:
    flags = []
    if n_cut := facts.get("n_cut"):
        message = f"{n_cut} objects are larger than a tile's halo."
        flags.append(QualityFlag("cut_objects", n_cut, message))
    return flags + streak_flags(facts.get("n_streaks", 0), n_cells, study)
