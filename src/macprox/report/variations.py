"""One figure for how the headline changes with gates, expansion and radius."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from macprox.report import style
from macprox.report.rows import Direction
from macprox.report.sentences import all_directions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_IN = 0.21
GROUPS = {
    "as run": lambda row: "as run",
    "gate": lambda row: f"{row.what} {_signed(100 * row.change)} %",
    "expansion": lambda row: f"expansion {_signed(row.change)} µm",
    "radius": lambda row: f"radius {row.change:g} µm",
}


def variations_figure(table: pd.DataFrame, study) -> str:
    """As an inline ``<svg>``; empty where there is no number at all.

    Parameters
    ----------
    table : DataFrame
        From `macprox.pipeline.variations.vary_slide`, of one slide or several.
    study : Study
    """
    lines = _lines(table)
    if not lines:
        return ""
    with style.drawing(10.6, _height(lines)) as figure:
        _draw(figure, lines, table, study)
        said = "Observed over expected share under each change of gates, expansion and radius"
        return style.to_svg(figure, "variations", said)


def write_variations_figure(table: pd.DataFrame, study, path: Path) -> Path:
    """The same as a file; ``.svg``, ``.pdf`` or ``.png``, by its name."""
    with style.drawing(10.6, _height(_lines(table))) as figure:
        _draw(figure, _lines(table), table, study)
        return style.to_file(figure, path)


def _height(lines: list[str]) -> float:
    return ROW_IN * (len(lines) + 1) + 0.9


def _lines(table: pd.DataFrame) -> list[str]:
    """What stands beside each row of the figure, from the top."""
    lines: list[str] = []
    for kind, words in GROUPS.items():
        rows = table[(table["kind"] == kind) & np.isfinite(table["ratio"].to_numpy(float))]
        lines += dict.fromkeys(words(row) for row in rows.itertuples())
    return lines


def _draw(figure: Figure, lines: list[str], table: pd.DataFrame, study) -> None:
    colours = study.colours()
    markers = style.macrophage_markers(study.proximity.macrophages)
    place = {line: -i for i, line in enumerate(lines)}
    panels = figure.subplots(1, 2, sharey=True)
    directions = all_directions(study)
    to_tumour = [d for d in directions if d.target == study.proximity.tumour]
    from_tumour = [d for d in directions if d.source == study.proximity.tumour]
    for axes, shown in zip(panels, (to_tumour, from_tumour), strict=True):
        for nth, direction in enumerate(shown):
            name = direction.source if shown is to_tumour else direction.target
            look = {"color": colours.get(name, style.INK), "marker": markers.get(name, "o")}
            shift = 0.22 * ((len(shown) - 1) / 2 - nth)
            _points(axes, table, direction, place, shift, {**look, "label": name})
        _finish(axes, place)
    panels[0].set_title(f"macrophages with a {study.proximity.tumour} cell")
    panels[1].set_title(f"{study.proximity.tumour} cells with a macrophage")
    panels[0].legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(-0.02, 1.06),
                     ncols=3)  # fmt: skip


def _points(axes: Axes, table, direction: Direction, place, shift: float, look: dict) -> None:
    rows = table[(table["source"] == direction.source) & (table["target"] == direction.target)]
    rows = rows[np.isfinite(rows["ratio"].to_numpy(float)) & (rows["ratio"] > 0)]
    y = [place[GROUPS[row.kind](row)] + shift for row in rows.itertuples()]
    axes.plot(rows["ratio"], y, linestyle="none", markersize=4.5, markeredgecolor="white",
              markeredgewidth=0.5, zorder=3, **look)  # fmt: skip
    as_run = rows.loc[rows["kind"] == "as run", "ratio"]
    if len(as_run) == 1:  # of several slides each has its own
        axes.axvline(as_run.iloc[0], color=look["color"], linewidth=0.8, alpha=0.45, zorder=1)


def _finish(axes: Axes, place: dict[str, int]) -> None:
    style.quiet_axes(axes)
    axes.axvline(1, color=style.EXPECTED, linestyle="--", linewidth=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    low, high = axes.get_xlim()
    ticks = [t for t in (0.1, 0.2, 0.5, 0.8, 1, 1.25, 1.5, 2, 3, 5, 10) if low <= t <= high]
    axes.set_xticks(ticks or [1])
    axes.set_yticks(list(place.values()), list(place))
    axes.set_ylim(-len(place) + 0.4, 0.6)
    axes.set_xlabel("observed ÷ expected share")


def _signed(value: float) -> str:
    return f"{value:+g}".replace("-", "−")
