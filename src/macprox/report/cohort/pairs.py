"""Quantities of the same patient beside each other: places in a row, and lines between two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.ticker import FuncFormatter, MaxNLocator

from macprox.report import style
from macprox.report.cohort.dots import dots_data, gapped, marks, panel, panel_height_in
from macprox.report.cohort.plate import WIDTH_IN, Look, Plate, looks, wrapped
from macprox.report.cohort.quantities import Key, place, quantity
from macprox.report.cohort.reading import SavedCohort

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

MOST_PLACES = 8
LINES_IN = 3.2
ADJACENT = ("adjacent", "adjacent tissue", "distant")
TUMOUR_TISSUE = ("tumour", "tumour tissue")


def places_plate(cohort: SavedCohort, keys: Sequence[Key], name: str, whose: str) -> Plate | None:
    """One quantity by place: the patients of each group beside each other on one scale."""
    keys = [key for key in keys if len(cohort.known(key))][:MOST_PLACES]
    if not keys:
        return None

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        _places(axes, cohort, keys)
        axes.set_title(wrapped(whose, 100, 2))

    return Plate(
        name=name,
        said=f"{quantity(keys[0].statistic).words} by place and group: {whose}",
        caption="One mark a patient, by place; line with a gap: mean of the group and one standard "
        "deviation to either side. Numbers below: patients of each group with a number there.",
        size_in=(min(WIDTH_IN, 2.4 + 1.75 * len(keys)), 3.2),
        draw=draw,
        data=dots_data(cohort, keys),
    )


def _places(axes: Axes, cohort: SavedCohort, keys: Sequence[Key]) -> None:
    style.quiet_axes(axes)
    look, what, n = looks(cohort.groups), quantity(keys[0].statistic), len(cohort.groups)
    step = 0.8 / n
    every = pd.concat([cohort.known(key)["value"] for key in keys])
    pad = 0.06 * float(every.max() - every.min()) or 1.0
    axes.set_ylim(*((-0.03, 1.03) if what.kind == "share" else
                    (every.min() - pad, every.max() + pad)))  # fmt: skip
    labels = []
    for i, key in enumerate(keys):
        rows, moments, counts = cohort.known(key), cohort.moments(key), []
        for j, group in enumerate(cohort.groups):
            values = rows.loc[rows["group"] == group, "value"].to_numpy(float)
            x = i + step * (j - (n - 1) / 2)
            size = 4.6 if len(values) < 40 else 3.0
            marks(axes, x - 0.12 * step, values, look[group], size, 0.04, 0.3 * step)
            if group in moments:
                gapped(axes, x + 0.34 * step, *moments[group], look[group].colour)
            counts.append(str(len(values)))
        labels.append(f"{wrapped(place(key) or 'whole slide', 16, 3)}\nn = {', '.join(counts)}")
    axes.set_xticks(range(len(keys)), labels)
    axes.tick_params(axis="x", length=0, labelcolor=style.INK)
    axes.set_xlim(-0.55, len(keys) - 0.4)
    axes.set_ylabel(what.axis)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: what.tick(v)))
    _legend(axes, look)


def _legend(axes: Axes, look: dict[str, Look]) -> None:
    if len(look) < 2:
        return
    for group, drawn in look.items():
        axes.plot([], [], drawn.marker, color=drawn.colour, linestyle="none",
                  label=wrapped(group, 24, 1))  # fmt: skip
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def lines_plate(
    cohort: SavedCohort, ends: tuple[Key, Key], names: tuple[str, str], difference: Key, name: str
) -> Plate | None:
    """Lines between two quantities of one patient, a panel a group; then their difference.

    Parameters
    ----------
    cohort : SavedCohort
    ends : two Key
        What is joined: the same patients' values, on one scale.
    names : two str
        What stands below them.
    difference : Key
        The saved difference within patients, drawn with its test at the right.
    name : str
    """
    both = _joined(cohort, ends)
    if not len(both):
        return None
    groups = [group for group in cohort.groups if (both["group"] == group).any()]
    below = panel_height_in(cohort) if len(cohort.groups) > 2 else 0.0

    def draw(figure: Figure) -> None:
        with_difference = len(cohort.known(difference)) > 0
        left: Figure | SubFigure = figure
        right: SubFigure | None = None
        if with_difference and len(cohort.groups) > 2:  # no room beside so many
            left, right = figure.subfigures(2, 1, height_ratios=(LINES_IN, below))  # type: ignore[misc]
        elif with_difference:
            left, right = figure.subfigures(1, 2, width_ratios=(1.15, 1))  # type: ignore[misc]
        grid = left.subplots(1, len(groups), sharey=True, squeeze=False)[0]
        for axes, group in zip(grid, groups, strict=True):
            _lines(
                axes, both[both["group"] == group], looks(cohort.groups)[group], names, len(groups)
            )
            n = int((both["group"] == group).sum())
            name_width = 22 if len(groups) <= 2 else max(8, 66 // len(groups))
            axes.set_title(f"{wrapped(group, name_width, 2)} (n = {n})", fontsize=8.5)
        what = quantity(ends[0].statistic)
        grid[0].set_ylabel(what.axis)
        grid[0].yaxis.set_major_locator(MaxNLocator(6))
        grid[0].yaxis.set_major_formatter(FuncFormatter(lambda v, _: what.tick(v)))
        if what.kind == "points":
            for axes in grid:
                axes.axhline(0, color=style.EXPECTED, linewidth=1, linestyle="--", zorder=1)
        if right is not None:
            panel(right, cohort, difference)

    data = pd.concat([dots_data(cohort, [difference]), both.assign(drawn="line")])
    return Plate(
        name=name,
        said=f"Lines from {names[0]} to {names[1]} within each patient, and their difference",
        caption=f"A line joins the two numbers of one patient. At the right {names[0]} minus "
        f"{names[1]}, one mark a patient, with the difference between the groups.",
        size_in=(WIDTH_IN, LINES_IN + below),
        draw=draw,
        data=data.dropna(axis="columns", how="all"),
    )


def _joined(cohort: SavedCohort, ends: tuple[Key, Key]) -> pd.DataFrame:
    """Patients that have both numbers: patient, group, first, second."""
    first, second = (cohort.known(key)[["patient", "group", "value"]] for key in ends)
    both = first.merge(second[["patient", "value"]], on="patient", suffixes=("_first", "_second"))
    return both.rename(columns={"value_first": "first", "value_second": "second"})


def _lines(axes: Axes, rows: pd.DataFrame, look: Look, names: tuple[str, str], of: int) -> None:
    style.quiet_axes(axes)
    few = len(rows) <= 30
    for _, first, second in rows[["patient", "first", "second"]].itertuples(index=False):
        axes.plot(
            [0, 1], [first, second], color=look.colour, linewidth=0.9, alpha=0.6 if few else 0.25
        )
    for x, column in enumerate(("first", "second")):
        axes.plot([x] * len(rows), rows[column].to_numpy(float), look.marker, color=look.colour,
                  markersize=5 if few else 3, markeredgecolor="white", markeredgewidth=0.4,
                  linestyle="none", zorder=3)  # fmt: skip
    axes.set_xticks([0, 1], [wrapped(text, 14 if of <= 2 else 8, 3) for text in names])
    axes.tick_params(axis="x", length=0, labelcolor=style.INK)
    axes.set_xlim(-0.35, 1.35)


def adjacent_ends(cohort: SavedCohort, difference: Key) -> tuple[Key, Key] | None:
    """The two shares that a difference from adjacent tissue is made of, if both are saved."""
    shares = [
        key
        for key in cohort.keys(difference.claim, "lineage_share")
        if (key.source, key.target) == (difference.source, difference.target)
    ]
    there = [key for key in shares if key.region in ADJACENT]
    here = [key for key in shares if key not in there]
    there.sort(key=lambda key: (ADJACENT.index(key.region),
                                key.compartment != difference.compartment))  # fmt: skip
    here.sort(
        key=lambda key: (
            key.region != difference.region,
            key.region not in TUMOUR_TISSUE,
            key.compartment != difference.compartment,
        )
    )
    return (here[0], there[0]) if here and there else None


def preference_ends(cohort: SavedCohort, difference: Key) -> tuple[Key, Key] | None:
    """The two excesses that a preference is the difference of, by the roles of the study."""
    excesses = [
        key
        for key in cohort.keys(difference.claim, "g_excess")
        if key.source == difference.source and key.r_um == difference.r_um
        and (key.region, key.compartment) == (difference.region, difference.compartment)
    ]  # fmt: skip
    roles = cohort.facts["roles"]
    wanted = [str(roles.get(role, "")) for role in ("resident", "recruited")]
    by_target = {key.target: key for key in excesses}
    if all(target in by_target for target in wanted):
        return by_target[wanted[0]], by_target[wanted[1]]
    return (excesses[0], excesses[1]) if len(excesses) == 2 else None
