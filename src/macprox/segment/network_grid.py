"""One grid of the network's pixels for the whole slide, anchored at its first pixel.

A network pixel is ``factor`` slide pixels wide. Where a tile begins leaves no trace: positions and
weights follow from absolute indices alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba as nb
import numpy as np

from macprox.image.tiles import Box

NETWORK_PIXEL_UM = 0.5
NOMINAL_DIAMETER_UM = 8.0  # of the nuclei that the network was trained on, at that scale

# Within, slide pixels go to the network as they are: it has seen nuclei of 3.5 to 19 um.
AS_IT_IS = (0.8, 1.25)


@dataclass(frozen=True)
class NetworkGrid:
    """``factor``: slide pixels a network pixel."""

    factor: float

    @classmethod
    def of(cls, pixel_size_um: float, nucleus_diameter_um: float) -> NetworkGrid:
        """The grid on which a typical nucleus is as wide as in training."""
        wanted_um = NETWORK_PIXEL_UM * nucleus_diameter_um / NOMINAL_DIAMETER_UM
        factor = wanted_um / pixel_size_um
        return cls(1.0 if AS_IT_IS[0] <= factor <= AS_IT_IS[1] else factor)

    def covered(self, outer: Box, slide_shape: tuple[int, int], stride_px: int) -> Box:
        """Network pixels that lie wholly inside a tile, beginning at a multiple of the stride.

        At the slide's far rim the last one may overhang.
        """
        spans = []
        for start, stop, side in zip(
            (outer.y0, outer.x0), (outer.y1, outer.x1), slide_shape, strict=True
        ):
            first = int(np.ceil(start / self.factor / stride_px)) * stride_px
            last = np.ceil(stop / self.factor) if stop == side else np.floor(stop / self.factor)
            spans += [first, max(int(last), first)]
        return Box(*spans)

    def resample(self, stain: np.ndarray, outer: Box, box: Box) -> np.ndarray:
        """The stain on the network's pixels: area averages of it, or linear in between.

        Parameters
        ----------
        stain : (y, x) float32
            On the tile's outer box, slide pixels.
        outer, box : Box
            In slide pixels, and what of it the network's grid covers.

        Returns
        -------
        (y, x) float32
        """
        if self.factor == 1:
            return stain[box.within(outer)]
        rows = self._taps(box.y0, box.y1, outer.y0, stain.shape[0])
        columns = self._taps(box.x0, box.x1, outer.x0, stain.shape[1])
        return _weigh(stain, *rows, *columns)

    def _taps(self, first: int, last: int, origin: int, side: int) -> tuple[np.ndarray, np.ndarray]:
        """Slide pixels ``(n, taps)`` and weights of each network pixel along one axis.

        A tent as wide as the larger of both pixels: the area average of linear interpolation.
        """
        half = max(self.factor, 1.0)
        centre = (np.arange(first, last) + 0.5) * self.factor - 0.5
        start = np.floor(centre - half).astype(np.int64) + 1
        pixel = start[:, None] + np.arange(int(np.ceil(2 * half)) + 1)
        weight = np.maximum(1 - np.abs(pixel - centre[:, None]) / half, 0)
        weight /= weight.sum(axis=1, keepdims=True)
        return np.clip(pixel - origin, 0, side - 1), weight.astype(np.float32)

    def enlarge(self, labels: np.ndarray, margin: np.ndarray, box: Box, outer: Box) -> np.ndarray:
        """Labels on the network's pixels as labels on the tile's, with smooth outlines.

        Parameters
        ----------
        labels : (y, x) int32
        margin : (y, x) int16
            How sure the network is of a nucleus, positive inside: interpolated, so that an
            outline runs between the network's pixels.
        box, outer : Box
            What both arrays cover on the network's grid, and the tile in slide pixels.

        Returns
        -------
        (y, x) int32
            On ``outer``; 0 where the grid ends. Labels 1..n in raster order of first pixels.
        """
        if self.factor == 1 and box == outer:
            return labels
        if self.factor == 1:
            full = np.zeros(outer.shape, np.int32)
            full[box.within(outer)] = labels
            return full
        rows = (np.arange(outer.y0, outer.y1) + 0.5) / self.factor - 0.5 - box.y0
        columns = (np.arange(outer.x0, outer.x1) + 0.5) / self.factor - 0.5 - box.x0
        return _enlarge(labels, margin, rows, columns)


@nb.njit(cache=True, nogil=True)
def _enlarge(labels, margin, rows, columns):
    """Where the interpolated margin is positive, the label of the surest of four corners.

    Numbered again in raster order of first pixels.
    """
    height, width = labels.shape
    number = np.zeros(labels.max() + 1, np.int32)
    n_numbered = 0
    full = np.zeros((rows.size, columns.size), np.int32)
    for i in range(rows.size):
        y = math.floor(rows[i])
        if y < -1 or y >= height:
            continue
        top, bottom = max(y, 0), min(y + 1, height - 1)
        down = rows[i] - y
        for j in range(columns.size):
            x = math.floor(columns[j])
            if x < -1 or x >= width:
                continue
            left, right = max(x, 0), min(x + 1, width - 1)
            along = columns[j] - x
            above = margin[top, left] * (1 - along) + margin[top, right] * along
            below = margin[bottom, left] * (1 - along) + margin[bottom, right] * along
            if above * (1 - down) + below * down <= 0:
                continue
            surest, label = 0, 0
            for yy in (top, bottom):
                for xx in (left, right):
                    if labels[yy, xx] > 0 and margin[yy, xx] > surest:
                        surest, label = margin[yy, xx], labels[yy, xx]
            if label > 0 and number[label] == 0:
                n_numbered += 1
                number[label] = n_numbered
            full[i, j] = number[label]
    return full


@nb.njit(cache=True, nogil=True)
def _weigh(stain, rows, row_weight, columns, column_weight):
    half = np.zeros((rows.shape[0], stain.shape[1]), np.float32)
    for i in range(rows.shape[0]):
        for k in range(rows.shape[1]):
            weight = row_weight[i, k]
            if weight > 0:
                y = rows[i, k]
                for x in range(stain.shape[1]):
                    half[i, x] += weight * stain[y, x]
    out = np.zeros((rows.shape[0], columns.shape[0]), np.float32)
    for i in range(rows.shape[0]):
        for j in range(columns.shape[0]):
            total = np.float32(0)
            for k in range(columns.shape[1]):
                total += column_weight[j, k] * half[i, columns[j, k]]
            out[i, j] = total
    return out
