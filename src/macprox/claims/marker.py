"""C5: do tumour cells close to a resident macrophage carry more, or less, of a marker?"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from macprox.celltable import COMPARTMENTS, mean_column, nearest_column
from macprox.claims.claim import Claim
from macprox.claims.measures import Row, measure
from macprox.claims.slide import ClaimSlide, Roles

DIFFERENCE, CURVE = "marker_difference", "marker_level_curve"
CURVE_EDGES_UM = (0.0, 10.0, 20.0, 30.0, 40.0, 60.0, 80.0, 100.0, 150.0)
BORDER_BAND_UM = 20.0
MIN_CELLS = 10  # near, and far, on a slide
MIN_CURVE_CELLS = 5


def measure_slide(slide: ClaimSlide) -> list[Row]:
    """The difference near minus far, and the level by distance; both within bands of the border."""
    if slide.is_adjacent:
        return []
    roles = slide.roles
    labels = {"source": roles.tumour, "target": roles.resident, "slide_id": slide.slide_id}
    radius = {"r_um": slide.proximity.primary_radius_um}
    cells = slide.cells[slide.is_a(roles.tumour)]
    level, reason = _levels(cells, slide)
    if level is None:
        return [measure("C5", DIFFERENCE, np.nan, **labels, **radius, reason=reason)]
    distance = cells[nearest_column(roles.resident)].to_numpy(float)
    band = _bands(cells)
    value, n_near, reason = _near_minus_far(level, distance <= radius["r_um"], band)
    rows = [
        measure("C5", DIFFERENCE, value, **labels, **radius, weight=float(n_near), reason=reason)
    ]
    return rows + _curve(level, distance, band, labels)


def _levels(cells: pd.DataFrame, slide: ClaimSlide) -> tuple[np.ndarray | None, str]:
    """The marker of every tumour cell, in robust standard deviations of the slide's own."""
    column = _column(slide)
    if column not in cells:
        return (
            None,
            f"the cells have no {slide.roles.marker!r}, only what the slide was stained for",
        )
    if nearest_column(slide.roles.resident) not in cells:
        return None, f"the cells have no distance to {slide.roles.resident}"
    values = cells[column].to_numpy(float)
    spread = 1.4826 * np.median(np.abs(values - np.median(values))) if len(values) else 0.0
    if not spread > 0:
        return None, f"{len(values)} tumour cells with one level of {slide.roles.marker}"
    return (values - np.median(values)) / spread, ""


def _column(slide: ClaimSlide) -> str:
    """In the compartment that the study declares; of the whole cell where it declares none."""
    declared = slide.study.markers.get(slide.roles.marker)
    compartment = COMPARTMENTS[-1] if declared is None else declared.compartment
    return mean_column(slide.roles.marker, compartment)


def _bands(cells: pd.DataFrame) -> np.ndarray:
    """Depth in the tumour, in bands: the marker may follow the border, and macrophages too."""
    depth = cells.get("tumour_border_distance_um", 0.0)
    band = np.floor(np.asarray(depth, dtype=float) / BORDER_BAND_UM)
    return np.broadcast_to(np.nan_to_num(band), len(cells)).astype(int)


def _near_minus_far(
    level: np.ndarray, is_near: np.ndarray, band: np.ndarray
) -> tuple[float, int, str]:
    """Mean difference within bands, weighted as in a two-way layout: n n' / (n + n')."""
    n_near, n_far = int(is_near.sum()), int((~is_near).sum())
    if min(n_near, n_far) < MIN_CELLS:
        return np.nan, n_near, f"{n_near} tumour cells near and {n_far} far; {MIN_CELLS} are least"
    table = pd.DataFrame({"level": level, "near": is_near, "band": band})
    sides = table.groupby(["band", "near"])["level"].agg(["mean", "size"]).unstack("near").dropna()
    if sides.empty:
        return np.nan, n_near, "no band of the border holds tumour cells near and far"
    near, far = sides["size"][True], sides["size"][False]
    weight = near * far / (near + far)
    difference = sides["mean"][True] - sides["mean"][False]
    return float(np.average(difference, weights=weight)), n_near, ""


def _curve(
    level: np.ndarray, distance: np.ndarray, band: np.ndarray, labels: dict[str, str]
) -> list[Row]:
    """Level minus the mean of the cell's band, by distance."""
    of_band = pd.Series(level).groupby(band).transform("mean").to_numpy()
    place = np.digitize(distance, CURVE_EDGES_UM) - 1
    rows = []
    for k, (low, high) in enumerate(pairwise(CURVE_EDGES_UM)):
        here = place == k
        n = int(here.sum())
        few = n < MIN_CURVE_CELLS
        rows.append(
            measure(
                "C5", CURVE, np.nan if few else float((level - of_band)[here].mean()), **labels,
                r_um=(low + high) / 2, weight=float(n),
                reason=f"{n} tumour cells at this distance" if few else "",
            )
        )  # fmt: skip
    return rows


def _lacking(roles: Roles) -> str:
    if not roles.marker:
        return "the study names no marker of tumour cells; say it under [cohort] marker"
    return roles.lacking("resident")


CLAIM = Claim(
    id="C5",
    title="A marker of tumour cells by distance to a resident macrophage",
    question="Do tumour cells within the primary radius of a resident macrophage carry another "
    "level of the marker than those farther away?",
    estimand="mean level near minus far, within bands of 20 um of the tumour border, in robust "
    "standard deviations (1.4826 MAD) of the slide's tumour cells; a patient's slides are weighted "
    "by the cells near",
    null="none on a slide: 0 is the same level near and far",
    limits="light of the macrophage spills into its neighbours: a marker that macrophages carry "
    "rises near them by itself; level and distance may both follow something else",
    of_slide=measure_slide,
    lacking=_lacking,
    tested=(DIFFERENCE,),
    centred=(DIFFERENCE,),
    curves=(CURVE,),
)
