"""Survival: hazard ratios as a forest, and the two halves' curves for the eye."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

from macprox.cohort.cox import PERMUTED
from macprox.cohort.life_table import HIGH, LOW
from macprox.report import style
from macprox.report.cohort.plate import Look, Plate, wrapped
from macprox.report.cohort.quantities import Key, quantity, title
from macprox.report.cohort.reading import SavedCohort
from macprox.report.numbers import is_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HALVES = {LOW: Look("#6b7f99", "o"), HIGH: Look("#1f2933", "s")}
RATIO_TICKS = (0.05, 0.1, 0.2, 0.33, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20)


def hazard_plate(cohort: SavedCohort, name: str) -> Plate | None:
    """A line a Cox regression: the hazard ratio per standard deviation with its interval."""
    rows = cohort.tests[(cohort.tests["test"] == PERMUTED) & cohort.tests["effect"].notna()]
    if not len(rows):
        return None

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.axvline(1, color=style.EXPECTED, linestyle="--", linewidth=1)
        labels = []
        for i, row in enumerate(rows.to_dict("records")):
            ends = [row["ci_low"], row["ci_high"]]
            if all(map(is_number, ends)):
                axes.plot(np.exp(ends), [-i, -i], color=style.INK, linewidth=2)
            axes.plot([np.exp(row["effect"])], [-i], "s", color=style.INK, markersize=6)
            labels.append(hazard_name(Key.of(row)))  # type: ignore[arg-type]
        axes.set_yticks([-i for i in range(len(rows))], [wrapped(t, 46, 2) for t in labels])
        axes.tick_params(axis="y", length=0, labelcolor=style.INK)
        axes.set_ylim(-len(rows) + 0.4, 0.6)
        axes.set_xscale("log")
        low, high = axes.get_xlim()
        axes.set_xticks([t for t in RATIO_TICKS if low <= t <= high] or [1])
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("hazard ratio per standard deviation between patients (logarithmic)")

    return Plate(
        name=name,
        said="Hazard ratios with their intervals",
        caption="Hazard ratio for one standard deviation more, with its interval; 1 is no relation "
        "with survival.",
        size_in=(8.2, 0.9 + 0.36 * len(rows)),
        draw=draw,
        data=rows.dropna(axis="columns", how="all"),
    )


def hazard_name(key: Key) -> str:
    return ": ".join(dict.fromkeys((quantity(key.statistic).words, title(key))))


def halves_plate(cohort: SavedCohort, name: str) -> Plate | None:
    """Kaplan-Meier curves of the patients below and above the median, with numbers at risk."""
    table = cohort.result.kaplan_meier()
    table = table[table["time"].notna() & table["survival"].notna()]
    if not len(table):
        return None

    def draw(figure: Figure) -> None:
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(5, 1))
        style.quiet_axes(axes)
        halves = [half for half in HALVES if (table["group"] == half).any()]
        for half in halves:
            _half(axes, table[table["group"] == half].sort_values("time"), half)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
        axes.set(ylim=(0, 1.04), xlim=(0, None))
        axes.set_ylabel("surviving")
        axes.legend(frameon=False, fontsize=8, loc="lower left")
        _at_risk(below, axes, table, halves)
        below.set_xlabel(wrapped(str(cohort.facts["time"] or "time").replace("_", " "), 60, 1))

    return Plate(
        name=name,
        said="Kaplan-Meier curves of the patients below and above the median",
        caption="Patients below and above the median of the primary value, with pointwise "
        "intervals. The split is for the eye; the test uses the continuous value.",
        size_in=(7.2, 3.7),
        draw=draw,
        data=table,
    )


def _half(axes: Axes, rows: pd.DataFrame, half: str) -> None:
    look = HALVES[half]
    # A curve begins at one, whether or not its table says so.
    time = np.r_[0.0, rows["time"].to_numpy(float)]
    n = rows["n_at_risk"].max()
    label = f"{half} (n = {int(n)})" if is_number(n) else half
    dash = "-" if half == HIGH else (0, (5, 1.5))
    axes.step(time, np.r_[1.0, rows["survival"]], where="post", color=look.colour,
              linestyle=dash, label=label)  # fmt: skip
    low, high = (np.r_[1.0, rows[name].to_numpy(float)] for name in ("ci_low", "ci_high"))
    axes.fill_between(time, low, high, step="post", color=look.colour, alpha=0.12, linewidth=0)


def _at_risk(below: Axes, axes: Axes, table: pd.DataFrame, halves: list[str]) -> None:
    """How many patients each point of a curve still speaks for."""
    last = float(table["time"].max())
    times = [t for t in axes.get_xticks() if 0 <= t <= last * 1.02]
    below.spines[["top", "right", "left", "bottom"]].set_visible(False)
    below.set_ylim(-len(halves) + 0.4, 0.6)
    below.set_yticks([-i for i in range(len(halves))], [f"at risk, {half}" for half in halves])
    below.tick_params(length=0, pad=14, labelcolor=style.INK)
    below.tick_params(axis="x", pad=2)
    for i, half in enumerate(halves):
        rows = table[table["group"] == half].sort_values("time")
        for t in times:
            later = rows.loc[rows["time"] >= t, "n_at_risk"]
            n = int(later.iloc[0]) if len(later) and is_number(later.iloc[0]) else 0
            below.text(t, -i, str(n), ha="center", va="center", fontsize=8)
