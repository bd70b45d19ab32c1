"""Draw docs/images/spatial: every figure of docs/spatial.md, from the tissue of its examples.

python docs/spatial_figures.py [RESULTS]

The figure of the sensitivity is that of a result folder (`macprox demo`); it is left as it is
where none is named. All others follow from the seed in the page and the table in docs/data.
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, PathPatch
from matplotlib.path import Path as Outline
from matplotlib.ticker import PercentFormatter
from PIL import Image

from macprox import spatial
from macprox.phenotype.colours import phenotype_colours
from macprox.report import style
from macprox.report.variations import write_variations_figure
from macprox.study import Study

DOCS = Path(__file__).parent
PICTURES = DOCS / "images" / "spatial"
WIDE_IN = 7.2
DPI = 140
COLOURS_KEPT = 48  # of a picture's palette: small files, and no gradient is drawn

KINDS = ["Tumour", "Mo-mac-like", "AM/TRM-like"]
AS_IN_REPORTS = ("AM/TRM-like", "Mo-mac-like")  # the order of the sample study: its colours
COLOURS = phenotype_colours(KINDS, KINDS[0], AS_IN_REPORTS)
MARKERS = {"Other": "o", "Tumour": "o", **style.macrophage_markers(AS_IN_REPORTS)}
PAPER = "#f3f4f6"  # tissue
RADIUS_UM = 20.0
R_UM = np.arange(0.0, 101.0)


def tissue() -> SimpleNamespace:
    """The names that the page's examples leave."""
    page = (DOCS / "spatial.md").read_text(encoding="utf-8")
    names: dict = {}
    exec("\n".join(re.findall(r"^```python\n(.*?)^```$", page, re.S | re.M)), names)  # noqa: S102
    return SimpleNamespace(**names)


def save(figure: Figure, name: str) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    quantized(Image.open(buffer)).save(PICTURES / f"{name}.png", optimize=True)


def quantized(picture: Image.Image) -> Image.Image:
    return picture.convert("RGB").quantize(COLOURS_KEPT, kmeans=4)


def fill(axes: Axes, shape, **look) -> None:
    """A polygon with its holes."""
    for part in getattr(shape, "geoms", [shape]):
        rings = [np.asarray(ring.coords) for ring in (part.exterior, *part.interiors)]
        outline = Outline.make_compound_path(*(Outline(ring, closed=True) for ring in rings))
        axes.add_patch(PathPatch(outline, **{"linewidth": 0, "zorder": 0, **look}))


def draw_tissue(axes: Axes, t: SimpleNamespace, box, size: float = 9, shown=None) -> None:
    """Window, nest and cells; ``box`` is x_min, y_min, x_max, y_max in um."""
    fill(axes, t.window.polygon, facecolor=PAPER)
    fill(axes, t.nest, facecolor="none", edgecolor=style.INK, linewidth=1.0, zorder=2)
    for kind in ("Other", *KINDS) if shown is None else shown:
        xy = t.xy[(t.cells["phenotype"] == kind).to_numpy()]
        axes.scatter(
            *xy.T, s=size * (0.5 if kind == "Other" else 1), c=COLOURS[kind],
            marker=MARKERS[kind], linewidths=0, label=kind, zorder=3,
        )  # fmt: skip
    frame(axes, box)


def frame(axes: Axes, box, bar_um: float | None = None) -> None:
    """No ticks: a bar says how long a micrometre is."""
    x_min, y_min, x_max, y_max = box
    axes.set(xlim=(x_min, x_max), ylim=(y_min, y_max), aspect="equal", xticks=[], yticks=[])
    axes.spines[:].set_color(style.FAINT)
    bar = bar_um or (200 if x_max - x_min > 500 else 50 if x_max - x_min > 150 else 20)
    x, y = x_max - 0.04 * (x_max - x_min), y_min + 0.05 * (y_max - y_min)
    white = {"color": "white", "linewidth": 5, "solid_capstyle": "butt", "zorder": 5}
    axes.plot([x - bar, x], [y, y], **white)
    axes.plot([x - bar, x], [y, y], color=style.INK, linewidth=2, solid_capstyle="butt", zorder=6)
    axes.text(
        x - bar / 2, y + 0.02 * (y_max - y_min), f"{bar:g} µm", ha="center", va="bottom",
        fontsize=7.5, zorder=6, bbox={"facecolor": "white", "linewidth": 0, "pad": 0.8},
    )  # fmt: skip


