"""The primary answer with one choice changed at a time, and what another study would need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from macprox.cohort.sample_size import CAUTIOUS, POOLED
from macprox.printable import printable
from macprox.report import style
from macprox.report.cohort.plate import WIDTH_IN, Plate, wrapped
from macprox.report.cohort.quantities import Quantity, quantity
from macprox.report.cohort.reading import Row, SavedCohort
from macprox.report.numbers import is_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TARGET_POWER = 0.8
BASES = {POOLED: "-", CAUTIOUS: (0, (4, 2))}
EFFECT_COLOURS = ("#a9cbdb", "#66a3bf", "#0b6e99", "#0a4560", "#3d4a57", "#10161c")
KINDS = ("radius", "gate", "expansion", "weights", "with red slides", "without one patient")
AS_RUN = "as run"


def changes(cohort: SavedCohort) -> list[tuple[str, Row]]:
    """The primary answer first, then under each change: (what was changed, row)."""
    table, primary = cohort.result.sensitivity(), cohort.primary
    if primary is None or not len(table):
        return []
    same = (table["contrast"] == primary["contrast"]) | (table["contrast"] == "")
    same &= table["kind"] != AS_RUN  # it stands first, as reported
    order = {kind: i for i, kind in enumerate(KINDS)}
    rows = sorted(table[same].to_dict("records"), key=lambda r: order.get(r["kind"], len(order)))
    return [("as reported", primary), *((change_name(row), row) for row in rows)]


def change_name(row: Row) -> str:
    """``"CD68 gate +10 %"``."""
    kind, what, change = row["kind"], printable(row["what"]), row["change"]
    if kind == "without one patient":
        return f"without patient {what}"
    if not is_number(change):
        return what or kind
    names = {
        "radius": f"radius {change:g} µm",
        "gate": f"{what} gate {_signed(100 * change)} %",
        "expansion": f"expansion {_signed(change)} µm",
    }
    return names.get(kind, what or kind)


def _signed(number: float) -> str:
    return f"{number:+g}".replace("-", "−")


def changes_plate(cohort: SavedCohort, name: str) -> Plate | None:
    """A forest: the difference under each change, with its interval."""
    rows = [(said, row) for said, row in changes(cohort) if is_number(row["effect"])]
    if len(rows) < 2 or cohort.primary is None:
        return None
    what = quantity(cohort.primary["statistic"])

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.grid(axis="x", color=style.FAINT, linewidth=0.6)
        axes.axvline(0, color=style.EXPECTED, linestyle="--", linewidth=1)
        axes.axvline(rows[0][1]["effect"], color=style.ACCENT, linewidth=0.9, alpha=0.6)
        for i, (_, row) in enumerate(rows):
            colour = style.ACCENT if i == 0 else style.INK
            ends = [row["ci_low"], row["ci_high"]]
            if all(map(is_number, ends)):
                axes.plot(ends, [-i, -i], color=colour, linewidth=2.4 if i == 0 else 1.5)
            axes.plot([row["effect"]], [-i], "D" if i == 0 else "o", color=colour, markersize=6)
        axes.set_yticks([-i for i in range(len(rows))], [wrapped(said, 44, 1) for said, _ in rows])
        axes.tick_params(axis="y", length=0, labelcolor=style.INK)
        axes.set_ylim(-len(rows) + 0.3, 0.7)
        axes.xaxis.set_major_locator(MaxNLocator(8))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: what.tick(v)))
        contrast = cohort.contrast(cohort.primary or {"contrast": ""})
        axes.set_xlabel(wrapped(f"{contrast}: {what.axis}".replace("\n", " "), 110, 2))

    return Plate(
        name=name,
        said="The primary difference with its interval, as reported and under each change",
        caption="Top: the answer as reported. Below: the same test with one choice changed. An "
        "answer that lives on one choice crosses the dashed line or changes side.",
        size_in=(0.85 * WIDTH_IN, 0.95 + 0.24 * len(rows)),
        draw=draw,
        data=pd.DataFrame([{"changed": said, **row} for said, row in rows]),
    )


def power_plate(cohort: SavedCohort, name: str) -> Plate | None:
    """Power against patients an arm, a line a difference."""
    table = cohort.result.power()
    table = table[table["power"].notna() & table["n_per_arm"].notna()]
    if not len(table):
        return None
    what = quantity(str((cohort.primary or {}).get("statistic", "")))
    effects = sorted(table["effect_size"].abs().dropna().unique())[: len(EFFECT_COLOURS)]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        style.quiet_axes(axes)
        axes.axhline(TARGET_POWER, color=style.EXPECTED, linestyle="--", linewidth=1)
        for colour, size in zip(EFFECT_COLOURS, effects, strict=False):
            rows = table[np.isclose(table["effect_size"].abs(), size)]
            for basis, dash in BASES.items():
                line = rows[rows["spread"] == basis].sort_values("n_per_arm")
                label = effect_name(line, what) if basis == POOLED else None
                axes.plot(line["n_per_arm"], line["power"], color=colour, linestyle=dash,
                          linewidth=1.6, label=label)  # fmt: skip
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
        axes.set_ylim(0, 1.03)
        axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
        axes.set_xlabel("patients in each group")
        axes.set_ylabel("power")
        axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0),
                    title="true difference")  # fmt: skip

    return Plate(
        name=name,
        said="Power against the number of patients in each group, a line a difference",
        caption="Solid: with the standard deviation of these patients. Dashed: with its upper 80 % "
        "limit, since few patients tell little of how much patients vary. Grey line: 80 %.",
        size_in=(8.6, 3.3),
        draw=draw,
        data=table,
    )


def effect_name(rows: pd.DataFrame, what: Quantity) -> str:
    """A difference in its unit and in standard deviations."""
    if not len(rows):
        return ""
    first = rows.iloc[0]
    size = f"{abs(first['effect_size']):.2g} sd" if is_number(first["effect_size"]) else ""
    raw = what.difference(abs(first["effect"])) if is_number(first["effect"]) else ""
    return f"{raw} ({size})" if raw and size else raw or size
