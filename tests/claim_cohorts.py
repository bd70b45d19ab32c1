"""Simulated cohorts as the claims see them: slides in memory, and as a result folder on disk."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pandas as pd
import shapely

import small_runs
from macprox.claims import CLAIMS, ClaimSlide, Roles, ask, patient_values
from macprox.claims.asking import Answers
from macprox.claims.measures import to_measures
from macprox.claims.terms import Terms, default_primary
from macprox.cohort.parameters import CohortParameters
from macprox.pipeline.given import TableRequest, run_tables
from macprox.regions import Regions
from macprox.simulate import SimulatedCohort, scenario, simulate_cohort
from macprox.simulate.panel import AM, MO, TREG, TUMOUR
from macprox.spatial import ProximityParameters, annotate_neighbours, slide_statistics
from macprox.study import GIVEN, ImageParameters, Study

STUDY = Study(
    image=ImageParameters(nucleus="(simulated cells)"),
    phenotypes=dict.fromkeys((TUMOUR, AM, MO, TREG), GIVEN),
    proximity=ProximityParameters(
        macrophages=(AM, MO), tumour=TUMOUR, radii_um=(20.0, 50.0), n_permutations=0
    ),
    cohort=CohortParameters(marker="panCK"),
)


@cache
def simulated(name: str, n: int = 6, seed: int = 5) -> SimulatedCohort:
    return simulate_cohort(scenario(name, n_patients=(n, n)), seed)


def slide_of(made: SimulatedCohort, slide_id: str, study: Study = STUDY) -> ClaimSlide:
    """One simulated slide, measured; its tumour cells have a marker that falls off with depth."""
    cells = made.slide_cells(slide_id).reset_index(drop=True)
    cells = annotate_neighbours(cells, [AM, MO, TUMOUR], study.proximity.radii_um)
    cells["mean_panck_cell"] = 100.0 + cells["tumour_border_distance_um"]
    tumour, window = made.tumour(slide_id), made.window
    regions = Regions(
        window.shape.polygon(), tumour=tumour, tumour_source="file", margin_um=made.scene.margin_um
    )
    statistics = slide_statistics(cells, window, tumour, study.proximity)
    return ClaimSlide(slide_id, cells, statistics, regions, study)


@cache
def slides_of(name: str, n: int = 6, seed: int = 5) -> tuple[ClaimSlide, ...]:
    made = simulated(name, n, seed)
    return tuple(slide_of(made, slide_id) for slide_id in made.slide_ids)


def measures_of(slides: tuple[ClaimSlide, ...], only: tuple[str, ...] = ()) -> pd.DataFrame:
    """The measures of all claims, or of some: a claim costs half a second a slide and test."""
    claims = [claim for claim in CLAIMS if not only or claim.id in only]
    return to_measures(row for slide in slides for claim in claims for row in claim.of_slide(slide))


@cache
def answers_of(name: str, *only: str) -> Answers:
    """Claims of a simulated cohort, early against late."""
    measures, samples = measures_of(slides_of(name), only), simulated(name).samples
    roles = Roles.of(STUDY)
    terms = Terms(roles, default_primary(roles, 20.0), group="group", groups=("early", "late"))
    return ask(measures, patient_values(measures, samples, roles), samples, terms)


def write_results(folder: Path, name: str = "redistribution", n: int = 4, seed: int = 5) -> Path:
    """A result folder of given cells with tumour regions, as ``macprox stats`` makes one."""
    made = simulated(name, n, seed)
    columns = ["slide_id", "cell_id", "x_um", "y_um", "phenotype"]
    table = made.cells[columns].merge(made.samples, on="slide_id")
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "cells.csv", index=False)
    made.samples.to_csv(folder / "samples.csv", index=False)
    window = made.window.shape.polygon()
    for slide_id in made.slide_ids:
        _write_geojson(folder / f"tumour_{slide_id}.geojson", made.tumour(slide_id))
    _write_geojson(folder / "window.geojson", window)
    request = TableRequest(
        source=(AM, MO), target=TUMOUR, window_file=folder / "window.geojson",
        tumour_file=folder / "tumour_{slide_id}.geojson", samples=folder / "samples.csv",
        radii_um=(20.0, 50.0),
    )  # fmt: skip
    with small_runs.without_reports():
        run_tables([folder / "cells.csv"], None, request, folder / "results", pixel_size_um=1.0)
    return folder / "results"


def _write_geojson(path: Path, area: shapely.Polygon) -> None:
    feature = {"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(area)}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