def name_cells(figure: Figure, kinds=("Other", *KINDS)) -> None:
    """One line below the panels: which sign is which cell."""
    signs = [
        Line2D([], [], linestyle="none", marker=MARKERS[kind], color=COLOURS[kind], label=kind,
               markersize=4 if kind == "Other" else 5.5, markeredgewidth=0)
        for kind in kinds
    ]  # fmt: skip
    figure.legend(handles=signs, loc="outside lower center", ncols=len(signs), frameon=False,
                  fontsize=7.5)  # fmt: skip


def legend(axes: Axes, **look) -> None:
    axes.legend(**{"frameon": False, "fontsize": 7.5, "handlelength": 1.6, **look})


def curve_axes(axes: Axes, title: str, y: str, chance: float | None = None) -> None:
    style.quiet_axes(axes)
    axes.set_title(title)
    axes.set(xlabel="distance r (µm)", ylabel=y)
    if chance is not None:
        axes.axhline(chance, color=style.EXPECTED, linestyle="--", linewidth=1.1, zorder=1)


def distances(t: SimpleNamespace) -> None:
    with style.drawing(WIDE_IN, 3.2) as figure:
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
        draw_tissue(left, t, (540, 560, 760, 780), size=26)
        _, row = spatial.k_nearest(t.macs, t.tumour, 1)
        left.add_collection(
            LineCollection(np.stack([t.macs, t.tumour[row[:, 0]]], axis=1), colors=style.INK,
                           linewidths=0.8, zorder=2.5)
        )  # fmt: skip
        rings = [Circle(xy, RADIUS_UM) for xy in t.macs]
        left.add_collection(
            PatchCollection(rings, facecolor="none", edgecolor=COLOURS[KINDS[1]], linewidth=0.6,
                            alpha=0.7, zorder=2.4)
        )  # fmt: skip
        left.set_title("nearest tumour cell, and 20 µm around")
        steps = np.arange(0, 161, 10)
        for source, target, kind in ((t.macs, t.tumour, KINDS[1]), (t.tumour, t.macs, KINDS[0])):
            found = spatial.nearest_distance(source, target)
            to = "tumour" if kind != KINDS[0] else "Mo-mac-like"
            right.stairs(
                np.histogram(found, steps)[0] / len(found), steps, color=COLOURS[kind],
                linewidth=1.8, label=f"{kind} to nearest {to}, mean {found.mean():.0f} µm",
            )  # fmt: skip
        curve_axes(right, "the two directions differ", "share of source cells")
        right.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %", decimals=0))
        right.set(xlabel="distance to the nearest (µm)", ylim=(0, 0.3))
        legend(right)
        name_cells(figure)
        save(figure, "distances")


def contact(t: SimpleNamespace) -> None:
    box = (430, 590, 550, 710)
    kind = t.cells["phenotype"].to_numpy()
    labels = t.labels[box[1] : box[3], box[0] : box[2]]
    names = ["", "Other", *KINDS]
    code = np.array([0, *(names.index(of) for of in kind)])
    edge = np.zeros(labels.shape, bool)
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edge[1:] |= labels[1:] != labels[:-1]
    picture = np.where(edge & (labels > 0), len(names), code[labels])
    palette = ListedColormap([PAPER, *(COLOURS[of] for of in names[1:]), "white"])
    with style.drawing(WIDE_IN, 3.2) as figure:
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
        left.imshow(picture, cmap=palette, vmin=-0.5, vmax=len(names) + 0.5, origin="lower",
                    extent=(box[0], box[2], box[1], box[3]), interpolation="nearest")  # fmt: skip
        ids = t.pairs[["cell_id_a", "cell_id_b"]].to_numpy() - 1
        joined = {KINDS[0], KINDS[1]}
        ids = ids[[{kind[a], kind[b]} == joined for a, b in ids]]
        left.add_collection(LineCollection(t.xy[ids], colors=style.INK, linewidths=1.8))
        frame(left, box)
        left.set_title("Mo-mac-like and tumour cells in contact")
        shares = [spatial.contact_share(t.touching, kind, of, KINDS[0], t.cells["region"])
                  for of in KINDS[1:]]  # fmt: skip
        for y, (of, share) in enumerate(zip(KINDS[1:], shares, strict=True)):
            right.plot([share.expected, share.value], [y, y], color=style.FAINT, zorder=1)
            right.plot(share.expected, y, "o", markersize=7, markerfacecolor="white",
                       markeredgecolor=style.EXPECTED)  # fmt: skip
            right.plot(share.value, y, MARKERS[of], markersize=7, color=COLOURS[of])
            right.text(0.36, y, f"p = {share.p:.2g}", va="center", fontsize=8)
        style.quiet_axes(right)
        right.set_title("filled: observed; hollow: expected")
        right.set(ylim=(-0.6, 1.6), xlim=(0, 0.5), xlabel="share of cells that touch a tumour cell")
        right.set_yticks([0, 1], KINDS[1:])
        right.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %", decimals=0))
        name_cells(figure)
        save(figure, "contact")


