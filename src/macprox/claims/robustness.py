"""The answer once more under other choices: radius, gates, weights, slides, patients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from macprox import cohort
from macprox.claims.asking import (
    ALL_PATIENTS,
    PRIMARY,
    UNWEIGHTED,
    VALUE,
    Answers,
    against_nothing,
    groups_of,
    patient_values,
    people_of,
    with_values,
)
from macprox.claims.measures import measure, to_measures
from macprox.claims.nearby import EXCESS
from macprox.claims.terms import Terms
from macprox.cohort import KEY
from macprox.cohort.patients import labels_in

AS_RUN, RADIUS, WEIGHTS, SLIDES = "as run", "radius", "weights", "with red slides"
LEFT_OUT = "without one patient"
COLUMNS = ("kind", "what", "change", *cohort.TESTS)


@dataclass(frozen=True, eq=False)
class Material:
    """What the answer can be found again from.

    Parameters
    ----------
    measures : DataFrame
        Of every slide that could be measured.
    every_slide : DataFrame
        ``slide_id, patient`` and the columns of the groups, of slides with a red light, too.
    varied : DataFrame
        The slides' headlines under changed gates and expansion (`macprox sensitivity`); empty
        where they were not asked for.
    """

    measures: pd.DataFrame = field(repr=False)
    every_slide: pd.DataFrame = field(repr=False)
    varied: pd.DataFrame = field(repr=False)


def sensitivity(
    answers: Answers, material: Material, slides: pd.DataFrame, terms: Terms
) -> pd.DataFrame:
    """The primary effect under every other choice; descriptive, no p is to be picked from it.

    Returns
    -------
    DataFrame
        ``kind``, ``what``, ``change`` and the columns of a test.
    """
    found = [
        _again(patients, terms).assign(kind=kind, what=what, change=change)
        for kind, what, change, patients in _variants(answers, material, slides, terms)
    ]
    table = pd.concat(found, ignore_index=True).assign(**terms.primary)
    return table[list(COLUMNS)]


def _again(patients: pd.DataFrame, terms: Terms) -> pd.DataFrame:
    if terms.group is None:
        return against_nothing(patients, ALL_PATIENTS, terms)
    found = cohort.compare(
        patients, VALUE, terms.group, groups=terms.groups or None, seed=terms.seed
    )
    return found.iloc[:1]


Variant = tuple[str, str, float, pd.DataFrame]


def _variants(
    answers: Answers, material: Material, slides: pd.DataFrame, terms: Terms
) -> Iterator[Variant]:
    """Kind, what, change, and the patients' values."""
    people = answers.patients
    as_run = people.assign(**{VALUE: people[PRIMARY]})
    yield AS_RUN, "", np.nan, as_run
    yield from _radii(answers, terms)
    yield WEIGHTS, "every slide alike", np.nan, people.assign(**{VALUE: people[UNWEIGHTED]})
    if len(material.every_slide) > len(slides):
        again = patient_values(material.measures, material.every_slide, terms.roles)
        everybody = people_of(material.every_slide, again, terms)
        yield SLIDES, "", np.nan, with_values(everybody, again[terms.is_primary(again)])
    yield from _without_one(as_run, terms)
    yield from _of_gates(material.varied, people, slides, terms)


def _radii(answers: Answers, terms: Terms) -> Iterator[Variant]:
    """The same pair and statistic at the other radii of the study."""
    values = answers.values
    alike = pd.Series(True, index=values.index)
    for column in KEY[:-1]:
        alike &= values[column] == terms.primary[column]
    for r_um in sorted(set(values.loc[alike, "r_um"].dropna())):
        of_radius = values[alike & (values["r_um"] == r_um)]
        yield RADIUS, "", float(r_um), with_values(answers.patients, of_radius)


def _without_one(as_run: pd.DataFrame, terms: Terms) -> Iterator[Variant]:
    """The two patients whose absence moves the effect most, down and up."""
    if len(as_run) < 4:
        return
    effects = {}
    for patient in as_run["patient"]:
        rest = as_run[as_run["patient"] != patient]
        effects[patient] = _effect(rest, terms)
    known = {name: effect for name, effect in effects.items() if np.isfinite(effect)}
    if not known:
        return
    for patient in dict.fromkeys((min(known, key=known.get), max(known, key=known.get))):  # type: ignore[arg-type]
        yield LEFT_OUT, str(patient), np.nan, as_run[as_run["patient"] != patient]


def _effect(patients: pd.DataFrame, terms: Terms) -> float:
    """Difference in means of the first two groups; without groups the mean."""
    if terms.group is None:
        return float(patients[VALUE].mean())
    labels, names = labels_in(patients, terms.group), groups_of(patients, terms)
    means = [patients.loc[labels == name, VALUE].mean() for name in names[:2]]
    return float(means[1] - means[0]) if len(means) == 2 else np.nan


def _of_gates(
    varied: pd.DataFrame, people: pd.DataFrame, slides: pd.DataFrame, terms: Terms
) -> Iterator[Variant]:
    """Every slide with a gate moved, or with its cells grown more or less."""
    if varied.empty or terms.primary["statistic"] != EXCESS or terms.primary["claim"] != "C1":
        return
    pair = (varied["source"] == terms.primary["source"]) & (
        varied["target"] == terms.primary["target"]
    )
    moved = varied[pair & varied["kind"].isin(("gate", "expansion"))]
    for (kind, what, change), rows in moved.groupby(["kind", "what", "change"], sort=False):
        measures = to_measures(
            measure(
                "C1", EXCESS, row["value"] - row["expected"], source=row["source"],
                target=row["target"], r_um=row["r_um"], slide_id=row["slide_id"],
                weight=float(row["n_source"]),
            )
            for row in rows.to_dict("records")
        )  # fmt: skip
        yield (
            str(kind),
            str(what),
            float(change),
            with_values(people, cohort.aggregate(measures, slides)),
        )
