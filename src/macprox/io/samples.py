"""samples.csv: which slide belongs to which patient and group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from macprox.errors import TableError, reason_of, shortened

REQUIRED = ("slide_id", "patient")


def read_samples(path: str | Path | None) -> pd.DataFrame | None:
    """The sample sheet, one row a slide, everything as text; None where none is given.

    Raises
    ------
    TableError
        If the file cannot be read, lacks ``slide_id`` or ``patient``, or lists a slide twice.
    """
    if path is None:
        return None
    try:
        samples = pd.read_csv(path, dtype=str, keep_default_na=False)
    except OSError as error:
        raise TableError(f"Cannot read the samples {path}: {error.strerror}.") from error
    except ValueError as error:  # not a table, empty, or not UTF-8
        raise TableError(f"{path} is not a CSV table in UTF-8: {reason_of(error)}.") from error
    missing = [column for column in REQUIRED if column not in samples]
    if missing:
        raise TableError(
            f"{path} lacks the column {', '.join(missing)}; found "
            f"{shortened(', '.join(samples.columns))}. Expected slide_id, patient, group and any "
            "covariates."
        )
    repeated = samples.loc[samples["slide_id"].duplicated(), "slide_id"]
    if len(repeated):
        raise TableError(
            f"{path} lists slide {shortened(repr(repeated.iloc[0]))} twice; a slide belongs to one "
            "patient."
        )
    return samples


def sample_of(samples: pd.DataFrame | None, slide_id: str) -> dict[str, Any]:
    """What the sheet says of one slide, as facts for its manifest."""
    if samples is None:
        return {}
    row = samples[samples["slide_id"] == slide_id]
    if row.empty:
        return {"patient": None, "sample": {}}
    facts = row.iloc[0].to_dict()
    return {"patient": facts["patient"], "sample": facts}
