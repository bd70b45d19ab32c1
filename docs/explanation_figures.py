"""Draw docs/images/explanations: what the explanations show, computed by macprox itself.

python docs/explanation_figures.py [tiles] [nulls] [patients]

About two minutes, most of it the cohorts without a difference. The numbers that the pages quote go
to docs/data/explanations.json.
"""

from __future__ import annotations

import io
import json
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from scipy import stats
from skimage.segmentation import find_boundaries

import macprox as mp
from macprox import cohort, simulate, spatial
from macprox.image.tiles import tile_grid
from macprox.phenotype.colours import phenotype_colours
from macprox.report import style
from macprox.segment import SegmentationParameters
from macprox.segment.nuclei import describe
from macprox.segment.objects import anchors
from macprox.segment.whole import halo_um, segment_tile

DOCS = Path(__file__).parent
PICTURES = DOCS / "images" / "explanations"
NUMBERS = DOCS / "data" / "explanations.json"
SLIDE = DOCS.parent / "sample_data" / "slides" / "P01_early.ome.tif"
WIDE_IN = 7.2
DPI = 140
TRM, TUMOUR = "AM/TRM-like", "Tumour"
COLOURS = phenotype_colours([TUMOUR, TRM], TUMOUR, [TRM])
WRONG = "#c0392b"
GROUPS = {"early": style.ACCENT, "late": "#b8860b"}
MARKERS = {"early": "o", "late": "s"}
RADIUS_UM = 20.0
PLACES = ("region", "compartment")


def save(figure: Figure, name: str) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    picture = Image.open(buffer).convert("RGB").quantize(96, kmeans=4)
    picture.save(PICTURES / f"{name}.png", optimize=True)


# --- the same cells, however a slide is cut

CORE_PX = 256
PIXEL_UM = 0.5
NUCLEI = SegmentationParameters()
SHOWN = np.s_[176:336, 176:336]  # around the corner where four tiles meet
SHORT_PX = 8


@cache
def stain() -> np.ndarray:
    slide = mp.open_slide(SLIDE)
    pixels = slide.read("DAPI", slice(0, slide.shape[0]), slice(0, slide.shape[1]))
    return pixels.astype(np.float32) - np.float32(np.percentile(pixels, 1))


def segmented(core_px: int, halo_px: int, per_tile: bool = False) -> np.ndarray:
    """Anchors plus one, 0 outside nuclei; ``per_tile``: brightness is judged in each tile anew."""
    shape = stain().shape
    found = np.zeros(shape, np.int64)
    of_slide = describe(stain(), PIXEL_UM)
    for tile in tile_grid(shape, core_px, halo_px):
        seen = np.ascontiguousarray(stain()[tile.outer.slices])
        judged = describe(seen, PIXEL_UM) if per_tile else of_slide
        labels = segment_tile(seen, None, tile.outer, (shape, PIXEL_UM), judged, NUCLEI).nuclei
        names = anchors(labels, tile.outer, shape[1])
        names = np.r_[0, names[-labels.max() :] + 1]
        found[tile.core.slices] = names[labels[tile.core.within(tile.outer)]]
    return found


def tiles() -> dict:
    enough_px = int(np.ceil(halo_um(NUCLEI, PIXEL_UM) / PIXEL_UM))
    whole = segmented(10**6, 0)
    told: dict = {"nuclei": n_objects(whole)}
    with style.drawing(WIDE_IN, 2.75) as figure:
        left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 1.15))
        for axes, halo_px, title in (
            (left, SHORT_PX, f"A  halo of {SHORT_PX} px"),
            (middle, enough_px, f"B  halo of {enough_px} px"),
        ):
            found = segmented(CORE_PX, halo_px)
            differ = int((found != whole).sum())
            told[f"halo of {halo_px} px"] = {"differ": differ, "nuclei": n_objects(found)}
            draw_corner(axes, found, whole)
            axes.set_title(title)
            axes.set_xlabel(f"{differ:,} pixels of the slide differ", fontsize=8)
        told["tiles"] = draw_halos(right, whole, enough_px)
        save(figure, "tiles")
    return told


def n_objects(found: np.ndarray) -> int:
    return len(np.unique(found)) - 1