def mean_over_fields(function, n: int = 300) -> dict[str, np.ndarray]:
    """Mean curves of two populations that lie at random in small fields, by correction."""
    rng = np.random.default_rng(7)
    field = spatial.Window.from_rectangle(0, 0, 300, 300)
    drawn = [rng.uniform(0, 300, (2, 45, 2)) for _ in range(n)]
    curves = [function(*pair, field) for pair in drawn]
    return {name: np.nanmean([c[name] for c in curves], axis=0) for name in curves[0]}


LINES = {
    "km": (COLOURS[KINDS[1]], "-", "Kaplan-Meier"),
    "translate": (COLOURS[KINDS[1]], "-", "translation"),
    "border": (style.ACCENT, "-.", "border"),
    "isotropic": (COLOURS[KINDS[2]], ":", "isotropic"),
    "none": (style.INK, "-", "none"),
}


def plot_corrections(axes: Axes, r: np.ndarray, curves: dict[str, np.ndarray]) -> None:
    for name, curve in curves.items():
        colour, line, label = LINES[name]
        axes.plot(r, curve, line, color=colour, label=label, linewidth=1.5)


def g_function(t: SimpleNamespace) -> None:
    corrections = ("km", "border", "none")
    with style.drawing(WIDE_IN, 2.7) as figure:
        left, right = figure.subplots(1, 2)
        curves = {c: spatial.cross_g(t.macs, t.tumour, R_UM, t.window, c) for c in corrections}
        plot_corrections(left, R_UM, curves)
        curve_axes(left, "Mo-mac-like to tumour", "G(r)")
        density = len(t.tumour) / t.window.area_um2
        left.plot(R_UM, 1 - np.exp(-density * np.pi * R_UM**2), "--", color=style.EXPECTED,
                  label="CSR", linewidth=1.1)  # fmt: skip
        legend(left, loc="lower right")
        density = 45 / 300**2
        r = np.arange(0.0, 61)
        mean = mean_over_fields(
            lambda a, b, w: {c: spatial.cross_g(a, b, r, w, c) for c in corrections}
        )
        truth = 1 - np.exp(-density * np.pi * r**2)
        plot_corrections(right, r, {c: curve - truth for c, curve in mean.items()})
        curve_axes(right, "mean error, 300 random fields", "G(r) − truth", 0)
        legend(right, loc="lower left")
        save(figure, "g")


def k_and_l(t: SimpleNamespace) -> None:
    corrections = ("translate", "border", "isotropic", "none")
    with style.drawing(WIDE_IN, 2.7) as figure:
        left, right = figure.subplots(1, 2)
        curves = spatial.cross_k_curves(t.macs, t.tumour, R_UM, t.window, corrections)
        plot_corrections(left, R_UM, {c: np.sqrt(k / np.pi) - R_UM for c, k in curves.items()})
        curve_axes(left, "Mo-mac-like to tumour", "L(r) − r (µm)", 0)
        legend(left)
        mean = mean_over_fields(
            lambda a, b, w: spatial.cross_k_curves(a, b, R_UM, w, corrections), 100
        )
        plot_corrections(right, R_UM, {c: np.sqrt(k / np.pi) - R_UM for c, k in mean.items()})
        curve_axes(right, "mean of 100 random fields of 300 µm", "L(r) − r (µm)", 0)
        legend(right)
        save(figure, "k_l")


