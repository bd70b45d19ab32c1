"""Pixels of drawn cells as the log and the labels' patches hold them: runs of one row each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from macprox.image.tiles import Box


def runs_of(mask: np.ndarray, box: Box) -> list[int]:
    """A mask as the log writes it.

    Parameters
    ----------
    mask : (y, x) bool
    box : Box
        Where the mask lies on the slide, full-resolution px.

    Returns
    -------
    list of int
        Row, first column, column after the last, and so on in raster order.

    Examples
    --------
    >>> runs_of(np.array([[0, 1, 1], [1, 0, 1]], bool), Box(5, 7, 10, 13))
    [5, 11, 13, 6, 10, 11, 6, 12, 13]
    """
    return changed_runs((mask,), mask, box)[:, :3].ravel().tolist()


def box_of(runs: Sequence[int]) -> Box:
    """The rectangle around the log's runs; empty at the origin where there are none."""
    if not len(runs):
        return Box(0, 0, 0, 0)
    y, x0, x1 = _columns(runs)
    return Box(int(y.min()), int(y.max()) + 1, int(x0.min()), int(x1.max()))


def mask_of(runs: Sequence[int], box: Box) -> np.ndarray:
    """The log's runs as a mask ``(y, x)`` bool of a box; what lies outside is cut off."""
    mask = np.zeros(box.shape, bool)
    y, x0, x1 = _columns(runs)
    within = (y >= box.y0) & (y < box.y1)
    for row, start, stop in zip(y[within], x0[within], x1[within], strict=True):
        mask[row - box.y0, max(start - box.x0, 0) : max(stop - box.x0, 0)] = True
    return mask


def changed_runs(values: Sequence[np.ndarray], where: np.ndarray, box: Box) -> np.ndarray:
    """Pixels of some images as runs in which every image has one value.

    Parameters
    ----------
    values : sequence of (y, x) array
        Images of whole numbers, all of one shape.
    where : (y, x) bool
        The pixels that count.
    box : Box
        Where the images lie on the slide.

    Returns
    -------
    (n, 3 + n_images) int64
        Row, first column, column after the last, and the value in each image; raster order.
    """
    width = where.shape[1]
    starts = where.copy()
    starts[:, 1:] &= ~where[:, :-1] | _differs(values)
    ends = where.copy()
    ends[:, :-1] &= ~where[:, 1:] | _differs(values)
    first, last = np.flatnonzero(starts), np.flatnonzero(ends)
    y, x0 = np.divmod(first, max(width, 1))
    columns = [y + box.y0, x0 + box.x0, x0 + box.x0 + last - first + 1]
    return np.column_stack([*columns, *(image.ravel()[first] for image in values)]).astype(np.int64)


def _differs(values: Sequence[np.ndarray]) -> np.ndarray:
    """``(y, x - 1)`` bool: a pixel and the one right of it are unlike in some image."""
    return np.logical_or.reduce([image[:, 1:] != image[:, :-1] for image in values])


def _columns(runs: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y, x0, x1 = np.asarray(runs, np.int64).reshape(-1, 3).T
    return y, x0, x1