def draw_corner(axes: Axes, found: np.ndarray, whole: np.ndarray) -> None:
    """Stain and outlines where four tiles meet; wrong pixels red, an anchor of each nucleus."""
    grey = np.clip(stain()[SHOWN] / np.percentile(stain(), 99.5), 0, 1)
    picture = np.repeat(grey[..., None], 3, axis=2) * 0.75
    picture[find_boundaries(found[SHOWN], mode="inner")] = (0.55, 0.85, 1.0)
    wrong = (found != whole)[SHOWN]
    picture[wrong] = picture[wrong] * 0.35 + 0.65 * np.array([0.95, 0.25, 0.2])
    axes.imshow(picture, interpolation="nearest")
    y0, x0 = SHOWN[0].start, SHOWN[1].start
    for at, line in ((CORE_PX - y0, axes.axhline), (CORE_PX - x0, axes.axvline)):
        line(at - 0.5, color="#ffd75e", linewidth=1.0, linestyle=(0, (4, 3)))
    y, x = np.divmod(np.unique(found[found > 0]) - 1, found.shape[1])
    height, width = wrong.shape
    inside = (y >= y0) & (y < y0 + height) & (x >= x0) & (x < x0 + width)
    axes.plot(x[inside] - x0, y[inside] - y0, ".", color="white", markersize=2.6)
    axes.set(xticks=[], yticks=[])


def draw_halos(axes: Axes, whole: np.ndarray, enough_px: int) -> dict:
    """How many pixels depend on the cut, by what a tile sees beyond its core."""
    halos_px, told = (0, 8, 16, 32, 64, enough_px), {}
    for core_px, colour in ((128, "#7fb4cf"), (256, style.ACCENT), (347, style.INK)):
        differ = [int((segmented(core_px, halo) != whole).sum()) for halo in halos_px]
        per_tile = int((segmented(core_px, enough_px, per_tile=True) != whole).sum())
        told[core_px] = dict(zip(halos_px, differ, strict=True)) | {"judged per tile": per_tile}
        axes.plot(halos_px, differ, "o-", color=colour, markersize=3, label=f"{core_px} px")
        axes.plot(enough_px, per_tile, "x", color=WRONG, markersize=5)
    axes.text(enough_px - 5, per_tile, "brightness judged\nin each tile", color=WRONG, fontsize=7,
              ha="right", va="center")  # fmt: skip
    style.quiet_axes(axes)
    axes.set_yscale("symlog", linthresh=100)
    axes.set(
        title="C  what depends on the cut", xlabel="halo (px)", ylabel="pixels", ylim=(-25, 3e5)
    )
    axes.set_yticks([0, 100, 1_000, 10_000, 100_000], ["0", "100", "1,000", "10,000", "100,000"])
    axes.legend(title="tiles of", frameon=False, fontsize=7, title_fontsize=7,
                loc="center right")  # fmt: skip
    return told


# --- what strata are for


def near(cells: pd.DataFrame, window: spatial.Window, strata: tuple[str, ...]) -> pd.Series:
    """Tumour cells with a macrophage within 20 um: observed share, expected share, p."""
    table = spatial.proximity(
        cells, TRM, TUMOUR, window, radii_um=[RADIUS_UM], strata=list(strata), n_permutations=199
    )
    return table.query("statistic == 'g' and correction == 'none' and source == @TUMOUR").iloc[0]


def nulls() -> dict:
    made = simulate.simulate_cohort(
        simulate.scenario("compartment_artefact", n_patients=(20, 20)), seed=1
    )
    rows = []
    for slide_id, cells in made.cells.groupby("slide_id", sort=False):
        for strata in ((), PLACES):
            row = near(cells, made.window, strata)[["value", "expected", "p"]]
            rows.append({"slide_id": slide_id, "stratified": bool(strata), **row})
    found = pd.DataFrame(rows).merge(made.samples)
    with style.drawing(WIDE_IN, 2.9) as figure:
        left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1.15, 1.15))
        slide_id = found["slide_id"].iloc[0]
        draw_slide(left, made, slide_id)
        for axes, stratified, title in (
            (middle, False, "B  dealt among all cells"),
            (right, True, "C  dealt within each place"),
        ):
            draw_expected(axes, found[found["stratified"] == stratified], slide_id)
            axes.set_title(title)
        right.set_ylabel("")
        save(figure, "nulls")
    found["rejected"] = found["p"] <= 0.05
    means = found.groupby(["stratified", "group"])[["value", "expected", "rejected"]].mean()
    return {
        f"{'within places' if stratified else 'among all'}, {group}": row.round(3).to_dict()
        for (stratified, group), row in means.iterrows()
    }


