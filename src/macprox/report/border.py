"""Macrophages against signed distance to the tumour border, in bands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from macprox.report import style
from macprox.report.rows import micrometres, text_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

STATISTIC = "border_profile_per_mm2"


def profile_rows(statistics: pd.DataFrame, phenotypes: list[str]) -> pd.DataFrame:
    """The profile of these phenotypes, inside (negative) to outside."""
    rows = statistics[
        (statistics["statistic"] == STATISTIC) & statistics["source"].isin(phenotypes)
    ]
    return _finite(rows, "r_um").sort_values(["source", "r_um"])


def _finite(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    return rows[np.isfinite(rows[column].to_numpy(dtype=float))]


def border_figure(rows: pd.DataFrame, phenotypes: list[str], colours: dict, band_um: float) -> str:
    """A panel a phenotype on one axis of distance; bands without a number are hatched gaps."""
    present = [p for p in phenotypes if (rows["source"] == p).any()]
    if not present:
        return ""
    with style.drawing(10.6, 1.75 * len(present) + 0.45) as figure:
        grid = figure.subplots(len(present), 1, sharex=True, squeeze=False)[:, 0]
        limits = _limits(rows, band_um)
        for axes, phenotype in zip(grid, present, strict=True):
            _panel(axes, rows[rows["source"] == phenotype], colours[phenotype], band_um)
            axes.set_title(phenotype)
            axes.set_ylabel("cells per mm²")
            axes.set_xlim(*limits)
        _sides(grid[0])
        grid[-1].set_xlabel("signed distance to the tumour border (µm), negative is inside")
        said = f"Density of {', '.join(present)} by distance to the tumour border"
        return style.to_svg(figure, "border", said)


def _limits(rows: pd.DataFrame, band_um: float) -> tuple[float, float]:
    r = rows["r_um"].to_numpy(float)
    return float(r.min()) - 0.6 * band_um, float(r.max()) + 0.6 * band_um


def _panel(axes: Axes, rows: pd.DataFrame, colour: str, band_um: float) -> None:
    style.quiet_axes(axes)
    r = rows["r_um"].to_numpy(float)
    value = rows["value"].to_numpy(float)
    known = np.isfinite(value)
    axes.bar(r[known], value[known], 0.92 * band_um, color=colour, linewidth=0)
    _intervals(axes, rows[known])
    top = float(value[known].max()) if known.any() else 0.0
    axes.set_ylim(0, 1.12 * top if top > 0 else 1.0)
    for centre in r[~known]:
        axes.axvspan(
            centre - 0.5 * band_um, centre + 0.5 * band_um, facecolor="#f4f5f7",
            edgecolor=style.FAINT, hatch="////", linewidth=0, zorder=0.4,
        )  # fmt: skip
    axes.axvline(0, color=style.INK, linewidth=1.3)


def _intervals(axes: Axes, rows: pd.DataFrame) -> None:
    known = _finite(_finite(rows, "ci_low"), "ci_high")
    if len(known):
        axes.vlines(
            known["r_um"].to_numpy(float),
            known["ci_low"].to_numpy(float),
            known["ci_high"].to_numpy(float),
            color=style.INK,
            linewidth=0.9,
        )


def _sides(axes: Axes) -> None:
    """Say on which side of the border one is, where both are drawn."""
    low, high = axes.get_xlim()
    if not low < 0 < high:
        return
    pad = 0.006 * (high - low)
    for x, text, side in ((-pad, "◀ tumour", "right"), (pad, "outside ▶", "left")):
        axes.text(
            x, 1.02, text, ha=side, va="bottom", fontsize=8, color=style.QUIET,
            transform=axes.get_xaxis_transform(),
        )  # fmt: skip


def blank_reasons(rows: pd.DataFrame) -> list[str]:
    """Why bands are blank, each reason once; bands differ only in how small they are."""
    blank = rows.loc[~np.isfinite(rows["value"].to_numpy(dtype=float)), "reason"]
    reasons = (micrometres(text_of(reason)) for reason in blank)
    small = re.compile(r"^only \S+ mm² of window, less than (\S+)$")
    kinds = (small.sub(r"less than \1 mm² of window in the band", reason) for reason in reasons)
    return list(dict.fromkeys(filter(None, kinds)))
