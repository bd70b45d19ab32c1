"""QuPath's classes of classes: ``"Tumor: CD68: PD-L1"`` is a tumour cell with both markers."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from macprox.celltable import slug
from macprox.io.tables.positivity import Positivity, signs_of

_SIGNS = {"positive": True, "negative": False}
_GRADE = re.compile(r"[0-3]\+")  # how strongly; who is positive stands elsewhere
# What a class says of the cell's kind, of which no marker can be negative.
_KINDS = re.compile(
    r"tumou?r|stroma|immune cells?|epitheli\w*|normal|other|necrosis|region|cells?|unclassified",
    re.IGNORECASE,
)


def of_derived(names: pd.Series) -> Positivity:
    """By every part of derived classes, which cells are of it; nothing without derived classes.

    "CD68: Positive" and "CD68: Negative" speak of CD68; "Tumor: Negative" is a tumour cell that
    is negative for something that QuPath does not name. A star ("Immune cells*") is ignored.
    """
    codes, distinct = pd.factorize(names)
    said = [_said(str(name)) for name in distinct]
    parts = {
        slug(part): part
        for name, found in zip(distinct, said, strict=True)
        if ":" in str(name)
        for part in reversed(found)
    }
    marks = dict.fromkeys(
        parts[slug(part)] for found in said for part in found if slug(part) in parts
    )
    by_slug = [{slug(part): value for part, value in found.items()} for found in said]
    return {
        part: np.array([found.get(slug(part), False) for found in by_slug], dtype=bool)[codes]
        for part in marks
    }


def _said(name: str) -> dict[str, bool]:
    """The parts of one class, and whether the cell is positive for each."""
    found: dict[str, bool] = {}
    for part in (part.strip().rstrip("*").strip() for part in name.split(":")):
        sign = _SIGNS.get(part.lower())
        last = next(reversed(found), None)
        if sign is not None and last is not None and not _KINDS.fullmatch(last):
            found[last] = sign
        elif sign is not None:
            found["Positive"] = sign
        elif (signs := signs_of(part)) is not None:
            found |= signs
        elif part and not _GRADE.fullmatch(part):
            found[part] = True
    return found
