"""The survey: what is global about a slide, estimated once, before any tile is segmented.

Reductions of the full-resolution pixels, both anchored at the slide's first pixel, so that
neither the file's own pyramid nor any tiling can change them: an *overview*, the area average at
about 4 um per pixel, a finer *picture* of small slides, and a *sample*, the smoothed pixels on a
coarse lattice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

from macprox.image.stain import roughness
from macprox.image.tiles import Box, Tile, tile_grid
from macprox.slide import Slide

OVERVIEW_PIXEL_UM = 4.0
SAMPLE_SMOOTHING_UM = 0.3  # the scale on which segmentation sees its stain
SAMPLE_SIZE = 1_000_000  # pixels a channel: enough for a 0.1 % tail, small enough for any slide
BLOCK_PX = 2048
PICTURE_SIDE_PX = 1500


@dataclass(frozen=True)
class SurveyGrid:
    """Where the overview's pixels and the sample's lattice points lie on a slide."""

    shape: tuple[int, int]
    pixel_size_um: float
    factor: int
    stride_px: int

    @classmethod
    def of(cls, slide: Slide) -> SurveyGrid:
        height, width = slide.shape
        return cls(
            shape=slide.shape,
            pixel_size_um=slide.pixel_size_um,
            factor=max(1, round(OVERVIEW_PIXEL_UM / slide.pixel_size_um)),
            stride_px=max(1, math.ceil(math.sqrt(height * width / SAMPLE_SIZE))),
        )

    @property
    def overview_shape(self) -> tuple[int, int]:
        height, width = self.shape
        return -(-height // self.factor), -(-width // self.factor)

    @property
    def sample_shape(self) -> tuple[int, int]:
        height, width = self.shape
        return -(-height // self.stride_px), -(-width // self.stride_px)

    @property
    def picture_factor(self) -> int:
        """The finest whole part of ``factor`` whose picture is not larger than a screen."""
        whole_parts = [n for n in range(1, self.factor + 1) if self.factor % n == 0]
        side = max(self.shape)
        return next((n for n in whole_parts if side / n <= PICTURE_SIDE_PX), self.factor)

    @property
    def overview_pixel_um(self) -> float:
        return self.factor * self.pixel_size_um

    @property
    def block_shape(self) -> tuple[int, int]:
        """``(y, x)`` of a block's core: whole overview pixels, no larger than the slide."""
        side = math.ceil(BLOCK_PX / self.factor) * self.factor
        height, width = self.shape
        return min(side, height), min(side, width)

    def blocks(self) -> list[Tile]:
        """Blocks, with room for the sample's smoothing and the roughness's neighbour."""
        halo_px = math.ceil(4 * SAMPLE_SMOOTHING_UM / self.pixel_size_um) + 1
        return tile_grid(self.shape, math.ceil(BLOCK_PX / self.factor) * self.factor, halo_px)

    def overview_box(self, core: Box, factor: int | None = None) -> Box:
        """The overview's pixels (the picture's, with its factor) that a block's core covers."""
        f = factor or self.factor
        return Box(core.y0 // f, -(-core.y1 // f), core.x0 // f, -(-core.x1 // f))

    def sample_box(self, core: Box) -> Box:
        """The lattice points inside a block's core."""
        s = self.stride_px
        return Box(-(-core.y0 // s), -(-core.y1 // s), -(-core.x0 // s), -(-core.x1 // s))


@dataclass(frozen=True)
class BlockSurvey:
    """What one block shows.

    Parameters
    ----------
    overview : (c, y, x) float32
        Area averages over the core, `SurveyGrid.overview_box` of it.
    picture : (c, y, x) float32 or None
        Finer area averages for people, on slides small enough.
    sample : (c, y, x) float32
        Smoothed pixels at the lattice points inside the core.
    roughness : (c, y, x) float32
        `macprox.image.stain.roughness` there.
    """

    overview: np.ndarray
    picture: np.ndarray | None
    sample: np.ndarray
    roughness: np.ndarray


def survey_block(slide: Slide, grid: SurveyGrid, block: Tile) -> BlockSurvey:
    """Read one block once, channel by channel."""
    sigma_px = SAMPLE_SMOOTHING_UM / slide.pixel_size_um
    points = grid.sample_box(block.core)
    rows = np.arange(points.y0, points.y1) * grid.stride_px - block.outer.y0
    columns = np.arange(points.x0, points.x1) * grid.stride_px - block.outer.x0
    at = np.ix_(rows, columns)
    inside = block.core.within(block.outer)
    finer = grid.picture_factor < grid.factor
    overview, picture, sample, rough = [], [], [], []
    for channel in range(len(slide.channels)):
        pixels = slide.read(channel, *block.outer.slices).astype(np.float32)
        overview.append(area_average(pixels[inside], grid.factor))
        if finer:
            picture.append(area_average(pixels[inside], grid.picture_factor))
        sample.append(ndi.gaussian_filter(pixels, sigma_px)[at])
        rough.append(roughness(pixels)[at])
    return BlockSurvey(
        overview=np.stack(overview),
        picture=np.stack(picture) if finer else None,
        sample=np.stack(sample),
        roughness=np.stack(rough),
    )


def area_average(pixels: np.ndarray, factor: int) -> np.ndarray:
    """Mean over ``factor`` x ``factor`` squares, over what is there at the lower and right rim.

    Parameters
    ----------
    pixels : (y, x) number
    factor : int

    Returns
    -------
    (ceil(y / factor), ceil(x / factor)) float32
    """
    starts = [np.arange(0, side, factor) for side in pixels.shape]
    sums = np.add.reduceat(pixels.astype(np.float64), starts[0], axis=0)
    sums = np.add.reduceat(sums, starts[1], axis=1)
    counts = [
        np.diff(np.append(start, side)) for start, side in zip(starts, pixels.shape, strict=True)
    ]
    return (sums / np.outer(*counts)).astype(np.float32)
