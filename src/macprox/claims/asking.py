"""From the measures of slides to the tests between patients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from macprox import cohort
from macprox.claims import lesion_size
from macprox.claims.catalogue import CLAIMS
from macprox.claims.measures import TABLE
from macprox.claims.named import EXCESS
from macprox.claims.slide import Roles
from macprox.claims.terms import Terms
from macprox.cohort import KEY
from macprox.cohort.columns import (
    ADJUSTED,
    AGAINST_NOTHING,
    ASSOCIATION,
    BETWEEN,
    MIXED,
    SURVIVAL,
)
from macprox.cohort.patients import in_order, labels_in

ALL_PATIENTS = "all patients"
# Beside the columns of a sheet that anybody may have named: none of these is one.
VALUE, NOTHING, X = "(value)", "(nothing)", "(x)"
PRIMARY, UNWEIGHTED = "primary_value", "primary_value_unweighted"
_CLAIMS = {claim.id: claim for claim in CLAIMS}


@dataclass(frozen=True, eq=False)
class Answers:
    """What was found between patients.

    Parameters
    ----------
    values : DataFrame
        One row a patient and measure.
    patients : DataFrame
        One row a patient: what the sample sheet says, and the primary value.
    tests : DataFrame
        One row a test; ``question`` says what kind it is.
    curves : DataFrame
    """

    values: pd.DataFrame = field(repr=False)
    patients: pd.DataFrame = field(repr=False)
    tests: pd.DataFrame = field(repr=False)
    curves: pd.DataFrame = field(repr=False)

    def primary(self) -> pd.Series | None:
        """The answer: the row of the primary test; None where nothing could be tested."""
        rows = self.tests[self.tests["primary"]]
        return None if rows.empty else rows.iloc[0]


def ask(
    measures: pd.DataFrame, values: pd.DataFrame, slides: pd.DataFrame, terms: Terms
) -> Answers:
    """Compare patients as every claim says.

    Parameters
    ----------
    measures : DataFrame
        Of slides and lesions: see `macprox.claims.measures`.
    values : DataFrame
        Of patients: `patient_values`.
    slides : DataFrame
        One row a slide that counts: ``slide_id``, ``patient`` and the columns that ``terms``
        names (`macprox.cohort.patients_of`).
    terms : Terms

    Returns
    -------
    Answers
    """
    people = people_of(slides, values, terms)
    tests = [*_of_values(values, people, terms), *_of_lesions(measures, values, slides, terms)]
    tests += _of_primary(measures, values, slides, people, terms)
    table = _finished(tests, terms)
    return Answers(values, people, table, _curves(values, people, terms))


def patient_values(measures: pd.DataFrame, slides: pd.DataFrame, roles: Roles) -> pd.DataFrame:
    """One row a patient and measure, with what claims derive from them.

    Parameters
    ----------
    measures : DataFrame
        See `macprox.claims.measures`.
    slides : DataFrame
        ``slide_id`` and ``patient`` of those that count.
    roles : Roles
    """
    values = cohort.aggregate(measures, slides)
    derived = [claim.derive(values[values["claim"] == claim.id], roles) for claim in CLAIMS]
    return pd.concat([values, *(found for found in derived if len(found))], ignore_index=True)


def people_of(slides: pd.DataFrame, values: pd.DataFrame, terms: Terms) -> pd.DataFrame:
    """One row a patient: the facts of the sheet, how many slides, the primary value."""
    facts = slides.drop(columns="slide_id").drop_duplicates("patient").set_index("patient")
    of_patient = slides.groupby("patient")
    facts["n_slides"] = of_patient.size()
    if "n_cells" in slides:
        facts["n_cells"] = of_patient["n_cells"].sum()
    primary = values[terms.is_primary(values)].set_index("patient")
    named = {PRIMARY: primary["value"], UNWEIGHTED: primary["value_unweighted"]}
    return facts.assign(**named).reset_index()


def _of_values(values: pd.DataFrame, people: pd.DataFrame, terms: Terms) -> Iterator[pd.DataFrame]:
    for key, of_key in values.groupby(list(KEY), dropna=False, sort=False):
        labels: dict[str, Any] = dict(zip(KEY, key, strict=True))
        tested, centred = _asked_of(labels)
        if not tested:
            continue
        frame = with_values(people, of_key)
        if terms.group is not None:
            found = cohort.compare(
                frame, VALUE, terms.group, groups=terms.groups or None, seed=terms.seed
            )
            yield found.assign(**labels, question=BETWEEN)
        if centred:
            for name, of_group in _groups(frame, terms):
                yield against_nothing(of_group, name, terms).assign(**labels)


def with_values(people: pd.DataFrame, values: pd.DataFrame) -> pd.DataFrame:
    """Everybody with a value in the column `VALUE`, NaN where a patient has none."""
    of_patient = values.set_index("patient")["value"]
    return people.assign(**{VALUE: people["patient"].map(of_patient)})


def against_nothing(people: pd.DataFrame, name: str, terms: Terms) -> pd.DataFrame:
    """The test of a group's `VALUE` against 0, which it is paired with in name alone."""
    found = cohort.compare_paired(people.assign(**{NOTHING: 0.0}), NOTHING, VALUE, seed=terms.seed)
    moved = {f"{part}_first": found[f"{part}_second"] for part in ("n", "mean", "sd")}
    gone = {f"{part}_second": np.nan for part in ("n", "mean", "sd")}
    said = {"group": terms.group or "", "contrast": f"{name} - 0", "question": AGAINST_NOTHING}
    said["test"] = found["test"].iloc[0].removeprefix("paired ")
    return found.assign(**moved, **gone, **said)