def draw_slide(axes: Axes, made: simulate.SimulatedCohort, slide_id: str) -> None:
    cells = made.slide_cells(slide_id)
    for kind, marker, size in (("Other", "o", 2), (TUMOUR, "o", 5), (TRM, "^", 11)):
        of = cells[cells["phenotype"] == kind]
        axes.scatter(of["x_um"], of["y_um"], s=size, c=COLOURS[kind], marker=marker, linewidths=0,
                     label=kind)  # fmt: skip
    axes.plot(*made.tumour(slide_id).exterior.xy, color=style.INK, linewidth=0.9)
    (x0, y0), (x1, y1) = (cells[["x_um", "y_um"]].agg(end) for end in ("min", "max"))
    axes.set(aspect="equal", xticks=[], yticks=[], xlim=(x0, x1), ylim=(y0, y1))
    axes.set_title("A  one of the slides")
    axes.plot([x1 - 130, x1 - 30], [y0 + 25] * 2, color=style.INK, linewidth=2)
    axes.text(x1 - 80, y0 + 38, "100 µm", ha="center", fontsize=7,
              bbox={"facecolor": "white", "linewidth": 0, "pad": 0.6})  # fmt: skip
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=3, frameon=False,
                fontsize=6.5, handletextpad=0.1, columnspacing=0.7, markerscale=1.3)  # fmt: skip


def draw_expected(axes: Axes, found: pd.DataFrame, slide_id: str) -> None:
    """Observed against expected, one mark a slide; filled where p is at most 0.05."""
    wrong = found["p"] <= 0.05
    for group, colour in GROUPS.items():
        for rejected in (False, True):
            of = found[(found["group"] == group) & (wrong == rejected)]
            axes.scatter(
                of["expected"], of["value"], s=17, marker=MARKERS[group], linewidths=0.9,
                facecolors=colour if rejected else "none", edgecolors=colour,
            )  # fmt: skip
    shown = found[found["slide_id"] == slide_id].iloc[0]
    axes.annotate("A", (shown["expected"], shown["value"]), xytext=(7, -9),
                  textcoords="offset points", fontsize=7.5, fontweight="bold")  # fmt: skip
    top = 0.5
    axes.plot([0, top], [0, top], color=style.EXPECTED, linestyle="--", linewidth=1.1, zorder=0)
    style.quiet_axes(axes)
    axes.set(
        xlim=(0, top), ylim=(0, top), xlabel="expected by chance", ylabel="observed", aspect="equal"
    )
    ticks = np.arange(0, top, 0.1)
    axes.set_xticks(ticks, [f"{tick:.0%}" for tick in ticks])
    axes.set_yticks(ticks, [f"{tick:.0%}" for tick in ticks])
    for y, (group, colour) in zip((0.475, 0.435), GROUPS.items(), strict=True):
        of = found[found["group"] == group]
        axes.text(0.015, y, f"{group}: {(of['p'] <= 0.05).sum()} of {len(of)} with p ≤ 0.05",
                  color=colour, fontsize=7, va="center")  # fmt: skip


# --- why cells are not replicates

N_COHORTS = 400


def distances(made: simulate.SimulatedCohort) -> pd.DataFrame:
    """Of every tumour cell the distance to the nearest macrophage, with patient and group."""
    parts = []
    for slide_id, cells in made.cells.groupby("slide_id", sort=False):
        xy = {kind: of[["x_um", "y_um"]].to_numpy() for kind, of in cells.groupby("phenotype")}
        if TRM in xy and TUMOUR in xy:
            found = spatial.nearest_distance(xy[TUMOUR], xy[TRM])
            parts.append(pd.DataFrame({"slide_id": slide_id, "um": found}))
    return pd.concat(parts).merge(made.samples)


def p_values(seed: int) -> tuple[float, float]:
    """Of one cohort without a difference: Mann-Whitney over cells, the test over patients."""
    made = simulate.simulate_cohort(simulate.scenario("null", n_patients=(8, 8)), seed=seed)
    cells = distances(made)
    early, late = (cells.loc[cells["group"] == group, "um"] for group in GROUPS)
    patients = cells.groupby(["patient", "group"], as_index=False)["um"].mean()
    over_patients = cohort.compare(patients, value="um", group="group")["p"].iloc[0]
    return float(stats.mannwhitneyu(early, late).pvalue), float(over_patients)


