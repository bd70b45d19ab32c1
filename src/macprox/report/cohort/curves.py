"""A quantity over a distance: the groups' means, and their difference under no difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter

from macprox.printable import printable
from macprox.report import style
from macprox.report.cohort.plate import WIDTH_IN, Plate, contrast_label, looks, wrapped
from macprox.report.cohort.quantities import Quantity, quantity
from macprox.report.cohort.reading import SavedCohort
from macprox.report.numbers import is_number, p_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW_IN = 2.5
MOST_ROWS, MOST_CONTRASTS = 6, 2
X_AXES = {
    "C1": "radius r (µm)",
    "C2": "distance to the tumour border (µm), negative is inside",
    "C4": "radius r (µm)",
    "C5": "distance to the nearest {target} (µm)",
}
CAPTION = (
    "Left: thin lines are patients, thick lines the groups' means with their bootstrap band over "
    "patients. Right: the difference of the means; grey: where it would lie at every distance at "
    "once if the groups did not differ (global envelope). Outside the grey is where they do."
)
CAPTION_ONE = "Thin lines are patients, the thick line their mean with its bootstrap band."


def curves_plate(cohort: SavedCohort, claim: str, name: str) -> Plate | None:
    """A row a source and target, or None where the claim has no curve."""
    rows = cohort.curves[(cohort.curves["claim"] == claim) & cohort.curves["x"].notna()]
    rows = rows[rows["value"].notna() | rows["envelope_low"].notna()]
    kinds = list(dict.fromkeys(zip(rows["statistic"], rows["source"], rows["target"], strict=True)))
    kinds = kinds[:MOST_ROWS]
    if not kinds:
        return None
    contrasts = list(dict.fromkeys(rows.loc[rows["kind"] == "difference", "contrast"]))
    contrasts = contrasts[:MOST_CONTRASTS]

    def draw(figure: Figure) -> None:
        grid = figure.subplots(len(kinds), 1 + len(contrasts), squeeze=False, sharex="row")
        for line, kind in zip(grid, kinds, strict=True):
            here = rows[(rows[["statistic", "source", "target"]] == list(kind)).all(axis="columns")]
            what, (_, source, target) = _quantity(claim, kind[0]), kind
            _groups(line[0], cohort, here, what)
            line[0].set_title(wrapped(" → ".join(filter(None, (source, target))), 50, 2))
            for axes, contrast in zip(line[1:], contrasts, strict=True):
                chosen = (here["kind"] == "difference") & (here["contrast"] == contrast)
                _difference(axes, here[chosen], _label(cohort, contrast), what)
            x_axis = X_AXES.get(claim, "distance (µm)").format(target=printable(target))
            for axes in line:
                axes.set_xlabel(wrapped(x_axis, 60, 2))
                if here["x"].min() < 0 < here["x"].max():
                    axes.axvline(0, color=style.INK, linewidth=1, zorder=1)
        _legend(grid[0][0], cohort)

    said = "; ".join(" → ".join(filter(None, kind[1:])) for kind in kinds)
    return Plate(
        name=name,
        said=f"Curves over distance by group, with the difference and its envelope: {said}",
        caption=CAPTION if contrasts else CAPTION_ONE,
        size_in=(WIDTH_IN if contrasts else 0.75 * WIDTH_IN, ROW_IN * len(kinds) + 0.25),
        draw=draw,
        data=rows.dropna(axis="columns", how="all"),
    )


def _label(cohort: SavedCohort, contrast: str) -> str:
    sides = cohort.sides({"contrast": contrast})
    return contrast_label(*sides, 34) if sides else wrapped(contrast, 34, 1)


def _quantity(claim: str, statistic: str) -> Quantity:
    """Along the border a density is drawn, near a macrophage a level, whatever they are named."""
    if claim == "C2":
        return quantity("density_per_mm2")
    return Quantity("marker level", "marker level") if claim == "C5" else quantity(statistic)


def _groups(axes: Axes, cohort: SavedCohort, rows: pd.DataFrame, what: Quantity) -> None:
    style.quiet_axes(axes)
    look = looks(cohort.groups)
    thin = rows[rows["kind"] == "patient"]
    faint = 0.28 if thin["patient"].nunique() <= 40 else 0.1
    for patient, line in thin.groupby("patient", sort=True):
        group = cohort.group_of.get(str(patient), "")
        if group in look:
            line = line.sort_values("x")
            axes.plot(
                line["x"], line["value"], color=look[group].colour, linewidth=0.7, alpha=faint
            )
    for group in cohort.groups:
        named = rows["group"].map(printable) == group if cohort.column is not None else True
        mean = rows[(rows["kind"] == "group") & named].sort_values("x")
        x, value = mean["x"].to_numpy(float), mean["value"].to_numpy(float)
        dash = "-" if group == cohort.groups[0] else (0, (5, 1.5))
        axes.plot(x, value, color=look[group].colour, linewidth=2.2, zorder=3, linestyle=dash)
        axes.fill_between(x, mean["ci_low"].to_numpy(float), mean["ci_high"].to_numpy(float),
                          color=look[group].colour, alpha=0.16, linewidth=0, zorder=2)  # fmt: skip
    if what.kind == "points":
        axes.axhline(0, color=style.EXPECTED, linewidth=1, linestyle="--", zorder=1)
    axes.set_ylabel(what.axis)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: what.tick(v)))


def _legend(axes: Axes, cohort: SavedCohort) -> None:
    if cohort.column is None:
        return
    look = looks(cohort.groups)
    for group in cohort.groups:
        dash = "-" if group == cohort.groups[0] else (0, (5, 1.5))
        n = sum(of == group for of in cohort.group_of.values())
        axes.plot([], [], color=look[group].colour, linewidth=2.2, linestyle=dash,
                  label=f"{wrapped(group, 24, 1)} (n = {n})")  # fmt: skip
    if len(cohort.groups) > 2:
        axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    else:
        axes.legend(frameon=False, fontsize=8, loc="best")


def _difference(axes: Axes, rows: pd.DataFrame, label: str, what: Quantity) -> None:
    style.quiet_axes(axes)
    rows = rows.sort_values("x")
    x, value = rows["x"].to_numpy(float), rows["value"].to_numpy(float)
    low, high = rows["envelope_low"].to_numpy(float), rows["envelope_high"].to_numpy(float)
    axes.fill_between(x, low, high, color=style.FAINT, linewidth=0, zorder=1.5)
    axes.axhline(0, color=style.EXPECTED, linewidth=1, linestyle="--", zorder=2)
    axes.plot(x, value, color=style.INK, linewidth=1.8, zorder=3)
    with np.errstate(invalid="ignore"):
        outside = (value < low) | (value > high)
    axes.plot(x[outside], value[outside], "o", color=style.INK, markersize=4.5, zorder=4)
    p = next((float(p) for p in rows["p"] if is_number(p)), None)
    global_p = f"global p {p_sign(p)}" if p is not None else "no test: see the table"
    axes.set_title(f"{label}: {global_p}")
    axes.set_ylabel(f"difference\n{what.axis.splitlines()[-1]}")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: what.tick(v)))


def p_sign(p: float) -> str:
    """``"= 0.03"`` or ``"< 0.001"``."""
    text = p_text(p)
    return text if text[0] in "<≤" else f"= {text}"


def curve_findings(cohort: SavedCohort, claim: str) -> list[str]:
    """A sentence a difference of curves: its global p, and where it leaves the envelope."""
    rows = cohort.curves[cohort.curves["claim"] == claim]
    rows = rows[rows["kind"] == "difference"]
    said = []
    for names, line in rows.groupby(["source", "target", "contrast"], sort=False):
        source, target, contrast = map(str, names)
        p = next((float(p) for p in line["p"] if is_number(p)), None)
        if p is None:
            continue
        whose = " → ".join(printable(name) for name in (source, target) if name)
        outside = (line["value"] < line["envelope_low"]) | (line["value"] > line["envelope_high"])
        x = line.loc[outside, "x"]
        where = f"; outside the envelope {_span(x)}" if len(x) else ""
        named = cohort.contrast({"contrast": contrast})
        said.append(f"{whose} over all distances, {named}: global p {p_sign(p)}{where}.")
    return said


def _span(x: pd.Series) -> str:
    low, high = (f"{end:g}".replace("-", "−") for end in (x.min(), x.max()))
    return f"at {low} µm" if low == high else f"between {low} and {high} µm"
