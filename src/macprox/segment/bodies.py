"""Macrophage bodies: large, irregular, sometimes without a nucleus in the plane.

Marker-positive pixels decide. A nucleus whose surroundings are positive is a macrophage's; its
body is what it reaches through positive pixels (`macprox.segment.fronts`). Wide positive areas
farther from every such nucleus than a body of its own is, are bodies without a nucleus, and
compete with the others for the pixels between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np

from macprox.image.filters import gaussian, highest_near, opened, without_small_holes
from macprox.image.stain import StainStatistics
from macprox.image.tiles import Box
from macprox.segment.fronts import budget, spread
from macprox.segment.lone_bodies import lone_bodies, relief_reach_px
from macprox.segment.objects import first_pixels
from macprox.segment.parameters import MacrophageParameters
from macprox.segment.patches import patches

SMOOTHING_UM = 0.5  # CD68 is granular: joins granules of one cell, not neighbours
MAX_HOLE_UM2 = 4.0  # vacuoles: gaps between granules, not between cells
MARKER_STEPS = 16  # levels from 0 to the threshold: far finer than granules differ
MARKER_TOP = 2**16 - 1 - MARKER_STEPS  # above the threshold; brighter is bright enough
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
    (y, x) uint16
        0 where negative. Markers of several channels are put together by their maximum.
    """
    if not np.isfinite(threshold):
        return np.zeros(marker.shape, np.uint16)
    smoothed = gaussian(marker, SMOOTHING_UM / pixel_size_um)
    above = smoothed > np.float32(threshold)
    filled = without_small_holes(above, int(MAX_HOLE_UM2 / pixel_size_um**2))
    step = np.float32(max(abs(threshold), 1e-6) / MARKER_STEPS)
    return _levels(smoothed, filled, np.float32(threshold), step)


@nb.njit(cache=True, nogil=True)
def _levels(smoothed, filled, threshold, step):
    levels = np.zeros(smoothed.shape, np.uint16)
    for y in range(smoothed.shape[0]):
        for x in range(smoothed.shape[1]):
            if smoothed[y, x] > threshold:
                over = min((smoothed[y, x] - threshold) / step, np.float32(MARKER_TOP))
                levels[y, x] = MARKER_STEPS + int(over)
            elif filled[y, x]:
                levels[y, x] = MARKER_STEPS
    return levels


def claiming_nuclei(nuclei: np.ndarray, marker: np.ndarray, pixel_size_um: float) -> np.ndarray:
    """Which nuclei are surrounded by marker.

    Parameters
    ----------
    nuclei : (y, x) int32
    marker : (y, x) number or bool
        0 where negative.

    Returns
    -------
    (n + 1,) bool
        Indexed by label.
    """
    # A nucleus's surroundings: pixels near it; those near two, of the higher label.
    near = highest_near(nuclei, max(1, round(RING_UM / pixel_size_um)))
    around, over = _shares(nuclei, near, marker, int(nuclei.max(initial=0)))
    claims = (around >= RING_FRAC) & ((over >= OVER_FRAC) | (around >= SURROUNDED_FRAC))
    claims[0] = False
    return claims


