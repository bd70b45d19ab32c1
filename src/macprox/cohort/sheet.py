"""The sample sheet against the slides that were run: who can be compared, and who cannot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from macprox.cohort.patients import column_of, counted, in_order, label_of
from macprox.errors import CohortError, shortened

_NAMES = ("slide_id", "patient")  # stay text, whatever they look like


@dataclass(frozen=True, eq=False)
class Sheet:
    """Slides with their patients, and every problem found on the way.

    Attributes
    ----------
    slides : DataFrame
        One row a slide that was run and has a patient: ``slide_id``, ``patient`` and the sheet's
        other columns, numbers where every cell that is not empty is one. A group or covariate on
        which the slides of a patient disagree is empty for that patient.
    problems : tuple of str
        One sentence each.
    """

    slides: pd.DataFrame
    problems: tuple[str, ...]
    of_patients: tuple[str, ...] = field(default=(), repr=False)

    def patients(self) -> pd.DataFrame:
        """One row a patient: the group, the covariates and ``n_slides``."""
        slides = self.slides.groupby("patient", sort=False)
        table = slides[list(self.of_patients)].first() if self.of_patients else pd.DataFrame()
        return table.assign(n_slides=slides.size()).rename_axis("patient").reset_index()


def patients_of(
    samples: pd.DataFrame,
    slide_ids: Iterable[str],
    *,
    patient: str = "patient",
    group: str | Sequence[str] | None = None,
    covariates: Sequence[str] = (),
) -> Sheet:
    """Check the sample sheet against the slides that were run.

    Parameters
    ----------
    samples : DataFrame
        One row a slide, with ``slide_id``; cells may all be text.
    slide_ids : iterable of str
        Slides that were run.
    patient : str
        The column of patients; it is called ``patient`` in the result.
    group : str or sequence of str, optional
        Columns of groups.
    covariates : sequence of str
        Columns that belong to a patient, like age or time to death.

    Returns
    -------
    Sheet
        Problems are slides of the sheet that were not run, slides run that the sheet lacks, slides
        without a patient, patients whose slides disagree on a group or covariate, groups of one
        patient.

    Raises
    ------
    CohortError
        If a column is missing, the sheet lists a slide twice, or no slide is left.
    """
    groups = () if group is None else (group,) if isinstance(group, str) else tuple(group)
    of_patients = tuple(dict.fromkeys([*groups, *covariates]))
    listed = _named(samples, patient)
    for name in of_patients:
        column_of(listed, name)
    run = tuple(dict.fromkeys(str(name) for name in slide_ids))
    slides, problems = _of_run(listed, run)
    slides = slides.assign(
        **{str(name): _parsed(slides[name]) for name in slides if name not in _NAMES}
    )
    for name in of_patients:
        slides, told = _agreed(slides, name, name in groups)
        problems += told
    for name in groups:
        problems += _lone(slides, name)
    return Sheet(slides, tuple(problems), of_patients)


def _named(samples: pd.DataFrame, patient: str) -> pd.DataFrame:
    if patient not in samples:
        raise CohortError(
            f"The sample sheet has no column {patient!r}; found "
            f"{shortened(', '.join(map(str, samples.columns)), 200)}. Between patients the patient "
            "is the unit: say whose each slide is."
        )
    column_of(samples, "slide_id")
    names = {
        "slide_id": [label_of(name) for name in samples["slide_id"]],
        "patient": [label_of(name) for name in samples[patient]],
    }
    rows = samples.assign(**names)
    twice = rows.loc[rows["slide_id"].duplicated(), "slide_id"]
    if len(twice):
        raise CohortError(
            f"The sample sheet lists slide {twice.iloc[0]!r} twice; a slide belongs to one patient."
        )
    return rows


def _of_run(listed: pd.DataFrame, run: tuple[str, ...]) -> tuple[pd.DataFrame, list[str]]:
    slides = listed[listed["slide_id"].isin(run)]
    nameless = slides.loc[slides["patient"] == "", "slide_id"]
    left = slides[slides["patient"] != ""].reset_index(drop=True)
    if left.empty:
        raise CohortError(
            f"None of the {counted(len(run), 'slide')} that were run has a patient in the sample "
            f"sheet, which lists {_few(listed['slide_id']) or 'none'}. The column slide_id must "
            "name slides as their folders of results are called."
        )
    told = (
        ("in the sample sheet and not run", [n for n in listed["slide_id"] if n not in set(run)]),
        ("run and not in the sample sheet, left out", _lacking(run, listed["slide_id"])),
        ("without a patient in the sample sheet, left out", list(nameless)),
    )
    return left, [
        f"{counted(len(names), 'slide')} {what}: {_few(names)}." for what, names in told if names
    ]


def _lacking(run: Iterable[str], listed: Iterable[str]) -> list[str]:
    known = set(listed)
    return [name for name in run if name not in known]


def _parsed(column: pd.Series) -> pd.Series:
    """Numbers where every cell that is not empty is one, else stripped text."""
    labels = [label_of(cell) for cell in column]
    numbers = pd.to_numeric(pd.Series(labels, index=column.index), errors="coerce")
    full = np.array([label != "" for label in labels])
    if full.any() and numbers[full].notna().all():
        return numbers.astype(float)
    return pd.Series(labels, index=column.index, dtype=object)


def _agreed(slides: pd.DataFrame, name: str, is_group: bool) -> tuple[pd.DataFrame, list[str]]:
    """The slides with a patient's value where they have one; it is every slide's of the patient."""
    column, problems = slides[name].copy(), []
    for patient, cells in slides.groupby("patient", sort=False)[name]:
        different = in_order(label_of(cell) for cell in cells)
        if len(different) > 1:
            column[cells.index] = "" if column.dtype == object else np.nan
            what = "comparisons of groups" if is_group else "models with it"
            problems.append(
                f"Slides of patient {str(patient)!r} have {name} {' and '.join(different)}; the "
                f"patient is left out of {what}."
            )
        elif different:
            column[cells.index] = _first(cells)
    return slides.assign(**{name: column}), problems


def _first(cells: pd.Series) -> Any:
    return next(cell for cell in cells if label_of(cell))


def _lone(slides: pd.DataFrame, name: str) -> list[str]:
    labels = slides.assign(label=[label_of(cell) for cell in slides[name]])
    sizes = labels[labels["label"] != ""].groupby("label")["patient"].nunique()
    return [
        f"Group {label!r} of {name} has one patient; 3 are the least for a test."
        for label in in_order(sizes.index[sizes == 1])
    ]


def _few(names: Iterable[str], most: int = 5) -> str:
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return shortened(", ".join(listed[:most]), 200) + more
