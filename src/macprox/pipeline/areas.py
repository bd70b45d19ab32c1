"""Where is what on a slide: tissue from the survey, tumour and exclusions by whoever knows best."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import shapely
from shapely import MultiPolygon

from macprox.celltable import centroids_um
from macprox.edits import Corrections
from macprox.io.geojson import geometry_to_um, read_artefacts, read_drawn, read_regions
from macprox.io.store import SlideFolder
from macprox.regions import Regions, tumour_region
from macprox.study import Study


@dataclass
class Areas:
    """Regions in the making, with what was left out or repaired on the way."""

    regions: Regions
    messages: list[str] = field(default_factory=list)


def find_areas(
    study: Study,
    folder: SlideFolder,
    corrections: Corrections,
    source: dict,
    marker_cells: tuple[pd.DataFrame, np.ndarray],
) -> Areas:
    """Tissue from the survey; exclusions of file and reviewer; tumour by the first who says.

    The reviewer's drawing goes before the study's file, the file before what is found from the
    tumour-marker cells.

    Parameters
    ----------
    source : dict
        The manifest's facts about the slide: ``pixel_size_um`` and ``shape``.
    marker_cells : (DataFrame, (n,) bool)
        All cells, and which of them carry the tumour's markers.
    """
    pixel_size_um = source["pixel_size_um"]
    tissue = read_regions(folder.tissue, pixel_size_um)
    areas = Areas(replace(tissue, margin_um=study.regions.margin_um))
    _exclude(areas, study, folder, corrections, source)
    drawn = [geometry_to_um(e.after, pixel_size_um) for e in corrections.drawn("tumour") if e.after]
    file = study.regions.tumour_file(folder.slide_id)
    if drawn:
        tumour = shapely.union_all(drawn)
        areas.regions = areas.regions.with_tumour(tumour, "reviewer", "Drawn by the reviewer.")
    elif file is not None:
        found = read_drawn(file, pixel_size_um, "tumour", tuple(source["shape"]))
        areas.messages += found.messages
        areas.regions = areas.regions.with_tumour(found.area, "file", f"Drawn in {file.name}.")
    else:
        areas.regions = _with_found_tumour(study, areas.regions, *marker_cells)
    return areas


def _exclude(
    areas: Areas, study: Study, folder: SlideFolder, corrections: Corrections, source: dict
) -> None:
    pixel_size_um = source["pixel_size_um"]
    file = study.regions.exclusions_file(folder.slide_id)
    if file is not None:
        found = read_drawn(file, pixel_size_um, "exclusion", tuple(source["shape"]))
        areas.messages += found.messages
        for reason, area in found.by_reason:
            areas.regions = areas.regions.with_exclusion(area, reason)
    if study.regions.exclude_artefacts:
        for reason, area in read_artefacts(folder.quality, pixel_size_um):
            areas.regions = areas.regions.with_exclusion(area, reason)
    for event in corrections.drawn("exclusion"):
        if event.after:
            area = geometry_to_um(event.after, pixel_size_um)
            areas.regions = areas.regions.with_exclusion(area, event.reason)


def _with_found_tumour(
    study: Study, regions: Regions, cells: pd.DataFrame, carries_marker: np.ndarray
) -> Regions:
    if study.tumour_marker_rule is None or study.regions.tumour == "none":
        return regions.with_tumour(MultiPolygon(), "none", "The study asks for no tumour region.")
    xy = centroids_um(cells)
    proposal = tumour_region(xy[carries_marker], xy, regions.observed, study.regions)
    source = "none" if proposal.polygons.is_empty else "auto"
    found = regions.with_tumour(proposal.polygons, source, proposal.reason)
    return replace(found, flags=proposal.flags)
