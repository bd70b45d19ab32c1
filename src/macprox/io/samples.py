"""samples.csv: which slide belongs to which patient and group, and perhaps where it lies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from macprox.errors import TableError, reason_of, shortened
from macprox.io.slide_names import safe_name, stem
from macprox.printable import name_problem
from macprox.slide import Url, location

OF_PATIENTS = ("slide_id", "patient")
OF_SLIDES = ("slide_id", "path")


def is_sheet(path: str | Path | Url) -> bool:
    """Whether a path that stands for slides is a sample sheet, by its name."""
    return str(path).lower().endswith(".csv")


def read_samples(path: str | Path | None) -> pd.DataFrame | None:
    """The sample sheet; None where none is given. See `read_sample_sheet`."""
    return None if path is None else read_sample_sheet(path)


def read_sample_sheet(path: str | Path, patient: str = "patient") -> pd.DataFrame:
    """The sample sheet, one row a slide, everything as text.

    Slides are called as their results are: ``Case 7.ome.tif`` and ``Case 7`` are ``Case_7``.

    Parameters
    ----------
    path : path
    patient : str
        The column of patients.

    Raises
    ------
    TableError
        If the file cannot be read, lacks ``slide_id`` or the column of patients, lists a slide
        twice, or has names that cannot be printed or are a path.
    """
    return _read(path, ("slide_id", patient))


def read_sheet(path: str | Path) -> pd.DataFrame:
    """A sample sheet that says where its slides lie; paths in it begin where the sheet lies.

    Raises
    ------
    TableError
        If the file cannot be read, lacks ``slide_id`` or ``path``, lists a slide twice, leaves a
        path out, or has names that cannot be printed or are a path.
    """
    sheet = _read(path, OF_SLIDES)
    unplaced = sheet.loc[sheet["path"].str.strip() == "", "slide_id"]
    if len(unplaced):
        raise TableError(
            f"{path} says no path for slide {unplaced.iloc[0]!r}; give one in each row."
        )
    folder = Path(path).expanduser().parent
    return sheet.assign(path=[_placed(folder, text.strip()) for text in sheet["path"]])


def _placed(folder: Path, text: str) -> str:
    place = location(text)
    return text if isinstance(place, Url) else str(folder / place.expanduser())


def _read(path: str | Path, required: Sequence[str]) -> pd.DataFrame:
    try:
        sheet = pd.read_csv(path, dtype=str, keep_default_na=False)
    except OSError as error:
        raise TableError(f"Cannot read the samples {path}: {error.strerror}.") from error
    except ValueError as error:  # not a table, empty, or not UTF-8
        raise TableError(f"{path} is not a CSV table in UTF-8: {reason_of(error)}.") from error
    missing = [column for column in required if column not in sheet]
    if missing:
        raise TableError(
            f"{path} lacks the column {', '.join(missing)}; found "
            f"{shortened(', '.join(sheet.columns))}. Expected {', '.join(required)}, and besides "
            "patient, group and any covariates."
        )
    _refuse_odd_names(sheet, path)
    sheet["slide_id"] = [safe_name(stem(Path(name))) for name in sheet["slide_id"]]
    repeated = sheet.loc[sheet["slide_id"].duplicated(), "slide_id"]
    if len(repeated):
        raise TableError(
            f"{path} lists slide {shortened(repr(repeated.iloc[0]))} twice; a slide belongs to one "
            "patient."
        )
    return sheet


def _refuse_odd_names(sheet: pd.DataFrame, path: str | Path) -> None:
    for name in (name for column in OF_PATIENTS if column in sheet for name in sheet[column]):
        if problem := name_problem(name):
            raise TableError(f"{path}: {problem}")
    paths = [name for name in sheet["slide_id"] if set(name) & set("/\\") or name in (".", "..")]
    if paths:
        raise TableError(
            f"{path} names slide {paths[0]!r}, which is a path; expected a slide's id, as "
            "its folder below results/slides is called."
        )


def sample_of(samples: pd.DataFrame | None, slide_id: str) -> dict[str, Any]:
    """What the sheet says of one slide, as facts for its manifest."""
    if samples is None:
        return {}
    row = samples[samples["slide_id"] == slide_id]
    if row.empty:
        return {"patient": None, "sample": {}}
    facts = row.iloc[0].to_dict()
    return {"patient": facts.get("patient") or None, "sample": facts}
