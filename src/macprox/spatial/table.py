"""The statistics table: one number a row, and what one needs to know to read it.

==================  ==============================================================================
column              meaning
==================  ==============================================================================
slide_id
roi_id              one field or core, or ``"all"``: every cell of the slide has the same weight
statistic           ``nearest_mean_um``, ``g``, ``border_profile_per_mm2``, ...
source, target      direction: *of the source cells*, how far is / how many have / ... the target;
                    for a density the target is its denominator (``"tissue window"``)
region              ``"all"``, or core, inner_margin, outer_margin, distant
r_um                radius; for a border profile the middle of the band, inside negative
value
expected            under the null
ratio               value / expected
sd                  of the statistic under the null
z                   (value - expected) / sd: how far, in units that no density moves
ci_low, ci_high     the central 95 % of the statistic *under the null* (cells of one slide are not
                    replicates: a confidence interval belongs to patients)
p, alternative      two-sided unless it says otherwise
n_source, n_target  cells compared (for a density: cells counted)
source_per_mm2      density in the window, the confounder of every raw distance
target_per_mm2
correction          of the value: none, km, border, translate
null                relabel, permute, csr, or empty
moved, fixed,       what relabelling moved, what kept its label, which cells could carry the moved
eligible            label: ``"all non-Tumour cells"`` is the position null, the macrophage classes
                    joined by ``" or "`` the lineage null
n_permutations      behind this p; 0 where it is exact or not given
seed
reason              why a value, an expectation or a p is NaN; or a remark
==================  ==============================================================================
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from macprox.spatial.parameters import ProximityParameters

ALL = "all"  # every roi, every region
WINDOW = "tissue window"  # the denominator of densities
EVERY_CELL = "all cells"  # eligible where all phenotypes are dealt anew at once

_TEXT = ("slide_id", "roi_id", "statistic", "source", "target", "region")
_NUMBERS = ("r_um", "value", "expected", "ratio", "sd", "z", "ci_low", "ci_high", "p")
_DENSITIES = ("source_per_mm2", "target_per_mm2")
_LABELS = ("correction", "null", "moved", "fixed", "eligible")
COLUMNS = (
    *_TEXT,
    *_NUMBERS,
    "alternative",
    "n_source",
    "n_target",
    *_DENSITIES,
    *_LABELS,
    "n_permutations",
    "seed",
    "reason",
)
_DEFAULTS: dict[str, Any] = {
    **dict.fromkeys((*_TEXT, *_LABELS, "alternative", "reason"), ""),
    **dict.fromkeys((*_NUMBERS, *_DENSITIES), np.nan),
    **dict.fromkeys(("n_source", "n_target", "n_permutations"), 0),
    "roi_id": ALL,
    "region": ALL,
    "correction": "none",
    "seed": ProximityParameters.seed,
}

Row = dict[str, Any]


def row(**values: Any) -> Row:
    """One row; what is not given is empty, NaN or 0; ratio and z follow."""
    unknown = values.keys() - _DEFAULTS.keys()
    if unknown:
        raise TypeError(f"The statistics table has no column {', '.join(sorted(unknown))}.")
    full = {**_DEFAULTS, **values}
    if np.isfinite(full["expected"]) and full["expected"] != 0:
        full["ratio"] = full["value"] / full["expected"]
    if np.isfinite(full["expected"]) and full["sd"] > 0:
        full["z"] = (full["value"] - full["expected"]) / full["sd"]
    if np.isfinite(full["p"]):
        full["alternative"] = full["alternative"] or "two-sided"
    return full


def without_number(found: Row, reason: str) -> Row:
    """A row as if nothing could be computed, and why."""
    return {**found, **dict.fromkeys(_NUMBERS[1:], np.nan), "alternative": "", "reason": reason}


def to_table(rows: Iterable[Row]) -> pd.DataFrame:
    """The tidy table, with the same columns and dtypes whatever is in it."""
    table = pd.DataFrame(list(rows), columns=list(COLUMNS))
    dtypes: dict[str, str] = {}
    for column, default in _DEFAULTS.items():
        dtypes[column] = {str: "object", int: "int64", float: "float64"}[type(default)]
    return table.astype(dtypes)
