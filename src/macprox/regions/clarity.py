"""Whether a lesion has a border to speak of: tumour-marker cells on one side, others beyond.

The measured quantity behind SPIAT's flag "no clear margin" (Feng et al. 2023, Nat Commun 14:2697),
which is a ratio of border to inner cells and comes without a limit. Ours compares shares in two
bands of one width, so that it does not change with the lesion's size; the limit is ours, too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from macprox.quality import MIN_BORDER_CONTRAST

CLARITY_COLUMNS = (
    *("lesion_id", "n_inside", "n_outside", "marker_inside", "marker_outside"),
    *("border_contrast", "no_clear_border", "reason"),
)
BAND_UM = 30.0  # two to three rows of cells: a border is a matter of rows, not of fields
MIN_CELLS = 20  # in each band; of fewer a share is uncertain by more than a fifth


def border_clarity(cells: pd.DataFrame, lesion_ids: Sequence[int]) -> pd.DataFrame:
    """Share of tumour-marker cells on either side of each lesion's border.

    Parameters
    ----------
    cells : DataFrame
        The observed cells: ``nearest_lesion_id``, ``tumour_border_distance_um``,
        ``carries_marker`` (bool, the tumour's markers above their gates, wherever the cell lies)
        and ``is_macrophage`` (bool). Macrophages count for neither side: they are the question.
    lesion_ids : sequence of int

    Returns
    -------
    DataFrame
        One row a lesion, columns `CLARITY_COLUMNS`: cells within 30 um inside and outside the
        border; ``marker_inside``, ``marker_outside``, the share of them with the tumour's markers;
        ``border_contrast``, inside minus outside: 1 for a nest in bare stroma, 0 where the border
        parts nothing; ``no_clear_border``, whether that is below
        `macprox.quality.MIN_BORDER_CONTRAST`, missing (not False) where a band has fewer than 20
        cells; ``reason`` says so.
    """
    distance_um = cells["tumour_border_distance_um"].to_numpy(float)
    near = (np.abs(distance_um) <= BAND_UM) & ~cells["is_macrophage"].to_numpy(bool)
    lesion = cells["nearest_lesion_id"].to_numpy(np.int64)
    marked = cells["carries_marker"].to_numpy(bool)
    inside = distance_um <= 0
    length = max([0, *lesion_ids, *lesion[near].tolist()]) + 1
    n_in, n_out, marked_in, marked_out = (
        np.bincount(lesion[near & rows], minlength=length)[list(lesion_ids)]
        for rows in (inside, ~inside, inside & marked, ~inside & marked)
    )
    share_in, share_out = _share(marked_in, n_in), _share(marked_out, n_out)
    known = (n_in >= MIN_CELLS) & (n_out >= MIN_CELLS)
    contrast = np.where(known, share_in - share_out, np.nan)
    unclear = pd.array(contrast < MIN_BORDER_CONTRAST, dtype="boolean")
    unclear[~known] = pd.NA
    return pd.DataFrame(
        {
            "lesion_id": np.asarray(lesion_ids, dtype=np.int32),
            "n_inside": n_in,
            "n_outside": n_out,
            "marker_inside": share_in,
            "marker_outside": share_out,
            "border_contrast": contrast,
            "no_clear_border": unclear,
            "reason": [_reason(*n) for n in zip(n_in.tolist(), n_out.tolist(), strict=True)],
        }
    )


def _share(n_marked: np.ndarray, n_cells: np.ndarray) -> np.ndarray:
    share = np.full(len(n_cells), np.nan)
    return np.divide(n_marked, n_cells, out=share, where=n_cells > 0)


def _reason(n_inside: int, n_outside: int) -> str:
    few = [
        f"{n} cells within {BAND_UM:g} um {side}"
        for n, side in ((n_inside, "inside"), (n_outside, "outside"))
        if n < MIN_CELLS
    ]
    return f"{' and '.join(few)}; a share needs {MIN_CELLS}" if few else ""
