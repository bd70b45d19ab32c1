"""How far from whom, how many within reach, and compared with what: both directions, tidy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from macprox.errors import TableError
from macprox.spatial.density import density_rows
from macprox.spatial.measured import Measured
from macprox.spatial.nulls.relabel import Relabelling
from macprox.spatial.nulls.surroundings import (
    FROM_MOVED,
    TO_MOVED,
    Nulls,
    NullValue,
    Permutations,
    Surroundings,
)
from macprox.spatial.parameters import NULLS, ProximityParameters
from macprox.spatial.pattern import Group, Pattern, Population, Windows, pattern_of
from macprox.spatial.search.neighbours import checked_radii
from macprox.spatial.table import Row, row, to_table

NO_MEDIAN = "no expectation: a median has no closed form, read nearest_mean_um"
NO_RAW_CSR = "no CSR expectation for a raw value: edges bias it, read the corrected rows"


@dataclass(frozen=True)
class Question:
    """One pair of populations under one null.

    ``source`` is what relabelling moves, ``target`` is fixed; ``eligible`` None means every cell
    that is not a target (the position null).
    """

    source: Group
    target: Group
    radii_um: tuple[float, ...] = ProximityParameters.radii_um
    eligible: Group | None = None
    null: str = ProximityParameters.null
    n_permutations: int = ProximityParameters.n_permutations
    seed: int = ProximityParameters.seed
    grid_um: float = ProximityParameters.grid_um

    def __post_init__(self) -> None:
        checked_radii(self.radii_um)
        if self.null not in NULLS:
            raise ValueError(f"null must be one of {', '.join(NULLS)}, found {self.null!r}.")
        both = set(self.source.phenotypes) & set(self.target.phenotypes)
        if both:
            raise TableError(
                f"{', '.join(sorted(both))} is source and target; proximity compares two "
                "different populations."
            )
        if self.eligible is not None:
            outside = set(self.source.phenotypes) - set(self.eligible.phenotypes)
            fixed = set(self.target.phenotypes) & set(self.eligible.phenotypes)
            if outside or fixed:
                raise TableError(
                    "eligible must hold every source phenotype and no target phenotype, found "
                    f"{', '.join(self.eligible.phenotypes)}."
                )

    @property
    def relabels(self) -> bool:
        return self.null != "csr"

    def at(self, radii_um: tuple[float, ...]) -> Question:
        """The same question at other radii."""
        return replace(self, radii_um=radii_um)

    @property
    def eligible_name(self) -> str:
        return f"all non-{self.target.name} cells" if self.eligible is None else self.eligible.name


def proximity(
    cells: Any,
    source: Population,
    target: Population,
    window: Windows = None,
    *,
    radii_um: Sequence[float] = ProximityParameters.radii_um,
    strata: Sequence[str] = (),
    null: str = ProximityParameters.null,
    eligible: Population | None = None,
    n_permutations: int = ProximityParameters.n_permutations,
    seed: int = ProximityParameters.seed,
    grid_um: float = ProximityParameters.grid_um,
) -> pd.DataFrame:
    """Proximity of two populations on one slide, in both directions.

    Parameters
    ----------
    cells : DataFrame, AnnData or SpatialData
        One slide: ``x_um, y_um, phenotype`` and the columns of ``strata``; neighbours and
        permutations never cross a ``roi_id``. Of the others see `cells_of`.
    source, target : str or sequence of str
        Phenotypes. Relabelling moves the source label and holds the targets.
    window : Window, mapping of roi_id to Window, or None
        Cells outside are left out. Without one, densities and edge-corrected values are NaN
        with the reason; a hull is never put in its place.
    radii_um : sequence of float
        Increasing, positive.
    strata : sequence of str
        Columns within whose values the label moves.
    null : "relabel", "permute" or "csr"
    eligible : str or sequence of str, optional
        Phenotypes among which the source label moves; by default every cell that is not a
        target (the position null). Both lineages: the lineage null.
    n_permutations, seed : int
        For p values without a closed form.
    grid_um : float
        Step of Kaplan-Meier estimates.

    Returns
    -------
    DataFrame
        Columns of `macprox.spatial.table`. Rows with ``roi_id == "all"`` give every cell the
        same weight; where there are several fields, each has its own rows beside them.

    Raises
    ------
    TableError, WindowError
        For a table or window that cannot be used. Absent phenotypes are rows of NaN instead.
    """
    question = Question(
        source=Group.of(source),
        target=Group.of(target),
        radii_um=tuple(float(r) for r in radii_um),
        eligible=None if eligible is None else Group.of(eligible),
        null=null,
        n_permutations=n_permutations,
        seed=seed,
        grid_um=grid_um,
    )
    pattern = pattern_of(cells, window, strata)
    rows: list[Row] = []
    for scope in scopes(pattern):
        rows += pair_rows(scope, question)
        rows += density_rows(scope, [question.source, question.target])
    return to_table(rows)


def scopes(pattern: Pattern) -> Iterator[Pattern]:
    """Every cell at once, then each field where there are several."""
    yield pattern
    roi_ids = pattern.roi_ids
    if len(roi_ids) > 1:
        for roi_id in roi_ids:
            yield pattern.of_roi(roi_id)


def surroundings_of(
    pattern: Pattern, question: Question, classes: Sequence[Group] = ()
) -> Surroundings:
    """Targets around eligible cells; the same for every label dealt among the same cells.

    Of the ``classes`` that will be asked about, expected distances are found in one pass.
    """
    fixed = pattern.is_a(question.target.phenotypes)
    eligible = eligible_cells(pattern, question)
    return Surroundings(
        fixed_xy=pattern.xy[fixed],
        fixed_group=pattern.roi[fixed],
        eligible_xy=pattern.xy[eligible],
        eligible_group=pattern.roi[eligible],
        radii_um=np.asarray(question.radii_um),
        together=tuple(
            Relabelling.of(moved, pattern.stratum[eligible])
            for moved in (pattern.is_a(group.phenotypes)[eligible] for group in classes)
            if moved.any()
        ),
    )


def absent_reason(pattern: Pattern, question: Question) -> str:
    """Which of the two populations has no cell here; empty if both have."""
    groups = (question.source, question.target)
    absent = [repr(group.name) for group in groups if not pattern.is_a(group.phenotypes).any()]
    return f"no cells of {' and '.join(absent)}" if absent else ""


def pair_rows(
    pattern: Pattern, question: Question, surroundings: Surroundings | None = None
) -> list[Row]:
    """Every distance, count and G of one scope, source to target and target to source."""
    absent = absent_reason(pattern, question)
    if absent:
        return nan_rows(pattern, question, absent)
    source = pattern.is_a(question.source.phenotypes)
    nulls: Nulls = {}
    if question.relabels:
        eligible = eligible_cells(pattern, question)
        labels = Relabelling.of(source[eligible], pattern.stratum[eligible])
        nulls = (surroundings or surroundings_of(pattern, question)).nulls(
            labels,
            Permutations(question.n_permutations, question.seed, question.null == "permute"),
        )
    return [
        *_direction(pattern, question, nulls, FROM_MOVED),
        *_direction(pattern, question, nulls, TO_MOVED),
    ]


def nan_rows(pattern: Pattern, question: Question, reason: str) -> list[Row]:
    """The same rows without a number, and why."""
    return [
        row(**direction_labels(pattern, question, direction), **key, reason=reason)
        for direction in (FROM_MOVED, TO_MOVED)
        for key in _keys(question)
    ]


def eligible_cells(pattern: Pattern, question: Question) -> np.ndarray:
    """Which cells could carry the source label: ``(n,) bool``."""
    if question.eligible is None:
        return ~pattern.is_a(question.target.phenotypes)
    return pattern.is_a(question.eligible.phenotypes)


def _keys(question: Question) -> list[Row]:
    """Statistic, radius and correction of every row of a direction, in the table's order."""
    keys: list[Row] = [
        {"statistic": "nearest_mean_um", "correction": "none"},
        {"statistic": "nearest_median_um", "correction": "none"},
    ]
    for statistic, correction in (
        ("count_within", "none"),
        ("count_within", "border"),
        ("fraction_within", "none"),
        ("g", "none"),
        ("g", "km"),
    ):
        keys += [
            {"statistic": statistic, "correction": correction, "r_um": radius}
            for radius in question.radii_um
        ]
    return keys


