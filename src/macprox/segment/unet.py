"""Nuclei by the built-in network: a small U-Net, then basins of the depth that it predicts.

The network is convolutional and sees `CONTEXT_PX` around a pixel, on one grid for the whole slide
that begins at its first pixel; basins part touching nuclei; where slide pixels are finer than the
network's, outlines run between its pixels. What is global about the slide, background and
brightness, comes from its statistics. How the weights were made: `macprox.train`, and the model
card beside them.
"""

from __future__ import annotations

import math
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numba as nb
import numpy as np

from macprox.image.stain import StainStatistics
from macprox.image.tiles import Box
from macprox.segment.clustering import persistent_basins
from macprox.segment.contrast import own_contrast
from macprox.segment.network_grid import NetworkGrid
from macprox.segment.objects import keep_labels
from macprox.segment.parameters import SegmentationParameters

# How far the network sees: 2 + 4 + 8 + 4 + 2 pixels at half resolution, and the pooling grid.
CONTEXT_PX = 48
STRIDE_PX = 8  # pooling: what it computes at a pixel depends on where its input begins, modulo 8
PIECE_PX = 1280  # run at once, at most: bounds the memory of one worker to 0.25 GB

# Nuclei are looked for in blocks that hold a pixel above the slide's floor, and beside them.
BLOCK_PX = 16  # a multiple of the stride: boxes begin with a block

# Of a nucleus, depth rises to 1. A peak that stands out by less joins its neighbour.
PERSISTENCE = 0.3
DEPTH_LEVELS = 250
LOGIT_LEVELS = 64
SUM_OF_TAPS = 16  # of the smoothing in `_smooth`, which is not divided by it
# Far beyond what the network says of anything: what fits into 16 bits.
MAX_MARGIN = 2.0**15 - 1
MAX_DEPTH = (2**15 - 1) // SUM_OF_TAPS

# A nucleus rises by this share of its own brightness above its surroundings; haze does not. On the
# images kept for tuning, and on five of real tissue, not one true nucleus falls below.
CONTRAST_FRAC = 0.35

MODEL = "nuclei.onnx"


@nb.njit(cache=True, nogil=True)
def _squash(stain, background, scale):
    squashed = np.empty(stain.shape, np.float32)
    for y in range(stain.shape[0]):
        for x in range(stain.shape[1]):
            level = (stain[y, x] - background) * scale
            level = min(max(level, np.float32(-0.3)), np.float32(12.0))
            squashed[y, x] = np.float32(2.0) * level / (np.float32(1.0) + abs(level))
    return squashed


def normalise(stain: np.ndarray, background: float, bright: float) -> np.ndarray:
    """Stain as the network sees it: 0 at the background, 1 at a bright nucleus, below 2.

    A rational curve instead of a logarithm: the same bits whatever instructions compute it.

    Parameters
    ----------
    stain : (y, x) number
    background, bright : float
        `macprox.image.stain.StainStatistics` of the slide.

    Returns
    -------
    (y, x) float32
    """
    scale = np.float32(1 / max(bright - background, 1e-12))
    return _squash(np.ascontiguousarray(stain, np.float32), np.float32(background), scale)


@lru_cache(maxsize=1)
def _session() -> Any:
    """The network, ready to run; one a process, shared by its threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # tiles run side by side instead
    options.inter_op_num_threads = 1
    weights = files("macprox.segment").joinpath("weights", MODEL).read_bytes()
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])


def forget_network() -> None:
    """Let go of the network and its buffers; the next tile loads it again."""
    _session.cache_clear()


class UNet:
    """The built-in default (`macprox.segment.methods.NucleusMethod`)."""

    def halo_um(self, parameters: SegmentationParameters, pixel_size_um: float) -> float:
        """How far a tile must look beyond the nuclei that it keeps.

        What the network sees around a pixel, plus the largest nucleus: two and a half diameters.
        The first is proven; a chain of nuclei that merge may be longer than the second, which is
        why kept objects that touch the tile's frame are counted.
        """
        grid = NetworkGrid.of(pixel_size_um, parameters.nucleus_diameter_um)
        sees_um = (CONTEXT_PX + BLOCK_PX) * grid.factor * pixel_size_um
        return sees_um + 2.5 * parameters.nucleus_diameter_um

    def label(
        self,
        stain: np.ndarray,
        outer: Box,
        slide: tuple[tuple[int, int], float],
        statistics: StainStatistics,
        parameters: SegmentationParameters,
    ) -> np.ndarray:
        """Label the nuclei of one tile; see `macprox.segment.methods.NucleusMethod.label`."""
        slide_shape, pixel_size_um = slide
        grid = NetworkGrid.of(pixel_size_um, parameters.nucleus_diameter_um)
        box = grid.covered(outer, slide_shape, BLOCK_PX)
        if statistics.constant or 0 in box.shape:
            return np.zeros(stain.shape, np.int32)
        seen = grid.resample(np.ascontiguousarray(stain, np.float32), outer, box)
        margin, depth = _predict(seen, statistics)
        apart = round(PERSISTENCE * DEPTH_LEVELS) * SUM_OF_TAPS
        labels = persistent_basins(depth, margin > 0, apart)
        labels = grid.enlarge(labels, margin, box, outer)
        area_px, stained_px = _pixels(labels, stain, statistics.floor)
        large = area_px * pixel_size_um**2 >= parameters.min_nucleus_area_um2
        # The network answers to shape; folds of faint autofluorescence have shapes too.
        labels = keep_labels(labels, large & (2 * stained_px > area_px))
        distinct = own_contrast(labels, stain, pixel_size_um, statistics) >= CONTRAST_FRAC
        return keep_labels(labels, distinct)


@nb.njit(cache=True, nogil=True)
def _pixels(labels, stain, floor):
    """Of each label: all of its pixels, and those above the slide's floor."""
    area = np.zeros(labels.max() + 1, np.int64)
    stained = np.zeros(labels.max() + 1, np.int64)
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            label = labels[y, x]
            if label > 0:
                area[label] += 1
                stained[label] += stain[y, x] > floor
    return area, stained


