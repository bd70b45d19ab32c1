"""Everything that can be wrong with given tables, found before anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import shapely
from shapely import MultiPolygon

from macprox.celltable import centroids_um
from macprox.errors import TableError, WindowError
from macprox.io.area_files import read_area, read_exclusions_beside
from macprox.io.fingerprint import content_fingerprint
from macprox.io.slide_names import unique_slide_ids
from macprox.io.tables import (
    SAMPLE_FILE,
    ColumnMapping,
    GivenCells,
    read_foreign_sheet,
    read_given,
    samples_of_slides,
)
from macprox.pipeline.given.classes import (
    Called,
    CellClass,
    call_given,
    overlap_sentence,
    read_class,
)
from macprox.pipeline.given.request import SLIDE_ID, STRATUM_COLUMNS, TableRequest, file_of
from macprox.pipeline.marks import GIVEN_FORMAT
from macprox.regions import Regions, place_by_lesion
from macprox.study import Study
from macprox.window.border import zone_of


@dataclass(frozen=True, eq=False)
class GivenSlide:
    """One slide, called and located.

    Parameters
    ----------
    slide_id : str
    cells : DataFrame
        Phenotypes as asked for; with a window or a tumour region, where each cell lies.
    regions : Regions
    called : Called
        How many cells each class has, and how many fit two.
    gates : DataFrame
        Where its markers become positive, if gates were given.
    warnings : tuple of str
        What a reader must know of this slide.
    """

    slide_id: str
    cells: pd.DataFrame = field(repr=False)
    regions: Regions = field(repr=False)
    called: Called = field(repr=False)
    gates: pd.DataFrame = field(repr=False)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class GivenTables:
    """Tables that can be computed.

    Parameters
    ----------
    study : Study
    slides : list of GivenSlide
    samples : DataFrame or None
        One row a slide: patient, group, covariates.
    source : dict
        What the manifests say of where the cells come from.
    notices : list of str
        What somebody should be told at once.
    sheet : Path or None
        Where the samples came from, besides the tables.
    """

    study: Study
    slides: list[GivenSlide]
    samples: pd.DataFrame | None
    source: dict[str, Any]
    notices: list[str]
    sheet: Path | None = None


def prepare_tables(
    tables: Sequence[Path],
    columns: ColumnMapping | None,
    request: TableRequest,
    pixel_size_um: float | None = None,
) -> GivenTables:
    """Read tables, name their cells, find their slides' facts and areas. Writes nothing.

    Raises
    ------
    TableError
        If a table cannot be read, its unit is not known, no cell anywhere is called as the
        request says, or facts of a slide contradict each other.
    ResultError, WindowError
        If an area cannot be read, or none of a slide's cells lies in it.
    """
    columns = columns or ColumnMapping()
    sheet = None if request.samples is None else read_foreign_sheet(request.samples)
    given = read_given(
        tables, columns, pixel_size_um, () if sheet is None else sheet.columns.tolist()
    )
    given = _with_unique_slides(given)
    samples = samples_of_slides(given.facts, columns, sheet)
    classes = _classes(given, request)
    n_slides = given.cells["slide_id"].nunique()
    if n_slides > 1 and request.tumour_file and SLIDE_ID not in str(request.tumour_file):
        raise TableError(
            f"The tumour {request.tumour_file} is one file for {n_slides} slides; write "
            f"{SLIDE_ID} in its name where the slide's stands."
        )
    areas = _Areas(request, pixel_size_um or 1.0)
    slides = [_one_slide(of_slide, classes, areas, samples) for of_slide in _by_slide(given)]
    overlaps = _require_everybody(classes, [one.called for one in slides])
    present = sorted({name for one in slides for name in one.cells["phenotype"].unique()})
    n_sources = len(request.sources)
    strata = [name for name in STRATUM_COLUMNS if name in slides[0].cells]
    study = request.study(
        sources=[one.name for one in classes[:n_sources]],
        target=classes[n_sources].name,
        phenotypes=[*(one.name for one in classes), *present],
        strata=strata,
        samples=None if samples is None else SAMPLE_FILE,
    )
    notices = [*_overlaps(overlaps, classes), *_without_patient(samples)]
    source = _source(tables, pixel_size_um)
    return GivenTables(study, slides, samples, source, notices, request.samples)


def _with_unique_slides(given: GivenCells) -> GivenCells:
    """Slides under names that any file system can tell apart."""
    names = sorted(given.cells["slide_id"].astype(str).unique())
    renamed = dict(zip(names, unique_slide_ids([Path(name) for name in names]), strict=True))
    cells, facts, gates = (
        table.assign(slide_id=table["slide_id"].astype(str).map(renamed))
        for table in (given.cells, given.facts, given.gates)
    )
    return GivenCells(cells, given.markers, facts, gates)


def _by_slide(given: GivenCells) -> Iterator[GivenCells]:
    for slide_id, cells in given.cells.groupby("slide_id", sort=True):
        facts, gates = (
            table[table["slide_id"] == slide_id].reset_index(drop=True)
            for table in (given.facts, given.gates)
        )
        yield GivenCells(cells.reset_index(drop=True), given.markers, facts, gates)


def _classes(given: GivenCells, request: TableRequest) -> list[CellClass]:
    """Sources, target, and the others that are to have a name, in this order."""
    names = sorted(given.cells["phenotype"].astype(str).unique())
    asked = [*request.sources, request.target, *request.also]
    classes = [read_class(text, names, given.markers) for text in asked]
    called = [one.name for one in classes]
    if twice := [name for name in called if called.count(name) > 1]:
        raise TableError(f"{twice[0]!r} is asked for twice; source, target and others differ.")
    return classes


def _one_slide(
    given: GivenCells,
    classes: list[CellClass],
    areas: _Areas,
    samples: pd.DataFrame | None,
) -> GivenSlide:
    slide_id = str(given.cells["slide_id"].iloc[0])
    regions = areas.of(slide_id)
    located = _located(given.cells, regions, slide_id)
    called = call_given(located, classes, given.markers)
    warnings = [*_overlaps(called.n_of_both, classes), *_unknown_patient(samples, slide_id)]
    cells = located.assign(phenotype=called.phenotype)
    gates = given.gates.drop(columns="slide_id")
    return GivenSlide(slide_id, cells, regions, called, gates, tuple(warnings))


@dataclass(frozen=True)
class _Areas:
    """Reads the areas that a request names, in full-resolution pixels of this size."""

    request: TableRequest
    pixel_size_um: float

    def of(self, slide_id: str) -> Regions:
        file = file_of(self.request.tumour_file, slide_id)
        window = file_of(self.request.window_file, slide_id)
        regions = Regions(
            tissue_window=self._area(window, "tissue_window"),
            tumour=self._area(file, "tumour"),
            tumour_source="none" if file is None else "file",
            reason="" if file is None else f"Drawn in {file.name}.",
        )
        for one in dict.fromkeys((window, file)):
            beside = one and read_exclusions_beside(one, self.pixel_size_um)
            for reason, area in beside.by_reason if beside else ():
                regions = regions.with_exclusion(area, reason)
        return regions

    def _area(self, file: Path | None, kind: str) -> MultiPolygon:
        if file is None:
            return MultiPolygon()
        return read_area(file, self.pixel_size_um, kind).area


def _located(cells: pd.DataFrame, regions: Regions, slide_id: str) -> pd.DataFrame:
    """The cells with the places that the given areas tell; the table's own give way to them."""
    has_window = not regions.tissue_window.is_empty
    if not (has_window or regions.has_tumour or len(regions.exclusion_reasons)):
        return cells
    xy = centroids_um(cells)
    places = regions.locate(xy)
    if has_window and not (places["in_window"] & ~places["excluded"]).any():
        raise WindowError(
            f"None of the {len(cells):,} cells of slide {slide_id!r} lies inside its window; are "
            "both of the same pixels, and is the pixel size right?"
        )
    if not has_window:
        places["in_window"] = True
    cells = cells.assign(in_window=places["in_window"], excluded=places["excluded"])
    if not regions.has_tumour:
        return cells
    extent = shapely.box(*xy.min(axis=0), *xy.max(axis=0))
    if not regions.tumour.intersects(extent):
        raise WindowError(
            f"The tumour region of slide {slide_id!r} lies outside its cells (x "
            f"{xy[:, 0].min():.0f} to {xy[:, 0].max():.0f} µm); are both of the same pixels, and "
            "is the pixel size right?"
        )
    depth = place_by_lesion(xy, regions, places["lesion_id"].to_numpy())
    region = zone_of(depth["tumour_border_distance_um"].to_numpy(), regions.margin_um)
    named = {name: places[name].array for name in ("lesion_id", "compartment")}
    return cells.assign(**named, **depth, region=region.astype(str))


