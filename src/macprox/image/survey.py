"""The survey: what is global about a slide, estimated once, before any tile is segmented.

Reductions of the pixels, all anchored at the slide's first pixel, so that no tiling can change
them: an *overview*, the area average at about 4 um per pixel, a finer *picture* of small slides,
and a *sample*, the smoothed full-resolution pixels on a coarse lattice. Where the file has a
pyramid, large slides take only the sample from full resolution, in squares spread over the tissue
(`macprox.image.sampling`): reading all of it once would cost as much again as everything after.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numba as nb
import numpy as np

from macprox.image.pyramid import coarsest_level
from macprox.image.stain import roughness
from macprox.image.tiles import Box, Tile, tile_grid
from macprox.slide import Slide

OVERVIEW_PIXEL_UM = 4.0
SAMPLE_SMOOTHING_UM = 0.3  # the scale on which segmentation sees its stain
SAMPLE_SIZE = 1_000_000  # pixels a channel: enough for a 0.1 % tail, small enough for any slide
BLOCK_PX = 2048
PYRAMID_BLOCK_PX = 512  # of the overview: blocks that are read from the pyramid
PICTURE_SIDE_PX = 1500
WHOLE_PX = 20_000_000  # slides up to this size are read whole: a sample would save little


@dataclass(frozen=True)
class SurveyGrid:
    """Where the overview's pixels and the sample's lattice points lie on a slide.

    ``level`` is the pyramid level that gives the averages; 0 where every pixel is read.
    ``pyramid_factors`` are those of the levels that a large slide lacks, 2, 4, ... to short of the
    overview's: they are made on the way, for people, and change no number.
    """

    shape: tuple[int, int]
    pixel_size_um: float
    factor: int
    stride_px: int
    level: int = 0
    pyramid_factors: tuple[int, ...] = ()

    @classmethod
    def of(cls, slide: Slide) -> SurveyGrid:
        height, width = slide.shape
        grid = cls(
            shape=slide.shape,
            pixel_size_um=slide.pixel_size_um,
            factor=max(1, round(OVERVIEW_PIXEL_UM / slide.pixel_size_um)),
            stride_px=max(1, math.ceil(math.sqrt(height * width / SAMPLE_SIZE))),
        )
        if height * width <= WHOLE_PX:
            return grid
        level = coarsest_level(slide.level_shapes, grid.picture_factor)
        doubled = (2**n for n in range(1, grid.factor.bit_length()))
        lacking = () if level else tuple(f for f in doubled if f < grid.factor)
        return replace(grid, level=level, pyramid_factors=lacking)

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
    def block_side_px(self) -> int:
        """Of a block's core, in whole pixels of overview and pyramid."""
        if self.level:
            return PYRAMID_BLOCK_PX * self.factor
        unit_px = math.lcm(self.factor, *self.pyramid_factors)
        return math.ceil(BLOCK_PX / unit_px) * unit_px

    @property
    def block_shape(self) -> tuple[int, int]:
        """``(y, x)`` of a block's core, no larger than the slide."""
        height, width = self.shape
        return min(self.block_side_px, height), min(self.block_side_px, width)

    @property
    def halo_px(self) -> int:
        """How far the sample's smoothing and the roughness's neighbour reach."""
        return math.ceil(4 * SAMPLE_SMOOTHING_UM / self.pixel_size_um) + 1

    def blocks(self) -> list[Tile]:
        """Blocks in raster order, with room for the sample where it comes from them."""
        return tile_grid(self.shape, self.block_side_px, 0 if self.level else self.halo_px)

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
    pyramid : dict of int to (c, y, x) array
        By factor, area averages in the slide's own type.
    """

    overview: np.ndarray
    picture: np.ndarray | None
    sample: np.ndarray
    roughness: np.ndarray
    pyramid: dict[int, np.ndarray]


def survey_block(slide: Slide, grid: SurveyGrid, block: Tile) -> BlockSurvey:
    """Read one block once, channel by channel, at full resolution."""
    points = grid.sample_box(block.core)
    rows = np.arange(points.y0, points.y1) * grid.stride_px - block.outer.y0
    columns = np.arange(points.x0, points.x1) * grid.stride_px - block.outer.x0
    inside = block.core.within(block.outer)
    finer = grid.picture_factor < grid.factor
    overview, picture, sample, rough = [], [], [], []
    pyramid: dict[int, list[np.ndarray]] = {factor: [] for factor in grid.pyramid_factors}
    for channel in range(len(slide.channels)):
        pixels = slide.read(channel, *block.outer.slices)
        overview.append(area_average(pixels[inside], grid.factor))
        if finer:
            picture.append(area_average(pixels[inside], grid.picture_factor))
        for factor, planes in pyramid.items():
            planes.append(_in_type(area_average(pixels[inside], factor), slide.dtype))
        smoothed, roughs = sample_pixels(pixels, rows, columns, slide.pixel_size_um)
        sample.append(smoothed)
        rough.append(roughs)
    return BlockSurvey(
        overview=np.stack(overview),
        picture=np.stack(picture) if finer else None,
        sample=np.stack(sample),
        roughness=np.stack(rough),
        pyramid={factor: np.stack(planes) for factor, planes in pyramid.items()},
    )


def _in_type(means: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return (np.rint(means) if dtype.kind in "iu" else means).astype(dtype)


def sample_pixels(
    pixels: np.ndarray, rows: np.ndarray, columns: np.ndarray, pixel_size_um: float
) -> tuple[np.ndarray, np.ndarray]:
    """Smoothed pixels, and their roughness, where some rows and columns cross.

    Bit for bit ``scipy.ndimage.gaussian_filter`` (reflecting, truncated at 4 sigma), which would
    filter all the pixels between for nothing.

    Parameters
    ----------
    pixels : (y, x) number
    rows, columns : (n,), (m,) int
    pixel_size_um : float

    Returns
    -------
    (n, m) float32, (n, m) float32
    """
    sigma_px = SAMPLE_SMOOTHING_UM / pixel_size_um
    radius = int(4 * sigma_px + 0.5)
    weights = np.exp(-0.5 / sigma_px**2 * np.arange(-radius, radius + 1.0) ** 2)
    weights = (weights / weights.sum())[radius:]
    along_y = _weighted(pixels, rows, weights)
    smoothed = _weighted(along_y.T, columns, weights).T
    return np.ascontiguousarray(smoothed), roughness(pixels[rows])[:, columns]


def _weighted(pixels: np.ndarray, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Symmetric weights, the middle one first, along the first axis at some rows; float32."""
    radius = len(weights) - 1
    mirrored = np.pad(np.arange(pixels.shape[0]), radius, mode="symmetric")
    at = rows + radius

    def row(shift: int) -> np.ndarray:
        # float32 first, as the filter's input was.
        return pixels[mirrored[at + shift]].astype(np.float32).astype(np.float64)

    total = row(0) * weights[0]
    for shift in range(radius, 0, -1):
        total += (row(-shift) + row(shift)) * weights[shift]
    return total.astype(np.float32)


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
    return _square_means(np.ascontiguousarray(pixels), factor)


@nb.njit(cache=True, nogil=True)
def _square_means(pixels, factor):
    height, width = pixels.shape
    n_rows, n_columns = -(-height // factor), -(-width // factor)
    means = np.empty((n_rows, n_columns), np.float32)
    sums = np.empty(n_columns)
    for row in range(n_rows):
        sums[:] = 0.0
        bottom = min(height, (row + 1) * factor)
        for y in range(row * factor, bottom):
            for column in range(n_columns):
                total = 0.0
                for x in range(column * factor, min(width, (column + 1) * factor)):
                    total += pixels[y, x]
                sums[column] += total
        n_y = bottom - row * factor
        for column in range(n_columns):
            n_x = min(width, (column + 1) * factor) - column * factor
            means[row, column] = sums[column] / (n_y * n_x)
    return means
