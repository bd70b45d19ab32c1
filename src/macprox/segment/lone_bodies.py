"""Marker areas without a nucleus, cut into bodies no wider than a macrophage can be."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from macprox.image.filters import gaussian, gaussian_reach_px
from macprox.image.kernels import distance_inside
from macprox.image.tiles import Box
from macprox.segment.clustering import persistent_basins
from macprox.segment.objects import EIGHT, drop_small, first_pixels, renamed
from macprox.segment.parameters import MacrophageParameters

RELIEF_SMOOTHING_UM = 1.0
RELIEF_STEPS = 10  # levels a pixel of depth
# Of the largest diameter: a part grows back to what opening took from it, at most to the whole.
PART_FRAC = 0.75
PIECE_FRAC = 0.5
NECK_UM = 1.0  # a neck narrower than the lobes by this on each side parts two bodies


def relief_reach_px(pixel_size_um: float) -> int:
    """How far from a marker area another one changes where it is parted."""
    return gaussian_reach_px(RELIEF_SMOOTHING_UM / pixel_size_um)


def lone_bodies(
    solid: np.ndarray, frame: tuple[Box, float], parameters: MacrophageParameters
) -> tuple[np.ndarray, np.ndarray]:
    """Bodies in marker areas that belong to no nucleus.

    An area is parted at its necks. A part that is still too wide is no one macrophage but a clump
    or debris: it is cut along a lattice of the slide, so that every tile cuts it alike, into pieces
    that end well inside a tile's halo. Parts smaller than ``min_area_um2`` are dropped.

    Parameters
    ----------
    solid : (y, x) bool
        Marker without slivers.
    frame : (Box, float)
        Where it lies on the slide; its pixel size in micrometres.
    parameters : MacrophageParameters

    Returns
    -------
    labels : (y, x) int32
        1..n in raster order of first pixels.
    clump : (n + 1,) bool
        Indexed by label: from an area wider than ``max_diameter_um``, or one that was cut.
    """
    outer, pixel_size_um = frame
    widest_px = int(parameters.max_diameter_um / pixel_size_um)
    if not solid.any():
        return np.zeros(solid.shape, np.int32), np.zeros(1, bool)
    depth = distance_inside(solid, max(2, widest_px // 2))
    relief = np.rint(gaussian(depth, RELIEF_SMOOTHING_UM / pixel_size_um) * RELIEF_STEPS)
    persistence = max(1, round(NECK_UM / pixel_size_um * RELIEF_STEPS))
    relief = np.minimum(relief, np.float32(np.iinfo(np.int16).max)).astype(np.int16)
    labels = persistent_basins(relief, solid, persistence)
    areas, _ = ndi.label(solid, EIGHT)
    is_wide = _wider(areas, widest_px)
    too_wide = _wider(labels, int(PART_FRAC * widest_px))
    if too_wide.any():
        is_wide[np.unique(areas[too_wide[labels]])] = True
        labels = _cut(labels, too_wide, outer, max(2, int(PIECE_FRAC * widest_px)))
    labels = drop_small(labels, parameters.min_area_um2 / pixel_size_um**2)
    first = first_pixels(labels, int(labels.max()))
    return labels, np.append(False, is_wide[areas.ravel()[first[1:]]])


def _wider(labels: np.ndarray, widest_px: int) -> np.ndarray:
    """``(n + 1,)`` bool: labels that span more rows or columns."""
    spans = [max(s.stop - s.start for s in box) for box in ndi.find_objects(labels)]
    return np.append(0, spans).astype(np.int64) > widest_px


def _cut(labels: np.ndarray, is_wide: np.ndarray, outer: Box, pitch_px: int) -> np.ndarray:
    """Wide objects without the lattice's lines, their pieces numbered anew in raster order."""
    y = np.arange(outer.y0, outer.y1) % pitch_px == 0
    x = np.arange(outer.x0, outer.x1) % pitch_px == 0
    wide = is_wide[labels]
    pieces, _ = ndi.label(wide & ~(y[:, None] | x[None, :]), EIGHT)
    cut = np.where(wide, np.where(pieces > 0, pieces + labels.max(), 0), labels).astype(np.int32)
    first = first_pixels(cut, int(cut.max()))
    number = np.zeros(len(first), np.int32)
    there = np.flatnonzero(first >= 0)
    number[there[np.argsort(first[there])]] = np.arange(1, len(there) + 1)
    return renamed(cut, number)
