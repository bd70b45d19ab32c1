"""Which squares of a large slide are looked at closely, and what they show."""

from __future__ import annotations

import math

import numpy as np

from macprox.image.survey import SAMPLE_SIZE, SurveyGrid, sample_pixels
from macprox.image.tiles import Box, Tile
from macprox.slide import Slide

SQUARE_PX = 512  # the commonest tile of files: a square is one tile to decode
SAMPLE_FRAC = 0.06  # of the slide's pixels ...
LEAST_SAMPLE_PX = 10_000_000  # ... but not fewer: forty squares, to meet nests and stroma alike
MIN_TISSUE_FRAC = 0.05


def chosen_squares(grid: SurveyGrid, stained: np.ndarray) -> list[Tile]:
    """Squares spread evenly over the tissue of a slide.

    Position and overview alone decide: squares with tissue are put in an order that keeps
    neighbours together (z-order), and taken at equal steps. Where no square has tissue, any may
    be taken.

    Parameters
    ----------
    grid : SurveyGrid
    stained : (y, x) bool
        Overview pixels that show nuclei.

    Returns
    -------
    list of Tile
        Without halo: each is read for itself.
    """
    height, width = grid.shape
    rows, columns = (np.arange(max(1, side // SQUARE_PX)) for side in (height, width))
    y, x = (found.ravel() for found in np.meshgrid(rows, columns, indexing="ij"))
    tissue = _shares(stained, rows, columns, grid.factor).ravel() >= MIN_TISSUE_FRAC
    if tissue.any():
        y, x = y[tissue], x[tissue]
    order = np.argsort(_z_order(y, x))
    budget_px = max(SAMPLE_FRAC * height * width, LEAST_SAMPLE_PX)
    n = min(len(order), math.ceil(budget_px / SQUARE_PX**2))
    taken = order[np.arange(n) * len(order) // n]
    cores = [
        Box(top, min(top + SQUARE_PX, height), left, min(left + SQUARE_PX, width))
        for top, left in zip(y[taken] * SQUARE_PX, x[taken] * SQUARE_PX, strict=True)
    ]
    return [Tile(index, core, core) for index, core in enumerate(cores)]


def _shares(stained: np.ndarray, rows: np.ndarray, columns: np.ndarray, factor: int) -> np.ndarray:
    """(row, column) share of stained overview pixels in each square."""
    for axis, which in ((0, rows), (1, columns)):
        starts = which * SQUARE_PX // factor
        stops = np.minimum((which + 1) * SQUARE_PX // factor, stained.shape[axis])
        counts = np.cumsum(np.insert(stained.astype(np.float64), 0, 0, axis=axis), axis=axis)
        total = np.take(counts, stops, axis) - np.take(counts, starts, axis)
        sizes = np.maximum(stops - starts, 1)
        stained = total / (sizes[:, None] if axis == 0 else sizes)
    return stained


def _z_order(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The bits of both numbers, taken in turns."""
    code = np.zeros(len(y), np.int64)
    for bit in range(20):
        code |= ((y >> bit & 1) << 2 * bit + 1) | ((x >> bit & 1) << 2 * bit)
    return code


def sample_square(slide: Slide, grid: SurveyGrid, square: Tile, stride_px: int) -> np.ndarray:
    """``(2, c, y, x)`` float32: smoothed pixels and their roughness on a lattice in a square."""
    at = lattice(grid, square, stride_px)
    rows, columns = at[0] - square.core.y0, at[1] - square.core.x0
    found = [
        sample_pixels(slide.read(channel, *square.core.slices), rows, columns, grid.pixel_size_um)
        for channel in range(len(slide.channels))
    ]
    return np.stack([np.stack(values) for values in zip(*found, strict=True)])


def stride_px(squares: list[Tile]) -> int:
    """The lattice's, for about `SAMPLE_SIZE` points in all."""
    n_px = sum(math.prod(square.core.shape) for square in squares)
    return max(1, math.ceil(math.sqrt(n_px / SAMPLE_SIZE)))


def lattice(grid: SurveyGrid, square: Tile, stride_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns on the slide of a square's lattice: where smoothing sees no rim."""
    core, halo_px = square.core, grid.halo_px
    return (
        np.arange(core.y0 + halo_px, core.y1 - halo_px, stride_px),
        np.arange(core.x0 + halo_px, core.x1 - halo_px, stride_px),
    )
