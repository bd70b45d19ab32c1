"""`Claim`: a question about patients, how it is measured on a slide, and how it is tested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd

from macprox.claims.measures import Row
from macprox.claims.slide import ClaimSlide, Roles


def _nothing(values: pd.DataFrame, roles: Roles) -> pd.DataFrame:
    return values.iloc[:0]


def _askable(roles: Roles) -> str:
    return ""


@dataclass(frozen=True)
class Claim:
    """One of the conclusion forms that a cohort can support or refute.

    Parameters
    ----------
    id : str
        ``C1`` to ``C7``.
    title, question : str
        For people.
    estimand : str
        What the number is, in one sentence.
    null : str
        What it is compared with on a slide.
    limits : str
        What it does not show.
    of_slide : callable
        The rows of the measures table of one slide.
    lacking : callable
        Why the study cannot ask this; empty if it can.
    tested : tuple of str
        The statistics that are compared between groups.
    centred : tuple of str
        Those of which 0 means that nothing is there; they are also tested against 0.
    curves : tuple of str
        Statistics that are curves over ``r_um``, compared whole.
    derive : callable
        More values of a patient from those that there are: paired differences.
    """

    id: str
    title: str
    question: str
    estimand: str
    null: str
    limits: str
    of_slide: Callable[[ClaimSlide], list[Row]] = field(repr=False)
    lacking: Callable[[Roles], str] = field(default=_askable, repr=False)
    tested: tuple[str, ...] = ()
    centred: tuple[str, ...] = ()
    curves: tuple[str, ...] = ()
    derive: Callable[[pd.DataFrame, Roles], pd.DataFrame] = field(default=_nothing, repr=False)
