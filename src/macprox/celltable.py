"""The cell table: one row a cell, lengths in micrometres, columns that say what they hold."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from macprox.errors import TableError

if TYPE_CHECKING:
    import pandas as pd

COMPARTMENTS = ("nucleus", "ring", "cell")  # where a marker is measured
REQUIRED_COLUMNS = ("slide_id", "cell_id", "x_um", "y_um")
OTHER = "Other"
AMBIGUOUS = "Ambiguous"
# How others spell our unit, in lower case; µ is the sign and the Greek letter.
MICROMETRES = (
    *("um", "µm", "μm", "micron", "microns"),
    *("micrometer", "micrometers", "micrometre", "micrometres"),
)


def slug(name: str) -> str:
    """A name as it appears inside a column: ``"AM/TRM-like"`` is ``"am_trm_like"``.

    Examples
    --------
    >>> slug("CK-EPCAM"), slug("CD68+")
    ('ck_epcam', 'cd68_pos')
    """
    spelled = re.sub(r"\+", " pos ", name)
    spelled = re.sub(r"(?<=\w)-(?=\s|$)", " neg ", spelled)
    return re.sub(r"[^0-9a-z]+", "_", spelled.lower()).strip("_") or "unnamed"


def slugs(names: Iterable[str]) -> dict[str, str]:
    """Slug of every name; two names that would share a column are refused."""
    by_slug: dict[str, str] = {}
    for name in names:
        other = by_slug.setdefault(slug(name), name)
        if other != name:
            raise TableError(
                f"{other!r} and {name!r} would share the column name {slug(name)!r}; rename one."
            )
    return {name: key for key, name in by_slug.items()}


def mean_column(marker: str, compartment: str) -> str:
    """Column of a marker's mean intensity in a compartment."""
    return f"mean_{slug(marker)}_{compartment}"


def positive_column(marker: str) -> str:
    """Column that says whether a marker is above its gate."""
    return f"{slug(marker)}_positive"


def nearest_column(phenotype: str) -> str:
    """Column of the distance to the nearest cell of a phenotype, in micrometres."""
    return f"nearest_{slug(phenotype)}_um"


def count_column(phenotype: str, radius_um: float) -> str:
    """Column of the number of cells of a phenotype within a radius."""
    return f"n_{slug(phenotype)}_{radius_um:g}um"


def centroids_um(cells: pd.DataFrame) -> np.ndarray:
    """``(n, 2)`` float, columns ``(x_um, y_um)``."""
    return cells[["x_um", "y_um"]].to_numpy(dtype=float)


def validate(cells: pd.DataFrame) -> pd.DataFrame:
    """The same table, if it is a cell table.

    Raises
    ------
    TableError
        Naming every violation at once: a missing column, a coordinate that is not finite,
        a cell id that occurs twice on a slide.
    """
    problems = []
    missing = [column for column in REQUIRED_COLUMNS if column not in cells]
    if missing:
        raise TableError(
            f"The cell table lacks {', '.join(missing)}; "
            f"found {', '.join(map(str, cells.columns))}."
        )
    finite = np.isfinite(centroids_um(cells)).all(axis=1)
    if not finite.all():
        first = int(np.flatnonzero(~finite)[0])
        problems.append(
            f"{(~finite).sum()} cells have no finite x_um and y_um (first in row {first})"
        )
    repeated = cells.duplicated(["slide_id", "cell_id"])
    if repeated.any():
        row = cells[repeated].iloc[0]
        problems.append(f"cell_id {row['cell_id']} occurs twice on slide {row['slide_id']!r}")
    if problems:
        raise TableError("Not a valid cell table: " + "; ".join(problems) + ".")
    return cells
