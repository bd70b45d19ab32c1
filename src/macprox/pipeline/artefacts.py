"""Where the image is not to be trusted: measured in the tiles, judged once for the slide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
import zarr
from shapely import MultiPolygon
from shapely.geometry.base import BaseGeometry

from macprox.edits import REASONS_JOINED_BY
from macprox.image.damage import damaged_boxes
from macprox.image.quality import (
    BLOCK_UM,
    OUT_OF_FOCUS,
    BlockJudge,
    SquareGrid,
    Squares,
    clipping,
    constant,
    out_of_focus,
)
from macprox.image.survey import area_average
from macprox.io.region_files import read_regions, write_artefacts
from macprox.io.store import SlideFolder
from macprox.pipeline.damage import area_around
from macprox.pipeline.survey import Survey
from macprox.regions import Regions, mask_from_polygons
from macprox.regions.contours import as_multipolygon, polygons_from_squares
from macprox.slide import Slide
from macprox.study import ImageParameters

SATURATED = "saturated"  # and the channel's name
FOLD, DEBRIS, EMPTY, NO_DATA = "fold", "bright debris", "empty", "no data"
BAND_ROWS = 64  # blocks that are averaged at a time: memory stays small on any slide
AIRSPACE_FRAC = 0.5  # a hole that is airspace for the most part is no artefact


@dataclass(frozen=True)
class Artefacts:
    """What was found.

    Parameters
    ----------
    areas : tuple of (str, MultiPolygon)
        By reason, micrometres, within the tissue.
    clipped : dict of str to dict
        By channel that is cut off: ``ceiling``, and ``tissue_frac`` of the pixels that have it.
    """

    areas: tuple[tuple[str, MultiPolygon], ...]
    clipped: dict[str, dict[str, float]]


def find_artefacts(
    slide: Slide, image: ImageParameters, survey: Survey, folder: SlideFolder, squares: Squares
) -> Artefacts:
    """Judge squares and overview of a slide, and write ``quality.geojson``."""
    regions = _without_damage(read_regions(folder.tissue, slide.pixel_size_um), slide)
    masks, clipped = _judge_squares(slide, image, survey, squares, regions)
    found: list[tuple[str, BaseGeometry]] = [
        (reason, polygons_from_squares(mask, SquareGrid.of(slide).side_um))
        for reason, mask in masks.items()
    ]
    found += _judge_blocks(image, folder, regions)
    within = [(reason, as_multipolygon(area & regions.tissue_window)) for reason, area in found]
    areas = tuple((reason, area) for reason, area in within if not area.is_empty)
    write_artefacts(folder.quality, areas, slide.pixel_size_um)
    return Artefacts(areas, clipped)


def _without_damage(regions: Regions, slide: Slide) -> Regions:
    """What is left out as damaged needs no second reason."""
    boxes = damaged_boxes(slide)
    if not boxes:
        return regions
    damaged = area_around(boxes, slide.shape, slide.pixel_size_um)
    return replace(regions, tissue_window=regions.tissue_window - damaged)


def _judge_squares(
    slide: Slide, image: ImageParameters, survey: Survey, squares: Squares, regions: Regions
) -> tuple[dict[str, np.ndarray], dict[str, dict[str, float]]]:
    grid = SquareGrid.of(slide)
    tissue = mask_from_polygons(regions.tissue_window, grid.squares_shape, grid.side_um)
    stain = survey.correction.stains[image.nucleus]
    masks = {OUT_OF_FOCUS: out_of_focus(squares, stain, tissue)}
    clipped: dict[str, dict[str, float]] = {}
    is_float = slide.dtype.kind == "f"
    for number, name in enumerate(slide.channels):
        cut = clipping(squares, number, grid, tissue, is_float)
        masks[f"{SATURATED} {name}"] = cut.saturated
        if np.isfinite(cut.ceiling):
            clipped[name] = {"ceiling": cut.ceiling, "tissue_frac": cut.tissue_frac}
    saturated = np.any([mask for name, mask in masks.items() if name != OUT_OF_FOCUS], axis=0)
    masks[NO_DATA] = tissue & constant(squares, grid) & ~saturated
    return masks, clipped


def _judge_blocks(
    image: ImageParameters, folder: SlideFolder, regions: Regions
) -> list[tuple[str, BaseGeometry]]:
    stored = zarr.open_array(str(folder.overview), mode="r")
    facts: dict[str, Any] = dict(stored.attrs)
    step = max(1, round(BLOCK_UM / facts["pixel_size_um"]))
    side_um = step * facts["pixel_size_um"]
    shape = (-(-stored.shape[1] // step), -(-stored.shape[2] // step))
    tissue = mask_from_polygons(regions.tissue_window, shape, side_um)
    judge = BlockJudge(tissue, image.nucleus, image.autofluorescence)
    for number, name in enumerate(facts["channels"]):
        judge.add(name, np.concatenate(list(_bands(stored, number, step))))
    holes = polygons_from_squares(judge.holes(), side_um)
    return [
        (DEBRIS, polygons_from_squares(judge.debris(), side_um)),
        (FOLD, polygons_from_squares(judge.folds(), side_um)),
        (EMPTY, _not_airspace(holes, regions.airspace)),
    ]


def _bands(stored: Any, channel: int, step: int) -> Iterator[np.ndarray]:
    rows = BAND_ROWS * step
    for first in range(0, stored.shape[1], rows):
        yield area_average(np.asarray(stored[channel, first : first + rows]), step)


def _not_airspace(holes: MultiPolygon, airspace: MultiPolygon) -> MultiPolygon:
    """Holes that the tissue mask does not know as airspaces."""
    pieces = shapely.get_parts(holes)
    shares = shapely.area(shapely.intersection(pieces, airspace)) / shapely.area(pieces)
    return MultiPolygon([p for p, s in zip(pieces, shares, strict=True) if s < AIRSPACE_FRAC])


def found_at(areas: tuple[tuple[str, MultiPolygon], ...], xy_um: np.ndarray) -> np.ndarray:
    """``(n,)`` object: what is wrong where each point lies; several reasons joined, "" for none."""
    reasons = np.full(len(xy_um), "", dtype=object)
    for reason, area in areas:
        shapely.prepare(area)
        inside = shapely.contains_xy(area, xy_um[:, 0], xy_um[:, 1])
        both = (filter(None, (old, reason)) for old in reasons[inside])
        reasons[inside] = [REASONS_JOINED_BY.join(each) for each in both]
    return reasons


def facts_of(
    areas: tuple[tuple[str, MultiPolygon], ...], reasons: Iterable[str], regions: Regions
) -> list[dict[str, Any]]:
    """For the manifest: area, share of all and of the counted tissue, and cells, by reason.

    Parameters
    ----------
    areas : tuple of (str, MultiPolygon)
    reasons : iterable of str
        The column ``artefact`` of the observed cells.
    regions : Regions
        Tissue is the window; what counts of it is not excluded.
    """
    tissue_um2, observed = regions.tissue_window.area, regions.observed
    n_cells = Counter(reason for joined in reasons for reason in joined.split(REASONS_JOINED_BY))
    return [
        {
            "reason": reason,
            "area_mm2": area.area / 1e6,
            "tissue_frac": area.area / tissue_um2,
            "counted_frac": (area & observed).area / observed.area if observed.area else 0.0,
            "cells": n_cells[reason],
        }
        for reason, area in areas
    ]
