"""Everything the statistics table of a slide holds, and the two numbers to read first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
from shapely.geometry.base import BaseGeometry

from macprox.spatial.annotated import cells_of
from macprox.spatial.border import LAST_BAND_UM, PROFILE, Border, profile_rows, zone_density_rows
from macprox.spatial.curve_rows import curve_rows
from macprox.spatial.density import density_rows
from macprox.spatial.graphs.tables import GraphParameters, enrichment_rows, mixing_rows
from macprox.spatial.pairs import (
    Question,
    nan_rows,
    pair_rows,
    scopes,
    surroundings_of,
)
from macprox.spatial.parameters import ProximityParameters
from macprox.spatial.pattern import Group, Pattern, Windows, pattern_of
from macprox.spatial.table import ALL, EVERY_CELL, Row, row, to_table, without_number
from macprox.spatial.touching import contact_rows

ALL_MACROPHAGES = "All macrophages"
NO_TUMOUR_REGION = "no tumour region: automatic detection found none and none was drawn"
NO_MACROPHAGES = "the study names no macrophage phenotype under [proximity] macrophages"
DEFAULT_MARGIN_UM = 100.0


def slide_statistics(
    cells: Any,
    window: Windows,
    tumour_region: BaseGeometry | None,
    parameters: ProximityParameters,
    margin_um: float = DEFAULT_MARGIN_UM,
    contacts: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The full statistics table of one slide.

    For each macrophage class and for all together: distances, counts and G with the tumour in
    both directions under the position null (eligible: all non-tumour cells), and for each class
    under the lineage null (eligible: the macrophage classes); contact, K, L and the pair
    correlation with the tumour; enrichment among neighbours and mixing scores of all phenotypes;
    the border profile; densities.

    Parameters
    ----------
    cells : DataFrame, AnnData or SpatialData
        One slide; see `macprox.spatial.proximity`. With the columns of ``parameters.strata``.
    window : Window, mapping of roi_id to Window, or None
        Tissue including airspaces, minus exclusions.
    tumour_region : Polygon, MultiPolygon or None
        Micrometres. Without one there is no tumour headline: every row that compares with the
        tumour is NaN with the reason, whatever cells are called tumour.
    parameters : ProximityParameters
    margin_um : float
        Half-width of the zones in which densities are given.
    contacts : DataFrame, optional
        Pairs of ``cell_id`` in contact (`macprox.spatial.contacts`); None where there are no
        labels to tell.

    Returns
    -------
    DataFrame
        Columns of `macprox.spatial.table`.
    """
    cells = cells_of(cells)
    pattern = pattern_of(cells, window, parameters.strata)
    region = None if tumour_region is None or tumour_region.is_empty else tumour_region
    classes = classes_of(parameters)
    rows: list[Row] = _outside_row(cells, pattern)
    for scope in scopes(pattern):
        rows += _position_rows(scope, classes, parameters, region)
        rows += _lineage_rows(scope, classes[:-1], parameters, region)
        if region is not None:
            for group in classes:
                question = question_of(group, parameters)
                rows += contact_rows(scope, question, contacts, parameters.contact_gap_um)
                rows += curve_rows(scope, question, parameters.pcf_bandwidth_um)
        rows += _neighbour_rows(scope, parameters, region)
    measured = _phenotypes(pattern, parameters) + classes[len(parameters.macrophages) :]
    if region is None:
        rows += [_no_profile(pattern, group) for group in classes]
    else:
        border = Border(pattern, region, max(LAST_BAND_UM, margin_um))
        rows += profile_rows(border, [*classes, Group.of(parameters.tumour)], parameters.band_um)
        rows += zone_density_rows(border, measured, margin_um)
    rows += density_rows(pattern, measured)
    return to_table(rows)


def classes_of(parameters: ProximityParameters) -> list[Group]:
    """Each macrophage class, and all together where there are several."""
    classes = [Group.of(name) for name in parameters.macrophages]
    if len(classes) > 1:
        classes.append(Group(ALL_MACROPHAGES, parameters.macrophages))
    return classes


def headline(table: pd.DataFrame, parameters: ProximityParameters) -> pd.DataFrame:
    """The rows to read first: G at the primary radius under the position null, both directions.

    Observed and expected are the same raw estimator; the headline is ``value - expected``.
    """
    return table[
        (table["statistic"] == "g")
        & (table["correction"] == "none")
        & (table["r_um"] == parameters.primary_radius_um)
        & (table["roi_id"] == ALL)
        & is_position(table)
    ].reset_index(drop=True)