def inhomogeneous(t: SimpleNamespace) -> None:
    with style.drawing(WIDE_IN, 2.8) as figure:
        left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
        at = t.window.sample(15)[0]
        per_mm2 = spatial.intensity(t.tumour, at, t.window, 80) * 1e6
        shown = left.scatter(*at.T, c=per_mm2, s=(0.5 * 15) ** 2, marker="s", linewidths=0,
                             cmap=ListedColormap(["#eef4f8", "#cfe3f0", "#a7cfe8", "#7cb9df",
                                                  "#4d96c4", "#2f729e", "#1b4f74"]))  # fmt: skip
        frame(left, (0, 0, 1200, 900))
        left.set_title("tumour cells per mm², bandwidth 80 µm")
        bar = figure.colorbar(shown, ax=left, shrink=0.8, aspect=14)
        bar.outline.set_visible(False)
        r = R_UM[10:]
        for kind, cells in ((KINDS[1], t.macs), (KINDS[2], t.trms)):
            given = [spatial.intensity(of, of, t.window, 80, leave_one_out=True)
                     for of in (cells, t.tumour)]  # fmt: skip
            k = spatial.cross_k(cells, t.tumour, r, t.window)
            k_inhom = spatial.cross_k_inhom(cells, t.tumour, r, t.window, *given)
            look = {"color": COLOURS[kind], "linewidth": 1.5}
            right.plot(r, k_inhom / (np.pi * r**2), **look, label=f"{kind}, inhomogeneous")
            right.plot(r, k / (np.pi * r**2), "-.", **look, label=f"{kind}, even density")
        curve_axes(right, "macrophages to tumour", "K(r) ÷ πr²", 1)
        right.set_ylim(0, 3)
        legend(right)
        save(figure, "k_inhom")


def two_kinds(t: SimpleNamespace, axes: Axes, r: np.ndarray, function) -> None:
    for kind, cells in ((KINDS[1], t.macs), (KINDS[2], t.trms)):
        axes.plot(r, function(kind, cells), color=COLOURS[kind], label=f"{kind} and tumour")


def pair_correlation(t: SimpleNamespace) -> None:
    r = R_UM[2:]
    with style.drawing(WIDE_IN, 2.6) as figure:
        left, right = figure.subplots(1, 2)

        def pcf(xy, width):
            return spatial.cross_pcf(xy, t.tumour, r, t.window, width, divisor="d")

        two_kinds(t, left, r, lambda _, xy: pcf(xy, 5))
        left.axvspan(0, np.sqrt(5) * 5, facecolor=PAPER, edgecolor=style.FAINT, hatch="////",
                     linewidth=0, zorder=0)  # fmt: skip
        curve_axes(left, "kernel of 5 µm; hatched: it reaches below 0", "g(r)", 1)
        for width, line in ((2, ":"), (5, "-"), (12, "-.")):
            right.plot(r, pcf(t.macs, width), line, color=COLOURS[KINDS[1]],
                       label=f"{width} µm", linewidth=1.4)  # fmt: skip
        curve_axes(right, "Mo-mac-like and tumour, by kernel", "g(r)", 1)
        for axes in (left, right):
            axes.set_ylim(0, 2.5)
            legend(axes)
        save(figure, "pcf")


def mark_connection(t: SimpleNamespace) -> None:
    r = R_UM[2:]
    is_a = {kind: (t.cells["phenotype"] == kind).to_numpy() for kind in KINDS}
    with style.drawing(4.2, 2.6) as figure:
        axes = figure.subplots()
        for kind in KINDS[1:]:
            found = spatial.mark_connection(t.xy, is_a[kind], is_a[KINDS[0]], r, 5)
            axes.plot(r, 100 * found, color=COLOURS[kind], label=f"{kind}, then tumour")
            axes.axhline(100 * is_a[kind].mean() * is_a[KINDS[0]].mean(), color=COLOURS[kind],
                         linestyle="--", linewidth=1, alpha=0.7)  # fmt: skip
        curve_axes(axes, "dashed: product of the shares", "pairs of cells (%)")
        axes.set_ylim(0, None)
        legend(axes)
        save(figure, "mark_connection")


