"""Every patient a dot, the groups' means, and the difference with its interval beside them.

Estimation plots after Gardner and Altman (1986), as Ho et al. (2019, Nature Methods 16:565) draw
them: all data, then the effect with its interval on an axis of the same scale whose zero is the
first group's mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, MaxNLocator

from macprox.report import style
from macprox.report.cohort.plate import WIDTH_IN, Look, Plate, contrast_label, looks, wrapped
from macprox.report.cohort.quantities import Key, quantity, title
from macprox.report.cohort.reading import Row, SavedCohort
from macprox.report.numbers import is_number, p_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

PANEL_HEIGHT_IN = 2.9
AXIS_PT = 150.0  # about the height of a panel's axis, in points like marks
CAPTION = (
    "One mark a patient; line with a gap: mean of the group and one standard deviation to either "
    "side. At the right the difference of the means with its interval, on the same scale."
)
CAPTION_SEVERAL = (
    "One mark a patient; line with a gap: mean of the group and one standard deviation to either "
    "side. At the right the differences of the means with their intervals."
)
CAPTION_ONE = "One mark a patient; there are no groups to compare."


def dots_plate(
    cohort: SavedCohort, keys: Sequence[Key], name: str, columns: int = 2
) -> Plate | None:
    """Dots of each quantity and the differences between groups; None where nobody has a number.

    Parameters
    ----------
    cohort : SavedCohort
    keys : sequence of Key
        A panel each, in this order; those without any number are left out.
    name : str
    columns : int
        Panels beside each other where there are at most two groups.
    """
    keys = [key for key in keys if len(cohort.known(key))]
    if not keys:
        return None
    n_groups = len(cohort.groups)
    columns = min(columns, len(keys)) if n_groups <= 2 else 1
    rows = -(-len(keys) // columns)
    width = WIDTH_IN if n_groups > 2 else min(WIDTH_IN, WIDTH_IN * columns / 2 + 0.3)

    def draw(figure: Figure) -> None:
        parts = figure.subfigures(rows, columns, squeeze=False)
        for part, key in zip(parts.flat, keys, strict=False):
            panel(part, cohort, key)

    caption = CAPTION if n_groups == 2 else CAPTION_SEVERAL if n_groups > 2 else CAPTION_ONE
    whose = "; ".join(f"{quantity(key.statistic).words}: {title(key)}" for key in keys)
    return Plate(
        name=name,
        said=f"A mark a patient by group, with the difference of means. {whose}",
        caption=caption + _without(cohort, keys),
        size_in=(width, panel_height_in(cohort) * rows + 0.1),
        draw=draw,
        data=dots_data(cohort, keys),
    )


def panel_height_in(cohort: SavedCohort) -> float:
    """High enough for a line a difference where there are many groups."""
    return max(PANEL_HEIGHT_IN, 0.9 + 0.27 * len(cohort.pairs()))


def dots_data(cohort: SavedCohort, keys: Sequence[Key]) -> pd.DataFrame:
    """The values and the tests that are drawn, one kind under the other."""
    values = [cohort.known(key).assign(drawn="patient") for key in keys]
    rows = [row for key in keys for a, b in cohort.pairs() if (row := cohort.between(key, a, b))]
    tests = [pd.DataFrame(rows).assign(drawn="test")] if rows else []
    tables = [table.dropna(axis="columns", how="all") for table in [*values, *tests] if len(table)]
    return pd.concat(tables, ignore_index=True)


def _without(cohort: SavedCohort, keys: Sequence[Key]) -> str:
    """Who is not drawn: nobody sees a mark that is missing."""
    n_all = sum(group in cohort.groups for group in cohort.group_of.values())
    lacking = {title(key): n_all - len(cohort.known(key)) for key in keys}
    said = [f"{n} in {name}" for name, n in lacking.items() if n > 0]
    return f" Patients without a number: {'; '.join(said)}." if said else ""


def panel(figure: Figure | SubFigure, cohort: SavedCohort, key: Key) -> None:
    """One quantity: dots at the left, differences at the right, into a (sub)figure."""
    n = len(cohort.groups)
    if n == 1:
        axes = figure.subplots()
        _limit(axes, _extremes(cohort, key, []))
        dots(axes, cohort, key)
    elif n == 2:
        axes, beside = figure.subplots(1, 2, width_ratios=(1.75, 1))
        row = cohort.between(key, *cohort.groups)
        _limit(axes, _extremes(cohort, key, [row] if row else []))
        dots(axes, cohort, key)
        _beside(beside, axes, cohort, key, row)
    else:
        axes, beside = figure.subplots(1, 2, width_ratios=(1.25, 1))
        _limit(axes, _extremes(cohort, key, []))
        dots(axes, cohort, key)
        _several(beside, cohort, key)
    axes.set_title(wrapped(title(key), 44 if n <= 2 else 60, 2), pad=8)


def dots(axes: Axes, cohort: SavedCohort, key: Key) -> None:
    """The patients' marks and the groups' means."""
    style.quiet_axes(axes)
    rows, what, look = cohort.known(key), quantity(key.statistic), looks(cohort.groups)
    moments, n_most = cohort.moments(key), int(rows["group"].value_counts().max() or 1)
    size = 5.6 if n_most <= 30 else 4.2 if n_most <= 80 else 3.2
    labels, name_width = [], 16 if len(cohort.groups) <= 2 else max(7, 48 // len(cohort.groups))
    for i, group in enumerate(cohort.groups):
        values = rows.loc[rows["group"] == group, "value"].to_numpy(float)
        labels.append(f"{wrapped(group, name_width, 3)}\nn = {len(values)}")
        marks(axes, i, values, look[group], size)
        if group in moments:
            gapped(axes, i + 0.38, *moments[group], look[group].colour)
    if what.kind in ("points", "log2") or "difference" in key.statistic:
        axes.axhline(0, color=style.EXPECTED, linewidth=1, linestyle="--", zorder=1)
    axes.set_xticks(range(len(labels)), labels)
    axes.tick_params(axis="x", length=0, labelcolor=style.INK)
    axes.set_xlim(-0.5, len(labels) - 0.4)
    axes.set_ylabel(what.axis)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: what.tick(v)))


def marks(
    axes: Axes,
    x: float,
    values: np.ndarray,
    look: Look,
    size: float,
    width: float = 0.085,
    reach: float = 0.28,
) -> None:
    """Patients' marks, moved aside where they would hide one another (`swarm`)."""
    low, high = axes.get_ylim()
    mark = (size + 1) / AXIS_PT * (high - low)
    axes.plot(
        x + swarm(values, mark, width, reach), values, look.marker, color=look.colour,
        markersize=size, alpha=0.85, markeredgecolor="white", markeredgewidth=0.5,
        linestyle="none", zorder=3,
    )  # fmt: skip


