"""Which column holds a marker's mean intensity, in the spelling of each tool."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from macprox.celltable import slug
from macprox.errors import TableError
from macprox.io.tables.mapping import listed
from macprox.io.tables.text import Header, plain

Compartment = Literal["nucleus", "cell"]
_PATTERNS: tuple[tuple[str, Compartment], ...] = (
    (r"mean_(?P<marker>.+)_cell", "cell"),  # ours
    (r"Cell: (?P<marker>.+?):? [Mm]ean", "cell"),  # QuPath 0.1 to 0.3
    (r"(?P<marker>.+): Cell: Mean", "cell"),  # and since
    (r"(?P<marker>.+?)(?: \(.*\))? Cell Intensity", "cell"),  # HALO
    (r"Entire Cell (?P<marker>.+?)(?: \([^()]*\))? Mean(?: \(.*\))?", "cell"),  # inForm
    (r"Cell_(?P<marker>.+?)[A-Z][a-z]?\d{2,3}Di(?:_.*)?", "cell"),  # histoCAT
    (r"(?:Cells?_)?Intensity_Mean(?:Intensity)?_(?P<marker>.+)", "cell"),  # CellProfiler
    (r"(?P<marker>.+)_cellMask", "cell"),  # mcquant of several masks
    (r"(?P<marker>.+?)(?: - .*)?:Cyc_\d+_ch_\d+", "cell"),  # CODEX
    (r"Nucleus: (?P<marker>.+?):? [Mm]ean", "nucleus"),
    (r"(?P<marker>.+): Nucleus: Mean", "nucleus"),
    (r"(?P<marker>.+?)(?: \(.*\))? Nucleus Intensity", "nucleus"),
    (r"Nucleus (?P<marker>.+?)(?: \([^()]*\))? Mean(?: \(.*\))?", "nucleus"),
    (r"Nuclei_Intensity_MeanIntensity_(?P<marker>.+)", "nucleus"),
    (r"(?P<marker>.+)_nuclei(?:RingMask|Mask)", "nucleus"),
)
_SPELLED = tuple((re.compile(pattern), compartment) for pattern, compartment in _PATTERNS)
# Tables in which a marker's column is called as the marker have these beside it.
_SHAPES = re.compile(
    r"(?:cell ?id|object|label|image|image ?id|phenotype|fov|.*centroid.*|[xy] position|.*area.*"
    r"|.*axis ?length|.*axis (?:major|minor).*|eccentricity|solidity|extent|orientation|perimeter"
    r"|euler ?number|.*touching|.*neighbou?r.*|.*diameter|source file|.* type|obs names"
    r"|bbox.*|cell size|unnamed.*|index|tissue|patient ?id|sample.*|.*lineage|.*cluster|)"
)


@dataclass(frozen=True)
class Intensity:
    """A marker's mean intensity: its column, and the part of the cell that it is of."""

    marker: str
    column: str
    compartment: Compartment = "cell"


def intensities_of(header: Header) -> dict[str, Intensity]:
    """By slug, the markers whose mean intensity a table holds; a cell's before a nucleus's."""
    found: dict[str, Intensity] = {}
    for pattern, compartment in _SPELLED:
        for column in header.columns:
            if match := pattern.fullmatch(column):
                marker = match["marker"]
                found.setdefault(slug(marker), Intensity(marker, column, compartment))
    if not found and header.markers:
        return {slug(name): Intensity(name, name) for name in header.markers}
    if not found and header.find("majoraxislength", "eccentricity", "centroid 0"):
        bare = [name for name in header.columns if not _SHAPES.fullmatch(plain(name))]
        found = {slug(name): Intensity(name, name) for name in bare}
    return found


def intensity_of(header: Header, marker: str, column: str | None = None) -> Intensity:
    """Where a marker's intensity is.

    Parameters
    ----------
    header : Header
    marker : str
    column : str, optional
        Where somebody says so.

    Raises
    ------
    TableError
        If the table has no such column, naming what it has.
    """
    known = intensities_of(header)
    if column is not None and column in header.columns:
        return next(
            (
                Intensity(marker, column, one.compartment)
                for one in known.values()
                if one.column == column
            ),
            Intensity(marker, column),
        )
    if column is None:
        if marker in header.columns:
            return Intensity(marker, marker)
        same = [name for name in header.columns if slug(name) == slug(marker)]
        if slug(marker) in known or len(same) == 1:
            found = known.get(slug(marker)) or Intensity(marker, same[0])
            return Intensity(marker, found.column, found.compartment)
    names = [one.marker for one in known.values()] or list(header.columns)
    what = f"column {column!r}" if column else f"intensity of {marker!r}"
    raise TableError(
        f"{header.path} has no {what} for its gate; it has {listed(names)}. Name the column: "
        f'--gate "{marker} = COLUMN > VALUE".'
    )
