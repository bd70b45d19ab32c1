"""Nuclei from a nuclear stain, without a model: local half-maximum foreground, persistent basins.

Everything that is global about a slide is in `macprox.image.stain.StainStatistics`, estimated
once; `label_nuclei` is local: no pixel farther than `HALO_DIAMETERS` nuclei away changes a
nucleus.
"""

from __future__ import annotations

import numba as nb
import numpy as np

from macprox.image.filters import box_mean, gaussian, highest_near, lowest_near
from macprox.image.kernels import distance_inside
from macprox.image.stain import StainStatistics, roughness
from macprox.segment.clustering import persistent_basins
from macprox.segment.objects import drop_small
from macprox.segment.parameters import SegmentationParameters

SMOOTHING_UM = 0.3  # below the optical resolution: takes away shot noise, not outlines
# Cameras leave a grain of 0.05 to 0.17 on nuclei, ion counts 0.26 to 0.5, which broke them apart.
CAMERA_GRAIN = 0.15
MAX_COARSENING = 2.0
HALO_DIAMETERS = 4  # 1.5 D minimum + 1.5 D box + the nucleus itself (notes on tile independence)

# Foreground is where the signal passes this fraction of the way from the local background to the
# local maximum. The largest lever on outlines: .50 -> .35 doubled F1 at IoU .9 on real nuclei.
BOUNDARY_FRAC = 0.35

# Beyond the floor, a nucleus must rise this share of its own brightness above its surroundings.
# Yolk, haze and out-of-focus layers are bright but flat: without this, 92 false objects for every
# 100 nuclei on the tissue images with such layers; with it, 33, and no nucleus lost elsewhere.
CONTRAST_FRAC = 0.25

# In units of the landscape, where a round nucleus rises by about 1. From .15 to .10 merges on real
# nuclei fall from 6.1 to 4.9 %, splits rise from 0.8 to 1.4 %.
PERSISTENCE = 0.10
LANDSCAPE_LEVELS = 100  # steps a unit: integers, so that ties are ties in every tile

# Of intensity; at least 256 times as far above the background as the slide's threshold. Brighter
# is debris, and a table of logarithms must not be sized by one hot pixel.
MAX_LEVEL = 2**20


def smooth(
    pixels: np.ndarray, pixel_size_um: float, smoothing_um: float = SMOOTHING_UM
) -> np.ndarray:
    """The stain without its shot noise; float32."""
    return gaussian(pixels, smoothing_um / pixel_size_um)


def smoothing_um(statistics: StainStatistics) -> float:
    """How much to smooth: more, where nuclei are grainy."""
    return SMOOTHING_UM * float(np.clip(statistics.grain / CAMERA_GRAIN, 1, MAX_COARSENING))


def describe(stain: np.ndarray, pixel_size_um: float) -> StainStatistics:
    """Statistics of a nuclear stain that is in memory."""
    smoothed = smooth(stain, pixel_size_um)
    return StainStatistics.from_sample(smoothed).with_grain(smoothed, roughness(stain))


def halo_um(parameters: SegmentationParameters) -> float:
    """How far a tile must look beyond the nuclei that it keeps.

    Proven: whether a pixel is foreground follows from what lies within 3 diameters and the reach
    of the smoothing (local background: minimum over 1.5, mean over 1.5; local maximum: less), and
    its height in the landscape within another 0.75. The fourth diameter is the nucleus itself.

    Statistical: which basin a pixel climbs to, and which basins join, follows from the landscape
    between them, in principle along a chain of any length; nuclei end such chains within about
    their own size. tests/test_tile_independence.py finds no difference in crowds; a kept object
    that reaches its tile's frame nonetheless is counted and reported (``n_cut``).
    """
    return HALO_DIAMETERS * parameters.nucleus_diameter_um


