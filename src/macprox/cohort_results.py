"""`CohortResult`: what was found between patients, as tables and facts; see docs/results.md."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from macprox.cohort.columns import CURVES, MEASURES, TESTS, TEXTS, VALUES
from macprox.errors import ResultError, reason_of, shortened
from macprox.io.store import STUDY_FILE
from macprox.study import Study

if TYPE_CHECKING:
    import pandas as pd

COHORT_FOLDER = "cohort"
FACTS_FILE = "cohort.json"
REPORT_FILE = "report.html"
_REDO = "Run `macprox cohort` again: it makes the folder anew from the slides' tables."

# The columns that a table is sure to have, read or not; it may hold more.
TABLES: dict[str, tuple[str, ...]] = {
    "measures": MEASURES,
    "values": VALUES,
    "patients": ("patient", "n_slides", "n_cells"),
    "tests": TESTS,
    "curves": CURVES,
    "lesions": ("slide_id", "patient", "group", "lesion_id"),
    "sensitivity": ("kind", "what", "change", *TESTS),
    "power": ("spread", "n_per_arm", "effect", "effect_size", "sd", "power"),
    "kaplan_meier": ("group", "time", "survival", "ci_low", "ci_high", "n_at_risk"),
}
_FACTS: dict[str, Any] = {
    "macprox": "",
    "created": "",
    "seed": None,
    "level": 0.95,
    "group": None,
    "groups": [],
    "samples": "",
    "study": "",
    "primary": None,
    "primary_radius_um": None,
    "problems": [],
    "slides": [],
    "claims": [],
    "roles": {},
    "covariates": [],
    "time": "",
    "event": "",
    "versions": {},
    "gates": {},
}
_SLIDE: dict[str, Any] = {
    "slide_id": "",
    "patient": "",
    "group": "",
    "used": True,
    "reason": "",
    "light": "",
    "light_reasons": [],
    "signed_off": None,
    "cells": None,
    "tissue_mm2": None,
    "tumour_mm2": None,
    "excluded_mm2": None,
    "exclusions": [],
    "link": "",
}
_CLAIM: dict[str, Any] = dict.fromkeys(
    ("id", "title", "question", "estimand", "null", "limits", "reason"), ""
)


@dataclass(frozen=True)
class CohortResult:
    """What was found between patients; every table is read when asked for.

    A table that was not written is empty, with its columns: what was not asked is no damage.

    Parameters
    ----------
    path : Path
        ``results/cohort``.
    """

    path: Path

    @property
    def report(self) -> Path:
        return self.path / REPORT_FILE

    @property
    def figures(self) -> Path:
        """The folder of single figures and their data."""
        return self.path / "figures"

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Groups, claims, slides, seed and versions (``cohort.json``), each default filled in.

        Raises
        ------
        ResultError
            If it is missing, not JSON, or a part of it is of another kind than expected.
        """
        path = self.path / FACTS_FILE
        found = _read_json(path)
        facts = {**_FACTS, **{name: value for name, value in found.items() if value is not None}}
        for name, default in _FACTS.items():
            if isinstance(default, (list, dict)) and not isinstance(facts[name], type(default)):
                raise ResultError(
                    f"{path}: {name!r} is {shortened(repr(facts[name]))}; expected a "
                    f"{'list' if isinstance(default, list) else 'table'}. {_REDO}"
                )
        level = facts["level"]
        if isinstance(level, bool) or not (isinstance(level, (int, float)) and 0 < level < 1):
            raise ResultError(
                f"{path}: 'level' is {shortened(repr(level))}; expected a number between 0 and 1. "
                f"{_REDO}"
            )
        facts["groups"] = [str(name) for name in facts["groups"]]
        facts["slides"] = _filled(facts["slides"], _SLIDE, path, "slides")
        facts["claims"] = _filled(facts["claims"], _CLAIM, path, "claims")
        return facts

    @cached_property
    def study(self) -> Study | None:
        """The effective study of the slides' results; None if it is not beside the folder."""
        path = Path(os.path.abspath(self.path)).parent / STUDY_FILE
        return Study.from_toml(path) if path.exists() else None

    def measures(self) -> pd.DataFrame:
        """One row a slide or lesion and quantity: what the patients' values are made of."""
        return self._table("measures")

    def values(self) -> pd.DataFrame:
        """One row a patient and quantity."""
        return self._table("values")

    def patients(self) -> pd.DataFrame:
        """One row a patient: group, covariates, counts, primary values."""
        return self._table("patients")

    def tests(self, claim: str | None = None) -> pd.DataFrame:
        """One row a test; of one claim (``"C1"``) where it is named."""
        tests = self._table("tests")
        return tests if claim is None else tests[tests["claim"] == claim].reset_index(drop=True)

    def curves(self) -> pd.DataFrame:
        """Quantities over a distance: patients, groups and differences."""
        return self._table("curves")

    def lesions(self) -> pd.DataFrame:
        """One row a lesion."""
        return self._table("lesions")

    def sensitivity(self) -> pd.DataFrame:
        """The primary answer with one choice changed at a time."""
        return self._table("sensitivity")

    def power(self) -> pd.DataFrame:
        """How likely a study of a given size is to see a given difference."""
        return self._table("power")

    def kaplan_meier(self) -> pd.DataFrame:
        """Survival of the patients below and above the median of the primary value."""
        return self._table("kaplan_meier")

    def _table(self, name: str) -> pd.DataFrame:
        import pandas as pd

        path = self.path / f"{name}.parquet"
        try:
            table = pd.read_parquet(path) if path.exists() else pd.DataFrame()
            return _typed(table, TABLES[name])
        except (OSError, ValueError, KeyError, TypeError, NotImplementedError) as error:
            raise ResultError(f"{path} is damaged ({reason_of(error)}). {_REDO}") from error


def open_cohort(path: str | os.PathLike) -> CohortResult:
    """What was found between patients.

    Parameters
    ----------
    path : path-like
        ``results/cohort``, or ``results``.

    Raises
    ------
    ResultError
        If there is no ``cohort.json``.
    """
    given = Path(path)
    for folder in (given, given / "cohort"):
        if (folder / FACTS_FILE).is_file():
            return CohortResult(folder)
    raise ResultError(
        f"{given} holds no answer between patients: it has no {FACTS_FILE}. Expected the folder "
        "results/cohort that `macprox cohort results` writes."
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ResultError(f"{path} is missing. {_REDO}") from None
    except OSError as error:
        raise ResultError(f"Cannot read {path}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ResultError(f"{path} is not valid JSON ({reason_of(error)}). {_REDO}") from error
    if not isinstance(found, dict):
        raise ResultError(f"{path} holds no table of facts. {_REDO}")
    return found


def _filled(rows: list, default: dict[str, Any], path: Path, name: str) -> list[dict[str, Any]]:
    if not all(isinstance(row, dict) for row in rows):
        raise ResultError(f"{path}: {name!r} lists something else than tables. {_REDO}")
    return [{**default, **{k: v for k, v in row.items() if v is not None}} for row in rows]


def _typed(table: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame:
    """Text columns hold text, "" for nothing; number columns hold floats, NaN for nothing."""
    import pandas as pd

    columns: dict[str, Any] = {}
    for name in names:
        column = table.get(name, pd.Series(None, index=table.index, dtype=object))
        if name in TEXTS:
            columns[name] = column.astype(object).where(column.notna(), "").map(str)
        else:
            columns[name] = column.astype(float)
    return table.assign(**columns)
