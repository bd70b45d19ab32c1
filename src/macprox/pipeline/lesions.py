"""The table of lesions: their shapes, the cells in them, and how clear their borders are."""

from __future__ import annotations

import numpy as np
import pandas as pd

from macprox.pipeline.calling import CalledCells, carries_tumour_marker
from macprox.quality import MIN_BORDER_CONTRAST, UNCLEAR_BORDER_FRAC, QualityFlag
from macprox.regions import Regions, border_clarity, lesion_shapes
from macprox.regions.clarity import CLARITY_COLUMNS
from macprox.regions.lesions import SHAPE_COLUMNS
from macprox.study import Study

COUNTS = ("n_cells", "n_tumour_cells")
LESION_COLUMNS = ("slide_id", *SHAPE_COLUMNS, *COUNTS, *CLARITY_COLUMNS[1:])
NO_RULE = "the study has no rule for tumour cells whose markers could tell the sides apart"


def lesion_table(called: CalledCells, study: Study) -> pd.DataFrame:
    """One row a lesion, columns `LESION_COLUMNS`.

    ``n_cells`` and ``n_tumour_cells`` count the cells that take part in statistics; a border is
    held to be clear or not by the markers of all observed cells, not by their phenotypes, whose
    rules may ask for the very region that is in question.
    """
    has_rule = study.tumour_marker_rule is not None
    carriers = carries_tumour_marker(called.observed, study) if has_rule else None
    return lesions_of(called.regions, called.observed, called.counted(study), study, carriers)


def lesions_of(
    regions: Regions,
    observed: pd.DataFrame,
    counted: pd.DataFrame,
    study: Study,
    carries_marker: np.ndarray | None,
) -> pd.DataFrame:
    """One row a lesion, columns `LESION_COLUMNS`.

    Parameters
    ----------
    regions : Regions
    observed, counted : DataFrame
        Cells inside the window, and those of them that take part in statistics.
    study : Study
    carries_marker : (n_observed,) bool or None
        Who is held to be tumour, wherever it lies; None where nothing says so.
    """
    shapes = lesion_shapes(regions)
    lesion_ids = shapes["lesion_id"].tolist()
    sides = observed.reindex(columns=["nearest_lesion_id", "tumour_border_distance_um"]).assign(
        carries_marker=False if carries_marker is None else carries_marker,
        is_macrophage=observed["phenotype"].isin(study.proximity.macrophages),
    )
    clarity = border_clarity(sides, lesion_ids)
    if carries_marker is None:
        clarity[["marker_inside", "marker_outside", "border_contrast"]] = np.nan
        clarity["no_clear_border"], clarity["reason"] = pd.NA, NO_RULE
    is_tumour = counted["phenotype"] == study.proximity.tumour
    table = shapes.assign(
        slide_id=str(observed["slide_id"].iloc[0]) if len(observed) else "",
        n_cells=_per_lesion(counted, lesion_ids),
        n_tumour_cells=_per_lesion(counted[is_tumour], lesion_ids),
    )
    return table.merge(clarity, on="lesion_id", how="left", validate="1:1")[list(LESION_COLUMNS)]


def border_flags(lesions: pd.DataFrame) -> list[QualityFlag]:
    """Lesions without a clear border, where they are a considerable part of the tumour."""
    area_um2 = lesions["area_um2"].sum()
    unclear = lesions["no_clear_border"].astype("boolean").fillna(False).to_numpy(bool)
    if not unclear.any():
        return []
    share = float(lesions.loc[unclear, "area_um2"].sum() / area_um2)
    if share < UNCLEAR_BORDER_FRAC:
        return []
    message = (
        f"{share:.0%} of the tumour's area lies in lesions without a clear border: the share of "
        f"tumour-marker cells within 30 µm inside and outside it differs by less than "
        f"{MIN_BORDER_CONTRAST:g}. Distances to that border mean little; look where it is drawn."
    )
    return [QualityFlag("no_clear_border", share, message)]


def _per_lesion(cells: pd.DataFrame, lesion_ids: list[int]) -> np.ndarray:
    return cells["lesion_id"].value_counts().reindex(lesion_ids, fill_value=0).to_numpy()
