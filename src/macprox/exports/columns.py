"""What each column of our tables holds, and in what unit, for readers that carry such facts."""

from __future__ import annotations

import re
from dataclasses import dataclass

UM, UM2, PER_MM2, PX, SHARE, INTENSITY = "um", "um2", "1/mm2", "px", "1", "grey level"


@dataclass(frozen=True)
class Column:
    """One column: what it says, and the unit of its numbers (empty for names and flags)."""

    description: str
    unit: str = ""


_SOURCE = "of the cells that the statistic asks from"
_CELLS = {
    r"slide_id": Column("slide"),
    r"roi_id": Column("field or core; all: the whole slide"),
    r"cell_id": Column("number of the cell on its slide, its pixel value in labels.zarr"),
    r"anchor_px": Column("raster index of the cell's first pixel", PX),
    r"x_um": Column("from the left outer edge of the image", UM),
    r"y_um": Column("from the upper outer edge of the image, downwards", UM),
    r"nucleus_area_um2": Column("area of the nucleus", UM2),
    r"cell_area_um2": Column("area of the cell", UM2),
    r"eccentricity|solidity": Column("of the nucleus, of the body where there is none", SHARE),
    r"has_nucleus": Column("whether the nucleus is in the plane"),
    r"clump": Column("cut from a marker area wider than one macrophage can be"),
    r"edge": Column("touches the edge of the image"),
    r"(mean_.*)_(nucleus|ring|cell)": Column(
        "mean above background in that compartment, autofluorescence taken off", INTENSITY
    ),
    r"(.*)_positive": Column("the marker's mean is above its gate"),
    r"af_suspect": Column("as bright in autofluorescence as a stained cell in a stain"),
    r"artefact": Column("why the image is doubtful here; empty for no reason"),
    r"in_window": Column("inside the tissue window"),
    r"excluded": Column("in an exclusion, or marked by a reviewer: in no statistic"),
    r"region": Column(
        "by distance to the tumour border: core, inner_margin, outer_margin, distant"
    ),
    r"compartment": Column("epithelium, stroma, airspace, tissue; of a gate: nucleus, ring, cell"),
    r"lesion_id": Column("connected piece of tumour that holds the cell; 0 outside"),
    r"nearest_lesion_id": Column("lesion whose border is nearest; 0 without a tumour"),
    r"tumour_border_distance_um": Column("to the tumour border, negative inside", UM),
    r"relative_depth": Column("depth over the lesion's inradius, negative outside", SHARE),
    r"phenotype": Column("by the study's rules, or as a reviewer named it"),
    r"phenotype_source": Column("auto or reviewer"),
    r"nearest_(.*)_um": Column("to the nearest other cell of that phenotype", UM),
    r"n_(.*)um": Column("other cells of that phenotype within that radius", "cells"),
}
_STATISTICS = {
    r"statistic": Column("name of the statistic; docs/statistics.md defines it"),
    r"source|target": Column("phenotype from which, and to which, the statistic asks"),
    r"r_um": Column("radius", UM),
    r"value": Column("observed, in the unit of the statistic; of a gate: cells above are positive"),
    r"expected": Column("value under the null, in the unit of the statistic"),
    r"ratio": Column("value over expected", SHARE),
    r"sd": Column("standard deviation under the null, in the unit of the statistic"),
    r"z": Column("(value - expected) / sd", SHARE),
    r"ci_low|ci_high": Column("central 95 % under the null: no confidence interval"),
    r"p": Column("of the null on this slide", SHARE),
    r"alternative": Column("two-sided unless it says otherwise"),
    r"n_source|n_target": Column("cells compared", "cells"),
    r"source_per_mm2": Column(f"density {_SOURCE}", PER_MM2),
    r"target_per_mm2": Column("density of the cells that it asks for", PER_MM2),
    r"correction": Column("for the window's edge: none, border, km, translate"),
    r"null": Column("relabel, permute, csr, or empty"),
    r"moved|fixed|eligible": Column("whose label was dealt anew, was kept, could be received"),
    r"n_permutations": Column("behind p; 0 where p is exact or not given", "permutations"),
    r"seed": Column("of the permutations"),
    r"reason": Column("why there is no number, or a remark"),
}
_GATES = {
    r"marker": Column("name of the marker"),
    r"parent": Column("among the cells positive for this marker; empty for all cells"),
    r"source": Column("auto (a proposal), study, reviewer"),
    r"confirmed": Column("whether somebody set or confirmed it"),
    r"bimodal": Column("whether two populations could be told apart"),
    r"by": Column("who set it"),
    r"time": Column("when it was set"),
    r"percent_positive(_minus10|_plus10)?": Column("of the cells, at the gate and 10 % aside", "%"),
}
_TABLES = {
    "cells": _CELLS,
    "statistics": _CELLS | _STATISTICS,
    "gates": _CELLS | _STATISTICS | _GATES,
}


def column(table: str, name: str) -> Column | None:
    """What a column holds.

    Parameters
    ----------
    table : "cells", "statistics" or "gates"
    name : str

    Returns
    -------
    Column or None
        None for a column that is not ours: an imported table may have more.

    Examples
    --------
    >>> column("cells", "nearest_tumour_um").unit
    'um'
    """
    if name in ("nearest_lesion_id", "tumour_border_distance_um"):  # not of a phenotype
        return _CELLS[name]
    for pattern, what in reversed(_TABLES[table].items()):
        if re.fullmatch(pattern, name):
            return what
    return None
