"""Nuclei or cells that were labelled elsewhere, taken as they are.

An object is a value above 0, whether its pixels touch or not. Its name in a tile is the rank of
its anchor on the slide, which takes one look at the whole label image beforehand: a table of one
row an object, never one a possible value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from macprox.errors import SlideError
from macprox.image.tiles import Box

# Giant cells reach 100 um. What is larger is a value that a file uses twice (ids that stopped at
# 65,535), or no object at all; tiles could only see it in part.
MAX_EXTENT_UM = 150.0


@dataclass(frozen=True)
class LabelledObjects:
    """The objects of a label image.

    Parameters
    ----------
    value : (n,) uint64
        What their pixels hold; rising.
    first_px : (n,) int64
        Raster index on the slide of each one's first pixel.
    span : (n, 4) int64
        Half-open bounding box ``y0, y1, x0, x1``.
    """

    value: np.ndarray
    first_px: np.ndarray
    span: np.ndarray

    @classmethod
    def in_region(cls, pixels: np.ndarray, box: Box, slide_width_px: int) -> LabelledObjects:
        """The objects, as far as one region shows them.

        Parameters
        ----------
        pixels : (y, x) int
            Values of the region; 0 and below are background.
        box : Box
            Where the region lies on the slide.
        """
        start, held = _runs(pixels)
        start, stop, held = start[held > 0], _stops(start, pixels.size)[held > 0], held[held > 0]
        y, x0 = np.divmod(start, max(pixels.shape[1], 1))
        x1 = x0 + stop - start
        y, x0, x1 = y + box.y0, x0 + box.x0, x1 + box.x0
        span = np.column_stack([y, y + 1, x0, x1])
        return cls._merged(held.astype(np.uint64), y * slide_width_px + x0, span)

    @classmethod
    def joined(cls, parts: Sequence[LabelledObjects]) -> LabelledObjects:
        """What several regions show, put together."""
        return cls._merged(
            np.concatenate([part.value for part in parts]),
            np.concatenate([part.first_px for part in parts]),
            np.concatenate([part.span for part in parts]),
        )

    @classmethod
    def _merged(cls, value, first_px, span) -> LabelledObjects:
        order = np.argsort(value, kind="stable")
        value, first_px, span = value[order], first_px[order], span[order]
        starts = np.flatnonzero(np.diff(value, prepend=value[:1] + np.uint64(1)))
        if len(value) == 0:
            return cls(value, first_px, span)
        low, high = np.minimum.reduceat(span, starts), np.maximum.reduceat(span, starts)
        return cls(
            value[starts],
            np.minimum.reduceat(first_px, starts),
            np.column_stack([low[:, 0], high[:, 1], low[:, 2], high[:, 3]]),
        )

    def __len__(self) -> int:
        return len(self.value)

    @property
    def extent_px(self) -> np.ndarray:
        """(n,) int64: the longer side of each bounding box."""
        y0, y1, x0, x1 = self.span.T
        return np.maximum(y1 - y0, x1 - x0)

    def small_enough(self, pixel_size_um: float) -> LabelledObjects:
        """Those that a nucleus or cell could be.

        Raises
        ------
        SlideError
            If none is.
        """
        keep = self.extent_px * pixel_size_um <= MAX_EXTENT_UM
        if len(self) and not keep.any():
            raise SlideError(
                f"All {len(self)} values of the label image reach over more than "
                f"{MAX_EXTENT_UM:g} um, which no nucleus does; is it a mask? Give every object a "
                "number of its own (scipy.ndimage.label does)."
            )
        return LabelledObjects(self.value[keep], self.first_px[keep], self.span[keep])

    def name_in(self, pixels: np.ndarray) -> np.ndarray:
        """Labels of a tile, numbered as on the slide: in raster order of first pixels.

        Parameters
        ----------
        pixels : (y, x) int
            Values of the label image.

        Returns
        -------
        (y, x) int32
            1..n without gaps; values that are not among these objects are background.
        """
        start, held = _runs(pixels)
        value, run_value = np.unique(np.maximum(held, 0), return_inverse=True)
        place = np.searchsorted(self.value, value.astype(np.uint64))
        place = np.minimum(place, max(len(self) - 1, 0))
        known = np.zeros(len(value), bool)
        first_px = np.zeros(len(value), np.int64)
        if len(self):
            known = self.value[place] == value.astype(np.uint64)
            first_px = self.first_px[place]
        label = np.zeros(len(value), np.int32)
        label[np.flatnonzero(known)[np.argsort(first_px[known])]] = np.arange(1, known.sum() + 1)
        lengths = _stops(start, pixels.size) - start
        return np.repeat(label[run_value], lengths).reshape(pixels.shape)


def _runs(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where runs of equal pixels start in raster order, none longer than a row; and their value."""
    new = np.ones(pixels.shape, bool)
    new[:, 1:] = pixels[:, 1:] != pixels[:, :-1]
    start = np.flatnonzero(new)
    return start, pixels.ravel()[start]


def _stops(start: np.ndarray, size: int) -> np.ndarray:
    return np.append(start[1:], size)


def nuclei_of_cells(
    cells: np.ndarray, stained: np.ndarray, min_nucleus_area_px: float
) -> np.ndarray:
    """The nucleus of each given cell: its pixels that are some nucleus.

    Parameters
    ----------
    cells : (y, x) int32
        Given cells.
    stained : (y, x) int32
        Nuclei found in the stain, by whatever name.
    min_nucleus_area_px : float
        Less than this is the rim of a neighbour's nucleus.

    Returns
    -------
    (y, x) int32
        The cells' labels; a cell without a nucleus in the plane has no pixel.
    """
    inside = np.where(stained > 0, cells, 0)
    area_px = np.bincount(inside.ravel(), minlength=int(cells.max(initial=0)) + 1)
    return np.where(area_px >= min_nucleus_area_px, np.arange(len(area_px)), 0).astype(np.int32)[
        inside
    ]
