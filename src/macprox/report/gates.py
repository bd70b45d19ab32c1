"""Where each marker becomes positive: one small histogram a gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from macprox.celltable import mean_column
from macprox.phenotype.gate_table import above_gate
from macprox.phenotype.intensity_axis import Axis
from macprox.report import style
from macprox.report.numbers import Shown, is_number, missing, significant_text
from macprox.report.rows import text_of

if TYPE_CHECKING:
    import pandas as pd

BINS = 56
NEGATIVE_COLOUR = "#b4bcc6"
SOURCES = {
    "auto": "automatic proposal",
    "study": "set in study.toml",
    "reviewer": "set by a reviewer",
}


@dataclass(frozen=True)
class GatePanel:
    """What is printed of one gate."""

    title: str
    svg: str
    cut: Shown
    positive: Shown
    minus10: Shown
    plus10: Shown
    source: str
    confirmed: bool
    bimodal: bool
    reason: str
    by: str


def panels(gates: pd.DataFrame, cells: pd.DataFrame) -> list[GatePanel]:
    """One panel a gate, in the table's order."""
    return [_panel(row, cells, gates, number) for number, (_, row) in enumerate(gates.iterrows())]


def _panel(row: pd.Series, cells: pd.DataFrame, gates: pd.DataFrame, number: int) -> GatePanel:
    marker, compartment = str(row["marker"]), str(row["compartment"])
    reason = text_of(row.get("reason"))
    parent = text_of(row.get("parent"))
    within = f", among {parent}+" if parent else ""
    source = text_of(row.get("source"))
    return GatePanel(
        title=f"{marker} · {compartment}{within}",
        svg=histogram(_values(row, cells, gates), row["value"], f"gate{number}", marker),
        cut=_or_dash(row["value"], significant_text, reason),
        positive=_or_dash(row["percent_positive"], _percent, reason),
        minus10=_or_dash(row["percent_positive_minus10"], _percent, reason),
        plus10=_or_dash(row["percent_positive_plus10"], _percent, reason),
        source=SOURCES.get(source, source),
        confirmed=bool(row["confirmed"]),
        bimodal=bool(row["bimodal"]),
        reason=reason,
        by=" ".join(filter(None, (text_of(row.get("by")), text_of(row.get("time"))[:16]))),
    )


def _percent(percent: float) -> str:
    """The gate table holds percent already."""
    return f"{percent:.1f} %"


def _or_dash(value: object, text, reason: str) -> Shown:
    return Shown(text(value)) if is_number(value) else missing(reason)


def _values(row: pd.Series, cells: pd.DataFrame, gates: pd.DataFrame) -> np.ndarray:
    """Intensities that the gate cuts, of its parent's cells where it has one."""
    column = mean_column(str(row["marker"]), str(row["compartment"]))
    if column not in cells:
        return np.empty(0)
    values = cells[column].to_numpy(dtype=float)
    if parent := text_of(row.get("parent")):
        values = values[above_gate(cells, gates, parent)]
    return values[np.isfinite(values)]


def histogram(values: np.ndarray, cut: object, name: str, marker: str) -> str:
    """Cells by intensity on an asinh axis: a log axis that also has a zero."""
    with style.drawing(2.42, 1.25) as figure:
        figure.set_layout_engine("none")  # every panel alike, and a third of the time
        axes = figure.add_axes((0.02, 0.19, 0.96, 0.79))
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.set_yticks([])
        if values.size == 0 or np.ptp(values) == 0:
            said = "no cells" if values.size == 0 else "every cell has the same value"
            axes.text(0.5, 0.5, said, ha="center", transform=axes.transAxes, color=style.QUIET)
            axes.set_xticks([])
            return style.to_svg(figure, name, f"{marker}: {said}")
        _draw_histogram(axes, values, float(cut) if is_number(cut) else None)  # type: ignore[arg-type]
        return style.to_svg(figure, name, f"Histogram of {marker} intensities with its gate")


def _draw_histogram(axes, values: np.ndarray, cut: float | None) -> None:
    axis = Axis.of(values, cut)
    edges = np.linspace(0, 1, BINS + 1)
    counts = axis.counts(np.sort(values), BINS)
    cut_at = float(axis.to_position(cut)) if cut is not None else np.inf
    positive = 0.5 * (edges[1:] + edges[:-1]) >= cut_at
    for part, colour in ((~positive, NEGATIVE_COLOUR), (positive, style.ACCENT)):
        axes.stairs(np.where(part, counts, 0), edges, fill=True, color=colour, linewidth=0)
    # Positive cells are often few: a cap keeps them visible beside the negative peak.
    top = max(float(counts.max()), 1.0)
    rare = counts[positive]
    if rare.size and 0 < rare.max() < top / 6:
        top = 6.0 * float(rare.max())
        axes.text(0.99, 1.0, "peak cut off", fontsize=7, ha="right", va="top", color=style.QUIET,
                  transform=axes.transAxes)  # fmt: skip
    axes.set(xlim=(0, 1), ylim=(0, 1.08 * top))
    if cut is not None:
        axes.axvline(cut_at, color=style.INK, linewidth=1.4)
        for factor in (0.9, 1.1):
            at = float(axis.to_position(factor * cut))
            axes.axvline(at, color=style.INK, linewidth=0.7, linestyle=":")
    ticks = axis.ticks()
    axes.set_xticks([at for at, _ in ticks], [text for _, text in ticks])
