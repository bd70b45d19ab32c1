"""Outlines of labels along pixel edges: exact, so that area and centroid are the pixels' own."""

from __future__ import annotations

import numba as nb
import numpy as np
import shapely


def label_polygons(
    labels: np.ndarray, origin_px: tuple[int, int] = (0, 0)
) -> tuple[np.ndarray, np.ndarray]:
    """The polygon of each label.

    Parameters
    ----------
    labels : (y, x) int
        0 is background.
    origin_px : (int, int)
        ``(y, x)`` of the first pixel.

    Returns
    -------
    (n,) int64
        Labels; rising.
    (n,) object
        Polygons with holes, MultiPolygons where a label has pieces that share no pixel edge; valid,
        in pixels ``(x, y)``, corners.
    """
    corners, ring_label, stops = _rings(np.pad(np.asarray(labels).astype(np.int64), 1))
    if not len(stops):
        return np.empty(0, np.int64), np.empty(0, object)
    lengths = np.diff(stops, prepend=0)
    xy = corners.astype(float) + origin_px[::-1]
    rings = shapely.linearrings(xy, indices=np.repeat(np.arange(len(stops)), lengths))
    is_outer = shapely.is_ccw(rings)  # y runs down here, which mirrors the sense
    order = np.flatnonzero(is_outer)[np.argsort(ring_label[is_outer], kind="stable")]
    found, first, count = np.unique(ring_label[order], return_index=True, return_counts=True)
    pieces = shapely.polygons(rings[order])
    polygons = pieces[first]
    for i in np.flatnonzero(count > 1):
        polygons[i] = shapely.MultiPolygon(list(pieces[first[i] : first[i] + count[i]]))
    for label in np.unique(ring_label[~is_outer]):
        i = np.searchsorted(found, label)
        holes = shapely.polygons(rings[~is_outer & (ring_label == label)])
        polygons[i] = polygons[i].difference(shapely.union_all(shapely.make_valid(holes)))
    crossed = ~shapely.is_valid(polygons)  # a ring that touches itself at a corner
    polygons[crossed] = shapely.make_valid(polygons[crossed])
    return found, polygons


@nb.njit(cache=True, nogil=True)
def _rings(labels):
    """Rings of pixel edges, the label on the right hand.

    Parameters
    ----------
    labels : (y, x) int64
        With a rim of background.

    Returns
    -------
    (n_corners, 2) int64
        ``(x, y)`` of the corners of all rings, of the array without its rim.
    (n_rings,) int64
        Whose.
    (n_rings,) int64
        Where each ring ends among the corners.
    """
    height, width = labels.shape
    n_edges, n_rings = _most(labels)
    corners = np.empty((n_edges, 2), np.int64)
    ring_label = np.empty(n_rings, np.int64)
    stops = np.empty(n_rings, np.int64)
    seen = np.zeros(labels.shape, np.bool_)  # pixels whose upper edge is part of a ring
    step_y, step_x = (0, 1, 0, -1), (1, 0, -1, 0)  # right, down, left, up
    end_y, end_x = (-1, 0, 0, -1), (0, 0, -1, -1)  # of the edge on the left hand, less the rim
    n_rings, n_corners = 0, 0
    for top in range(1, height - 1):
        for left in range(1, width - 1):
            label = labels[top, left]
            if label == 0 or labels[top - 1, left] == label or seen[top, left]:
                continue
            y, x, way = top, left, 0
            while True:
                if way == 0:
                    seen[y, x] = True
                outward = (way + 3) % 4
                ahead_y, ahead_x = y + step_y[way], x + step_x[way]
                if labels[ahead_y, ahead_x] == label:
                    side_y, side_x = ahead_y + step_y[outward], ahead_x + step_x[outward]
                    if labels[side_y, side_x] != label:
                        y, x = ahead_y, ahead_x
                        if y == top and x == left and way == 0:
                            break
                        continue
                corners[n_corners, 0] = x + end_x[way]
                corners[n_corners, 1] = y + end_y[way]
                n_corners += 1
                if labels[ahead_y, ahead_x] == label:
                    y, x, way = side_y, side_x, outward
                else:
                    way = (way + 1) % 4
                if y == top and x == left and way == 0:
                    break
            ring_label[n_rings] = label
            stops[n_rings] = n_corners
            n_rings += 1
    return corners[:n_corners], ring_label[:n_rings], stops[:n_rings]


@nb.njit(cache=True, nogil=True)
def _most(labels):
    """No more corners, and no more rings, than this: each edge for both of its sides."""
    n_edges, n_rings = 0, 0
    for y in range(1, labels.shape[0]):
        for x in range(1, labels.shape[1]):
            here = labels[y, x]
            if here != labels[y - 1, x]:
                n_edges += 2
                n_rings += here != 0
            if here != labels[y, x - 1]:
                n_edges += 2
    return n_edges, n_rings
