"""Macrophage bodies: large, irregular, sometimes without a nucleus in the plane.

Marker-positive pixels decide. A nucleus whose surroundings are positive is a macrophage's; its
body is what it reaches through positive pixels. Positive areas that no nucleus reaches become
bodies of their own. Everything is bounded by ``reach_um`` and ``max_diameter_um``, hence local.
"""

from __future__ import annotations

import numba as nb
import numpy as np
from scipy import ndimage as ndi
from skimage.morphology import remove_small_holes

from macprox.image.kernels import distance_inside
from macprox.image.stain import StainStatistics
from macprox.segment.clustering import persistent_basins
from macprox.segment.objects import keep_labels
from macprox.segment.parameters import MacrophageParameters

SMOOTHING_UM = 0.5  # CD68 is granular: joins granules of one cell, not neighbours

MAX_HOLE_UM2 = 4.0  # vacuoles: gaps between granules, not between cells

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

ORTHOGONAL, DIAGONAL = 5, 7  # chamfer steps of Borgefors (1986): within 4 % of Euclidean


def halo_um(parameters: MacrophageParameters) -> float:
    """How far a tile must look beyond the bodies that it keeps."""
    return max(2 * parameters.reach_um, parameters.max_diameter_um)


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


def is_body(marker: np.ndarray, threshold: float, pixel_size_um: float) -> np.ndarray:
    """Marker-positive pixels.

    Parameters
    ----------
    marker : (y, x) float32
        Corrected pixels of a macrophage marker.
    threshold : float
    pixel_size_um : float

    Returns
    -------
    (y, x) bool
    """
    positive = ndi.gaussian_filter(marker, SMOOTHING_UM / pixel_size_um) > threshold
    return remove_small_holes(positive, max_size=int(MAX_HOLE_UM2 / pixel_size_um**2))


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
    n_labels = int(nuclei.max(initial=0)) + 1
    ring = _ring(nuclei, max(1, round(RING_UM / pixel_size_um)))
    around = _share(ring, positive, n_labels)
    over = _share(nuclei, positive, n_labels)
    claims = (around >= RING_FRAC) & ((over >= OVER_FRAC) | (around >= SURROUNDED_FRAC))
    claims[0] = False
    return claims


def _share(labels: np.ndarray, positive: np.ndarray, n_labels: int) -> np.ndarray:
    """Share of each label's pixels that are positive."""
    total = np.bincount(labels.ravel(), minlength=n_labels)
    return np.bincount(labels[positive], minlength=n_labels) / np.maximum(total, 1)


def _ring(nuclei: np.ndarray, width_px: int) -> np.ndarray:
    """The pixels around each nucleus, shared pixels to the higher label; 0 elsewhere."""
    grown = ndi.maximum_filter(nuclei, 2 * width_px + 1)
    return np.where(nuclei == 0, grown, 0)


def macrophage_bodies(
    nuclei: np.ndarray,
    cells: np.ndarray,
    positive: np.ndarray,
    pixel_size_um: float,
    parameters: MacrophageParameters,
) -> np.ndarray:
    """Extend macrophages to their bodies, and add those without a nucleus.

    Parameters
    ----------
    nuclei, cells : (y, x) int32
        Labels of nuclei, and the same grown (`macprox.segment.cells.grow_cells`).
    positive : (y, x) bool
        Marker-positive pixels.

    Returns
    -------
    (y, x) int32
        Cells. Labels of nuclei keep their numbers; bodies without a nucleus follow after them.
    """
    claims = claiming_nuclei(nuclei, positive, pixel_size_um)
    free = positive & ((nuclei == 0) | claims[nuclei])
    seeds = np.where(claims[nuclei], nuclei, 0)
    reach = int(parameters.reach_um / pixel_size_um * ORTHOGONAL)
    bodies = _spread(seeds, free, reach)
    cells = np.where((bodies > 0) & (nuclei == 0), bodies, cells)

    # What no nucleus reaches may lie in the rim that another cell was given by expansion alone:
    # marker there belongs to the body, not to the lymphocyte beside it.
    extra = _anucleate(positive & (nuclei == 0) & (bodies == 0), pixel_size_um, parameters)
    return np.where(extra > 0, extra + int(nuclei.max(initial=0)), cells).astype(np.int32)


@nb.njit(cache=True, nogil=True)
def _spread(seeds, free, reach):
    """Give free pixels to the seed that reaches them first through free pixels.

    Chamfer distance, fronts in rising order. At a tie the lower label wins: every shortest path
    to a pixel comes from an earlier front, so its owner is final before the pixel spreads.
    """
    height, width = seeds.shape
    owner = seeds.copy()
    far = np.full((height, width), reach + 1, np.int32)
    # One linked list of pixels a front; a pixel that is reached twice is listed twice.
    newest = np.full(reach + 1, -1, np.int64)
    pixels = np.empty(1024, np.int64)
    older = np.empty(1024, np.int64)
    listed = 0
    for step in range(reach + 1):
        entry = newest[step]
        seed_pixel = 0
        while entry >= 0 or (step == 0 and seed_pixel < seeds.size):
            if step == 0:
                y, x = seed_pixel // width, seed_pixel % width
                seed_pixel += 1
                if seeds[y, x] == 0:
                    continue
                far[y, x] = 0
            else:
                y, x = pixels[entry] // width, pixels[entry] % width
                entry = older[entry]
                if far[y, x] != step:
                    continue
            for yy in range(max(y - 1, 0), min(y + 2, height)):
                for xx in range(max(x - 1, 0), min(x + 2, width)):
                    cost = step + (DIAGONAL if yy != y and xx != x else ORTHOGONAL)
                    if cost > reach or not free[yy, xx] or seeds[yy, xx] > 0:
                        continue
                    if cost < far[yy, xx]:
                        far[yy, xx] = cost
                        owner[yy, xx] = owner[y, x]
                        if listed == pixels.size:
                            pixels = np.concatenate((pixels, np.empty_like(pixels)))
                            older = np.concatenate((older, np.empty_like(older)))
                        pixels[listed] = yy * width + xx
                        older[listed] = newest[cost]
                        newest[cost] = listed
                        listed += 1
                    elif cost == far[yy, xx] and owner[y, x] < owner[yy, xx]:
                        owner[yy, xx] = owner[y, x]
    return owner


def _anucleate(
    orphans: np.ndarray, pixel_size_um: float, parameters: MacrophageParameters
) -> np.ndarray:
    """Split marker areas that no nucleus reached into bodies; drop slivers and specks."""
    thin_px = max(1, round(1.0 / pixel_size_um))
    solid = ndi.binary_opening(orphans, np.ones((2 * thin_px + 1,) * 2, bool))
    half_px = 0.5 * parameters.max_diameter_um / pixel_size_um
    depth = distance_inside(solid, max(2, int(half_px)))
    relief = np.rint(ndi.gaussian_filter(depth, 1.0 / pixel_size_um) * 10).astype(np.int32)
    # A neck narrower than the lobes by 2 um on each side parts two bodies.
    labels = persistent_basins(relief, solid, round(20 / pixel_size_um))
    area_um2 = np.bincount(labels.ravel()) * pixel_size_um**2
    return keep_labels(labels, area_um2 >= parameters.min_area_um2)
