"""Who is source, who is target: names of the tables, or marker logic over their positivity."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from macprox.celltable import AMBIGUOUS, OTHER, slug
from macprox.errors import StudyError, TableError
from macprox.io.tables import signs_of
from macprox.phenotype.calls import inside_regions
from macprox.phenotype.logic import And, Marker, Rule, did_you_mean
from macprox.phenotype.rules import parse_rule

_NAMED = re.compile(r"(?P<name>[^=]*[^=\s])\s*=\s*(?P<text>[^=]+)")


@dataclass(frozen=True)
class CellClass:
    """A class of cells: either some of the tables' names, or a rule.

    Parameters
    ----------
    name : str
    text : str
        As it was asked for.
    names : frozenset of str
    rule : Rule or None
    """

    name: str
    text: str
    names: frozenset[str] = frozenset()
    rule: Rule | None = None

    def matches(
        self, cells: pd.DataFrame, markers: Mapping[str, str], inside: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Which cells are of this class: ``(n,)`` bool."""
        if self.rule is None:
            return cells["phenotype"].isin(self.names).to_numpy(bool)
        return self.rule.evaluate(_positive(cells, self.rule, markers), inside)


def read_class(text: str, names: Sequence[str], markers: Mapping[str, str]) -> CellClass:
    """What a text means in tables that call cells by these names and know these markers.

    Markers go before names: where positivity is known, "CD14+" is every cell that is positive
    for CD14, and not those alone that are positive for nothing else.

    Raises
    ------
    TableError
        If the tables know neither, with the nearest name.
    """
    text = text.strip()
    match = None if text in names else _NAMED.fullmatch(text)
    name, asked = (match["name"].strip(), match["text"].strip()) if match else (text, text)
    problem = ""
    if markers:
        try:
            rule = _rule(asked)
            known = {slug(marker) for marker in markers}
            unknown = [m for m in rule.markers if slug(m) not in known]
            if not unknown:
                return CellClass(name, asked, rule=rule)
            problem = (
                f"{asked!r} needs marker {unknown[0]!r}, but the tables have "
                f"{', '.join(markers)}.{did_you_mean(unknown[0], markers)}"
            )
        except StudyError as error:
            problem = str(error) if re.search(r"[+\-]", asked) else ""
    pooled = frozenset(part.strip() for part in re.split(r"\s+or\s+", asked))
    if asked in names or pooled <= set(names):
        return CellClass(name, asked, names=frozenset([asked]) if asked in names else pooled)
    raise TableError(problem or _nobody(sorted(pooled - set(names))[0], names))


def _rule(text: str) -> Rule:
    """Marker logic, or a name such as ``"CK+CD8-"`` as the logic that it stands for."""
    signs = signs_of(text)
    if signs is None:
        return parse_rule(text)
    return Rule(And(tuple(Marker(name, positive) for name, positive in signs.items())))


def _positive(cells: pd.DataFrame, rule: Rule, markers: Mapping[str, str]) -> dict[str, np.ndarray]:
    columns = {slug(marker): column for marker, column in markers.items()}
    found = {}
    for marker in rule.markers:
        values = cells[columns[slug(marker)]]
        if values.isna().any():
            raise TableError(
                f"{str(rule)!r} needs marker {marker!r}, which the table of slide "
                f"{cells['slide_id'].iloc[0]!r} does not have."
            )
        found[marker] = values.to_numpy(bool)
    return found


def _nobody(phenotype: str, named: Sequence[str]) -> str:
    near = did_you_mean(phenotype, named)
    return f"No cell is called {phenotype!r}; the tables name {', '.join(named)}.{near}"


@dataclass(frozen=True, eq=False)
class Called:
    """A slide's cells under the names that were asked for.

    Parameters
    ----------
    phenotype : (n,) object
        A class's name, "Ambiguous" where several match, else what the table says.
    n_of : dict of str to int
        How many cells each class has.
    n_of_both : dict of (str, str) to int
        How many match both, for every two classes that share cells.
    """

    phenotype: np.ndarray
    n_of: dict[str, int]
    n_of_both: dict[tuple[str, str], int]


def call_given(
    cells: pd.DataFrame, classes: Sequence[CellClass], markers: Mapping[str, str]
) -> Called:
    """Name the cells of one slide.

    Raises
    ------
    TableError
        If a rule asks for a place that nobody told, or the tables give a class's name to other
        cells than its own.
    """
    inside = inside_regions(cells)
    matched: dict[str, np.ndarray] = {}
    untaken = np.ones(len(cells), dtype=bool)
    for otherwise in (False, True):
        here = {
            one.name: untaken & _matches(one, cells, markers, inside)
            for one in classes
            if (one.rule is not None and one.rule.otherwise) == otherwise
        }
        matched |= here
        untaken &= ~np.logical_or.reduce([np.zeros(len(cells), bool), *here.values()])
    n_matches = np.sum([matched[one.name] for one in classes], axis=0)
    phenotype = cells["phenotype"].to_numpy(object).copy()
    for one in classes:
        if np.any((phenotype == one.name) & ~matched[one.name]):
            raise TableError(
                f"The tables call other cells {one.name!r} than {one.text!r} does; give the class "
                "another name."
            )
        phenotype[matched[one.name]] = one.name
    phenotype[n_matches > 1] = AMBIGUOUS
    both = {
        (a.name, b.name): int(np.sum(matched[a.name] & matched[b.name]))
        for a, b in combinations(classes, 2)
    }
    return Called(
        phenotype=phenotype,
        n_of={one.name: int(np.sum(phenotype == one.name)) for one in classes},
        n_of_both={pair: n for pair, n in both.items() if n},
    )


def _matches(
    one: CellClass,
    cells: pd.DataFrame,
    markers: Mapping[str, str],
    inside: Mapping[str, np.ndarray],
) -> np.ndarray:
    absent = [] if one.rule is None else [r for r in one.rule.regions if r not in inside]
    if absent:
        raise TableError(
            f"{one.text!r} asks for in:{absent[0]}, but nobody says where that is; give the tumour "
            "region with --tumour."
        )
    return one.matches(cells, markers, inside)


def apart(first: CellClass, second: CellClass) -> str:
    """The first class written so that none of its cells is of the second."""
    logic = None if second.rule is None else second.rule.logic
    if isinstance(logic, And) and len(logic.operands) == 1:
        logic = logic.operands[0]
    if first.rule is None or logic is None:
        return first.text
    without = str(Marker(logic.name, not logic.positive)) if isinstance(logic, Marker) else ""
    text = f"{_bracketed(first.rule)} {without or f'not ({logic})'}"
    return text if first.name == first.text else f"{first.name} = {text}"


def _bracketed(rule: Rule) -> str:
    return f"({rule.logic})" if " or " in str(rule.logic) else str(rule.logic)


def overlap_sentence(n_cells: int, first: CellClass, second: CellClass) -> str:
    """How many cells fit two classes, and how to tell them apart."""
    remedy = ""
    if first.rule is not None and second.rule is not None:
        remedy = f' Write "{apart(first, second)}" so that none does.'
    return (
        f"{n_cells:,} cells fit both {first.name!r} and {second.name!r} and are "
        f"{AMBIGUOUS}.{remedy}"
    )


def is_named(phenotype: str) -> bool:
    """Whether a cell is called anything."""
    return phenotype not in (OTHER, AMBIGUOUS)