def label_nuclei(
    stain: np.ndarray,
    pixel_size_um: float,
    statistics: StainStatistics,
    parameters: SegmentationParameters,
) -> np.ndarray:
    """Label the nuclei of one tile.

    Parameters
    ----------
    stain : (y, x) number
        Raw pixels of the nuclear channel.
    pixel_size_um : float
    statistics : StainStatistics
        Of the whole slide.
    parameters : SegmentationParameters

    Returns
    -------
    (y, x) int32
        Labels 1..n in raster order of first pixels; objects at the rim may be cut.
    """
    if statistics.constant:
        return np.zeros(stain.shape, np.int32)
    levels = _quantised(
        smooth(stain, pixel_size_um, smoothing_um(statistics)),
        np.float32(statistics.background),
        np.float32(statistics.step),
    )
    diameter_px = parameters.nucleus_diameter_um / pixel_size_um
    foreground = _foreground(levels, diameter_px, statistics)
    landscape = _landscape(levels, foreground, pixel_size_um, diameter_px, statistics)
    labels = persistent_basins(landscape, foreground, round(PERSISTENCE * LANDSCAPE_LEVELS))
    return drop_small(labels, parameters.min_nucleus_area_um2 / pixel_size_um**2)


@nb.njit(cache=True, nogil=True)
def _quantised(smoothed, background, step):
    """Whole steps above the background, 0 to ``MAX_LEVEL``."""
    levels = np.empty(smoothed.shape, np.int32)
    for y in range(smoothed.shape[0]):
        here, out = smoothed[y], levels[y]
        for x in range(here.size):
            level = np.rint((here[x] - background) / step)
            # Not a number compares as false: no signal.
            out[x] = np.int32(min(level, np.float32(MAX_LEVEL))) if level > 0 else 0
    return levels


def _foreground(levels: np.ndarray, diameter_px: float, statistics: StainStatistics) -> np.ndarray:
    wide, near = round(1.5 * diameter_px), round(0.5 * diameter_px)
    background = box_mean(lowest_near(levels, wide), wide)
    peak = box_mean(highest_near(levels, near), near)
    floor = (statistics.floor - statistics.background) / statistics.step
    return _stands_out(levels, background, peak, np.float32(floor))


@nb.njit(cache=True, nogil=True)
def _stands_out(levels, background, peak, floor):
    boundary_frac, contrast_frac = np.float32(BOUNDARY_FRAC), np.float32(CONTRAST_FRAC)
    foreground = np.empty(levels.shape, np.bool_)
    for y in range(levels.shape[0]):
        level, low, high, out = levels[y], background[y], peak[y], foreground[y]
        for x in range(level.size):
            contrast = high[x] - low[x]
            out[x] = (
                (level[x] > max(low[x] + boundary_frac * contrast, floor))
                & (contrast > floor + contrast_frac * high[x])
            )  # fmt: skip
    return foreground


def _landscape(
    levels: np.ndarray,
    foreground: np.ndarray,
    pixel_size_um: float,
    diameter_px: float,
    statistics: StainStatistics,
) -> np.ndarray:
    """Roundness and brightness in one integer relief: peaks are nuclei."""
    depth = distance_inside(foreground, int(np.ceil(0.75 * diameter_px)))
    # A table of logarithms, not a logarithm a pixel: equal levels give equal bits everywhere.
    span = (statistics.threshold - statistics.background) / statistics.step
    log_of = np.log(np.arange(int(levels.max(initial=0)) + 1) + 0.15 * span + 1.0)
    brightness = _looked_up(levels, (log_of - log_of[0]).astype(np.float32))
    return _weighed(
        gaussian(depth, 0.25 / pixel_size_um),
        gaussian(brightness, 0.5 / pixel_size_um),
        np.float32(LANDSCAPE_LEVELS * 2 / diameter_px),
        np.float32(LANDSCAPE_LEVELS * 0.5),
    )


@nb.njit(cache=True, nogil=True)
def _looked_up(levels, table):
    found = np.empty(levels.shape, np.float32)
    for y in range(levels.shape[0]):
        for x in range(levels.shape[1]):
            found[y, x] = table[levels[y, x]]
    return found


@nb.njit(cache=True, nogil=True)
def _weighed(depth, brightness, depth_weight, brightness_weight):
    relief = np.empty(depth.shape, np.int16)  # a thousand at most, whatever the stain
    for y in range(depth.shape[0]):
        deep, bright, out = depth[y], brightness[y], relief[y]
        for x in range(deep.size):
            out[x] = np.int16(np.rint(depth_weight * deep[x] + brightness_weight * bright[x]))
    return relief