def gapped(axes: Axes, x: float, mean: float, sd: float, colour: str) -> None:
    """The mean as a gap in a line of one standard deviation to either side (Tufte)."""
    axes.plot([x], [mean], "_", color=colour, markersize=9, markeredgewidth=2.2, zorder=4)
    if is_number(sd) and sd > 0:
        gap = 0.12 * sd
        for low, high in ((mean - sd, mean - gap), (mean + gap, mean + sd)):
            axes.plot([x, x], [low, high], color=colour, linewidth=1.3, zorder=4)


def swarm(values: np.ndarray, mark: float, width: float, reach: float) -> np.ndarray:
    """How far each mark moves aside so that none hides another.

    Parameters
    ----------
    values : (n,) float
    mark : float
        Height of a mark in units of the values.
    width, reach : float
        Width of a mark and the farthest that one moves, in units of the x axis. Marks that find no
        free place within reach overlap.

    Returns
    -------
    (n,) float
    """
    aside, placed = np.zeros(len(values)), np.zeros(len(values), bool)
    n_places = int(reach / width)
    places = [0.0, *(sign * width * k for k in range(1, n_places + 1) for sign in (1, -1))]
    for i in np.argsort(values, kind="stable"):
        near = placed & (np.abs(values - values[i]) < mark)
        free = (x for x in places if not np.any(np.abs(aside[near] - x) < 0.99 * width))
        aside[i], placed[i] = next(free, places[i % len(places)]), True
    return aside