def _predict(seen: np.ndarray, statistics: StainStatistics) -> tuple[np.ndarray, np.ndarray]:
    """How sure of a nucleus, and how deep in it, in whole levels, piece by piece; int16."""
    alive = _alive(seen, np.float32(statistics.floor))
    margin = np.zeros(seen.shape, np.int16)
    depth = np.zeros(seen.shape, np.int16)
    for core in _pieces(seen.shape):
        if _any_alive(alive, core):
            found = _run(seen, core, statistics)
            origin = core.y0, core.x0
            _quantise(found, alive, origin, margin[core.slices], depth[core.slices])
    _smooth(depth)
    return margin, depth


def _any_alive(alive: np.ndarray, core: Box) -> bool:
    rows = slice(core.y0 // BLOCK_PX, -(-core.y1 // BLOCK_PX))
    return bool(alive[rows, core.x0 // BLOCK_PX : -(-core.x1 // BLOCK_PX)].any())


def _pieces(shape: tuple[int, ...]) -> list[Box]:
    """Equal parts that begin at multiples of the stride: a narrow rest would be mostly context."""
    cuts = []
    for side in shape:
        step = -(-side // -(-side // PIECE_PX) // STRIDE_PX) * STRIDE_PX
        cuts.append([(start, min(start + step, side)) for start in range(0, side, step)])
    return [Box(*rows, *columns) for rows in cuts[0] for columns in cuts[1]]


def _run(seen: np.ndarray, core: Box, statistics: StainStatistics) -> np.ndarray:
    """The network's ``(2, y, x)`` on a core, seen with its context."""
    height, width = seen.shape
    outer = Box(
        max(core.y0 - CONTEXT_PX, 0),
        min(core.y1 + CONTEXT_PX, height),
        max(core.x0 - CONTEXT_PX, 0),
        min(core.x1 + CONTEXT_PX, width),
    )
    piece = normalise(seen[outer.slices], statistics.background, statistics.bright)
    missing = [-side % STRIDE_PX for side in piece.shape]
    if any(missing):
        piece = np.pad(piece, [(0, n) for n in missing], mode="edge")
    found = _session().run(None, {"stain": piece[None, None]})[0][0]
    return found[(slice(None), *core.within(outer))]


@nb.njit(cache=True, nogil=True)
def _quantise(found, alive, origin, margin, depth):
    """Whole levels: what follows breaks ties by position, never by the last bit of a float.

    Only in blocks where nuclei are looked for: elsewhere the network may not have run at all.
    """
    half = np.float32(0.5)
    for y in range(margin.shape[0]):
        blocks = alive[(y + origin[0]) // BLOCK_PX]
        for x in range(margin.shape[1]):
            if blocks[(x + origin[1]) // BLOCK_PX]:
                logit = found[0, y, x] * np.float32(LOGIT_LEVELS)
                margin[y, x] = math.floor(min(max(logit, -MAX_MARGIN), MAX_MARGIN) + half)
                level = int(found[1, y, x] * np.float32(DEPTH_LEVELS) + half)
                depth[y, x] = min(max(0, level), MAX_DEPTH)


@nb.njit(cache=True, nogil=True)
def _smooth(depth):
    """Binomial 3 x 3 (1 2 1 both ways), not divided by its sum; in place."""
    height, width = depth.shape
    above, column = depth[0].copy(), np.empty(width + 2, depth.dtype)
    for y in range(height):
        here, below = depth[y], depth[min(y + 1, height - 1)]
        for x in range(width):
            column[x + 1] = above[x] + 2 * here[x] + below[x]
            above[x] = here[x]
        column[0], column[width + 1] = column[1], column[width]
        for x in range(width):
            here[x] = column[x] + 2 * column[x + 1] + column[x + 2]


@nb.njit(cache=True, nogil=True)
def _alive(seen, floor):
    """Blocks that hold, or touch a block that holds, a pixel above the floor."""
    height, width = seen.shape
    n_rows, n_columns = -(-height // BLOCK_PX), -(-width // BLOCK_PX)
    holds = np.zeros((n_rows + 2, n_columns + 2), np.bool_)
    for y in range(height):
        blocks = holds[y // BLOCK_PX + 1]
        for x in range(width):
            if seen[y, x] > floor:
                blocks[x // BLOCK_PX + 1] = True
    alive = np.empty((n_rows, n_columns), np.bool_)
    for row in range(n_rows):
        for column in range(n_columns):
            alive[row, column] = holds[row : row + 3, column : column + 3].any()
    return alive
