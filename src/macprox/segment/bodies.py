"""Macrophage bodies: large, irregular, sometimes without a nucleus in the plane.

Marker-positive pixels decide. A nucleus whose surroundings are positive is a macrophage's; its
body is what it reaches through positive pixels (`macprox.segment.fronts`). Wide positive areas
farther from every such nucleus than a body of its own is, are bodies without a nucleus, and
compete with the others for the pixels between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from macprox.image.filters import gaussian, highest_near, opened, without_small_holes
from macprox.image.stain import StainStatistics
from macprox.image.tiles import Box
from macprox.segment.fronts import budget, spread
from macprox.segment.lone_bodies import lone_bodies
from macprox.segment.objects import share_inside
from macprox.segment.parameters import MacrophageParameters

SMOOTHING_UM = 0.5  # CD68 is granular: joins granules of one cell, not neighbours
MAX_HOLE_UM2 = 4.0  # vacuoles: gaps between granules, not between cells
MARKER_STEPS = 16  # levels from 0 to the threshold: far finer than granules differ
MARKER_TOP = 2**16  # levels; brighter pixels are bright enough
PEAK_UM = 3.0  # faint is a pixel beside the brightest as near as this: a third of a body

# Of the way from background to the slide's rough threshold, and in units of noise.
BODY_FRAC = 0.5
BODY_SD = 5.0
# Counts have neither background nor noise: there a body is this share of the brightest pixels.
BRIGHT_FRAC = 0.15
BRIGHT_PERCENTILE = 99.5

# A nucleus claims a body when most of its surroundings are marker-positive and some marker lies
# over it too (the section has depth), or when it is surrounded all but wholly. A lymphocyte that
# touches a macrophage sees it on one side only. On the sample slides this keeps 97 % of the
# macrophages and 6 of 2,300 other nuclei; the surroundings alone (half of them) let in 57.
RING_UM = 1.5
RING_FRAC = 0.5
OVER_FRAC = 0.12
SURROUNDED_FRAC = 0.85

# Nearer to its nucleus than this, marker is the nucleus's own. Beyond, a part as wide as a body
# (twice `WIDE_UM`) is another macrophage, whose nucleus is not in the plane; processes are not so
# wide. benchmarks/bodies.py: it finds 78 % of such bodies instead of 53 %, and fewer false ones;
# bodies a third smaller or larger than those gain as well.
OWN_UM = 12.0
WIDE_UM = 3.0
THIN_UM = 1.0  # where no nucleus is connected at all: specks and slivers


@dataclass(frozen=True)
class Bodies:
    """Cells with their macrophage bodies.

    Parameters
    ----------
    cells : (y, x) int32
        Labels of nuclei keep their numbers; bodies without a nucleus follow after them.
    clump : (n + 1,) bool
        Indexed by label: bodies cut from a marker area wider than one macrophage can be.
    """

    cells: np.ndarray
    clump: np.ndarray


def halo_um(parameters: MacrophageParameters, of_nuclei_um: float) -> float:
    """How far a tile must look beyond its core for the core's bodies to be right.

    Proven, given the nuclei: who owns a pixel follows from the seeds within ``reach_um``, because
    a path costs at least its length and longer ones are not followed; a nucleus is a seed by what
    lies within `RING_UM` of it; smoothing and holes add 4 um. Twice the reach beyond the nuclei's
    own halo sees the whole of a body that begins in the core, and its competitors.

    Statistical: where bodies without a nucleus are parted follows from the shape of their marker
    area, which may be of any extent; in practice from its necks nearby. Each ends within
    ``max_diameter_um`` of its first pixel, and its far end from what is within a reach and a
    nucleus of there, not from the whole of the nuclei's halo, which is a bound and not a habit.
    tests/test_tile_independence.py finds no difference among crowded macrophages and debris; a
    kept object that reaches its tile's frame nonetheless is counted and reported (``n_cut``).

    Parameters
    ----------
    parameters : MacrophageParameters
    of_nuclei_um : float
        The halo of the method that finds nuclei.
    """
    largest_body = parameters.max_diameter_um + parameters.reach_um + OWN_UM / 2
    return max(of_nuclei_um + 2 * parameters.reach_um, largest_body)


def body_threshold(marker: np.ndarray) -> float:
    """The level above which a marker's pixel is body: outside the noise, above haze.

    Parameters
    ----------
    marker : (n,) float
        Corrected pixels of the marker, a sample of the slide's tissue. A constant channel has
        no body: infinite.
    """
    stain = StainStatistics.from_sample(marker)
    if stain.constant:
        return np.inf
    top = float(np.percentile(marker, BRIGHT_PERCENTILE)) - stain.background
    span = stain.threshold - stain.background
    return stain.background + max(BODY_FRAC * span, BODY_SD * stain.noise, BRIGHT_FRAC * top)


def marker_levels(marker: np.ndarray, threshold: float, pixel_size_um: float) -> np.ndarray:
    """Marker-positive pixels and how bright they are: `MARKER_STEPS` is the threshold.

    Parameters
    ----------
    marker : (y, x) float32
        Corrected pixels of a macrophage marker.
    threshold : float
    pixel_size_um : float

    Returns
    -------
    (y, x) int32
        0 where negative. Markers of several channels are put together by their maximum.
    """
    if not np.isfinite(threshold):
        return np.zeros(marker.shape, np.int32)
    smoothed = gaussian(marker, SMOOTHING_UM / pixel_size_um)
    above = smoothed > np.float32(threshold)
    filled = without_small_holes(above, int(MAX_HOLE_UM2 / pixel_size_um**2))
    step = np.float32(max(abs(threshold), 1e-6) / MARKER_STEPS)
    levels = np.where(filled, np.int32(MARKER_STEPS), np.int32(0))
    over = np.minimum((smoothed[above] - np.float32(threshold)) / step, np.float32(MARKER_TOP))
    levels[above] += over.astype(np.int32)
    return levels


def claiming_nuclei(nuclei: np.ndarray, positive: np.ndarray, pixel_size_um: float) -> np.ndarray:
    """Which nuclei are surrounded by marker.

    Parameters
    ----------
    nuclei : (y, x) int32
    positive : (y, x) bool
        Marker-positive pixels.

    Returns
    -------
    (n + 1,) bool
        Indexed by label.
    """
    n_nuclei = int(nuclei.max(initial=0))
    ring = _ring(nuclei, max(1, round(RING_UM / pixel_size_um)))
    around = share_inside(ring, positive, n_nuclei)
    over = share_inside(nuclei, positive, n_nuclei)
    claims = (around >= RING_FRAC) & ((over >= OVER_FRAC) | (around >= SURROUNDED_FRAC))
    claims[0] = False
    return claims


def _ring(nuclei: np.ndarray, width_px: int) -> np.ndarray:
    """The pixels around each nucleus, shared pixels to the higher label; 0 elsewhere."""
    return np.where(nuclei == 0, highest_near(nuclei, width_px), 0)


def macrophage_bodies(
    nuclei: np.ndarray,
    cells: np.ndarray,
    marker: np.ndarray,
    frame: tuple[Box, float],
    parameters: MacrophageParameters,
) -> Bodies:
    """Extend macrophages to their bodies, and add those without a nucleus.

    Parameters
    ----------
    nuclei, cells : (y, x) int32
        Labels of nuclei, and the same grown (`macprox.segment.cells.grow_cells`).
    marker : (y, x) int32 or bool
        Levels of the marker, 0 where negative (`marker_levels`). Of a mask only distances count.
    frame : (Box, float)
        Where the arrays lie on the slide; its pixel size in micrometres.
    parameters : MacrophageParameters
    """
    _, pixel_size_um = frame
    positive = marker > 0
    claims = claiming_nuclei(nuclei, positive, pixel_size_um)
    levels = np.where((nuclei == 0) | claims[nuclei], marker, 0).astype(np.int32)
    peak = highest_near(levels, max(1, round(PEAK_UM / pixel_size_um)))
    seeds = np.where(claims, np.arange(len(claims)), 0).astype(np.int32)[nuclei]

    far = budget(2 * parameters.reach_um, pixel_size_um)
    _, cost = spread(seeds, levels, peak, far)
    beyond = (levels > 0) & (seeds == 0)
    solid = _opened(beyond & (cost > budget(OWN_UM, pixel_size_um)), WIDE_UM, pixel_size_um)
    solid |= _opened(beyond & (cost > far), THIN_UM, pixel_size_um)
    lone, clump = lone_bodies(solid, frame, parameters)

    n_nuclei = len(claims) - 1
    seeds = np.where(lone > 0, lone + n_nuclei, seeds).astype(np.int32)
    bodies, cost = spread(seeds, levels, peak, budget(parameters.reach_um, pixel_size_um))
    # Halfway to its nearest nucleus: what lies between more distant parts is nobody's.
    bodies[(bodies > n_nuclei) & (cost > budget(OWN_UM / 2, pixel_size_um))] = 0
    # A body without a nucleus may lie in the rim that another cell was given by expansion alone:
    # marker there belongs to the body, not to the lymphocyte beside it.
    grown = np.where((bodies > 0) & (nuclei == 0), bodies, cells).astype(np.int32)
    return Bodies(grown, np.append(np.zeros(n_nuclei + 1, bool), clump[1:]))


def _opened(mask: np.ndarray, half_width_um: float, pixel_size_um: float) -> np.ndarray:
    """Parts of a mask that hold a square of twice the half-width."""
    return opened(mask, max(1, round(half_width_um / pixel_size_um))) if mask.any() else mask
