"""From many measures to one value a patient: lesions to slide, slides to patient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from macprox.cohort.columns import KEY, VALUES, sentences, table_of
from macprox.cohort.patients import column_of, label_of, labels_in, named_rows, numbers_in
from macprox.errors import CohortError

WEIGHTLESS = "no source cells"


def aggregate(
    measures: pd.DataFrame, slides: pd.DataFrame, patient: str = "patient"
) -> pd.DataFrame:
    """Give every patient one value of everything that was measured.

    Parameters
    ----------
    measures : DataFrame
        Columns `MEASURES`: one row a slide (``lesion_id`` 0) or lesion and `KEY`. ``weight`` is as
        a rule the number of source cells behind the value.
    slides : DataFrame
        ``slide_id`` and the patient. A measure of another slide takes no part.
    patient : str
        The column of patients in ``slides``.

    Returns
    -------
    DataFrame
        Columns `VALUES`. The lesions of a slide are averaged by weight to the slide, unless the
        slide itself has a value of that `KEY`, which stands; slides are averaged by weight to the
        patient, so that the value is that of the patient's cells. ``value_unweighted`` is the plain
        mean of the slides. A value without weight (0, negative or NaN) never counts. Where nothing
        remains the value is NaN, and ``reason`` holds the reasons of the measures.

    Raises
    ------
    CohortError
        If a column is missing, a slide belongs to two patients, or something was measured twice.
    """
    rows = _of_patients(measures, slides, patient)
    key = ["patient", *KEY]
    rows["nth"] = rows.groupby(key, dropna=False, sort=False).ngroup()
    asked = rows.drop_duplicates("nth").set_index("nth")[key]
    values = asked.join(_averaged(rows[rows["counts"]]))
    silent = values.index[values["value"].isna()]
    values["reason"] = _reasons(rows[rows["nth"].isin(silent)]).reindex(values.index)
    rows_found: Any = values.replace({np.nan: None}).to_dict("records")
    return table_of(rows_found, VALUES)


def _of_patients(measures: pd.DataFrame, slides: pd.DataFrame, patient: str) -> pd.DataFrame:
    owners = named_rows(slides, patient)
    names = list(labels_in(owners, "slide_id"))
    owner: dict[str, str] = dict(zip(names, owners[patient], strict=True))
    if len(owner) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise CohortError(f"Slide {twice!r} stands in two rows; a slide belongs to one patient.")
    for name in ("slide_id", "lesion_id", *KEY, "reason"):
        column_of(measures, name)
    value, weight = numbers_in(measures, "value"), numbers_in(measures, "weight")
    slide_ids = labels_in(measures, "slide_id")
    rows = measures.assign(
        slide_id=slide_ids,
        patient=pd.Series(slide_ids).map(owner).to_numpy(),
        value=value,
        weight=weight,
        counts=np.isfinite(value) & (weight > 0),
    )
    rows = rows[rows["patient"].notna()]
    again = rows.duplicated(["slide_id", "lesion_id", *KEY])
    if again.any():
        one = rows[again].iloc[0]
        raise CohortError(
            f"Slide {one['slide_id']!r} has {one['statistic']!r} of {one['source']!r} and "
            f"{one['target']!r} twice; expected one row a slide or lesion and measure. Give each "
            "its own lesion_id, region or r_um."
        )
    return rows


def _averaged(counting: pd.DataFrame) -> pd.DataFrame:
    """Weighted and plain mean of the slides of each patient and measure, and how many."""
    of_slide = counting["lesion_id"] == 0
    slide = ["nth", "slide_id"]
    has_own = pd.MultiIndex.from_frame(counting[slide]).isin(
        pd.MultiIndex.from_frame(counting.loc[of_slide, slide])
    )
    counting = counting[of_slide | ~has_own]
    sums = counting.assign(
        product=counting["value"] * counting["weight"], n_lesions=counting["lesion_id"] > 0
    )
    slides = sums.groupby(slide, sort=False)[["product", "weight", "n_lesions"]].sum()
    slides["value_unweighted"] = slides["product"] / slides["weight"]
    of_patient = slides.groupby("nth")
    found = of_patient[["weight", "n_lesions"]].sum()
    found["value"] = of_patient["product"].sum() / found["weight"]
    found["value_unweighted"] = of_patient["value_unweighted"].mean()
    return found.assign(n_slides=of_patient.size())


def _reasons(rows: pd.DataFrame) -> pd.Series:
    """Why nothing remains, by measure."""
    return rows.groupby("nth")["reason"].agg(
        lambda told: sentences(*sorted(set(map(label_of, told)) - {""})) or WEIGHTLESS
    )