def _extremes(cohort: SavedCohort, key: Key, rows: Sequence[Row]) -> list[float]:
    """Everything that must lie inside the axis."""
    found = list(cohort.known(key)["value"].astype(float))
    for mean, sd in cohort.moments(key).values():
        found += [mean - sd, mean + sd] if is_number(sd) else [mean]
    for row in rows:
        first = row["mean_first"]
        found += [first, *(first + row[name] for name in ("effect", "ci_low", "ci_high"))]
    if quantity(key.statistic).kind in ("points", "log2"):
        found.append(0.0)
    return [number for number in found if is_number(number)]


def _limit(axes: Axes, numbers: list[float]) -> None:
    low, high = min(numbers), max(numbers)
    pad = 0.07 * (high - low) or 0.1 * abs(high) or 1.0
    axes.set_ylim(low - pad, high + pad)


def _beside(beside: Axes, axes: Axes, cohort: SavedCohort, key: Key, row: Row | None) -> None:
    """The difference on an axis that floats at the first group's mean."""
    what, look = quantity(key.statistic), looks(cohort.groups)
    first, second = cohort.groups
    if row is None or not (is_number(row["effect"]) and is_number(row["mean_first"])):
        _nothing(beside)
        return
    zero, effect = row["mean_first"], row["effect"]
    low, high = axes.get_ylim()
    beside.set_ylim(low - zero, high - zero)
    beside.axhline(0, color=look[first].colour, linewidth=1, linestyle=(0, (4, 2)), zorder=1)
    beside.axhline(effect, color=look[second].colour, linewidth=1, linestyle=(0, (4, 2)), zorder=1)
    _effect(beside, row, vertical=True, at=0.0)
    beside.set_xlim(-0.5, 0.5)
    beside.set_xticks([0], [f"{contrast_label(first, second, 18)}\n{_p(row)}"])
    beside.tick_params(axis="x", length=0, labelcolor=style.INK)
    beside.spines[["top", "left"]].set_visible(False)
    beside.yaxis.tick_right()
    beside.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    beside.yaxis.set_major_formatter(FuncFormatter(lambda v, _: what.tick(v)))


def _several(axes: Axes, cohort: SavedCohort, key: Key) -> None:
    """Every pairwise difference, a line each."""
    what = quantity(key.statistic)
    rows = [
        (contrast_label(a, b, 30), row)
        for a, b in cohort.pairs()
        if (row := cohort.between(key, a, b))
    ]
    rows = [(name, row) for name, row in rows if is_number(row["effect"])]
    if not rows:
        _nothing(axes)
        return
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.axvline(0, color=style.EXPECTED, linewidth=1, linestyle="--", zorder=1)
    for i, (_, row) in enumerate(rows):
        _effect(axes, row, vertical=False, at=-float(i))
    axes.set_yticks([-i for i in range(len(rows))], [name for name, _ in rows])
    axes.tick_params(axis="y", length=0, labelcolor=style.INK,
                     labelsize=8 if len(rows) < 8 else 7)  # fmt: skip
    axes.set_ylim(-len(rows) + 0.3, 0.7)
    axes.set_xlabel(f"difference: {what.axis}".replace("\n", " "))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: what.tick(v)))


def _effect(axes: Axes, row: Row, vertical: bool, at: float) -> None:
    effect, ends = row["effect"], (row["ci_low"], row["ci_high"])
    if all(map(is_number, ends)):
        line = ([at, at], list(ends)) if vertical else (list(ends), [at, at])
        axes.plot(*line, color=style.INK, linewidth=2, solid_capstyle="butt", zorder=3)
    point = ([at], [effect]) if vertical else ([effect], [at])
    axes.plot(*point, "o", color=style.INK, markersize=6.5, zorder=4)


def _p(row: Row) -> str:
    if not is_number(row["p"]):
        return "no test"
    p = p_text(row["p"])
    return f"p {p}" if p[0] in "<≤" else f"p = {p}"


def _nothing(axes: Axes) -> None:
    axes.set_axis_off()
    axes.text(0.5, 0.5, "no difference:\nsee the table", ha="center", va="center",
              transform=axes.transAxes, color=style.QUIET)  # fmt: skip
