"""First stage: see the whole slide once, and write down what is global about it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import shapely
import zarr
from numpy.typing import DTypeLike

from macprox.errors import ResultError
from macprox.image.correction import Correction
from macprox.image.damage import damaged_boxes
from macprox.image.missing import missing_frac
from macprox.image.pyramid import averages
from macprox.image.quality import channel_flags, missing_flags
from macprox.image.sampling import chosen_squares, lattice, sample_square, stride_px
from macprox.image.stain import FLOOR_SD, StainStatistics
from macprox.image.survey import SAMPLE_SIZE, SurveyGrid, survey_block
from macprox.image.tiles import Box, Tile
from macprox.image.tissue import TissueMasks, find_tissue
from macprox.io.arrays import read_arrays, write_arrays
from macprox.io.atomic import write_json
from macprox.io.region_files import write_regions
from macprox.io.store import SlideFolder
from macprox.pipeline.damage import area_around
from macprox.pipeline.options import RunOptions
from macprox.pipeline.tiles import reading_together
from macprox.quality import QualityFlag
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


@dataclass(frozen=True)
class _Points:
    """The sample: ``values`` ``(2, c, n)``, smoothed pixels and their roughness, with the
    overview's row and column under each."""

    values: np.ndarray
    rows: np.ndarray
    columns: np.ndarray

    def within(self, mask: np.ndarray) -> np.ndarray:
        """``(2, c, m)``: the values under a mask; all of them where it holds none."""
        inside = mask[self.rows, self.columns]
        return self.values[..., inside] if inside.any() else self.values


def survey_slide(
    slide: Slide, image: ImageParameters, folder: SlideFolder, options: RunOptions
) -> Survey:
    """See the slide once; write overview, tissue outline and channel statistics.

    Of a large slide without a pyramid, write the levels that it lacks, too.

    Every pixel is read of slides up to `macprox.image.survey.WHOLE_PX`, and of larger ones
    without a pyramid; of the others the pyramid, and squares of full resolution.
    """
    grid = SurveyGrid.of(slide)
    overview = _create(folder.overview, slide, grid, grid.factor)
    if grid.picture_factor < grid.factor:
        _create(folder.picture, slide, grid, grid.picture_factor)
    for factor in grid.pyramid_factors:
        _create(folder.pyramid / str(factor), slide, grid, factor, slide.dtype)
    if grid.level:
        points = _sampled(slide, image, grid, folder, options)
    else:
        points = _read_whole(slide, grid, folder, options)
    masks = _tissue(slide, image, grid, overview, points.values[0])
    tissue = _outlines(masks, slide, grid)
    write_regions(folder.tissue, tissue, slide.pixel_size_um)
    in_tissue = points.within(masks.footprint)
    survey = _describe(slide, image, in_tissue)
    _save(survey, folder)
    return survey


def _read_whole(
    slide: Slide, grid: SurveyGrid, folder: SlideFolder, options: RunOptions
) -> _Points:
    told, blocks = reading_together(slide, grid.blocks())
    job = partial(_write_block, slide=told, grid=grid, folder=folder)
    advance = options.watcher.stage(slide.slide_id, "survey", len(blocks))
    points = np.empty((2, len(slide.channels), *grid.sample_shape), np.float32)
    for block, found in zip(blocks, options.workers.map(job, blocks, advance), strict=True):
        points[(..., *grid.sample_box(block.core).slices)] = found
    y, x = np.indices(grid.sample_shape).reshape(2, -1) * grid.stride_px
    return _points(points.reshape(*points.shape[:2], -1), y, x, slide, grid)


