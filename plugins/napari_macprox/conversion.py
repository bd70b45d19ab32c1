"""Slides and results as napari layers: plain tuples, made and tested without a viewer.

Layers are in micrometres. macprox measures from the outer corner of the first pixel, napari
places pixel centres; every pixel layer is therefore moved by half a pixel.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from macprox.celltable import OTHER
from macprox.errors import MacproxError, ResultError
from macprox.io.images import reopen_slide
from macprox.io.own_pyramid import with_own_pyramid
from macprox.report.overview import (
    MACROPHAGE_MARKER_COLOURS,
    NUCLEUS_COLOUR,
    TUMOUR_MARKER_COLOUR,
    contrast_limits,
    stains,
)
from macprox.slide import Slide, Url
from macprox.starter_study import guess_panel
from napari_macprox.lazy import ClassView, CoarsePlane, SlidePlane
from napari_macprox.strokes import outline_layers

if TYPE_CHECKING:
    from macprox.results import Overview, SlideResult
    from macprox.study import Study

LayerData = tuple[Any, dict[str, Any], str]

OTHER_COLOURS = ("#9dff3d", "#ff9d5c", "#b9a3ff", "#ffffff")  # channels without a known role
GLIMPSE_PX = 2048  # contrast is judged on at most this many pixels squared
GLIMPSE_BOX_PX = 512
CONTRAST_PX = 512
MAX_POINTS = 50_000  # more cells than this make a points layer slow; a fixed stride thins them
POINT_UM = 9.0
CELL_OPACITY = 0.6  # the stain must stay visible underneath
# Of class 0. Colours come as a list, which napari looks up with numpy; for a dict it compiles code
# the first time a window needs it, for three seconds.
UNSEEN = "transparent"
FAINT_ALPHA = "50"  # "Other" is most of many slides and the least of their news
LEFT_OUT = "left out"
OVERVIEW = " (overview)"  # after a channel that is shown at low resolution
LEFT_OUT_COLOUR = "#80808038"  # what is in no number is no more than there


def slide_layers(
    slide: Slide,
    colours: Mapping[str, str] | None = None,
    overview: Overview | None = None,
) -> list[LayerData]:
    """One additive image layer a channel, as a pyramid where the file holds one.

    Parameters
    ----------
    slide : Slide
    colours : dict of str to str, optional
        Colour of each channel to show; the others are there, switched off. Default: nuclei,
        tumour marker and macrophage markers, guessed from the channels' names.
    overview : Overview, optional
        What a result keeps of the slide: contrast is judged on it, and it stands for the levels
        that the file lacks, so that opening reads no pixel of the file.
    """
    shown = dict(guessed_colours(slide.channels) if colours is None else colours)
    spare = cycle(OTHER_COLOURS)
    coarse = {} if overview is None else dict(zip(overview.channels, overview.mean, strict=True))
    layers: list[LayerData] = []
    for channel in slide.channels:
        levels: list[Any] = [SlidePlane(slide, channel, i) for i in range(len(slide.level_shapes))]
        seen = coarse.get(channel)
        if overview is not None and seen is not None:
            levels += _coarser(slide, seen, overview.pixel_size_um)
        about = _image(
            channel,
            shown.get(channel) or next(spare),
            _glimpse(levels[-1]) if seen is None else _thinned(seen),
        )
        about |= placed(slide.pixel_size_um) | _from(slide.slide_id, slide.path)
        about |= {"visible": channel in shown, "multiscale": len(levels) > 1}
        layers.append((whole_or_pyramid(levels), about, "image"))
    return layers


def result_layers(result: SlideResult) -> tuple[list[LayerData], str | None]:
    """One slide's results: pixels, cells coloured by phenotype, tissue and tumour border.

    Returns
    -------
    layers : list
        Nothing but cells and outlines for a table that another tool made.
    lacking : str or None
        Why the slide is shown at low resolution only.
    """
    pixels, lacking = pixel_layers(result)
    cells, _ = cell_layer(result, result.cells())
    return [*pixels, cells, *outline_layers(result.regions())], lacking


def guessed_colours(channels: tuple[str, ...]) -> dict[str, str]:
    """Nuclei blue, tumour marker cyan, macrophage markers magenta and yellow, by name alone."""
    panel = guess_panel(channels)
    warm = dict.fromkeys([*panel.macrophages[:1], *panel.resident[:1], *panel.monocytic[:1]])
    colours = dict(zip(warm, MACROPHAGE_MARKER_COLOURS, strict=False))
    if panel.tumour:
        colours[panel.tumour] = TUMOUR_MARKER_COLOUR
    if panel.nucleus:
        colours[panel.nucleus] = NUCLEUS_COLOUR
    return colours or dict.fromkeys(channels[:1], OTHER_COLOURS[-1])


def classes_of(cells: pd.DataFrame, colours: Mapping[str, str]) -> np.ndarray:
    """The class of each cell id: 1 for the first phenotype of ``colours``, and so on.

    Cells that are in no number, whatever they are, have the class after the last phenotype's.

    Returns
    -------
    (n + 1,) uint8 or wider
        Indexed by ``cell_id``; 0 for the background and for ids that no row has.
    """
    number = {phenotype: i for i, phenotype in enumerate(colours, start=1)}
    ids = cells["cell_id"].to_numpy(np.int64)
    classes = np.zeros(int(ids.max(initial=0)) + 1, np.min_scalar_type(len(number) + 1))
    code_of_cell, phenotypes = pd.factorize(cells["phenotype"])  # a million names: map each once
    numbers = np.array([number[str(name)] for name in phenotypes], classes.dtype)
    classes[ids] = numbers[code_of_cell] if len(ids) else 0
    classes[ids[_left_out(cells)]] = len(number) + 1
    return classes


def _left_out(cells: pd.DataFrame) -> np.ndarray:
    """Which rows are in no number; a table of another tool does not say."""
    left_out = np.zeros(len(cells), bool)
    if "in_window" in cells:
        left_out |= ~cells["in_window"].to_numpy(bool)
    if "excluded" in cells:
        left_out |= cells["excluded"].to_numpy(bool)
    return left_out


def pixel_layers(result: SlideResult) -> tuple[list[LayerData], str | None]:
    """The stain under a result, and why it is shown at low resolution only, if it is."""
    source = result.manifest["source"]
    channels = tuple(source["channels"])
    if not channels:  # a table that another tool made never had pixels here
        return [], None
    colours = {stain.channel: stain.colour for stain in stains(channels, result.study)}
    try:
        slide = reopen_slide(source, result.slide_id)
    except MacproxError as error:
        return _overview_layers(result, colours), f"Shown at low resolution: {error}"
    if slide.fingerprint != source["fingerprint"]:
        reason = f"{slide.path} is no longer the file that these results were made from"
        return _overview_layers(result, colours), f"Shown at low resolution: {reason}."
    slide = with_own_pyramid(slide, result.folder.pyramid)
    return slide_layers(slide, colours, _overview(result)), None


def _overview(result: SlideResult) -> Overview | None:
    try:
        return result.overview()
    except ResultError:  # the slide can be looked at without
        return None


def _overview_layers(result: SlideResult, colours: Mapping[str, str]) -> list[LayerData]:
    overview = _overview(result)
    if overview is None:
        return []
    layers: list[LayerData] = []
    for channel, plane in zip(overview.channels, overview.mean, strict=True):
        colour = colours.get(channel, OTHER_COLOURS[-1])
        about = _image(f"{channel}{OVERVIEW}", colour, _thinned(plane))
        about |= placed(overview.pixel_size_um) | _from(result.slide_id, result.path)
        layers.append((plane, about | {"visible": channel in colours}, "image"))
    return layers


def cell_layer(result: SlideResult, cells: pd.DataFrame) -> tuple[LayerData, list[ClassView]]:
    """The cells, coloured by phenotype.

    Parameters
    ----------
    result : SlideResult
        Whose labels are seen.
    cells : DataFrame
        Its cells as they are called now; an id without a row is background.

    Returns
    -------
    LayerData
        A class view of the multiscale labels; points for the table of another tool.
    list of ClassView
        The levels of that view, to give cells other classes; empty for points.
    """
    colours = colours_of(result.study, cells)
    about = {"name": "cells", "blending": "translucent"} | _from(result.slide_id, result.path)
    try:
        levels = result.label_levels("cells")
    except ResultError:  # none, or damaged: cells are seen all the same
        return _points(cells, colours, about), []
    about |= placed(result.pixel_size_um) | {"opacity": CELL_OPACITY}
    tints = {name: c + FAINT_ALPHA if name == OTHER else c for name, c in colours.items()}
    about["colormap"] = [UNSEEN, *tints.values(), LEFT_OUT_COLOUR]
    names = ["none", *colours, LEFT_OUT]
    about["features"] = {"index": [*range(len(names))], "phenotype": names}
    classes = classes_of(cells, colours)
    # Zarr arrays: napari keeps what dask arrays gave it, and would show old classes.
    views = [ClassView(ids, classes) for ids in levels]
    about["multiscale"] = len(views) > 1
    return (whole_or_pyramid(views), about, "labels"), views


def colours_of(study: Study, cells: pd.DataFrame) -> dict[str, str]:
    """The report's colours."""
    return study.colours(cells["phenotype"].unique())


