"""First stage: see the whole slide once, and write down what is global about it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
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
from macprox.io.atomic import replacing, write_json
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
    overview = _create_overview(folder, slide, grid)
    job = partial(_write_block, slide=slide, grid=grid, overview=str(folder.overview))
    advance = options.watcher.stage(slide.slide_id, "survey", len(blocks))
    sample = np.empty((len(slide.channels), *grid.sample_shape), np.float32)
    for block, pixels in zip(blocks, options.workers.map(job, blocks, advance), strict=True):
        sample[(slice(None), *grid.sample_box(block.core).slices)] = pixels
    masks = _tissue(slide, image, grid, overview, sample)
    tissue = _outlines(masks, grid)
    write_regions(folder.tissue, tissue, slide.pixel_size_um)
    tissue_mm2 = tissue.tissue_window.area / 1e6
    survey = _describe(slide, image, _in_tissue(sample, masks, grid), tissue_mm2)
    _save(survey, folder)
    return survey


def _create_overview(folder: SlideFolder, slide: Slide, grid: SurveyGrid):
    side = grid.blocks()[0].core.shape
    chunk = [-(-length // grid.factor) for length in side]
    overview = zarr.create_array(
        store=str(folder.overview),
        shape=(len(slide.channels), *grid.overview_shape),
        chunks=(1, *chunk),
        dtype="float32",
        overwrite=True,
    )
    overview.attrs["pixel_size_um"] = grid.overview_pixel_um
    overview.attrs["channels"] = list(slide.channels)
    return overview


def _write_block(block: Tile, slide: Slide, grid: SurveyGrid, overview: str) -> np.ndarray:
    pixels, sample = survey_block(slide, grid, block)
    target = zarr.open_array(overview, mode="r+")
    target[(slice(None), *grid.overview_box(block.core).slices)] = pixels
    return sample


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
    return find_tissue(overview[nucleus], brightness, level, grid.overview_pixel_um)


def _outlines(masks: TissueMasks, grid: SurveyGrid) -> Regions:
    """The masks as polygons, cut at the slide's own rim, which the overview may overhang."""
    height, width = grid.shape
    rim = shapely.box(0, 0, width * grid.pixel_size_um, height * grid.pixel_size_um)
    footprint, airspace = (
        polygons_from_mask(mask, grid.overview_pixel_um) & rim
        for mask in (masks.footprint, masks.airspace)
    )
    return Regions(tissue_window=footprint, airspace=airspace)


def _in_tissue(sample: np.ndarray, masks: TissueMasks, grid: SurveyGrid) -> np.ndarray:
    """``(c, n)``: the lattice points in the footprint; all of them where there is none."""
    rows, columns = (
        np.minimum(np.arange(n) * grid.stride_px // grid.factor, size - 1)
        for n, size in zip(grid.sample_shape, grid.overview_shape, strict=True)
    )
    inside = masks.footprint[np.ix_(rows, columns)]
    return sample[:, inside] if inside.any() else sample.reshape(len(sample), -1)


def _describe(
    slide: Slide, image: ImageParameters, pixels: np.ndarray, tissue_mm2: float
) -> Survey:
    sample = dict(zip(slide.channels, pixels, strict=True))
    correction = Correction.from_sample(sample, image.autofluorescence)
    quality = slide_flags(tissue_mm2, slide.pixel_size_um)
    quality += channel_flags(sample, correction.stains, slide.dtype)
    return Survey(correction, sample, quality)


def _save(survey: Survey, folder: SlideFolder) -> None:
    with replacing(folder.sample) as temporary:
        np.savez_compressed(temporary, **_keyed(survey.sample))
    saved: dict[str, Any] = {
        "correction": survey.correction.to_dict(),
        "quality": [flag.to_dict() for flag in survey.quality],
    }
    write_json(folder.survey, saved)


def _keyed(sample: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """By position: a channel's name may not be a file's name."""
    return {str(i): pixels for i, pixels in enumerate(sample.values())}


def load_survey(folder: SlideFolder, channels: tuple[str, ...]) -> Survey:
    """The survey of an earlier run."""
    try:
        saved = json.loads(folder.survey.read_text(encoding="utf-8"))
        with np.load(folder.sample) as pixels:
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
