"""Where is what on a slide: tissue from the survey, tumour and exclusions by whoever knows best."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from shapely import MultiPolygon

from macprox.edits import Corrections
from macprox.io.area_files import read_area, read_exclusions_beside
from macprox.io.drawn_areas import Drawn
from macprox.io.geojson import geometry_to_um
from macprox.io.region_files import read_artefacts, read_regions
from macprox.io.store import SlideFolder
from macprox.pipeline.damage import DAMAGED, damaged_area
from macprox.pipeline.kept import Kept
from macprox.regions import Regions, place_by_lesion, tumour_region
from macprox.regions.model import Known
from macprox.study import Study
from macprox.window.border import zone_of


@dataclass
class Areas:
    """Regions in the making, with what was left out or repaired on the way."""

    regions: Regions
    messages: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Placed:
    """Areas, and where in them the cells lie.

    Parameters
    ----------
    areas : Areas
    columns : DataFrame
        One row a cell: ``in_window, excluded, lesion_id, compartment,
        tumour_border_distance_um, nearest_lesion_id, relative_depth, region``.
    """

    areas: Areas
    columns: pd.DataFrame


class AreaFinder:
    """Where is what on one slide, and each cell in it; found again only where something changed.

    Tissue comes from the survey, exclusions from damage, file and reviewer, the tumour from the
    first who says: the reviewer's drawing goes before the study's file, the file before what is
    found from the tumour-marker cells.

    Parameters
    ----------
    study : Study
    folder : SlideFolder
    source : dict
        The manifest's facts about the slide: ``pixel_size_um`` and ``shape``.
    xy_um : (n, 2) float
        All cells.
    """

    def __init__(
        self, study: Study, folder: SlideFolder, source: dict[str, Any], xy_um: np.ndarray
    ) -> None:
        self._study, self._folder, self._source, self._xy_um = study, folder, source, xy_um
        self._pixel_size_um = source["pixel_size_um"]
        self._known: Known = {}
        self._tissue: Kept[Areas] = Kept()
        self._placed: Kept[Placed] = Kept()

    def find(self, corrections: Corrections, carries_marker: np.ndarray) -> Placed:
        """The areas under these corrections.

        Parameters
        ----------
        corrections : Corrections
        carries_marker : (n,) bool
            The cells with the tumour's markers.
        """
        exclusions = [(event.after, event.reason) for event in corrections.drawn("exclusion")]
        slide_id, parameters = self._folder.slide_id, self._study.regions
        file = parameters.exclusions_file(slide_id) or parameters.tumour_file(slide_id)
        tissue = self._tissue.get(
            (exclusions, content_hash(file)), lambda: self._without_tumour(exclusions)
        )
        drawn = [event.after for event in corrections.drawn("tumour") if event.after]
        file = parameters.tumour_file(slide_id)
        is_said = drawn or file is not None
        question = drawn, content_hash(file), None if is_said else carries_marker.tobytes()
        return self._placed.get(
            (tissue.regions, question),
            lambda: self._place(self._with_tumour(tissue, drawn, carries_marker)),
        )

    def _without_tumour(self, exclusions: list[tuple[dict | None, str]]) -> Areas:
        tissue = read_regions(self._folder.tissue, self._pixel_size_um)
        regions = replace(tissue, margin_um=self._study.regions.margin_um)
        messages: list[str] = []
        damaged = damaged_area(self._source)
        if not damaged.is_empty:
            regions = regions.with_exclusion(damaged, DAMAGED)
        found = self._left_out()
        if found is not None:
            messages += found.messages
            for reason, area in found.by_reason:
                regions = regions.with_exclusion(area, reason)
        if self._study.regions.exclude_artefacts:
            for reason, area in read_artefacts(self._folder.quality, self._pixel_size_um):
                regions = regions.with_exclusion(area, reason)
        for drawn, reason in exclusions:
            if drawn:
                area = geometry_to_um(drawn, self._pixel_size_um)
                regions = regions.with_exclusion(area, reason)
        return Areas(regions, messages)

    def _left_out(self) -> Drawn | None:
        """From the file of exclusions; where none is named, from the tumour's."""
        regions, slide_id = self._study.regions, self._folder.slide_id
        size_um, shape = self._pixel_size_um, tuple(self._source["shape"])
        file, beside = regions.exclusions_file(slide_id), regions.tumour_file(slide_id)
        if file is not None:
            return read_area(file, size_um, "exclusion", shape)
        return None if beside is None else read_exclusions_beside(beside, size_um, shape)

    def _with_tumour(self, tissue: Areas, drawn: list[dict], carries_marker: np.ndarray) -> Areas:
        file = self._study.regions.tumour_file(self._folder.slide_id)
        if drawn:
            tumour = shapely.union_all([geometry_to_um(e, self._pixel_size_um) for e in drawn])
            regions = tissue.regions.with_tumour(tumour, "reviewer", "Drawn by the reviewer.")
            return Areas(regions, tissue.messages)
        if file is not None:
            shape = tuple(self._source["shape"])
            name = self._study.regions.tumour_class
            found = read_area(file, self._pixel_size_um, "tumour", shape, name)
            regions = tissue.regions.with_tumour(found.area, "file", f"Drawn in {file.name}.")
            return Areas(regions, [*tissue.messages, *found.messages])
        regions = _with_found_tumour(self._study, tissue.regions, self._xy_um, carries_marker)
        return Areas(regions, tissue.messages)

    def _place(self, areas: Areas) -> Placed:
        regions = areas.regions
        located = regions.locate(self._xy_um, self._known)
        depth = place_by_lesion(self._xy_um, regions, located["lesion_id"].to_numpy())
        region = zone_of(depth["tumour_border_distance_um"].to_numpy(), regions.margin_um)
        columns = located[["in_window", "excluded", "lesion_id", "compartment"]]
        columns = columns.assign(**depth, region=region.astype(str))
        return Placed(areas, columns)


def content_hash(path: Path | None) -> str | None:
    """Of a file's bytes; None where there is none."""
    if path is None or not path.exists():
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _with_found_tumour(
    study: Study, regions: Regions, xy: np.ndarray, carries_marker: np.ndarray
) -> Regions:
    if study.tumour_marker_rule is None or study.regions.tumour == "none":
        return regions.with_tumour(MultiPolygon(), "none", "The study asks for no tumour region.")
    proposal = tumour_region(xy[carries_marker], xy, regions.observed, study.regions)
    source = "none" if proposal.polygons.is_empty else "auto"
    found = regions.with_tumour(proposal.polygons, source, proposal.reason)
    return replace(found, flags=proposal.flags)
