"""The statistics of a slide whose table says who is tumour, with or without a tumour region."""

from __future__ import annotations

import pandas as pd

from macprox.regions import Regions
from macprox.spatial.border import PROFILE
from macprox.spatial.curve_rows import curve_rows
from macprox.spatial.density import density_rows
from macprox.spatial.graphs.tables import GraphParameters, enrichment_rows, mixing_rows
from macprox.spatial.pairs import pair_rows, scopes, surroundings_of
from macprox.spatial.parameters import ProximityParameters
from macprox.spatial.pattern import Group, Pattern, pattern_of
from macprox.spatial.slide import NO_TUMOUR_REGION, classes_of, question_of, slide_statistics
from macprox.spatial.table import Row, row, to_table
from macprox.window import Window


def given_statistics(
    cells: pd.DataFrame, window: Window | None, regions: Regions, parameters: ProximityParameters
) -> pd.DataFrame:
    """The statistics table of one slide of given cells.

    With a tumour region it is `macprox.spatial.slide_statistics`. Without one the headline stands
    all the same, unlike a study's: the table itself says which cells are tumour. Then what needs
    the tumour's border is NaN with the reason.

    Parameters
    ----------
    cells : DataFrame
        One slide, with the columns of ``parameters.strata``.
    window : Window or None
    regions : Regions
    parameters : ProximityParameters

    Returns
    -------
    DataFrame
        Columns of `macprox.spatial.table`.
    """
    if regions.has_tumour:
        return slide_statistics(cells, window, regions.tumour, parameters, regions.margin_um)
    pattern = pattern_of(cells, window, parameters.strata)
    classes = classes_of(parameters)
    asked = [*classes, Group.of(parameters.tumour)]
    rows: list[Row] = []
    for scope in scopes(pattern):
        rows += _pair_rows(scope, classes, parameters)
        if window is not None:
            for group in classes:
                question = question_of(group, parameters)
                rows += curve_rows(scope, question, parameters.pcf_bandwidth_um)
        graph = GraphParameters(radius_um=parameters.primary_radius_um)
        rows += [*enrichment_rows(scope, graph, 0, parameters.seed), *mixing_rows(scope, graph)]
        rows += density_rows(scope, asked)
    rows += [_no_profile(pattern, group) for group in classes]
    return to_table(rows)


def _pair_rows(scope: Pattern, classes: list[Group], parameters: ProximityParameters) -> list[Row]:
    """Every class under the position null, and one against the others under the lineage null."""
    rows: list[Row] = []
    # Found once: the null has the same eligible cells for every class.
    shared = surroundings_of(scope, question_of(classes[0], parameters), classes)
    for group in classes:
        rows += pair_rows(scope, question_of(group, parameters), shared)
    if len(classes) < 2:
        return rows
    eligible, single = Group.of(parameters.macrophages), classes[:-1]
    shared = surroundings_of(scope, question_of(single[0], parameters, eligible), single)
    for group in single:
        found = pair_rows(scope, question_of(group, parameters, eligible), shared)
        # Corrected rows carry no relabelling: they stand beside the position null already.
        rows += [told for told in found if told["correction"] == "none"]
    return rows


def _no_profile(pattern: Pattern, group: Group) -> Row:
    return row(
        slide_id=pattern.slide_id, statistic=PROFILE, source=group.name, reason=NO_TUMOUR_REGION
    )
