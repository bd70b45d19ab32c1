"""Cells as events of an FCS 3.1 file, for the programs of flow cytometry."""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from macprox import __version__
from macprox.celltable import AMBIGUOUS, COMPARTMENTS, OTHER, slug
from macprox.errors import MacproxError
from macprox.exports.columns import column
from macprox.io.atomic import replacing
from macprox.results import SlideResult

if TYPE_CHECKING:
    import pandas as pd

EXACT = 2**24  # whole numbers up to here are the same as 32-bit floats, which is what FCS holds
_PLACES = ("cell_id", "x_um", "y_um", "nucleus_area_um2", "cell_area_um2")
CODE = "phenotype_code"


def export_fcs(result: SlideResult, folder: Path) -> list[Path]:
    """Write ``<slide_id>.fcs``; see `write_fcs`."""
    study = result.study
    names = [*study.markers, study.image.nucleus, study.image.autofluorescence]
    path = folder / f"{result.slide_id}.fcs"
    phenotypes, markers = list(study.phenotypes), [name for name in names if name]
    return [write_fcs(result.cells(), path, result.slide_id, phenotypes, markers)]


def write_fcs(
    cells: pd.DataFrame,
    path: Path,
    slide_id: str,
    phenotypes: Sequence[str] = (),
    markers: Sequence[str] = (),
) -> Path:
    """Write cells as events: number, place, areas, marker means and a code of the phenotype.

    FCS holds 32-bit floats: seven digits of a mean, and places to 0.001 µm on a slide of 16 mm.
    What was not measured (the nucleus of a cell without one) is NaN.

    Parameters
    ----------
    cells : DataFrame
        The cell table.
    path : Path
    slide_id : str
        ``$SRC`` of the file.
    phenotypes : sequence of str
        Their codes are 1, 2, ... in this order, so that slides of one study agree; then the
        phenotypes that only the table names. 0 is Other, -1 is Ambiguous. The keyword
        ``MACPROX_PHENOTYPES`` holds the codes as JSON.
    markers : sequence of str
        Names as people spell them, for the labels: channel ``mean_cd68_cell`` is "CD68 cell".

    Returns
    -------
    Path

    Raises
    ------
    MacproxError
        If flowio is not installed, or a ``cell_id`` is too large to be kept exactly.
    """
    try:
        from flowio.create_fcs import create_fcs
    except ImportError:
        raise MacproxError('Writing FCS needs flowio: pip install "macprox[fcs]".') from None
    codes = phenotype_codes(cells["phenotype"], phenotypes)
    events = _events(cells, codes)
    keywords = {
        "$SRC": slide_id,
        "$CELLS": f"{len(cells)} cells of a tissue section",
        "MACPROX_VERSION": __version__,
        # ASCII, and without the delimiter: readers that do not know a doubled "/" for a letter
        # would else lose what follows.
        "MACPROX_PHENOTYPES": json.dumps(codes).replace("/", "\\u002f"),
    }
    for number, name in enumerate(events, start=1):
        keywords[f"P{number}R"] = str(_range(events[name]))
    # "/" parts keywords from values; at a label's end few readers would know it for a letter
    spelled = {f"mean_{slug(name)}_": name.replace("/", "-") + " " for name in markers}
    labels = [_label(name, spelled) for name in events]
    flat = array("f", np.column_stack(list(events.values())).tobytes())
    with replacing(path) as temporary, temporary.open("wb") as file:
        create_fcs(file, flat, list(events), labels, keywords)
    return path


def phenotype_codes(found: pd.Series, known: Sequence[str]) -> dict[str, int]:
    """Code of every phenotype; those of the study first, in its order.

    Examples
    --------
    >>> import pandas as pd
    >>> phenotype_codes(pd.Series(["B", "Other", "C"]), ["A", "B"])
    {'Other': 0, 'Ambiguous': -1, 'A': 1, 'B': 2, 'C': 3}
    """
    fixed = {OTHER: 0, AMBIGUOUS: -1}
    names = dict.fromkeys([*known, *sorted(set(found.astype(str)))])
    own = [name for name in names if name not in fixed]
    return fixed | {name: code for code, name in enumerate(own, start=1)}


def _events(cells: pd.DataFrame, codes: dict[str, int]) -> dict[str, np.ndarray]:
    largest = int(cells["cell_id"].max()) if len(cells) else 0
    if largest > EXACT:
        raise MacproxError(
            f"FCS keeps whole numbers up to {EXACT}, and there is a cell_id {largest}. Export to "
            "parquet instead, or split the slide's cells."
        )
    means = [str(name) for name in cells if str(name).startswith("mean_")]
    names = [*(name for name in _PLACES if name in cells), *means]
    events = {name: _floats(cells[name]) for name in names}
    events[CODE] = _floats(cells["phenotype"].astype(str).map(codes))
    return events


def _floats(values: pd.Series) -> np.ndarray:
    return values.to_numpy(dtype=np.float32, na_value=np.nan)


def _range(values: np.ndarray) -> int:
    """The keyword $PnR: a whole number above every value, where an axis may end."""
    finite = values[np.isfinite(values)]
    return max(1, int(np.ceil(finite.max(initial=0))) + 1)


def _label(name: str, spelled: dict[str, str]) -> str:
    """The keyword $PnS: what people read on an axis."""
    for start, marker in spelled.items():
        if name.startswith(start) and name.removeprefix(start) in COMPARTMENTS:
            return marker + name.removeprefix(start)
    what = column("cells", name)
    unit = {"um": " (um)", "um2": " (um2)"}.get(what.unit, "") if what else ""
    return name.removesuffix("_um2").removesuffix("_um").replace("_", " ") + unit