def direction_labels(pattern: Pattern, question: Question, direction: str) -> Row:
    """What every row of a direction says about whom it compares."""
    groups = (question.source, question.target)
    source, target = groups if direction == FROM_MOVED else groups[::-1]
    n_source, n_target = (int(pattern.is_a(group.phenotypes).sum()) for group in (source, target))
    return {
        "slide_id": pattern.slide_id,
        "roi_id": pattern.roi_id,
        "source": source.name,
        "target": target.name,
        "n_source": n_source,
        "n_target": n_target,
        "source_per_mm2": pattern.per_mm2(n_source),
        "target_per_mm2": pattern.per_mm2(n_target),
        "seed": question.seed,
    }


def _direction(pattern: Pattern, question: Question, nulls: Nulls, direction: str) -> list[Row]:
    labels = direction_labels(pattern, question, direction)
    groups = (question.source, question.target)
    ordered = groups if direction == FROM_MOVED else groups[::-1]
    measured = Measured.of(pattern, ordered, question.radii_um, question.grid_um)
    rows = []
    for key in _keys(question):
        radius: float | None = key.get("r_um")
        value, reason = measured.value(key["statistic"], key["correction"], radius)
        if radius is None or key["correction"] == "none":
            under_null = relabelled(question, nulls, direction, key["statistic"], radius)
        else:
            expected = _csr(key["statistic"], radius, labels["target_per_mm2"] / 1e6)
            under_null = {"null": "csr", "expected": expected}
        of_null = under_null.pop("reason", "")
        rows.append(row(**labels, **key, **under_null, value=value, reason=reason or of_null))
    return rows


def relabelled(
    question: Question, nulls: Nulls, direction: str, statistic: str, radius: float | None
) -> Row:
    """What the null says of one statistic, as columns of the table."""
    if not question.relabels:
        return {"reason": NO_RAW_CSR}
    name = "g" if statistic == "fraction_within" else statistic  # the same share, in plain words
    missing = NO_MEDIAN if statistic == "nearest_median_um" else ""
    null = nulls.get((direction, name, radius), NullValue(reason=missing))
    return {
        "expected": null.expected,
        "sd": null.sd,
        "ci_low": null.low,
        "ci_high": null.high,
        "p": null.p,
        "n_permutations": null.n_permutations,
        "reason": null.reason,
        "null": question.null,
        "moved": question.source.name,
        "fixed": question.target.name,
        "eligible": question.eligible_name,
    }


def _csr(statistic: str, radius: float, per_um2: float) -> float:
    """Complete spatial randomness: targets a Poisson process of this intensity."""
    mean = per_um2 * np.pi * radius**2
    return mean if statistic == "count_within" else -np.expm1(-mean)