def f_and_j(t: SimpleNamespace) -> None:
    r = np.arange(0.0, 61)
    with style.drawing(WIDE_IN, 2.6) as figure:
        left, right = figure.subplots(1, 2)
        left.plot(r, spatial.empty_space_f(t.tumour, r, t.window), color=style.INK,
                  label="F: places to tumour")  # fmt: skip
        left.plot(r, spatial.cross_g(t.macs, t.tumour, r, t.window), color=COLOURS[KINDS[1]],
                  label="G: Mo-mac-like to tumour")  # fmt: skip
        curve_axes(left, "cells against places", "share within r")
        two_kinds(t, right, r, lambda _, xy: spatial.cross_j(xy, t.tumour, r, t.window))
        curve_axes(right, "J: below 1, nearer than places are", "J(r)", 1)
        right.set_ylim(0.7, 1.6)
        for axes in (left, right):
            legend(axes)
        save(figure, "f_j")


def co_occurrence(t: SimpleNamespace) -> None:
    edges = np.arange(0, 201, 10)
    table = spatial.co_occurrence(t.xy, t.cells["phenotype"], edges)
    with style.drawing(4.2, 2.6) as figure:
        axes = figure.subplots()
        for kind in KINDS:
            rows = table[(table["source"] == kind) & (table["target"] == KINDS[0])]
            axes.stairs(rows["value"], edges, baseline=None, color=COLOURS[kind], linewidth=1.6,
                        label=f"around {kind} cells")  # fmt: skip
        curve_axes(axes, "rings of 10 µm", "share of tumour cells\n÷ that around any cell", 1)
        legend(axes)
        save(figure, "co_occurrence")


def graphs(t: SimpleNamespace) -> None:
    made = {
        "radius 20 µm": spatial.radius_graph(t.xy, 20),
        "5 nearest within 50 µm": spatial.knn_graph(t.xy, 5, 50),
        "Delaunay within 50 µm": spatial.delaunay_graph(t.xy, 50),
    }
    with style.drawing(WIDE_IN, 2.8) as figure:
        for axes, (name, graph) in zip(figure.subplots(1, 3), made.items(), strict=True):
            draw_tissue(axes, t, (900, 300, 1080, 480), size=18)
            start = np.repeat(np.arange(len(t.xy)), np.diff(graph.indptr))
            axes.add_collection(LineCollection(t.xy[np.stack([start, graph.indices], axis=1)],
                                colors=style.QUIET, linewidths=0.5, zorder=2.5))  # fmt: skip
            axes.set_title(name)
        name_cells(figure)
        save(figure, "graphs")


def enrichment(t: SimpleNamespace) -> None:
    graph = spatial.radius_graph(t.xy, RADIUS_UM)
    names = [*KINDS, "Other"]
    palette = ListedColormap(["#3b6ea8", "#86a9cf", "#d3dfec", "#f4f4f4", "#f3d9cd", "#e29a78",
                              "#c0501f"])  # fmt: skip
    with style.drawing(WIDE_IN, 2.9) as figure:
        for axes, (title, strata) in zip(
            figure.subplots(1, 2),
            {"no strata": None, "strata: region": t.cells["region"]}.items(),
            strict=True,
        ):
            table = spatial.enrichment(graph, t.cells["phenotype"], strata)
            z = table.pivot(index="source", columns="target", values="z").loc[names, names]
            axes.imshow(z, cmap=palette, vmin=-7, vmax=7)
            for (y, x), value in np.ndenumerate(z.to_numpy()):
                axes.text(x, y, f"{value:.1f}".replace("-", "−"), ha="center", va="center",
                          fontsize=8, color="white" if abs(value) > 5 else style.INK)  # fmt: skip
            axes.set_xticks(range(4), names, rotation=25, ha="right")
            axes.set_yticks(range(4), names)
            axes.spines[:].set_visible(False)
            axes.tick_params(length=0)
            axes.set(title=f"z, {title}", ylabel="cell", xlabel="its neighbour")
        save(figure, "enrichment")


