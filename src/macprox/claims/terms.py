"""How patients are compared: every choice in one place, made before looking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from macprox.claims.measures import TABLE
from macprox.claims.named import Named
from macprox.claims.nearby import EXCESS
from macprox.claims.slide import Roles
from macprox.cohort import KEY
from macprox.errors import CohortError

LEVEL = 0.95


@dataclass(frozen=True)
class Terms:
    """What is compared between whom.

    Parameters
    ----------
    roles : Roles
    primary : dict
        The `KEY` of the one value whose test is the answer.
    group : str or None
        Column of the groups; None: patients are tested against nothing only.
    groups : tuple of str
        In the order of the comparison; empty: natural order.
    covariates : tuple of str
    time, event : str or None
    seed : int
    """

    roles: Roles
    primary: dict[str, Any]
    group: str | None = None
    groups: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()
    time: str | None = None
    event: str | None = None
    seed: int = 0

    def is_primary(self, table: pd.DataFrame) -> pd.Series:
        """Rows that hold, or test, the primary value."""
        same = pd.Series(True, index=table.index)
        for column in KEY:
            wanted = self.primary.get(column, "")
            if column == "r_um":
                missing = wanted in ("", None) or wanted != wanted
                same &= table[column].isna() if missing else table[column] == wanted
            else:
                same &= table[column] == wanted
        return same


def default_primary(roles: Roles, radius_um: float) -> dict[str, Any]:
    """Tumour cells with a macrophage of the study's first class within the primary radius."""
    first = roles.classes[0].name if roles.classes else ""
    return {
        "claim": "C1",
        "statistic": EXCESS,
        "source": roles.tumour,
        "target": first,
        "region": "",
        "compartment": "",
        "r_um": radius_um,
    }


def named_primary(named: Named, values: pd.DataFrame, usual: dict[str, Any]) -> dict[str, Any]:
    """The one value of a statistic that the answer is about, of all that patients have.

    A statistic of the slides' own tables, else one of a claim by its name. The first macrophage
    class that looks for the tumour, as ``macprox stats`` names source and target, else the other
    way round, else what that class alone has (a density), else the first there is.

    Raises
    ------
    CohortError
        If no patient has it.
    """
    rows = values[values["statistic"] == named.name]
    if (rows["claim"] == TABLE).any():
        rows = rows[rows["claim"] == TABLE]
    for column, wanted in (("source", named.source), ("target", named.target)):
        rows = rows if wanted is None else rows[rows[column] == wanted]
    if rows.empty:
        raise CohortError(
            f"No patient has {named.name!r} as asked (source {named.source or 'any'}, target "
            f"{named.target or 'any'}); there are {', '.join(sorted(set(values['statistic'])))}."
        )
    tumour, first = usual["source"], usual["target"]
    for source, target in ((first, tumour), (tumour, first), (first, None)):
        of_pair = rows[rows["source"] == source]
        if target is not None:
            of_pair = of_pair[of_pair["target"] == target]
        if len(of_pair):
            rows = of_pair
            break
    return {column: rows[column].iloc[0] for column in KEY}
