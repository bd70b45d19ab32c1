"""What a reader should know about cells that are not simply a nucleus with its cytoplasm."""

from __future__ import annotations

import pandas as pd

from macprox.quality import INFO, ODD_CELLS_FRAC, WARNING, QualityFlag
from macprox.segment.whole import MAX_NUCLEUS_DIAMETERS
from macprox.spatial.parameters import LEAVE_OUT
from macprox.study import Study

GIANT_NUCLEUS_UM2 = 700.0  # 30 um across; the largest tumour nuclei are about 25


def macrophages_without_nucleus(observed: pd.DataFrame, study: Study) -> dict[str, int]:
    """How many observed macrophages have no nucleus in the plane, by class.

    Parameters
    ----------
    observed : DataFrame
        Of all observed cells, whether they are counted or not.
    study : Study
    """
    lone = observed.loc[~observed["has_nucleus"].astype(bool), "phenotype"]
    return {name: int((lone == name).sum()) for name in study.proximity.macrophages}


def odd_cell_flags(observed: pd.DataFrame, study: Study) -> list[QualityFlag]:
    """Macrophages without a nucleus, clumps, giant nuclei."""
    flags = []
    n_lone = sum(macrophages_without_nucleus(observed, study).values())
    n_all = int(observed["phenotype"].isin(study.proximity.macrophages).sum())
    if n_lone:
        left_out = study.proximity.anucleate == LEAVE_OUT
        message = (
            f"{n_lone} of the {n_all} macrophages have no nucleus in the plane; they are "
            f"{'left out of' if left_out else 'counted in'} every distance and share."
        )
        flags.append(QualityFlag("macrophages_without_nucleus", n_lone / n_all, message, INFO))
    n_clump = int(observed["clump"].sum())
    if n_clump:
        message = (
            f"{n_clump} bodies without a nucleus were cut from marker areas wider than "
            f"{study.segmentation.macrophages.max_diameter_um:g} µm: clumps or debris."
        )
        flags.append(QualityFlag("clumps", n_clump, message, _level(n_clump, len(observed))))
    n_giant = int((observed["nucleus_area_um2"] > GIANT_NUCLEUS_UM2).sum())
    if n_giant:
        message = (
            f"{n_giant} nuclei are larger than {GIANT_NUCLEUS_UM2:g} µm²: merged, debris, or a "
            "wrong pixel size."
        )
        flags.append(QualityFlag("giant_nuclei", n_giant, message, _level(n_giant, len(observed))))
    return flags


def streak_flags(n_streaks: int, n_cells: int, study: Study) -> list[QualityFlag]:
    """What looked like nuclei and was too wide to be one."""
    if not n_streaks:
        return []
    widest_um = MAX_NUCLEUS_DIAMETERS * study.segmentation.nucleus_diameter_um
    message = (
        f"{n_streaks} objects of nuclear stain are wider than {widest_um:g} µm and were left out: "
        "haze, folds, or a wrong pixel size."
    )
    return [QualityFlag("wide_objects", n_streaks, message, _level(n_streaks, n_cells))]


def _level(n: int, n_cells: int) -> str:
    """One odd cell in many is no reason to look at a slide."""
    return WARNING if n >= ODD_CELLS_FRAC * n_cells else INFO