def niches(t: SimpleNamespace) -> None:
    niche, profile = spatial.cell_niches(t.cells, 4)
    colour = ["#c9ced5", "#0b6e99", "#e0b400", "#c2629b"]
    with style.drawing(WIDE_IN, 2.7) as figure:
        left, right = figure.subplots(1, 2, width_ratios=(1.2, 1))
        fill(left, t.window.polygon, facecolor=PAPER)
        fill(left, t.nest, facecolor="none", edgecolor=style.INK, linewidth=1.0, zorder=4)
        for n in range(4):
            left.scatter(*t.xy[niche == n].T, s=5, c=colour[n], linewidths=0)
        frame(left, (0, 0, 1200, 900))
        left.set_title("cells by niche")
        share = profile.pivot(index="niche", columns="phenotype", values="neighbour_frac")
        below = np.zeros(4)
        for kind in ("Other", *KINDS):
            right.barh(range(4), share[kind], left=below, color=COLOURS[kind], label=kind,
                       height=0.7)  # fmt: skip
            below += share[kind].to_numpy()
        right.set_yticks(range(4), [f"niche {n}" for n in range(4)])
        for tick, of in zip(right.get_yticklabels(), colour, strict=True):
            tick.set(color=style.INK, backgroundcolor=of + "66")
        right.invert_yaxis()
        right.spines[:].set_visible(False)
        right.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %", decimals=0))
        right.set_title("who is around its cells")
        legend(right, ncols=2, loc="upper center", bbox_to_anchor=(0.45, -0.12))
        save(figure, "niches")


def mixing(t: SimpleNamespace) -> None:
    rng = np.random.default_rng(5)

    def field(n: int = 80) -> np.ndarray:
        return rng.uniform(0, 200, (n, 2))

    source = field()
    scenes = {
        "apart": (source * (0.5, 1), field() * (0.5, 1) + (100, 0)),
        "at random": (source, field()),
        "seeking": (source, source + rng.normal(0, 8, source.shape)),
    }
    scores = [spatial.mixing_score(field(), field(), RADIUS_UM).value for _ in range(1000)]
    with style.drawing(WIDE_IN + 1, 2.4) as figure:
        *maps, right = figure.subplots(1, 4, width_ratios=(1, 1, 1, 1.2))
        for axes, (name, (a, b)) in zip(maps, scenes.items(), strict=True):
            axes.scatter(*a.T, s=16, c=COLOURS[KINDS[1]], marker=MARKERS[KINDS[1]], linewidths=0)
            axes.scatter(*b.T, s=14, c=COLOURS[KINDS[0]], linewidths=0)
            frame(axes, (-5, -25, 205, 205))
            axes.set_title(f"{name}: {spatial.mixing_score(a, b, RADIUS_UM).value:.2f}")
        right.hist(scores, 30, color=COLOURS[KINDS[1]])
        right.axvline(1, color=style.EXPECTED, linestyle="--", linewidth=1.2)
        style.quiet_axes(right)
        right.set(title="1,000 random fields", xlabel="mixing score", ylabel="fields", xlim=(0, 2))
        save(figure, "mixing")


def border(t: SimpleNamespace) -> None:
    edges = np.arange(-200.0, 501, 20)
    area_mm2 = np.diff(spatial.area_below_um2(t.window, t.nest, edges)) / 1e6
    with style.drawing(WIDE_IN, 2.6) as figure:
        for axes, (kind, xy) in zip(
            figure.subplots(1, 2, sharey=True),
            ((KINDS[1], t.macs), (KINDS[2], t.trms)),
            strict=True,
        ):
            n = np.histogram(spatial.signed_distance(xy, t.nest), edges)[0]
            density = np.where(area_mm2 >= 0.01, n / area_mm2, np.nan)
            axes.bar(edges[:-1] + 10, density, 18.4, color=COLOURS[kind], linewidth=0)
            style.quiet_axes(axes)
            for small in edges[:-1][area_mm2 < 0.01]:
                axes.axvspan(small, small + 20, facecolor=PAPER, edgecolor=style.FAINT,
                             hatch="////", linewidth=0, zorder=0.4)  # fmt: skip
            axes.axvline(0, color=style.INK, linewidth=1.3)
            for x, text, side in ((-8, "◀ tumour", "right"), (8, "outside ▶", "left")):
                axes.text(x, 0.97, text, ha=side, va="top", fontsize=7.5, color=style.QUIET,
                          transform=axes.get_xaxis_transform())  # fmt: skip
            axes.set_title(kind)
            axes.set(xlabel="signed distance to the border (µm)", ylabel="cells per mm²",
                     xlim=(-205, 505), ylim=(0, 850))  # fmt: skip
        save(figure, "border")


