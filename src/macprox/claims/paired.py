"""Differences between two values of the same patient."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Paired:
    """Which two values are compared within a patient, and what their difference is called.

    Parameters
    ----------
    statistic : str
        The name of the difference.
    first, second : dict of str to str
        What a row of either side holds in columns of the values table; first minus second.
    labels : dict of str to str
        What the difference holds there.
    """

    statistic: str
    first: dict[str, str]
    second: dict[str, str]
    labels: dict[str, str]

    def of(self, values: pd.DataFrame) -> pd.DataFrame:
        """Rows of the values table, one a patient who has both sides."""
        first, second = (_rows(values, side) for side in (self.first, self.second))
        both = first.index.intersection(second.index)
        first, second = first.loc[both], second.loc[both]
        made = first.assign(statistic=self.statistic, **self.labels)
        for column in ("value", "value_unweighted"):
            made[column] = first[column] - second[column]
        made["weight"] = first["weight"].combine(second["weight"], min)
        made["reason"] = first["reason"].where(first["reason"] != "", second["reason"])
        return made.reset_index()[list(values.columns)]


def _rows(values: pd.DataFrame, side: dict[str, str]) -> pd.DataFrame:
    for column, wanted in side.items():
        values = values[values[column] == wanted]
    return values.set_index("patient")
