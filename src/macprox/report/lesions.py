"""The lesions of a slide, the largest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from macprox.report.numbers import (
    DASH,
    Shown,
    Table,
    count_text,
    percent_text,
    shown,
    significant_text,
)
from macprox.report.rows import micrometres, text_of

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 10
COLUMNS = ("Lesion", "mm²", "depth (µm)", "tumour cells", "border not seen", "border contrast")


def lesion_context(lesions: pd.DataFrame) -> dict[str, Any]:
    """The table, and how many lesions it leaves out."""
    table = Table([(title, True) for title in COLUMNS])
    largest = lesions.sort_values("area_um2", ascending=False, kind="stable")
    for row in largest.head(MAX_ROWS).to_dict("records"):
        table.add(
            str(row["lesion_id"]),
            significant_text(row["area_um2"] / 1e6),
            significant_text(row["inradius_um"]),
            count_text(row["n_tumour_cells"]),
            percent_text(row["at_window_edge"]) if row["at_window_edge"] > 0 else DASH,
            _contrast(row),
        )
    return {
        "table": table,
        "n": len(lesions),
        "n_more": max(0, len(lesions) - MAX_ROWS),
        "n_cut": int((lesions["at_window_edge"].astype(float) > 0).sum()),
    }


def _contrast(row: dict[Any, Any]) -> Shown:
    value = row["border_contrast"]
    contrast = shown(value, lambda v: f"{v:.2f}", micrometres(text_of(row["reason"])))
    if value == value and bool(row["no_clear_border"]):
        return Shown(f"{contrast.text} (not clear)")
    return contrast