@nb.njit(cache=True, nogil=True)
def _shares(nuclei, near, marker, n_nuclei):
    """Of each nucleus the marker-positive share of its surroundings, and of its own pixels."""
    pixels = np.zeros((2, n_nuclei + 1), np.int64)
    positive = np.zeros((2, n_nuclei + 1), np.int64)
    for y in range(nuclei.shape[0]):
        for x in range(nuclei.shape[1]):
            nucleus = near[y, x]
            if nucleus > 0:
                own = 0 if nuclei[y, x] == 0 else 1
                nucleus = nuclei[y, x] if own else nucleus
                pixels[own, nucleus] += 1
                positive[own, nucleus] += marker[y, x] > 0
    share = positive / np.maximum(pixels, 1)
    return share[0], share[1]


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
    marker : (y, x) int or bool
        Levels of the marker, 0 where negative (`marker_levels`). Of a mask only distances count.
    frame : (Box, float)
        Where the arrays lie on the slide; its pixel size in micrometres.
    parameters : MacrophageParameters
    """
    outer, pixel_size_um = frame
    claims = claiming_nuclei(nuclei, marker, pixel_size_um)
    sees_px = max(_peak_px(pixel_size_um), relief_reach_px(pixel_size_um))
    least_px = parameters.min_area_um2 / pixel_size_um**2
    found = [
        (
            window,
            _bodies_of(seeds, levels, len(claims), (_on(outer, window), pixel_size_um), parameters),
        )
        for window, seeds, levels in patches(nuclei, marker, claims, sees_px, least_px)
    ]
    first = [_raster_index(window, lone.first, nuclei.shape[1]) for window, lone in found]
    rank = np.argsort(np.argsort(np.concatenate([np.zeros(0, np.int64), *first])))
    grown, clump = cells.astype(np.int32), np.zeros(len(claims) + len(rank), bool)
    start = 0
    for window, patch in found:
        name_of = len(claims) + rank[start : start + len(patch.first)]
        start += len(patch.first)
        clump[name_of] = patch.clump
        _add(grown[window.slices], nuclei[window.slices], patch.bodies, len(claims), name_of)
    return Bodies(grown, clump)


@dataclass(frozen=True)
class _PatchBodies:
    """Bodies in one window.

    Parameters
    ----------
    bodies : (y, x) int32
        Labels of nuclei; those without a nucleus follow after all of them.
    first : (n,) int64
        Raster index of the first pixel of each without a nucleus, before it grew.
    clump : (n,) bool
        Of the same.
    """

    bodies: np.ndarray
    first: np.ndarray
    clump: np.ndarray


def _bodies_of(
    seeds: np.ndarray,
    levels: np.ndarray,
    n_named: int,
    frame: tuple[Box, float],
    parameters: MacrophageParameters,
) -> _PatchBodies:
    """Bodies of what `patches` cut out; ``n_named`` is the first label that no nucleus has."""
    _, pixel_size_um = frame
    peak = highest_near(levels, _peak_px(pixel_size_um))
    reach, far = (budget(n * parameters.reach_um, pixel_size_um) for n in (1, 2))
    bodies, cost = spread(seeds, levels, peak, far)
    beyond = (levels > 0) & (seeds == 0)
    solid = _opened(beyond & (cost > budget(OWN_UM, pixel_size_um)), WIDE_UM, pixel_size_um)
    solid |= _opened(beyond & (cost > far), THIN_UM, pixel_size_um)
    lone, clump = lone_bodies(solid, frame, parameters)
    n_lone = len(clump) - 1
    if n_lone > 0:
        seeds = np.where(lone > 0, lone + np.int32(n_named - 1), seeds)
        bodies, cost = spread(seeds, levels, peak, reach)
        # Halfway to its nearest nucleus: what lies between more distant parts is nobody's.
        bodies[(bodies >= n_named) & (cost > budget(OWN_UM / 2, pixel_size_um))] = 0
    else:
        # Longer paths do not change who owns what shorter ones reach.
        bodies[cost > reach] = 0
    return _PatchBodies(bodies, first_pixels(lone, n_lone)[1:], clump[1:])


def _peak_px(pixel_size_um: float) -> int:
    return max(1, round(PEAK_UM / pixel_size_um))


def _on(outer: Box, window: Box) -> Box:
    """Where a window of a tile lies on the slide."""
    y, x = outer.y0, outer.x0
    return Box(window.y0 + y, window.y1 + y, window.x0 + x, window.x1 + x)


def _raster_index(window: Box, first: np.ndarray, width_px: int) -> np.ndarray:
    """Raster indices in a window as those in the whole tile."""
    y, x = np.divmod(first, window.shape[1])
    return (y + window.y0) * width_px + x + window.x0


@nb.njit(cache=True, nogil=True)
def _add(grown, nuclei, bodies, n_named, name_of):
    """Write the bodies of a window, except on nuclei.

    A body without a nucleus may lie in the rim that another cell was given by expansion alone:
    marker there belongs to the body, not to the lymphocyte beside it.
    """
    for y in range(grown.shape[0]):
        for x in range(grown.shape[1]):
            body = bodies[y, x]
            if body > 0 and nuclei[y, x] == 0:
                grown[y, x] = body if body < n_named else name_of[body - n_named]


def _opened(mask: np.ndarray, half_width_um: float, pixel_size_um: float) -> np.ndarray:
    """Parts of a mask that hold a square of twice the half-width."""
    return opened(mask, max(1, round(half_width_um / pixel_size_um))) if mask.any() else mask