def _overlaps(n_of_both: dict[tuple[str, str], int], classes: list[CellClass]) -> list[str]:
    by_name = {one.name: one for one in classes}
    return [
        overlap_sentence(n, by_name[first], by_name[second])
        for (first, second), n in n_of_both.items()
    ]


def _require_everybody(
    classes: list[CellClass], called: Sequence[Called]
) -> dict[tuple[str, str], int]:
    """How many cells of all slides fit two classes; a class without a cell is refused."""
    n_of, overlaps = Counter[str](), Counter[tuple[str, str]]()
    for one in called:
        n_of.update(one.n_of)
        overlaps.update(one.n_of_both)
    for wanted in classes:
        if not n_of[wanted.name]:
            shared = {pair: n for pair, n in overlaps.items() if wanted.name in pair}
            why = " ".join(["", *_overlaps(shared, classes)])
            raise TableError(f"No cell of any slide is {wanted.name!r}.{why}")
    return overlaps


def _unknown_patient(samples: pd.DataFrame | None, slide_id: str) -> list[str]:
    if samples is None or samples.loc[samples["slide_id"] == slide_id, "patient"].ne("").all():
        return []
    return ["Nobody says which patient this slide belongs to; it takes no part in a cohort."]


def _without_patient(samples: pd.DataFrame | None) -> list[str]:
    if samples is None:
        return []
    nobodies = samples.loc[samples["patient"] == "", "slide_id"].tolist()
    if not nobodies:
        return []
    shown = ", ".join(nobodies[:5]) + (", ..." if len(nobodies) > 5 else "")
    return [f"{len(nobodies)} of {len(samples)} slides have no patient: {shown}."]


def _source(tables: Sequence[Path], pixel_size_um: float | None) -> dict[str, Any]:
    return {
        "path": ", ".join(str(path) for path in tables),
        "format": GIVEN_FORMAT,
        "fingerprint": content_fingerprint(tuple(Path(path) for path in tables)),
        "shape": None,
        "channels": [],
        "pixel_size_um": pixel_size_um or 1.0,
    }