def relabelling(t: SimpleNamespace) -> None:
    kind = t.cells["phenotype"].to_numpy()
    eligible = kind != KINDS[0]
    region = t.cells["region"].to_numpy()[eligible]
    r = np.arange(2.0, 61, 2)
    with style.drawing(WIDE_IN, 2.8) as figure:
        for axes, (of, xy) in zip(
            figure.subplots(1, 2, sharey=True), ((KINDS[2], t.trms), (KINDS[1], t.macs)),
            strict=True,
        ):  # fmt: skip
            for strata, colour, line, label in (
                (None, style.EXPECTED, ":", "expected, no strata"),
                (region, style.EXPECTED, "--", "expected within regions"),
            ):
                g = spatial.expected_g_relabelled(
                    t.tumour, t.xy[eligible], kind[eligible] == of, r, strata
                )
                axes.plot(r, g, line, color=colour, label=label, linewidth=1.5)
            axes.plot(r, spatial.cross_g(t.tumour, xy, r, None, "none"), color=COLOURS[of],
                      label="observed", linewidth=1.8)  # fmt: skip
            curve_axes(
                axes,
                f"tumour cells with an {of} within r"
                if of[0] == "A"
                else f"tumour cells with a {of} within r",
                "share of tumour cells",
            )
            axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %", decimals=0))
            legend(axes, loc="upper left")
        save(figure, "relabelling")


def permutations(t: SimpleNamespace) -> None:
    other = t.xy[t.cells["phenotype"].isin(["Other", KINDS[2]])]
    strata = [t.cells["region"][t.cells["phenotype"] == KINDS[1]],
              t.cells["region"][t.cells["phenotype"].isin(["Other", KINDS[2]])]]  # fmt: skip
    null = spatial.Relabel(other, np.concatenate(strata))
    drawn = [null.draw(t.macs, t.tumour, np.random.default_rng((1, b))) for b in range(999)]
    means = [spatial.nearest_distance(d.source_xy, d.target_xy).mean() for d in drawn]
    seen = spatial.nearest_distance(t.macs, t.tumour).mean()
    with style.drawing(4.2, 2.4) as figure:
        axes = figure.subplots()
        axes.hist(means, 30, color=style.FAINT)
        axes.axvline(seen, color=COLOURS[KINDS[1]], linewidth=2)
        axes.axvline(np.mean(means), color=style.EXPECTED, linestyle="--", linewidth=1.2)
        style.quiet_axes(axes)
        axes.text(seen, 0.97, "observed  ", ha="right", va="top", color=COLOURS[KINDS[1]],
                  transform=axes.get_xaxis_transform(), fontsize=8)  # fmt: skip
        axes.set_title("999 deals of the labels within regions")
        axes.set(xlabel="Mo-mac-like to nearest tumour, mean (µm)", ylabel="deals",
                 xlim=(min(seen, *means) - 3, None))  # fmt: skip
        save(figure, "permutations")


def shift(t: SimpleNamespace) -> None:
    largest = 0.25 * np.sqrt(t.window.area_um2)
    drawn = spatial.RandomShift(t.window, largest).draw(t.macs, t.tumour, np.random.default_rng(4))
    with style.drawing(WIDE_IN, 2.9) as figure:
        left, right = figure.subplots(1, 2)
        draw_tissue(left, t, (0, 0, 1200, 900), size=8, shown=KINDS[:2])
        left.set_title("as observed")
        fill(right, t.window.polygon, facecolor="none", edgecolor=style.FAINT, linewidth=1)
        fill(right, drawn.window.polygon, facecolor=PAPER)
        for xy, kind in ((drawn.target_xy, KINDS[0]), (drawn.source_xy, KINDS[1])):
            right.scatter(*xy.T, s=8, c=COLOURS[kind], marker=MARKERS[kind], linewidths=0)
        frame(right, (0, 0, 1200, 900))
        right.set_title("shifted; grey: where both were seen")
        name_cells(figure, KINDS[:2])
        save(figure, "shift")