def is_position(table: pd.DataFrame) -> pd.Series:
    """Rows of the position null: macrophages against all non-tumour cells."""
    return table["eligible"].str.startswith("all non-")


def is_lineage(table: pd.DataFrame) -> pd.Series:
    """Rows of the lineage null: one macrophage class against the others."""
    named = ~table["eligible"].isin(["", EVERY_CELL])
    return named & ~is_position(table)


def _position_rows(
    scope: Pattern,
    classes: list[Group],
    parameters: ProximityParameters,
    region: BaseGeometry | None,
) -> list[Row]:
    if not classes:
        question = question_of(Group("Macrophages", ()), parameters)
        return nan_rows(scope, question, NO_MACROPHAGES)
    if region is None:
        return _each(classes, parameters, lambda q: nan_rows(scope, q, NO_TUMOUR_REGION))
    # Found once: the position null has the same eligible cells for every class.
    surroundings = surroundings_of(scope, question_of(classes[0], parameters), classes)
    return _each(classes, parameters, lambda q: pair_rows(scope, q, surroundings))


def _lineage_rows(
    scope: Pattern,
    classes: list[Group],
    parameters: ProximityParameters,
    region: BaseGeometry | None,
) -> list[Row]:
    if len(classes) < 2 or parameters.null == "csr":
        return []
    eligible = Group.of(parameters.macrophages)
    if region is None:
        rows = _each(classes, parameters, lambda q: nan_rows(scope, q, NO_TUMOUR_REGION), eligible)
    else:
        question = question_of(classes[0], parameters, eligible)
        surroundings = surroundings_of(scope, question, classes)
        rows = _each(classes, parameters, lambda q: pair_rows(scope, q, surroundings), eligible)
    # Corrected rows carry no relabelling: they stand beside the position null already.
    return [found for found in rows if found["correction"] == "none"]


def _neighbour_rows(
    scope: Pattern, parameters: ProximityParameters, region: BaseGeometry | None
) -> list[Row]:
    graph = GraphParameters(radius_um=parameters.primary_radius_um)
    rows = [*enrichment_rows(scope, graph, 0, parameters.seed), *mixing_rows(scope, graph)]
    if region is not None:
        return rows
    tumour = parameters.tumour
    return [
        without_number(found, NO_TUMOUR_REGION)
        if tumour in (found["source"], found["target"])
        else found
        for found in rows
    ]


def _each(
    classes: list[Group],
    parameters: ProximityParameters,
    rows_of: Callable[[Question], list[Row]],
    eligible: Group | None = None,
) -> list[Row]:
    return [
        found for group in classes for found in rows_of(question_of(group, parameters, eligible))
    ]


def question_of(
    source: Group, parameters: ProximityParameters, eligible: Group | None = None
) -> Question:
    """A class against the tumour: the position null, or among the ``eligible`` alone."""
    question = Question(
        source=source,
        target=Group.of(parameters.tumour),
        radii_um=parameters.radii_um,
        null=parameters.null,
        n_permutations=parameters.n_permutations,
        seed=parameters.seed,
        grid_um=parameters.grid_um,
    )
    return question if eligible is None else replace(question, eligible=eligible)


def _phenotypes(pattern: Pattern, parameters: ProximityParameters) -> list[Group]:
    named = [*parameters.macrophages, parameters.tumour]
    others = sorted(set(pattern.phenotype.tolist()) - set(named))
    return [Group.of(name) for name in [*named, *others]]


def _no_profile(pattern: Pattern, group: Group) -> Row:
    return row(
        slide_id=pattern.slide_id,
        statistic=PROFILE,
        source=group.name,
        reason=NO_TUMOUR_REGION,
    )


def _outside_row(cells: Any, pattern: Pattern) -> list[Row]:
    """How many cells the window left out: a window in the wrong unit shows here."""
    n_outside = len(cells) - len(pattern.xy)
    return [
        row(
            slide_id=pattern.slide_id,
            statistic="cells_outside_window",
            source=ALL,
            value=float(n_outside),
            n_source=len(cells),
        )
    ]
