"""The question of the study, answered anew from the cells as they are called now.

The numbers are those of the statistics table (`macprox.spatial`), at one radius and as curves; an
update writes the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from macprox.pipeline.calling import CalledCells
from macprox.pipeline.given import STRATUM_COLUMNS
from macprox.review.question.wording import change, sentence
from macprox.spatial import k_nearest
from macprox.spatial.nulls.relabel import Relabelling, expected_g_to_moved
from macprox.spatial.nulls.surroundings import (
    FROM_MOVED,
    TO_MOVED,
    Nulls,
    Permutations,
    Surroundings,
)
from macprox.spatial.pairs import (
    Question,
    absent_reason,
    direction_labels,
    eligible_cells,
    nan_rows,
    relabelled,
    surroundings_of,
)
from macprox.spatial.parameters import ProximityParameters
from macprox.spatial.pattern import Group, Pattern, empty_pattern, pattern_of
from macprox.spatial.search.neighbours import shared_groups
from macprox.spatial.slide import NO_MACROPHAGES, NO_TUMOUR_REGION, classes_of, question_of
from macprox.spatial.table import Row, row, to_table
from macprox.study import GIVEN, Study

__all__ = ["Answer", "Curve", "answer", "change_since", "nearest_lines"]

CURVE_STEP_UM = 2.0
# Of the curves' band: its ends are about the 4th lowest and highest of 159 at each distance. They
# are dealt 64 at a time, so that 199 would cost a third more.
N_ARRANGEMENTS = 159
MOST_PERMUTATIONS = 999  # a study may ask for more; a person waits for these
BAND_TEXT = "95 of 100 random arrangements, at each distance"
MAX_LINES = 5000


@dataclass(frozen=True, eq=False)
class Curve:
    """Share of tumour cells with a macrophage within r, and what random arrangements give.

    Parameters
    ----------
    r_um : (n,) float
        From 0 to the study's largest radius.
    observed : (n,) float
        Raw: without edge correction, as the expectation.
    expected : (n,) float
        Exact, under the study's relabelling; NaN if it asks for another null.
    low, high : (n,) float
        `BAND_TEXT`: a curve may leave the band somewhere by chance alone more often than that.
    n_tumour, n_macrophages : int
    """

    r_um: np.ndarray = field(repr=False)
    observed: np.ndarray = field(repr=False)
    expected: np.ndarray = field(repr=False)
    low: np.ndarray = field(repr=False)
    high: np.ndarray = field(repr=False)
    n_tumour: int
    n_macrophages: int


@dataclass(frozen=True, eq=False)
class Answer:
    """What the cells say now.

    Parameters
    ----------
    rows : DataFrame
        Columns of the statistics table: G at the primary radius, raw, under the position null,
        each macrophage class (and all together) to the tumour and back; what could not be
        computed is NaN with its ``reason``.
    curves : dict of str to Curve
        By macrophage class; without those that cannot be drawn.
    sentence : str
        The first of the rows in words, or why there is no answer.
    """

    rows: pd.DataFrame = field(repr=False)
    curves: dict[str, Curve] = field(repr=False)
    sentence: str


def answer(called: CalledCells, study: Study) -> Answer:
    """The headline in both directions and a curve a class, of the cells as called.

    Parameters
    ----------
    called : CalledCells
    study : Study

    Returns
    -------
    Answer
        `spatial.headline` of the statistics table that an update would write; of the p values,
        those that have no closed form come from at most 999 permutations.
    """
    parameters = study.proximity
    classes = classes_of(parameters)
    counted = called.counted(study)
    is_given = GIVEN in study.phenotypes.values()  # their table says who is tumour, and where
    if not classes or counted.empty or not (is_given or called.regions.has_tumour):
        reason = NO_TUMOUR_REGION if classes else NO_MACROPHAGES
        rows = _no_rows(parameters, classes, "no cells" if counted.empty else reason)
        curves: dict[str, Curve] = {}
    else:
        strata = STRATUM_COLUMNS if is_given else parameters.strata
        pattern = pattern_of(counted, None, [name for name in strata if name in counted])
        rows = _headline(pattern, classes, parameters)
        curves = _curves(pattern, classes, parameters)
    table = to_table(rows)
    return Answer(table, curves, sentence(table, study))


def _at_primary(source: Group, parameters: ProximityParameters) -> Question:
    return question_of(source, parameters).at((parameters.primary_radius_um,))


def _no_rows(parameters: ProximityParameters, classes: list[Group], reason: str) -> list[Row]:
    pattern = empty_pattern(None)
    asked = classes or [Group("Macrophages", ())]
    found = [nan_rows(pattern, _at_primary(group, parameters), reason) for group in asked]
    return [told for rows in found for told in rows if _is_raw_g(told)]


def _is_raw_g(told: Row) -> bool:
    return told["statistic"] == "g" and told["correction"] == "none"


def _headline(pattern: Pattern, classes: list[Group], parameters: ProximityParameters) -> list[Row]:
    # Only G is asked for: most of the time would go into expected distances.
    shared = replace(surroundings_of(pattern, _at_primary(classes[0], parameters)), distances=False)
    rows: list[Row] = []
    for group in classes:
        question = _at_primary(group, parameters)
        absent = absent_reason(pattern, question)
        if absent:
            rows += [told for told in nan_rows(pattern, question, absent) if _is_raw_g(told)]
        else:
            rows += _both_directions(pattern, question, shared)
    return rows


def _both_directions(pattern: Pattern, question: Question, shared: Surroundings) -> list[Row]:
    labels = _labels(pattern, question)
    n = min(question.n_permutations, MOST_PERMUTATIONS)
    nulls: Nulls = {}
    if question.relabels:
        nulls = shared.nulls(labels, Permutations(n, question.seed, question.null == "permute"))
    radius = question.radii_um[0]
    values = {
        FROM_MOVED: labels.observed(shared.counts[:, 0] > 0),
        TO_MOVED: shared.hit_to_moved(labels)[0],
    }
    return [
        row(
            **direction_labels(pattern, question, direction),
            **relabelled(question, nulls, direction, "g", radius),
            statistic="g",
            correction="none",
            r_um=radius,
            value=float(value),
        )
        for direction, value in values.items()
    ]


def _labels(pattern: Pattern, question: Question) -> Relabelling:
    eligible = eligible_cells(pattern, question)
    moved = pattern.is_a(question.source.phenotypes)[eligible]
    return Relabelling.of(moved, pattern.stratum[eligible])


def _curves(
    pattern: Pattern, classes: list[Group], parameters: ProximityParameters
) -> dict[str, Curve]:
    reach = parameters.radii_um[-1]
    radii = np.append(np.arange(CURVE_STEP_UM, reach, CURVE_STEP_UM), reach)
    shared = surroundings_of(pattern, question_of(classes[0], parameters).at(tuple(radii.tolist())))
    return {
        group.name: _curve(pattern, question_of(group, parameters), shared)
        for group in classes
        if not absent_reason(pattern, question_of(group, parameters))
    }


def _curve(pattern: Pattern, question: Question, shared: Surroundings) -> Curve:
    labels = _labels(pattern, question)
    n = N_ARRANGEMENTS if question.relabels else 0
    drawn = shared.curves_to_moved(labels, Permutations(n, question.seed))
    expected = low = high = np.full(drawn.shape[1], np.nan)
    if question.relabels:
        expected = expected_g_to_moved(*shared.lists, labels)
        low, high = np.quantile(drawn[1:], [0.025, 0.975], axis=0)
    r_um, observed, expected, low, high = (
        np.concatenate([[0.0], curve]) for curve in (shared.radii_um, drawn[0], expected, low, high)
    )
    return Curve(r_um, observed, expected, low, high, len(shared.fixed_xy), int(labels.m.sum()))


def nearest_lines(
    called: CalledCells,
    study: Study,
    class_name: str,
    max_lines: int = MAX_LINES,
    view_um: tuple[float, float, float, float] | None = None,
) -> np.ndarray:
    """A line from every macrophage of a class to its nearest tumour cell.

    Parameters
    ----------
    called : CalledCells
    study : Study
    class_name : str
        One of `Answer.curves`.
    max_lines : int
        Of more, every second, third ... is drawn.
    view_um : (x_min, y_min, x_max, y_max), optional
        Only macrophages in this rectangle.

    Returns
    -------
    (n_lines, 2, 2) float
        Macrophage and tumour cell, each ``(x_um, y_um)``; none on a slide without tumour region.
    """
    groups = {group.name: group for group in classes_of(study.proximity)}
    counted = called.counted(study)
    has_tumour = called.regions.has_tumour or GIVEN in study.phenotypes.values()
    if class_name not in groups or counted.empty or not has_tumour:
        return np.empty((0, 2, 2))
    pattern = pattern_of(counted)
    source = pattern.is_a(groups[class_name].phenotypes)
    if view_um is not None:
        source &= (pattern.xy >= view_um[:2]).all(axis=1) & (pattern.xy <= view_um[2:]).all(axis=1)
    rows = np.flatnonzero(source)
    rows = rows[:: max(1, -(-len(rows) // max_lines))]
    target = pattern.is_a([study.proximity.tumour])
    target_xy, lines = pattern.xy[target], []
    for of_source, of_target in shared_groups(pattern.roi[rows], pattern.roi[target]):
        start = pattern.xy[rows[of_source]]
        nearest = k_nearest(start, target_xy[of_target], 1)[1][:, 0]
        lines.append(np.stack([start, target_xy[of_target][nearest]], axis=1))
    return np.concatenate(lines) if lines else np.empty((0, 2, 2))


def change_since(before: Answer | None, after: Answer) -> str:
    """What an edit did to the first number, in a sentence; empty if nothing."""
    return "" if before is None else change(before.rows, after.rows)
