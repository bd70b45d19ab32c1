"""Objects in one tile: their anchors, and which of them to keep.

An object's anchor is the raster index, on the full-resolution slide, of its first pixel.
Neighbouring tiles that see the same object give it the same anchor without talking to each other.
"""

from __future__ import annotations

import numba as nb
import numpy as np

from macprox.image.tiles import Box

EIGHT = np.ones((3, 3), bool)  # neighbours that touch


@nb.njit(cache=True, nogil=True)
def first_pixels(labels, n_labels):
    """Raster index inside the array of each label's first pixel; -1 where a label is absent.

    Parameters
    ----------
    labels : (y, x) int32
    n_labels : int

    Returns
    -------
    (n_labels + 1,) int64
        Entry 0 is unused.
    """
    first = np.full(n_labels + 1, -1, np.int64)
    height, width = labels.shape
    for y in range(height):
        before = 0
        for x in range(width):
            label = labels[y, x]
            if label != before:
                before = label
                if label > 0 and first[label] < 0:
                    first[label] = y * width + x
    return first


def anchors(labels: np.ndarray, outer: Box, slide_width_px: int) -> np.ndarray:
    """Anchor of each label of a tile on the slide.

    Returns
    -------
    (n + 1,) int64
        Indexed by label; -1 for background and for labels that do not occur.
    """
    first = first_pixels(labels, int(labels.max(initial=0)))
    y, x = np.divmod(first, labels.shape[1])
    return np.where(first >= 0, (y + outer.y0) * slide_width_px + x + outer.x0, -1)


def keep_labels(labels: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Only the labels that ``keep`` allows, numbered again without gaps in the same order.

    Parameters
    ----------
    labels : (y, x) int32
    keep : (n + 1,) bool
        Indexed by label; entry 0 is ignored.
    """
    keep = keep.copy()
    keep[0] = False
    number = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    return renamed(np.ascontiguousarray(labels, np.int32), number)


@nb.njit(cache=True, nogil=True)
def renamed(labels, name_of):
    """``name_of[labels]``, which numpy does by way of 64-bit indices.

    Parameters
    ----------
    labels : (y, x) int32
    name_of : (n + 1,) number
        Indexed by label.
    """
    names = np.empty(labels.shape, name_of.dtype)
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            names[y, x] = name_of[labels[y, x]]
    return names


@nb.njit(cache=True, nogil=True)
def _areas(labels, n_labels):
    areas = np.zeros(n_labels + 1, np.int64)
    for y in range(labels.shape[0]):
        start = 0
        for x in range(1, labels.shape[1] + 1):
            if x == labels.shape[1] or labels[y, x] != labels[y, start]:
                areas[labels[y, start]] += x - start
                start = x
    return areas


def drop_small(labels: np.ndarray, min_area_px: float) -> np.ndarray:
    """Without the objects of fewer than ``min_area_px`` pixels."""
    areas = _areas(np.ascontiguousarray(labels, np.int32), int(labels.max(initial=0)))
    return keep_labels(labels, areas >= min_area_px)


def too_wide(labels: np.ndarray, max_extent_px: float) -> np.ndarray:
    """Which objects reach over more than ``max_extent_px`` rows or columns: ``(n + 1,)`` bool."""
    n_labels = int(labels.max(initial=0))
    return _extents(np.ascontiguousarray(labels, np.int32), n_labels) > max_extent_px


@nb.njit(cache=True, nogil=True)
def _extents(labels, n_labels):
    """Rows or columns from one end of each label to the other, whichever are more."""
    height, width = labels.shape
    low = np.full((n_labels + 1, 2), max(height, width), np.int64)
    high = np.full((n_labels + 1, 2), -1, np.int64)
    for y in range(height):
        for x in range(width):
            label = labels[y, x]
            if label > 0:
                low[label, 0] = min(low[label, 0], y)
                high[label, 0] = y
                low[label, 1] = min(low[label, 1], x)
                high[label, 1] = max(high[label, 1], x)
    extents = np.zeros(n_labels + 1, np.int64)
    for label in range(1, n_labels + 1):
        extents[label] = 1 + max(high[label, 0] - low[label, 0], high[label, 1] - low[label, 1])
    return extents


def touches_frame(labels: np.ndarray, outer: Box, slide_shape: tuple[int, int]) -> np.ndarray:
    """Which labels reach a side of the tile that is not the slide's own rim.

    Such an object may have been cut; a kept one means that the halo was too small.

    Returns
    -------
    (n + 1,) bool
        Indexed by label.
    """
    height, width = slide_shape
    sides = [
        labels[0] if outer.y0 > 0 else None,
        labels[-1] if outer.y1 < height else None,
        labels[:, 0] if outer.x0 > 0 else None,
        labels[:, -1] if outer.x1 < width else None,
    ]
    cut = np.zeros(int(labels.max(initial=0)) + 1, bool)
    for side in sides:
        if side is not None:
            cut[side] = True
    cut[0] = False
    return cut
