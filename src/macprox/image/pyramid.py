"""Area averages out of a file's own pyramid, on a grid of ours anchored at the first pixel."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from macprox.image.tiles import Box
from macprox.slide import Slide

_ROUNDING = 1e-6


def coarsest_level(level_shapes: tuple[tuple[int, int], ...], factor: int) -> int:
    """The coarsest pyramid level whose pixels are at most ``factor`` full-resolution pixels wide.

    0, full resolution, where the file has none that is that fine.
    """
    full = level_shapes[0]
    fine_enough = [
        level
        for level, shape in enumerate(level_shapes)
        if max(_scales(full, shape)) <= factor + _ROUNDING
    ]
    return max(fine_enough, key=lambda level: max(_scales(full, level_shapes[level])))


def _scales(full: tuple[int, int], reduced: tuple[int, int]) -> tuple[float, float]:
    """``(y, x)``: how many full-resolution pixels one of a level's spans.

    Writers reduce by a whole factor and leave out or add a last row; only a shape that fits no
    factor is taken for a stretched one.
    """
    sides = list(zip(full, reduced, strict=True))
    whole = round(max(side / short for side, short in sides))
    if all(short in (side // whole, -(-side // whole)) for side, short in sides):
        return float(whole), float(whole)
    (height, short_y), (width, short_x) = sides
    return height / short_y, width / short_x


def averages(
    slide: Slide, channel: int, level: int, core: Box, factors: tuple[int, ...]
) -> list[np.ndarray]:
    """One channel's area averages over a region, out of a pyramid level, one array a factor.

    A level's pixel stands for the area that it spans, so that levels which do not fit into our
    pixels are weighted by overlap.

    Parameters
    ----------
    slide : Slide
    channel, level : int
    core : Box
        Full-resolution pixels; begins on whole pixels of every factor.
    factors : tuple of int
        Sides of our pixels in full-resolution pixels, none smaller than the level's.

    Returns
    -------
    list of (y, x) float32
    """
    spans = []
    scales = _scales(slide.shape, slide.level_shapes[level])
    for axis, (start, stop) in enumerate(((core.y0, core.y1), (core.x0, core.x1))):
        size = slide.level_shapes[level][axis]
        first = min(int(start / scales[axis] + _ROUNDING), size - 1)
        last = min(int(np.ceil(stop / scales[axis] - _ROUNDING)), size)
        spans.append((first, max(last, first + 1)))
    pixels = slide.read(channel, slice(*spans[0]), slice(*spans[1]), level).astype(np.float64)
    found = []
    for factor in factors:
        along_y = _overlaps((core.y0, core.y1), spans[0], scales[0], factor)
        along_x = _overlaps((core.x0, core.x1), spans[1], scales[1], factor)
        found.append((along_x @ (along_y @ pixels).T).T.astype(np.float32))
    return found


def _overlaps(
    region: tuple[int, int], span: tuple[int, int], scale: float, factor: int
) -> sparse.csr_array:
    """(n, m) weights of a level's pixels ``span`` in our pixels of a region; rows sum to 1."""
    edges = np.append(np.arange(region[0], region[1], factor), region[1]).astype(float)
    lower, upper = edges[:-1, None], edges[1:, None]
    # Few pixels of the level meet one of ours: only those are looked at.
    n_near = int(np.ceil(factor / scale)) + 1
    near = np.floor(lower / scale + _ROUNDING).astype(int) + np.arange(n_near)
    shared = np.clip(
        np.minimum(upper, (near + 1) * scale) - np.maximum(lower, near * scale), 0, None
    )
    shared[(near < span[0]) | (near >= span[1])] = 0
    # Past the last row of a level that left some out, the nearest pixel is all there is.
    empty = shared.sum(axis=1) <= _ROUNDING
    near[empty, 0], shared[empty, 0] = span[1] - 1, 1
    weights = shared / shared.sum(axis=1, keepdims=True)
    rows = np.repeat(np.arange(len(near)), n_near)
    columns = np.clip(near, span[0], span[1] - 1).ravel() - span[0]
    shape = (len(near), span[1] - span[0])
    return sparse.csr_array((weights.ravel(), (rows, columns)), shape=shape)
