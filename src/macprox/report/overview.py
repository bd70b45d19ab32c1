"""The two pictures a reader looks at first: the stain, and what became of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path as PlotPath
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from macprox.report import style
from macprox.report.sentences import is_macrophage

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

NUCLEUS_COLOUR = "#3d5bff"
TUMOUR_MARKER_COLOUR = "#00d5d5"
MACROPHAGE_MARKER_COLOURS = ("#ff3df0", "#ffd400", "#ff5a36", "#9dff3d")
WHITE_PERCENTILE = 99.7  # the rest saturates: one bright antibody clump must not rule
NOISE_SPAN = 8  # white is at least so many background deviations above black: noise stays dark
GAMMA = 0.75
NUCLEUS_STRENGTH = 0.75  # nuclei are everywhere; the markers should stand out from them
PANEL_IN = 5.3  # half of the page's width
PIXELS_PER_INCH = 190  # about twice the size at which it is shown: sharp in print
MAX_POINTS = 150_000  # more no eye can tell apart at this size; a fixed stride thins them
SCALE_BARS_UM = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)


# Areas that the image's quality makes doubtful: on the map by kind, on the stain in one colour.
ARTEFACT_COLOURS = {
    "out of focus": "#b3006b",
    "saturated": "#c77700",
    "fold": "#5b3a8c",
    "bright debris": "#a80000",
    "empty": "#006d77",
    "no data": "#333333",
}
FLAGGED_ON_DARK = "#ffe08a"
Artefacts = tuple[tuple[str, BaseGeometry], ...]


@dataclass(frozen=True)
class Stain:
    """One channel of the composite."""

    channel: str
    colour: str
    role: str


@dataclass(frozen=True)
class Layout:
    """The picture's extent: ``width_um`` by ``height_um`` from the slide's corner."""

    width_um: float
    height_um: float

    @property
    def size_in(self) -> tuple[float, float]:
        """Figure size, whole slide at one scale in x and y."""
        height = PANEL_IN * self.height_um / self.width_um
        if height <= 1.6 * PANEL_IN:
            return PANEL_IN, height
        return PANEL_IN * 1.6 * PANEL_IN / height, 1.6 * PANEL_IN


def stains(channels: tuple[str, ...], study) -> list[Stain]:
    """Which channel is drawn in which colour: nuclei blue, tumour cyan, macrophages warm."""
    chosen = [Stain(study.image.nucleus, NUCLEUS_COLOUR, "nuclei")]
    tumour_rule = study.phenotypes.get(study.proximity.tumour, "")
    chosen += [
        Stain(m, TUMOUR_MARKER_COLOUR, "tumour marker")
        for m in _required_markers(tumour_rule, study.markers)[:1]
    ]
    taken = {stain.channel for stain in chosen}
    warm: dict[str, str] = {}
    for phenotype in study.proximity.macrophages:
        role = "macrophage marker" if is_macrophage(phenotype, study) else f"marks {phenotype}"
        for marker in _required_markers(study.phenotypes.get(phenotype, ""), study.markers):
            if marker in channels and marker not in taken:
                warm.setdefault(marker, role)
    chosen += [
        Stain(marker, colour, role)
        for (marker, role), colour in zip(warm.items(), MACROPHAGE_MARKER_COLOURS, strict=False)
    ]
    return [stain for stain in chosen if stain.channel in channels]


def _required_markers(rule: str, markers: Mapping) -> list[str]:
    """Markers that a rule wants positive, in its order."""
    found = []
    for marker in sorted(markers, key=len, reverse=True):
        hit = re.search(rf"(?<![\w/-]){re.escape(marker)}[\"']?[+⁺]", rule)
        if hit:
            found.append((hit.start(), marker))
    return [marker for _, marker in sorted(found)]


def composite(mean: np.ndarray, channels: tuple[str, ...], chosen: list[Stain]) -> np.ndarray:
    """``(y, x, 3)`` float in 0..1: each channel stretched by percentiles, tinted and added."""
    height, width = mean.shape[1:]
    picture = np.zeros((height, width, 3), np.float32)
    for stain in chosen:
        plane = np.nan_to_num(np.asarray(mean[channels.index(stain.channel)], np.float32))
        low, high = contrast_limits(plane)
        if high <= low:  # the same value everywhere
            continue
        tint = np.array([int(stain.colour[i : i + 2], 16) / 255 for i in (1, 3, 5)], np.float32)
        strength = np.clip((plane - low) / (high - low), 0, 1) ** GAMMA
        picture += strength[..., None] * tint * (NUCLEUS_STRENGTH if stain.role == "nuclei" else 1)
    return np.clip(picture, 0, 1)


def contrast_limits(plane: np.ndarray) -> tuple[float, float]:
    """Black and white of one channel ``(y, x)``, for looking at only.

    The darkest quarter is taken as background and its spread as noise; black lies two deviations
    above it, but never above the median, as a stain may fill most of the picture.
    """
    dark, quarter, median, white = np.percentile(plane, (5, 25, 50, WHITE_PERCENTILE))
    deviation = (quarter - dark) / 0.97  # of a normal distribution between those two
    black = min(quarter + 2 * deviation, median)
    return float(black), float(max(white, black + NOISE_SPAN * deviation))


def stain_picture(
    overview, chosen: list[Stain], regions, layout: Layout, artefacts: Artefacts = ()
) -> str:
    """The composite with tumour border and flagged areas, as a ``data:`` address."""
    picture = composite(overview.mean, overview.channels, chosen)
    with style.drawing(*layout.size_in) as figure:
        axes = _full_axes(figure, layout)
        axes.imshow(
            picture, extent=(0, layout.width_um, layout.height_um, 0), interpolation="bicubic"
        )
        axes.set_facecolor("black")
        for _, area in artefacts:
            _outline(axes, area, FLAGGED_ON_DARK, 0.9, dashed=True)
        _outline(axes, getattr(regions, "tumour", None), "white", 1.0)
        _scale_bar(axes, layout, "white")
        return style.to_data_uri(figure, "jpeg", PIXELS_PER_INCH)


def phenotype_map(
    cells: pd.DataFrame, regions, layout: Layout, colours: dict, study, artefacts: Artefacts = ()
) -> str:
    """Every cell as a point over tissue, tumour border and margin, as a ``data:`` address."""
    with style.drawing(*layout.size_in) as figure:
        axes = _full_axes(figure, layout)
        axes.set_facecolor("#eef0f3")
        _fill(axes, getattr(regions, "tissue_window", None), "#ffffff", zorder=0.1)
        _fill(axes, getattr(regions, "airspace", None), "#eaf3f8", zorder=0.2)
        _fill(axes, getattr(regions, "tumour", None), "#f3f8fc", zorder=0.3)
        _points(axes, cells, colours, study, layout)
        _tumour_lines(axes, regions, study.regions.margin_um)
        for reason, area in artefacts:
            _hatch(axes, area, artefact_colour(reason), ("\\\\\\\\", "none", 1.1))
        _hatch(axes, getattr(regions, "exclusions", None))
        _scale_bar(axes, layout, style.INK)
        return style.to_data_uri(figure, "png", PIXELS_PER_INCH)


def artefact_colour(reason: str) -> str:
    """Of the kind that a reason begins with: "saturated CD68" is saturated."""
    kinds = (colour for kind, colour in ARTEFACT_COLOURS.items() if reason.startswith(kind))
    return next(kinds, style.QUIET)


def layout_of(overview, cells: pd.DataFrame) -> Layout:
    """Extent of the slide; without pixels, as far as its cells reach."""
    if overview is None:
        reach = cells[["x_um", "y_um"]].max() if len(cells) else {"x_um": 100.0, "y_um": 100.0}
        return Layout(max(1.02 * reach["x_um"], 1.0), max(1.02 * reach["y_um"], 1.0))
    height, width = overview.mean.shape[1:]
    return Layout(width * overview.pixel_size_um, height * overview.pixel_size_um)


def _full_axes(figure, layout: Layout) -> Axes:
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, layout.width_um), ylim=(layout.height_um, 0), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return axes


def _points(axes: Axes, cells: pd.DataFrame, colours: dict, study, layout: Layout) -> None:
    stride = -(-len(cells) // MAX_POINTS) or 1
    drawn = cells.iloc[::stride]
    markers = style.macrophage_markers(study.proximity.macrophages)
    # A point is as wide as a cell of 9 um, within what stays visible and apart.
    points_per_um = 72 * layout.size_in[0] / layout.width_um
    size = float(np.clip(9 * points_per_um, 0.9, 7)) ** 2
    phenotype = drawn["phenotype"].astype(str).to_numpy()
    x, y = drawn["x_um"].to_numpy(float), drawn["y_um"].to_numpy(float)
    for order, (name, colour) in enumerate(colours.items()):
        here = phenotype == name
        if not here.any():
            continue
        special = name in markers
        axes.scatter(
            x[here],
            y[here],
            s=size * (2.0 if special else 1) + (1.5 if special else 0),
            c=colour,
            marker=markers.get(name, "o"),
            linewidths=0.25 if special else 0,
            edgecolors="white" if special else "none",
            zorder=2 + order / 100,
        )


def _tumour_lines(axes: Axes, regions, margin_um: float) -> None:
    tumour = getattr(regions, "tumour", None)
    if not isinstance(tumour, BaseGeometry) or tumour.is_empty:
        return
    _outline(axes, tumour, style.INK, 1.4)
    for offset in (-margin_um, margin_um):
        _outline(axes, tumour.buffer(offset), style.INK, 0.7, dashed=True)


def _outline(
    axes: Axes, shape: BaseGeometry | None, colour: str, width: float, dashed: bool = False
) -> None:
    for path in _paths(shape):
        line = (0, (4, 3)) if dashed else "-"
        axes.add_patch(
            PathPatch(path, fill=False, edgecolor=colour, linewidth=width, linestyle=line, zorder=4)
        )


def _fill(axes: Axes, shape: BaseGeometry | None, colour: str, zorder: float) -> None:
    for path in _paths(shape):
        axes.add_patch(PathPatch(path, facecolor=colour, edgecolor="none", zorder=zorder))


def _hatch(
    axes: Axes,
    shape: BaseGeometry | None,
    colour: str = style.QUIET,
    look: tuple[str, str, float] = ("////", "#ffffffb0", 0.6),
) -> None:
    """``look`` is hatch, veil over what lies below, and width of the outline."""
    hatch, veil, width = look
    for path in _paths(shape):
        axes.add_patch(
            PathPatch(
                path, facecolor=veil, edgecolor=colour, hatch=hatch, linewidth=width, zorder=3.5
            )
        )


def _paths(shape: BaseGeometry | None) -> list[PlotPath]:
    """One matplotlib path a polygon, holes included."""
    if not isinstance(shape, BaseGeometry) or shape.is_empty:
        return []
    polygons = [p for p in getattr(shape, "geoms", [shape]) if isinstance(p, Polygon)]
    return [
        PlotPath.make_compound_path(
            *(PlotPath(np.asarray(ring.coords)[:, :2], closed=True) for ring in _rings(polygon))
        )
        for polygon in polygons
        if not polygon.is_empty
    ]


def _rings(polygon: Polygon) -> list:
    return [polygon.exterior, *polygon.interiors]


def _scale_bar(axes: Axes, layout: Layout, colour: str) -> None:
    """A round length of at most a quarter of the width, on a plate that keeps it readable."""
    fitting = [length for length in SCALE_BARS_UM if length <= layout.width_um / 4]
    length = fitting[-1] if fitting else SCALE_BARS_UM[0]
    text = f"{length} µm" if length < 1000 else f"{length // 1000} mm"
    unit = layout.width_um / 100
    x, y = 3.5 * unit, layout.height_um - 3.5 * unit
    plate = "#000000a0" if colour == "white" else "#ffffffd0"
    axes.add_patch(
        Rectangle(
            (x - 1.8 * unit, y - 6.2 * unit),
            max(length, 11 * unit) + 3.6 * unit,
            8.2 * unit,
            facecolor=plate,
            edgecolor="none",
            zorder=5,
        )
    )
    axes.add_patch(Rectangle((x, y - 0.9 * unit), length, 0.9 * unit, color=colour, zorder=6))
    axes.text(x, y - 1.5 * unit, text, color=colour, fontsize=9.5, va="bottom", ha="left", zorder=6)
