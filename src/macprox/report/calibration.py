"""One figure for how often each test rejects where there is nothing to find."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from macprox.report import style
from macprox.report.numbers import percent_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_IN = 0.24
PANELS = {
    "own null": "nothing to find: the test's own null",
    "wrong null": "nothing to find: another null's test",
    "power": "something to find",
}
LEVEL, CALIBRATED = 0.05, (0.04, 0.06)


def calibration_figure(table: pd.DataFrame) -> str:
    """As an inline ``<svg>``; empty where no test could be simulated.

    Parameters
    ----------
    table : DataFrame
        From `macprox.spatial.calibrate`, of one slide or several.
    """
    tests = _tests(table)
    if not tests:
        return ""
    with style.drawing(10.6, _height(tests)) as figure:
        _draw(figure, table, tests)
        said = "Share of simulated slides that each test rejects at 5 %, with its 95 % interval"
        return style.to_svg(figure, "calibration", said)


def write_calibration_figure(table: pd.DataFrame, path: Path) -> Path:
    """The same as a file; ``.svg``, ``.pdf`` or ``.png``, by its name."""
    tests = _tests(table)
    with style.drawing(10.6, _height(tests)) as figure:
        _draw(figure, table, tests)
        return style.to_file(figure, path)


def calibration_sentences(table: pd.DataFrame) -> list[str]:
    """A line a slide and test: the level that a test at 5 % achieves, and what to call it."""
    own = table[table["control"] == "own null"]
    told = []
    for row in own.to_dict("records"):
        name = f"{row['slide_id']}, {row['test']}"
        if row["reason"]:
            told.append(f"{name}: not tried, {row['reason']}.")
            continue
        rate, low, high = (percent_text(row[k]) for k in ("rejected_frac", "ci_low", "ci_high"))
        told.append(f"{name}: {rate} ({low} to {high}), {row['verdict']}.")
    return told


def _tests(table: pd.DataFrame) -> list[str]:
    tried = table[np.isfinite(table["rejected_frac"].to_numpy(float))]
    return list(dict.fromkeys(tried["test"]))


def _height(tests: list[str]) -> float:
    return ROW_IN * (len(tests) + 1) + 0.9


def _draw(figure: Figure, table: pd.DataFrame, tests: list[str]) -> None:
    panels = figure.subplots(1, len(PANELS), sharey=True, width_ratios=(1.5, 1, 1))
    place = {test: -i for i, test in enumerate(tests)}
    for axes, (control, title) in zip(panels, PANELS.items(), strict=True):
        style.quiet_axes(axes)
        rows = table[table["control"] == control]
        _points(axes, rows[np.isfinite(rows["rejected_frac"].to_numpy(float))], place)
        axes.set_title(title, fontsize=8.5)
        axes.axvline(LEVEL, color=style.EXPECTED, linestyle="--", linewidth=1)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
        axes.set_xlim(0, None if control == "own null" else 1.02)
    panels[0].axvspan(*CALIBRATED, color=style.FAINT, zorder=0)
    panels[0].set_xlim(0, max(0.1, panels[0].get_xlim()[1]))
    panels[0].set_yticks(list(place.values()), tests)
    panels[0].set_ylim(-len(place) + 0.4, 0.6)
    panels[1].set_xlabel("simulated slides with p ≤ 5 %")


def _points(axes: Axes, rows: pd.DataFrame, place: dict[str, int]) -> None:
    slides = list(dict.fromkeys(rows["slide_id"])) if "slide_id" in rows else [""]
    for nth, slide in enumerate(slides):
        here = rows[rows["slide_id"] == slide] if slide else rows
        shift = 0.5 * ((len(slides) - 1) / 2 - nth) / max(1, len(slides))
        y = [place[test] + shift for test in here["test"]]
        rate = here["rejected_frac"].to_numpy(float)
        reach = [rate - here["ci_low"].to_numpy(float), here["ci_high"].to_numpy(float) - rate]
        axes.errorbar(rate, y, xerr=reach, fmt="o", markersize=4, color=style.ACCENT,
                      elinewidth=1, capsize=0, zorder=3)  # fmt: skip