def patients() -> dict:
    found = np.array([p_values(seed) for seed in range(N_COHORTS)])
    # One where the two tests disagree, as they do in most; the page says that it was picked.
    typical = int(np.argmin(np.abs(found[:, 1] - 0.5) + (found[:, 0] > 1e-6)))
    made = simulate.simulate_cohort(simulate.scenario("null", n_patients=(8, 8)), seed=typical)
    with style.drawing(WIDE_IN, 2.7) as figure:
        left, middle, right = figure.subplots(1, 3, width_ratios=(1.5, 1, 1))
        draw_patients(left, distances(made), found[typical])
        draw_p(middle, found[:, 0], "B  tested over cells", WRONG)
        draw_p(right, found[:, 1], "C  tested over patients", style.ACCENT)
        right.set_ylabel("")
        save(figure, "patients")
    over_cells, over_patients = (found <= 0.05).mean(axis=0).round(4)
    disagree = ((found[:, 0] <= 0.05) & (found[:, 1] > 0.05)).mean()
    return {
        "cohorts": N_COHORTS, "over cells": over_cells, "over patients": over_patients,
        "over cells alone": disagree, "shown": found[typical].tolist(),
    }  # fmt: skip


def draw_patients(axes: Axes, cells: pd.DataFrame, p: np.ndarray) -> None:
    """One cohort: the middle half of each patient's cells, and each patient's mean."""
    of = cells.groupby(["group", "patient"], sort=False)["um"]
    table = of.agg(["mean", lambda v: v.quantile(0.25), lambda v: v.quantile(0.75)])
    table.columns = ["mean", "low", "high"]
    for group, offset in zip(GROUPS, (0, 9.5), strict=True):
        rows = table.loc[group].sort_values("mean")
        x = offset + np.arange(len(rows))
        axes.vlines(x, rows["low"], rows["high"], color=GROUPS[group], linewidth=3.5, alpha=0.3)
        axes.plot(x, rows["mean"], MARKERS[group], color=GROUPS[group], markersize=4)
        axes.hlines(rows["mean"].mean(), x[0] - 0.4, x[-1] + 0.4, color=style.INK, linewidth=1)
        n = len(cells[cells["group"] == group])
        axes.text(x.mean(), -0.02, f"{group}: 8 patients,\n{n:,} cells", ha="center", va="top",
                  fontsize=7.5, transform=axes.get_xaxis_transform())  # fmt: skip
    style.quiet_axes(axes)
    axes.set(
        title="A  a cohort whose groups are alike", xticks=[], ylabel="µm to the nearest macrophage"
    )
    axes.set_ylim(0, 135)
    axes.text(0.5, 0.97, f"p over cells {p[0]:.0e}, over patients {p[1]:.2f}", fontsize=7.5,
              ha="center", va="top", transform=axes.transAxes)  # fmt: skip


def draw_p(axes: Axes, p: np.ndarray, title: str, colour: str) -> None:
    edges = np.linspace(0, 1, 21)
    share = np.histogram(p, edges)[0] / len(p)
    axes.bar(edges[:-1], share, width=0.05, align="edge", color=colour, alpha=0.35, linewidth=0)
    axes.bar(edges[0], share[0], width=0.05, align="edge", color=colour, linewidth=0)
    axes.axhline(0.05, color=style.EXPECTED, linestyle="--", linewidth=1.1)
    axes.text(0.09, min(share[0] + 0.07, 0.72), f"{(p <= 0.05).mean():.0%} have p ≤ 0.05",
              fontsize=8, va="top", color=colour)  # fmt: skip
    style.quiet_axes(axes)
    axes.set(
        title=title, xlabel="p", ylabel=f"share of {N_COHORTS} cohorts", xlim=(0, 1), ylim=(0, 0.75)
    )


DRAWN = {"tiles": tiles, "nulls": nulls, "patients": patients}

if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    numbers = json.loads(NUMBERS.read_text(encoding="utf-8")) if NUMBERS.exists() else {}
    numbers |= {name: DRAWN[name]() for name in sys.argv[1:] or DRAWN}
    NUMBERS.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
