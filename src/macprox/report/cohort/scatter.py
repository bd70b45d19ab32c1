"""One mark a lesion: its size against its cells, the lesions of a patient joined."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, NullFormatter

from macprox.celltable import slugs
from macprox.printable import printable
from macprox.report import style
from macprox.report.cohort.plate import Plate, looks, wrapped
from macprox.report.cohort.reading import EVERYONE, SavedCohort

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


def lesions_plate(cohort: SavedCohort, name: str) -> Plate | None:
    """Lesion area (log) against the density of the regulatory class; None without both."""
    lesions = cohort.result.lesions()
    column = density_column(lesions, str(cohort.facts["roles"].get("regulatory", "")))
    if column is None:
        return None
    group = lesions["group"].map(printable) if cohort.column is not None else EVERYONE
    shown = lesions.assign(group=group, area_mm2=lesions["area_um2"] / 1e6)
    shown = shown[(shown["area_mm2"] > 0) & np.isfinite(shown[column].to_numpy(float))]
    shown = shown[shown["group"].isin(cohort.groups)]
    if not len(shown):
        return None

    few = len(shown) <= 120

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        style.quiet_axes(axes)
        for group, look in looks(cohort.groups).items():
            rows = shown[shown["group"] == group]
            for _, own in rows.sort_values("area_mm2").groupby("patient"):
                axes.plot(own["area_mm2"], own[column], color=look.colour, linewidth=0.6,
                          alpha=0.4 if few else 0.15)  # fmt: skip
            label = f"{wrapped(group, 24, 1)} ({rows['patient'].nunique()} patients, "
            label += f"{len(rows)} lesions)"
            axes.plot(rows["area_mm2"], rows[column], look.marker, color=look.colour,
                      markersize=5 if few else 3.4, markeredgecolor="white", markeredgewidth=0.5,
                      linestyle="none",
                      label=label)  # fmt: skip
        axes.set_xscale("log")
        low, high = axes.get_xlim()
        axes.set_xticks([t for t in TICKS if low <= t <= high])
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("lesion area (mm², logarithmic)")
        axes.set_ylabel(wrapped(density_title(cohort, column), 34, 2))
        axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))

    kept = ["slide_id", "patient", "group", "lesion_id", "area_mm2", column]
    return Plate(
        name=name,
        said="A mark a lesion: its area against the density of regulatory cells in it",
        caption="One mark a lesion; a thin line joins the lesions of one patient. Lesions of one "
        "patient are no independent observations: the tests are between patients and, apart from "
        "that, within them.",
        size_in=(8.2, 3.3),
        draw=draw,
        data=shown[kept],
    )


def density_column(lesions: pd.DataFrame, phenotype: str) -> str | None:
    """The lesions' column of a phenotype's density; the only density where none is named so."""
    densities = [str(c) for c in lesions.columns if "per_mm2" in str(c)]
    if phenotype:
        slug = slugs([phenotype])[phenotype]
        densities = [c for c in densities if slug in c or phenotype in c] or densities
    return densities[0] if densities else None


def density_title(cohort: SavedCohort, column: str) -> str:
    """Whose density it is, as the study names the phenotype."""
    named = str(cohort.facts["roles"].get("regulatory", "")) or column.split("_per_mm2")[0]
    return f"{printable(named)}, cells per mm² of the lesion"
