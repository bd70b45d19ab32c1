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
SUM_OF_TAPS = 16  # of the smoothing in `_smooth_depth`, which is not divided by it

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
    """How sure of a nucleus, and how deep in it, in whole levels, piece by piece."""
    alive = _alive(seen, np.float32(statistics.floor))
    relative = normalise(seen, statistics.background, statistics.bright)
    margin = np.zeros(seen.shape, np.int32)
    depth = np.zeros(seen.shape, np.int32)
    for core in _pieces(seen.shape):
        if alive[core.slices].any():
            found = _run(relative, core)
            _quantise(found, alive[core.slices], margin[core.slices], depth[core.slices])
    return margin, _smooth_depth(depth)


def _pieces(shape: tuple[int, ...]) -> list[Box]:
    """Equal parts that begin at multiples of the stride: a narrow rest would be mostly context."""
    cuts = []
    for side in shape:
        step = -(-side // -(-side // PIECE_PX) // STRIDE_PX) * STRIDE_PX
        cuts.append([(start, min(start + step, side)) for start in range(0, side, step)])
    return [Box(*rows, *columns) for rows in cuts[0] for columns in cuts[1]]


def _run(relative: np.ndarray, core: Box) -> np.ndarray:
    """The network's ``(2, y, x)`` on a core, seen with its context."""
    height, width = relative.shape
    outer = Box(
        max(core.y0 - CONTEXT_PX, 0),
        min(core.y1 + CONTEXT_PX, height),
        max(core.x0 - CONTEXT_PX, 0),
        min(core.x1 + CONTEXT_PX, width),
    )
    piece = relative[outer.slices]
    missing = [-side % STRIDE_PX for side in piece.shape]
    piece = np.pad(piece, [(0, n) for n in missing], mode="edge")
    found = _session().run(None, {"stain": piece[None, None]})[0][0]
    return found[(slice(None), *core.within(outer))]


@nb.njit(cache=True, nogil=True)
def _quantise(found, alive, margin, depth):
    """Whole levels: what follows breaks ties by position, never by the last bit of a float."""
    half = np.float32(0.5)
    for y in range(margin.shape[0]):
        for x in range(margin.shape[1]):
            if alive[y, x]:
                logit = found[0, y, x] * np.float32(LOGIT_LEVELS)
                margin[y, x] = math.floor(min(max(logit, -1e6), 1e6) + half)
            depth[y, x] = max(0, int(found[1, y, x] * np.float32(DEPTH_LEVELS) + half))


@nb.njit(cache=True, nogil=True)
def _smooth_depth(depth):
    """Binomial 3 x 3 (1 2 1 both ways), not divided by its sum."""
    height, width = depth.shape
    rows = np.empty((height, width), np.int32)
    for y in range(height):
        above, below = max(y - 1, 0), min(y + 1, height - 1)
        for x in range(width):
            rows[y, x] = depth[above, x] + 2 * depth[y, x] + depth[below, x]
    smooth = np.empty((height, width), np.int32)
    for y in range(height):
        for x in range(width):
            left, right = max(x - 1, 0), min(x + 1, width - 1)
            smooth[y, x] = rows[y, left] + 2 * rows[y, x] + rows[y, right]
    return smooth


@nb.njit(cache=True, nogil=True)
def _alive(seen, floor):
    """Pixels of blocks that hold, or touch a block that holds, a pixel above the floor."""
    height, width = seen.shape
    n_rows, n_columns = height // BLOCK_PX + 3, width // BLOCK_PX + 3
    holds = np.zeros((n_rows, n_columns), np.bool_)
    for y in range(height):
        for x in range(width):
            if seen[y, x] > floor:
                holds[y // BLOCK_PX + 1, x // BLOCK_PX + 1] = True
    alive = np.zeros((height, width), np.bool_)
    for row in range(n_rows - 2):
        for column in range(n_columns - 2):
            if holds[row : row + 3, column : column + 3].any():
                y, x = row * BLOCK_PX, column * BLOCK_PX
                alive[y : y + BLOCK_PX, x : x + BLOCK_PX] = True
    return alive