def _asked_of(labels: dict[str, Any]) -> tuple[bool, bool]:
    """Whether a measure is compared between groups, and against 0."""
    if labels["claim"] == TABLE:
        return True, labels["statistic"].endswith(f"_{EXCESS}")
    claim = _CLAIMS[labels["claim"]]
    return labels["statistic"] in claim.tested, labels["statistic"] in claim.centred


def _groups(frame: pd.DataFrame, terms: Terms) -> Iterator[tuple[str, pd.DataFrame]]:
    """All patients, and those of each group."""
    yield ALL_PATIENTS, frame
    for name in groups_of(frame, terms):
        yield name, frame[labels_in(frame, str(terms.group)) == name]


def groups_of(people: pd.DataFrame, terms: Terms) -> tuple[str, ...]:
    """The groups that are compared, in order; none without a column of groups."""
    if terms.group is None:
        return ()
    return terms.groups or in_order(labels_in(people, terms.group))


def _of_lesions(
    measures: pd.DataFrame, values: pd.DataFrame, slides: pd.DataFrame, terms: Terms
) -> list[pd.DataFrame]:
    """C7: over patients, and within them."""
    x, y = lesion_size.SIZE, lesion_size.DENSITY
    of_claim = values[values["claim"] == "C7"]
    wide = of_claim.pivot_table("value", "patient", "statistic").reset_index()
    if not {x, y} <= set(wide.columns):
        return []
    regulatory = {"source": terms.roles.regulatory, "target": "lesion and outer margin"}
    labels: dict[str, Any] = {
        **dict.fromkeys(KEY, ""),
        "claim": "C7",
        "statistic": y,
        "r_um": np.nan,
        **regulatory,
    }
    lesions = lesion_table(measures, slides)
    found = [cohort.associate(wide, x, y, seed=terms.seed)]
    found.append(cohort.associate_within(lesions, x, y, "patient"))
    return [table.assign(**labels, question=ASSOCIATION) for table in found]


def lesion_table(measures: pd.DataFrame, slides: pd.DataFrame) -> pd.DataFrame:
    """One row a lesion: slide, patient, and what was measured of it."""
    of_lesions = measures[(measures["lesion_id"] > 0) & (measures["claim"] == "C7")]
    wide = of_lesions.pivot_table("value", ["slide_id", "lesion_id"], "statistic").reset_index()
    if lesion_size.SIZE in wide:
        wide["area_um2"] = 10.0 ** wide[lesion_size.SIZE]
    return wide.merge(slides[["slide_id", "patient"]], on="slide_id", how="inner")


