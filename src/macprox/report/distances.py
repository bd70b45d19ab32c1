"""How near the nearest neighbour is: what was seen against what the null expects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import PercentFormatter

from macprox.celltable import nearest_column
from macprox.report import style
from macprox.report.rows import LINEAGE, POSITION, Direction, Row, SavedNumbers, numeric

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

MIN_RANGE_UM = 100.0


@dataclass(frozen=True)
class Frame:
    """What all panels of the figure share."""

    radius_um: float
    max_um: float
    colours: dict[str, str]


def nearest_figure(
    cells: pd.DataFrame, saved: SavedNumbers, directions: list[Direction], frame: Frame
) -> str:
    """Small multiples, a row a macrophage class, a column a direction.

    The line is the share of source cells whose nearest target is at most r away, read off the
    distances saved in the cell table; dots are the observed numbers of the statistics table,
    hollow circles what its nulls expect.
    """
    columns = 2
    rows = -(-len(directions) // columns)
    with style.drawing(10.6, 2.55 * rows + 0.1) as figure:
        grid = figure.subplots(rows, columns, sharex=True, squeeze=False)
        for axes, direction in zip(grid.flat, directions, strict=False):
            _panel(axes, cells, saved, direction, frame)
        for axes in list(grid.flat)[len(directions) :]:
            axes.set_visible(False)
        for axes in grid[-1]:
            axes.set_xlabel("distance to the nearest, r (µm)")
        for axes in grid[:, 0]:
            axes.set_ylabel("share of cells")
        said = "Cumulative nearest-neighbour distances, observed and expected: " + "; ".join(
            direction.text for direction in directions
        )
        return style.to_svg(figure, "nearest", said)


def _panel(
    axes: Axes,
    cells: pd.DataFrame,
    saved: SavedNumbers,
    direction: Direction,
    frame: Frame,
) -> None:
    style.quiet_axes(axes)
    colour = frame.colours.get(direction.source, style.INK)
    axes.axvline(frame.radius_um, color=style.FAINT, linewidth=5, zorder=0.5)
    distances = _distances(cells, direction)
    if distances.size and saved.has_shares(direction):
        # Read off on a grid: a step a cell would be a path of a hundred thousand corners.
        r = np.linspace(0, frame.max_um, 2 * round(frame.max_um) + 1)
        share = np.searchsorted(np.sort(distances), r, side="right") / distances.size
        axes.plot(r, share, color=colour, linewidth=1.8)
    position = saved.shares(direction, POSITION)
    lineage = saved.shares(direction, LINEAGE)
    _expectation(axes, position, "o", "--")
    _expectation(axes, lineage, "D", ":")
    _observed(axes, position or lineage, colour)
    if not saved.has_shares(direction):
        axes.text(
            0.5, 0.5, "no number: see the table", ha="center", transform=axes.transAxes,
            color=style.QUIET,
        )  # fmt: skip
    n = f" (n = {distances.size:,})" if distances.size else ""
    axes.set_title(f"{direction.source} to nearest {direction.target}{n}")
    axes.set(xlim=(0, frame.max_um), ylim=(0, 1.03))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1.0])


def _distances(cells: pd.DataFrame, direction: Direction) -> np.ndarray:
    column = nearest_column(direction.target)
    if column not in cells:
        return np.empty(0)
    values = cells.loc[cells["phenotype"].astype(str) == direction.source, column]
    distances = values.to_numpy(dtype=float)
    return distances[np.isfinite(distances)]


def _expectation(axes: Axes, rows: list[Row], marker: str, line: str) -> None:
    rows = numeric(rows, "expected")
    if not rows:
        return
    r = np.array([0.0, *(row["r_um"] for row in rows)])
    expected = np.array([0.0, *(row["expected"] for row in rows)])
    axes.plot(r, expected, line, color=style.EXPECTED, linewidth=1.1, zorder=2.5)
    every = slice(1, None, max(1, len(r) // 12))  # a dense curve needs no circle a micrometre
    axes.plot(
        r[every], expected[every], marker, markersize=5, markerfacecolor="white",
        markeredgecolor=style.EXPECTED, linestyle="none", zorder=2.6, clip_on=False,
    )  # fmt: skip


def _observed(axes: Axes, rows: list[Row], colour: str) -> None:
    rows = numeric(rows, "value")
    if not rows or len(rows) > 40:
        return
    axes.plot(
        [row["r_um"] for row in rows], [row["value"] for row in rows], "o", markersize=5,
        color=colour, markeredgecolor="white", markeredgewidth=0.6, linestyle="none", zorder=3,
        clip_on=False,
    )  # fmt: skip


def axis_range_um(radii_um) -> float:
    """Far enough for every radius that was asked for."""
    return max(MIN_RANGE_UM, *(float(r) for r in radii_um))
