"""Rules applied to cells: one phenotype each, and why."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from macprox.celltable import AMBIGUOUS, OTHER
from macprox.phenotype.logic import COMPARTMENTS, TUMOUR_ZONES, ZONES, Marker, Rule

if TYPE_CHECKING:
    import pandas as pd


def inside_regions(cells: pd.DataFrame) -> dict[str, np.ndarray]:
    """Every region word with the cells that lie there, from ``region`` and ``compartment``.

    Returns
    -------
    dict of str to (n,) bool
        Words whose column is absent are left out, so that a rule which needs them is refused
        instead of being silently false.
    """
    inside: dict[str, np.ndarray] = {}
    if "region" in cells:
        region = cells["region"].astype(str).to_numpy()
        inside |= {zone: region == zone for zone in ZONES}
        inside["tumour"] = np.isin(region, TUMOUR_ZONES)
    if "compartment" in cells:
        compartment = cells["compartment"].astype(str).to_numpy()
        inside |= {word: compartment == word for word in COMPARTMENTS}
    return inside


def call_phenotypes(
    positive: Mapping[str, np.ndarray],
    inside: Mapping[str, np.ndarray],
    rules: Mapping[str, Rule],
    n_cells: int,
) -> np.ndarray:
    """One phenotype a cell.

    Exactly one rule matches: its name. Several: "Ambiguous". None: the ``otherwise`` rule that
    matches (several: "Ambiguous"), else "Other".

    Parameters
    ----------
    positive : mapping of marker to (n_cells,) bool
    inside : mapping of region word to (n_cells,) bool
    rules : mapping of phenotype to Rule
    n_cells : int

    Returns
    -------
    (n_cells,) object
        Phenotype names.
    """
    phenotype = np.full(n_cells, OTHER, dtype=object)
    untaken = np.ones(n_cells, dtype=bool)
    for otherwise in (False, True):
        n_matches = np.zeros(n_cells, dtype=np.intp)
        for name, rule in rules.items():
            if rule.otherwise == otherwise:
                matches = untaken & rule.evaluate(positive, inside)
                phenotype[matches] = name
                n_matches += matches
        phenotype[n_matches > 1] = AMBIGUOUS
        untaken &= n_matches == 0
    return phenotype


def explain_cell(
    positive: Mapping[str, bool], inside: Mapping[str, bool], rules: Mapping[str, Rule]
) -> str:
    """Why one cell has its phenotype, in one sentence.

    Examples
    --------
    >>> from macprox.phenotype.rules import parse_rule
    >>> rules = {"TRM": parse_rule("CD68+ MARCO+"), "Mo-mac": parse_rule("CD68+ CD14+")}
    >>> explain_cell({"CD68": True, "MARCO": True, "CD14": False}, {}, rules)
    'TRM: CD68+ MARCO+ CD14-; only this rule matches.'
    """
    marks = {name: np.array([bool(value)]) for name, value in positive.items()}
    places = {name: np.array([bool(value)]) for name, value in inside.items()}
    matched = [n for n, rule in rules.items() if rule.evaluate(marks, places)[0]]
    firm = [name for name in matched if not rules[name].otherwise]
    phenotype = call_phenotypes(marks, places, rules, 1)[0]
    read = dict.fromkeys(marker for rule in rules.values() for marker in rule.markers)
    words = [str(Marker(name, bool(positive[name]))) for name in read]
    words += [f"in:{name}" for name, value in inside.items() if value]
    deciding = firm or matched
    if phenotype == AMBIGUOUS:
        why = f"{', '.join(deciding[:-1])} and {deciding[-1]} all match"
        why = why if len(deciding) > 2 else why.replace(" all match", " both match")
    elif not deciding:
        why = "no rule matches"
    else:
        why = "only this rule matches" if firm else "no other rule takes it"
    return f"{phenotype}: {' '.join(words)}; {why}."


def double_positive_counts(positive: Mapping[str, np.ndarray]) -> dict[tuple[str, str], int]:
    """How many cells are positive for both of every two markers.

    Spill-over, efferocytosis or truth (science brief, section 3): always counted, never hidden.
    """
    return {
        (first, second): int(np.sum(np.asarray(positive[first]) & np.asarray(positive[second])))
        for first, second in combinations(positive, 2)
    }