def _sampled(
    slide: Slide, image: ImageParameters, grid: SurveyGrid, folder: SlideFolder, options: RunOptions
) -> _Points:
    blocks = grid.blocks()
    job = partial(_write_reduced, slide=slide, grid=grid, folder=folder)
    advance = options.watcher.stage(slide.slide_id, "survey", len(blocks))
    options.workers.map(job, blocks, advance)
    overview = zarr.open_array(str(folder.overview), mode="r")
    nuclear = np.asarray(overview[slide.channel_index(image.nucleus)])
    step = max(1, math.isqrt(nuclear.size // SAMPLE_SIZE))
    stained = nuclear > _nucleus_level(StainStatistics.from_sample(nuclear[::step, ::step]))
    squares = chosen_squares(grid, stained)
    stride = stride_px(squares)
    look = partial(_look, slide=slide, grid=grid, stride=stride)
    advance = options.watcher.stage(slide.slide_id, "survey", len(squares))
    found = options.workers.map(look, squares, advance)
    values = np.concatenate([one.reshape(*one.shape[:2], -1) for one in found], axis=-1)
    at = [np.meshgrid(*lattice(grid, square, stride), indexing="ij") for square in squares]
    y, x = (np.concatenate([one[axis].ravel() for one in at]) for axis in (0, 1))
    return _points(values, y, x, slide, grid)


def _points(
    values: np.ndarray, y: np.ndarray, x: np.ndarray, slide: Slide, grid: SurveyGrid
) -> _Points:
    """The sample without the points that damage reaches, which hold zeros."""
    sound = np.ones(len(y), bool)
    for box in damaged_boxes(slide):
        sound &= ~box.grown(grid.halo_px).holds(y, x)
    if sound.any():
        values, y, x = values[..., sound], y[sound], x[sound]
    rows, columns = (
        np.minimum(at // grid.factor, size - 1)
        for at, size in zip((y, x), grid.overview_shape, strict=True)
    )
    return _Points(values, rows, columns)


def _look(square: Tile, slide: Slide, grid: SurveyGrid, stride: int) -> np.ndarray:
    """`sample_square` with the tile first, as workers give it."""
    return sample_square(slide, grid, square, stride)


def _create(
    path: Path, slide: Slide, grid: SurveyGrid, factor: int, dtype: DTypeLike = np.float32
) -> zarr.Array:
    """An empty ``(c, y, x)`` array, one chunk a block: no two blocks write into the same."""
    shape, block = ([-(-n // factor) for n in n_px] for n_px in (grid.shape, grid.block_shape))
    array = zarr.create_array(
        store=str(path),
        shape=(len(slide.channels), *shape),
        chunks=(1, *block),
        dtype=np.dtype(dtype),
        overwrite=True,
    )
    array.attrs["pixel_size_um"] = factor * slide.pixel_size_um
    array.attrs["channels"] = list(slide.channels)
    return array


def _write_block(block: Tile, slide: Slide, grid: SurveyGrid, folder: SlideFolder) -> np.ndarray:
    """Write one block's averages; ``(2, c, y, x)``: its sample and that sample's roughness."""
    found = survey_block(slide, grid, block)
    by_factor = {grid.factor: found.overview}
    if found.picture is not None:
        by_factor[grid.picture_factor] = found.picture
    _write_averages(block, grid, folder, by_factor)
    for factor, pixels in found.pyramid.items():
        _write_at(folder.pyramid / str(factor), grid.overview_box(block.core, factor), pixels)
    return np.stack([found.sample, found.roughness])


def _write_reduced(block: Tile, slide: Slide, grid: SurveyGrid, folder: SlideFolder) -> None:
    """Write one block's averages, out of the file's pyramid."""
    factors = tuple({grid.factor: None, grid.picture_factor: None})
    found = [
        averages(slide, channel, grid.level, block.core, factors)
        for channel in range(len(slide.channels))
    ]
    planes = [np.stack(of_factor) for of_factor in zip(*found, strict=True)]
    _write_averages(block, grid, folder, dict(zip(factors, planes, strict=True)))


def _write_averages(
    block: Tile, grid: SurveyGrid, folder: SlideFolder, by_factor: dict[int, np.ndarray]
) -> None:
    for factor, pixels in by_factor.items():
        path = folder.overview if factor == grid.factor else folder.picture
        _write_at(path, grid.overview_box(block.core, factor), pixels)


def _write_at(path: Path, box: Box, pixels: np.ndarray) -> None:
    target = zarr.open_array(str(path), mode="r+")
    target[(slice(None), *box.slices)] = pixels


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
    masks = find_tissue(
        overview[nucleus], brightness, _nucleus_level(stain), grid.overview_pixel_um
    )
    if image.autofluorescence is None:
        # Matrix without cells is as dark as air where nothing shows that it glows.
        return replace(masks, airspace=np.zeros_like(masks.airspace))
    return masks


def _nucleus_level(stain: StainStatistics) -> float:
    """The nuclear stain above which an overview pixel holds a nucleus."""
    return max(stain.floor, stain.background + NUCLEUS_SD * stain.noise)


def _outlines(masks: TissueMasks, slide: Slide, grid: SurveyGrid) -> Regions:
    """The masks as polygons, cut at the slide's own rim, which the overview may overhang.

    A damaged place is dark, but no airspace.
    """
    height, width = grid.shape
    rim = shapely.box(0, 0, width * grid.pixel_size_um, height * grid.pixel_size_um)
    footprint, airspace = (
        polygons_from_mask(mask, grid.overview_pixel_um) & rim
        for mask in (masks.footprint, masks.airspace)
    )
    if boxes := damaged_boxes(slide):
        airspace -= area_around(boxes, grid.shape, grid.pixel_size_um)
    return Regions(tissue_window=footprint, airspace=airspace)


def _describe(slide: Slide, image: ImageParameters, points: np.ndarray) -> Survey:
    sample, rough = (dict(zip(slide.channels, values, strict=True)) for values in points)
    correction = Correction.from_sample(sample, image.autofluorescence, rough)
    quality = channel_flags(sample, correction.stains)
    quality += missing_flags(missing_frac(slide))
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
