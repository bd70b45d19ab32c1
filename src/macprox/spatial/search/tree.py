"""A tree over points: nearest neighbours however unevenly the points lie.

What the rings of `macprox.spatial.search.nearest` fall back on. Every split is at the median, so
that a line, a corner or a pile of duplicates costs no more than an even spread; a box knows its
lowest row, so that equally near points are told apart by their row without looking at all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numba
import numpy as np

LEAF = 8  # points a leaf holds at most


@dataclass(frozen=True, eq=False)
class PointTree:
    """Points in the order of a balanced k-d tree; made by `of`."""

    xy: np.ndarray = field(repr=False)  # (n, 2)
    row: np.ndarray = field(repr=False)  # (n,) row of each point in the input
    boxes: np.ndarray = field(repr=False)  # (2 * n_leaves, 4): x_min, y_min, x_max, y_max
    lowest_row: np.ndarray = field(repr=False)  # (2 * n_leaves,)

    @classmethod
    def of(cls, xy: np.ndarray) -> PointTree:
        """From ``(n, 2)`` finite points, ``n >= 1``."""
        xy, row = np.array(xy, dtype=float, order="C"), np.arange(len(xy))
        n_levels = max(0, int(np.ceil(np.log2(len(xy) / LEAF))))
        boxes, lowest_row = _build(xy, row, n_levels)
        return cls(xy, row, boxes, lowest_row)

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """What `search_tree` reads."""
        return self.xy, self.row, self.boxes, self.lowest_row


@numba.njit(nogil=True, cache=True)
def insert(d2, row, nearest_d2, nearest_row):
    """Put a point where it belongs among the k nearest, equal distances by row; the last drops."""
    k = len(nearest_d2) - 1
    while k > 0 and (
        d2 < nearest_d2[k - 1] or (d2 == nearest_d2[k - 1] and row < nearest_row[k - 1])
    ):
        nearest_d2[k], nearest_row[k] = nearest_d2[k - 1], nearest_row[k - 1]
        k -= 1
    nearest_d2[k], nearest_row[k] = d2, row


@numba.njit(nogil=True, cache=True)
def search_tree(x, y, xy, rows, boxes, lowest_row, nearest_d2, nearest_row):
    """The k nearest of one place into ``nearest_d2, nearest_row``.

    Both are filled on entry, with the largest d2 allowed and a row larger than any.
    """
    last, n_leaves, n = len(nearest_d2) - 1, len(boxes) // 2, len(xy)
    node_stack, bound_stack = np.empty(64, np.int64), np.empty(64)
    depth = 1
    node_stack[0], bound_stack[0] = 1, 0.0
    while depth:
        depth -= 1
        node, bound = node_stack[depth], bound_stack[depth]
        # Rounding is monotone: no point is nearer, in floats, than the box that it lies in.
        if bound > nearest_d2[last] or (
            bound == nearest_d2[last] and lowest_row[node] > nearest_row[last]
        ):
            continue
        if node >= n_leaves:
            leaf = node - n_leaves
            for j in range(n * leaf // n_leaves, n * (leaf + 1) // n_leaves):
                dx, dy = xy[j, 0] - x, xy[j, 1] - y
                d2 = dx * dx + dy * dy
                if d2 < nearest_d2[last] or (
                    d2 == nearest_d2[last] and rows[j] < nearest_row[last]
                ):
                    insert(d2, rows[j], nearest_d2, nearest_row)
            continue
        near, far = 2 * node, 2 * node + 1
        d_near, d_far = _to_box(x, y, boxes[near]), _to_box(x, y, boxes[far])
        if d_far < d_near or (d_far == d_near and lowest_row[far] < lowest_row[near]):
            near, far, d_near, d_far = far, near, d_far, d_near
        node_stack[depth], bound_stack[depth] = far, d_far  # the nearer is popped first
        node_stack[depth + 1], bound_stack[depth + 1] = near, d_near
        depth += 2


@numba.njit(nogil=True, cache=True, inline="always")
def _to_box(x, y, box):
    dx = max(box[0] - x, 0.0, x - box[2])
    dy = max(box[1] - y, 0.0, y - box[3])
    return dx * dx + dy * dy


@numba.njit(nogil=True, cache=True)
def _build(xy, row, n_levels):
    """Sort points in place; boxes and lowest rows of the nodes, 1 the root, 2i and 2i + 1 below."""
    n, n_leaves = len(xy), 1 << n_levels
    boxes = np.empty((2 * n_leaves, 4))
    lowest_row = np.empty(2 * n_leaves, np.int64)
    for node in range(1, 2 * n_leaves):
        width = 1
        while 2 * width <= node:
            width *= 2
        first, last = n * (node - width) // width, n * (node - width + 1) // width
        box = boxes[node]
        box[0], box[1], box[2], box[3] = np.inf, np.inf, -np.inf, -np.inf
        lowest_row[node] = n
        for j in range(first, last):
            box[0], box[2] = min(box[0], xy[j, 0]), max(box[2], xy[j, 0])
            box[1], box[3] = min(box[1], xy[j, 1]), max(box[3], xy[j, 1])
            lowest_row[node] = min(lowest_row[node], row[j])
        if node < n_leaves:
            axis = 0 if box[2] - box[0] >= box[3] - box[1] else 1
            middle = n * (2 * (node - width) + 1) // (2 * width)
            _select(xy, row, axis, first, last - 1, middle)
    return boxes, lowest_row


@numba.njit(nogil=True, cache=True)
def _select(xy, row, axis, first, last, middle):
    """Hoare's quickselect: points before ``middle`` are not beyond it along the axis."""
    while first < last:
        pivot = xy[(first + last) // 2, axis]
        i, j = first, last
        while i <= j:
            while xy[i, axis] < pivot:
                i += 1
            while xy[j, axis] > pivot:
                j -= 1
            if i <= j:
                xy[i, 0], xy[j, 0] = xy[j, 0], xy[i, 0]
                xy[i, 1], xy[j, 1] = xy[j, 1], xy[i, 1]
                row[i], row[j] = row[j], row[i]
                i += 1
                j -= 1
        if middle <= j:
            last = j
        elif middle >= i:
            first = i
        else:
            return