def envelopes(t: SimpleNamespace) -> None:
    r = np.arange(2.0, 61, 2)
    titles = {"relabel": "labels dealt within regions", "csr": "CSR"}
    with style.drawing(WIDE_IN, 2.9) as figure:
        for axes, (null, title) in zip(
            figure.subplots(1, 2, sharey=True), titles.items(), strict=True
        ):
            e = spatial.proximity_envelope(
                t.cells, KINDS[2], KINDS[0], t.window, r_um=r, null=null, strata=["region"],
                correction="none",
            )  # fmt: skip
            axes.fill_between(r, e["global_low"] - e["expected"], e["global_high"] - e["expected"],
                              color="#e9ecef", linewidth=0, label="global, 95 %")  # fmt: skip
            axes.fill_between(r, e["low"] - e["expected"], e["high"] - e["expected"],
                              color="#c9ced5", linewidth=0, label="pointwise, 95 %")  # fmt: skip
            axes.plot(r, e["value"] - e["expected"], color=COLOURS[KINDS[2]], label="observed")
            curve_axes(axes, f"{title}: p = {e['p_global'][0]:.3g}", "G(r) − expected", 0)
            if null == "relabel":
                legend(axes, loc="lower left")
        save(figure, "envelopes")


def calibration(t: SimpleNamespace) -> None:
    table = pd.read_csv(DOCS / "data" / "calibration.csv")
    panels = {
        "own null": "nothing to find, own null",
        "wrong null": "nothing to find, wrong null",
        "power": "power, odds × 3",
    }
    tests = list(dict.fromkeys(table["test"]))
    place = {test: -i for i, test in enumerate(tests)}
    with style.drawing(WIDE_IN + 1.6, 2.9) as figure:
        grid = figure.subplots(1, 3, sharey=True, width_ratios=(1.5, 1.15, 1))
        for axes, (control, title) in zip(grid, panels.items(), strict=True):
            rows = table[table["control"] == control]
            rate, y = rows["rejected_frac"].to_numpy(), rows["test"].map(place)
            reach = [rate - rows["ci_low"], rows["ci_high"] - rate]
            style.quiet_axes(axes)
            axes.errorbar(rate, y, xerr=reach, fmt="o", markersize=4, color=style.ACCENT,
                          elinewidth=1, zorder=3)  # fmt: skip
            axes.axvline(0.05, color=style.EXPECTED, linestyle="--", linewidth=1)
            axes.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %", decimals=0))
            axes.set_title(title)
            axes.set_xlim(0, 0.11 if control == "own null" else 1.05)
        grid[0].axvspan(0.04, 0.06, color=style.FAINT, zorder=0)
        for row in table[table["control"] == "own null"].itertuples():
            note = f"{100 * row.rejected_frac:.2f} %"
            note += " conservative" if row.verdict.startswith("conservative") else ""
            grid[0].text(0.065, place[row.test], note, va="center", fontsize=7.5)
        grid[0].set_yticks(list(place.values()), tests)
        grid[1].set_xlabel("simulated slides with p ≤ 5 %")
        save(figure, "calibration")


def sensitivity(results: Path) -> None:
    table = pd.read_csv(results / "sensitivity.csv")
    with TemporaryDirectory() as folder:
        study = Study.from_toml(results / "study.toml")
        drawn = write_variations_figure(table, study, Path(folder) / "figure.png")
        quantized(Image.open(drawn)).save(PICTURES / "sensitivity.png", optimize=True)


FIGURES = (
    *(distances, contact, g_function, k_and_l, inhomogeneous, pair_correlation, mark_connection),
    *(f_and_j, co_occurrence, graphs, enrichment, niches, mixing, border),
    *(relabelling, permutations, shift, envelopes, calibration),
)


def main(results: Path | None) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    here = tissue()
    for figure in FIGURES:
        figure(here)
    if results is not None:
        sensitivity(results)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
