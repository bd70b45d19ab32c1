"""First stage: see the whole slide once, and write down what is global about it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import shapely
import zarr

from macprox.errors import ResultError
from macprox.image.correction import Correction
from macprox.image.quality import QualityFlag, channel_flags, slide_flags
from macprox.image.stain import FLOOR_SD, StainStatistics
from macprox.image.survey import SurveyGrid, survey_block
from macprox.image.tiles import Tile
from macprox.image.tissue import TissueMasks, find_tissue
from macprox.io.arrays import read_arrays, write_arrays
from macprox.io.atomic import write_json
from macprox.io.geojson import write_regions
from macprox.io.store import SlideFolder
from macprox.pipeline.options import RunOptions
from macprox.regions import Regions
from macprox.regions.contours import polygons_from_mask
from macprox.slide import Slide
from macprox.study import ImageParameters

NUCLEUS_SD = 1.5 * FLOOR_SD  # a lone bright pixel of glass must not pass for a nucleus


@dataclass(frozen=True)
class Survey:
    """What is global about a slide.

    Parameters
    ----------
    correction : Correction
    sample : dict of str to (n,) float32
        Smoothed raw pixels in tissue, by channel.
    quality : list of QualityFlag
    """

    correction: Correction
    sample: dict[str, np.ndarray]
    quality: list[QualityFlag]

    def corrected_sample(self, channel: str) -> np.ndarray:
        """The sample of a channel as the gates and thresholds see it."""
        blank = self.correction.autofluorescence
        return self.correction.apply(
            channel, self.sample[channel], self.sample[blank] if blank else None
        )


def survey_slide(
    slide: Slide, image: ImageParameters, folder: SlideFolder, options: RunOptions
) -> Survey:
    """Read every pixel once; write overview, tissue outline and channel statistics."""
    grid = SurveyGrid.of(slide)
    blocks = grid.blocks()
    overview = _create(folder.overview, slide, grid, grid.factor)
    if grid.picture_factor < grid.factor:
        _create(folder.picture, slide, grid, grid.picture_factor)
    job = partial(_write_block, slide=slide, grid=grid, folder=folder)
    advance = options.watcher.stage(slide.slide_id, "survey", len(blocks))
    points = np.empty((2, len(slide.channels), *grid.sample_shape), np.float32)
    for block, found in zip(blocks, options.workers.map(job, blocks, advance), strict=True):
        points[(..., *grid.sample_box(block.core).slices)] = found
    masks = _tissue(slide, image, grid, overview, points[0])
    tissue = _outlines(masks, grid)
    write_regions(folder.tissue, tissue, slide.pixel_size_um)
    in_tissue = _in_tissue(points, masks, grid)
    survey = _describe(slide, image, in_tissue, tissue.tissue_window.area / 1e6)
    _save(survey, folder)
    return survey


def _create(path: Path, slide: Slide, grid: SurveyGrid, factor: int):
    """An empty ``(c, y, x)`` array, one chunk a block: no two blocks write into the same."""
    shape, block = ([-(-n // factor) for n in n_px] for n_px in (grid.shape, grid.block_shape))
    array = zarr.create_array(
        store=str(path),
        shape=(len(slide.channels), *shape),
        chunks=(1, *block),
        dtype="float32",
        overwrite=True,
    )
    array.attrs["pixel_size_um"] = factor * slide.pixel_size_um
    array.attrs["channels"] = list(slide.channels)
    return array


def _write_block(block: Tile, slide: Slide, grid: SurveyGrid, folder: SlideFolder) -> np.ndarray:
    """Write one block's averages; ``(2, c, y, x)``: its sample and that sample's roughness."""
    found = survey_block(slide, grid, block)
    averages = [(folder.overview, grid.factor, found.overview)]
    if found.picture is not None:
        averages.append((folder.picture, grid.picture_factor, found.picture))
    for path, factor, pixels in averages:
        target = zarr.open_array(str(path), mode="r+")
        target[(slice(None), *grid.overview_box(block.core, factor).slices)] = pixels
    return np.stack([found.sample, found.roughness])


def _tissue(
    slide: Slide, image: ImageParameters, grid: SurveyGrid, overview, sample: np.ndarray
) -> TissueMasks:
    nucleus = slide.channel_index(image.nucleus)
    stain = StainStatistics.from_sample(sample[nucleus])
    if stain.constant:
        nothing = np.zeros(grid.overview_shape, bool)
        return TissueMasks(nothing, nothing)
    brightness = np.zeros(grid.overview_shape, np.float32)
    for channel in range(len(slide.channels)):
        low, high = np.percentile(sample[channel], [1, 99])
        if high > low:
            brightness += (overview[channel] - np.float32(low)) / np.float32(high - low)
    level = max(stain.floor, stain.background + NUCLEUS_SD * stain.noise)
    masks = find_tissue(overview[nucleus], brightness, level, grid.overview_pixel_um)
    if image.autofluorescence is None:
        # Matrix without cells is as dark as air where nothing shows that it glows.
        return replace(masks, airspace=np.zeros_like(masks.airspace))
    return masks


def _outlines(masks: TissueMasks, grid: SurveyGrid) -> Regions:
    """The masks as polygons, cut at the slide's own rim, which the overview may overhang."""
    height, width = grid.shape
    rim = shapely.box(0, 0, width * grid.pixel_size_um, height * grid.pixel_size_um)
    footprint, airspace = (
        polygons_from_mask(mask, grid.overview_pixel_um) & rim
        for mask in (masks.footprint, masks.airspace)
    )
    return Regions(tissue_window=footprint, airspace=airspace)


def _in_tissue(points: np.ndarray, masks: TissueMasks, grid: SurveyGrid) -> np.ndarray:
    """``(2, c, n)``: the lattice points in the footprint; all of them where there is none."""
    rows, columns = (
        np.minimum(np.arange(n) * grid.stride_px // grid.factor, size - 1)
        for n, size in zip(grid.sample_shape, grid.overview_shape, strict=True)
    )
    inside = masks.footprint[np.ix_(rows, columns)]
    return points[..., inside] if inside.any() else points.reshape(*points.shape[:2], -1)


def _describe(
    slide: Slide, image: ImageParameters, points: np.ndarray, tissue_mm2: float
) -> Survey:
    sample, rough = (dict(zip(slide.channels, values, strict=True)) for values in points)
    correction = Correction.from_sample(sample, image.autofluorescence, rough)
    quality = slide_flags(tissue_mm2, slide.pixel_size_um)
    quality += channel_flags(sample, correction.stains, slide.dtype)
    return Survey(correction, sample, quality)


def _save(survey: Survey, folder: SlideFolder) -> None:
    # By position: a channel's name may not be a file's name.
    write_arrays(folder.sample, {str(i): px for i, px in enumerate(survey.sample.values())})
    saved: dict[str, Any] = {
        "correction": survey.correction.to_dict(),
        "quality": [flag.to_dict() for flag in survey.quality],
    }
    write_json(folder.survey, saved)


def load_survey(folder: SlideFolder, channels: tuple[str, ...]) -> Survey:
    """The survey of an earlier run."""
    try:
        saved = json.loads(folder.survey.read_text(encoding="utf-8"))
        pixels = read_arrays(folder.sample)
        sample = {name: pixels[str(i)] for i, name in enumerate(channels)}
    except (OSError, ValueError, KeyError) as error:
        raise ResultError(
            f"{folder.work} does not hold a whole survey ({error}); delete {folder.path} and "
            "run the slide again."
        ) from error
    return Survey(
        Correction.from_dict(saved["correction"]),
        sample,
        [QualityFlag(**flag) for flag in saved["quality"]],
    )