def _points(cells: pd.DataFrame, colours: Mapping[str, str], about: dict[str, Any]) -> LayerData:
    stride = max(1, -(-len(cells) // MAX_POINTS))
    drawn = cells.iloc[::stride]
    phenotype = drawn["phenotype"].astype(str)
    about |= {"units": ("um", "um"), "size": POINT_UM, "border_width": 0}  # borders hide colours
    about["face_color"] = [colours[name] for name in phenotype]
    about["features"] = {"cell_id": drawn["cell_id"].to_numpy(), "phenotype": phenotype.to_numpy()}
    if stride > 1:
        about["name"] = f"cells (one of {stride})"
    return drawn[["y_um", "x_um"]].to_numpy(float), about, "points"


def _image(name: str, colour: str, plane: np.ndarray) -> dict[str, Any]:
    black, white = contrast_limits(plane)
    return {
        "name": name,
        "colormap": colour,
        "blending": "additive",
        "contrast_limits": (black, white if white > black else black + 1),
    }


def _coarser(slide: Slide, coarse: np.ndarray, coarse_um: float) -> list[CoarsePlane]:
    """Levels below the file's own, halving down to the overview."""
    height, width = slide.level_shapes[-1]
    pixel_um = slide.pixel_size_um * slide.shape[1] / width
    levels = []
    while max(height, width) > GLIMPSE_PX and pixel_um < coarse_um:
        height, width, pixel_um = -(-height // 2), -(-width // 2), 2 * pixel_um
        levels.append(CoarsePlane(coarse, (height, width), coarse_um / pixel_um, slide.dtype))
    return levels


def whole_or_pyramid(levels: list) -> Any:
    """napari takes a pyramid of one level for a stack."""
    return levels if len(levels) > 1 else levels[0]


def placed(pixel_size_um: float) -> dict[str, Any]:
    """Where napari draws the pixels of a slide: its centres at the half."""
    return {
        "scale": (pixel_size_um, pixel_size_um),
        "translate": (pixel_size_um / 2, pixel_size_um / 2),
        "units": ("um", "um"),
    }


def _from(slide_id: str, path: Path | Url) -> dict[str, Any]:
    return {"metadata": {"slide_id": slide_id, "path": str(path)}}


def _thinned(plane: np.ndarray) -> np.ndarray:
    """Every so manyth pixel: percentiles of a quarter of a million are those of four."""
    step = max(1, max(plane.shape) // CONTRAST_PX)
    return plane[::step, ::step]


def _glimpse(plane: SlidePlane) -> np.ndarray:
    """Enough of a plane to judge its contrast: all of a small one, boxes on a grid of a large."""
    height, width = plane.shape
    if height * width <= GLIMPSE_PX**2:
        return plane[:, :]
    corners = [np.linspace(0, side - GLIMPSE_BOX_PX, 4).astype(int) for side in (height, width)]
    boxes = [
        plane[max(y, 0) : max(y, 0) + GLIMPSE_BOX_PX, max(x, 0) : max(x, 0) + GLIMPSE_BOX_PX]
        for y in corners[0]
        for x in corners[1]
    ]
    return np.concatenate([box.ravel() for box in boxes])