def _of_primary(
    measures: pd.DataFrame,
    values: pd.DataFrame,
    slides: pd.DataFrame,
    people: pd.DataFrame,
    terms: Terms,
) -> list[pd.DataFrame]:
    """What is asked of the one primary value alone: models with covariates, survival."""
    found: list[pd.DataFrame] = []
    of_primary = measures[terms.is_primary(measures)].set_index("slide_id")["value"]
    of_slides = slides[slides["slide_id"].isin(of_primary.index)]
    of_slides = of_slides.assign(**{VALUE: of_slides["slide_id"].map(of_primary)})
    several = bool(of_slides["patient"].duplicated().any())
    for pair in _pairs(people, terms):
        if terms.covariates:
            adjusted = cohort.adjusted(
                people, PRIMARY, str(terms.group), terms.covariates, groups=pair, seed=terms.seed
            )
            found.append(adjusted.assign(question=ADJUSTED))
        if several or terms.covariates:
            model = cohort.mixed_model(
                of_slides, VALUE, str(terms.group), covariates=terms.covariates, groups=pair
            )
            found.append(model.assign(question=MIXED))
    labelled = [table.assign(**terms.primary) for table in found]
    return labelled + _survival(values, people, terms)


def _pairs(people: pd.DataFrame, terms: Terms) -> list[tuple[str, str]]:
    """Every two groups; models compare no more than two."""
    return list(combinations(groups_of(people, terms), 2))


def _survival(values: pd.DataFrame, people: pd.DataFrame, terms: Terms) -> list[pd.DataFrame]:
    """The primary value, and the same of every other class and direction."""
    if terms.time is None or terms.event is None:
        return []
    alike = (values["claim"] == terms.primary["claim"]) & (
        values["statistic"] == terms.primary["statistic"]
    )
    radius = terms.primary.get("r_um", np.nan)
    if radius == radius:
        alike &= values["r_um"] == radius
    found = []
    for key, of_key in values[alike].groupby(list(KEY), dropna=False, sort=False):
        table = cohort.survival(
            with_values(people, of_key), VALUE, time=terms.time, event=terms.event,
            covariates=terms.covariates, seed=terms.seed,
        )  # fmt: skip
        labels: dict[str, Any] = dict(zip(KEY, key, strict=True))
        found.append(table.assign(**labels, question=SURVIVAL))
    return found


def _finished(tests: list[pd.DataFrame], terms: Terms) -> pd.DataFrame:
    """One table, with adjusted p values, and the answer marked."""
    columns = list(cohort.TESTS)
    if not tests:
        return pd.DataFrame(columns=columns).astype({"primary": bool})
    table = pd.concat(tests, ignore_index=True)
    wanted = AGAINST_NOTHING if terms.group is None else BETWEEN
    primary = terms.is_primary(table) & (table["question"] == wanted)
    table["primary"] = primary & ~primary.cumsum().gt(1)  # of several groups: the first row
    # Pairs among several groups have Holm's p already, within their own comparison.
    # The answer was declared alone, before looking: it is one of no family.
    whole = table["p_adjusted"].isna() & ~table["primary"]
    family = cohort.adjust(table[whole], ["claim", "question"])["p_adjusted"]
    table.loc[whole, "p_adjusted"] = family
    order = ["claim", "question", "statistic"]
    ranks = [table[name].map(_first_place(table[name])) for name in order]
    return table[columns].iloc[np.lexsort(ranks[::-1])].reset_index(drop=True)


def _first_place(names: pd.Series) -> dict[str, int]:
    """Where each name stands first: tests of one kind lie together, in the order of the claims."""
    return {name: place for place, name in enumerate(dict.fromkeys(names))}


def _curves(values: pd.DataFrame, people: pd.DataFrame, terms: Terms) -> pd.DataFrame:
    """Every curve of every claim, whole; without groups all patients are one."""
    group = terms.group or ALL_PATIENTS
    if terms.group is None:
        people = people.assign(**{ALL_PATIENTS: ALL_PATIENTS})
    found = []
    for claim in CLAIMS:
        of_claim = values[(values["claim"] == claim.id) & values["statistic"].isin(claim.curves)]
        for key, curve in of_claim.groupby(["statistic", "source", "target"], sort=False):
            frame = curve[["patient", "r_um", "value"]].set_axis(["patient", X, VALUE], axis=1)
            frame = frame.merge(people[["patient", group]], on="patient", how="left")
            table = cohort.compare_curves(
                frame, group, groups=terms.groups or None, x=X, value=VALUE, seed=terms.seed
            )
            labels: dict[str, Any] = dict(zip(("statistic", "source", "target"), key, strict=True))
            found.append(table.assign(**labels, claim=claim.id))
    columns = list(cohort.CURVES)
    if not found:
        return pd.DataFrame(columns=columns)
    table = pd.concat(found, ignore_index=True)[columns]
    # What stands on the curve's axis is the claim's own quantity.
    return table.assign(statistic=table["statistic"].str.removesuffix("_curve"))
