"""Mean intensity of every cell in every compartment, from its runs."""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np

from macprox.measure.runs import Runs


@dataclass(frozen=True)
class CountedPixels:
    """The pixels that count for each cell's nucleus and ring, and how both make up the cell.

    Pixels beside another cell count for neither, unless the part has no others; the cell's mean
    is over its clear pixels, over all where it has none.

    Parameters
    ----------
    slot : (n,) int32
        Of each counted run: twice the cell's row, one more in the ring.
    first, length : (n,) int64
        The run's first pixel, its raster index in the tile, and its pixels.
    n_pixels : (n_cells, 3) int64
        Counted in nucleus, ring and cell.
    in_cell : (n_cells, 2) bool
        Whether those pixels count for the whole cell, too.
    """

    slot: np.ndarray
    first: np.ndarray
    length: np.ndarray
    n_pixels: np.ndarray
    in_cell: np.ndarray

    @classmethod
    def of(cls, runs: Runs, width_px: int) -> CountedPixels:
        """Of a tile's cells; the tile is ``width_px`` wide."""
        place = runs.cell, runs.part, runs.clear, runs.y, runs.x_start, runs.x_stop
        slot, first, length, n_pixels, n_clear = _counted_runs(*place, runs.n_cells, width_px)
        has_clear = n_clear > 0
        in_cell = has_clear | ~has_clear.any(axis=1, keepdims=True)
        counted = np.where(has_clear, n_clear, n_pixels)
        whole = (counted * in_cell).sum(axis=1)
        return cls(slot, first, length, np.column_stack([counted, whole]), in_cell)

    def means(self, pixels: np.ndarray) -> np.ndarray:
        """Mean of one channel.

        Parameters
        ----------
        pixels : (y, x) number
            Whole numbers of 8 and 16 bits are summed as such, hence exactly.

        Returns
        -------
        (n_cells, 3) float64
            In nucleus, ring and cell; NaN where there is no pixel.
        """
        if pixels.dtype.kind == "u" and pixels.dtype.itemsize <= 2:
            sums = np.zeros(self.in_cell.shape, np.int64)
            pixels = np.ascontiguousarray(pixels, np.uint16)
        else:
            sums = np.zeros(self.in_cell.shape, np.float64)
            single = pixels.dtype == np.float32
            pixels = np.ascontiguousarray(pixels, np.float32 if single else np.float64)
        _add_runs(sums.ravel(), pixels.ravel(), self.slot, self.first, self.length)
        whole = np.where(self.in_cell, sums, 0).sum(axis=1)
        total = np.column_stack([sums, whole])
        unknown = np.full(total.shape, np.nan)
        return np.divide(total, self.n_pixels, out=unknown, where=self.n_pixels > 0)


@nb.njit(cache=True, nogil=True)
def _counted_runs(cell, part, clear, y, x_start, x_stop, n_cells, width_px):
    """The runs that count, and each cell's pixels in nucleus and ring: all, and the clear ones."""
    n_pixels, n_clear = np.zeros((n_cells, 2), np.int64), np.zeros((n_cells, 2), np.int64)
    for i in range(cell.size):
        n_pixels[cell[i], part[i]] += x_stop[i] - x_start[i]
        n_clear[cell[i], part[i]] += (x_stop[i] - x_start[i]) * clear[i]
    slot = np.empty(cell.size, np.int32)
    first, length = np.empty(cell.size, np.int64), np.empty(cell.size, np.int64)
    n = 0
    for i in range(cell.size):
        if clear[i] or n_clear[cell[i], part[i]] == 0:
            slot[n] = 2 * cell[i] + part[i]
            first[n] = np.int64(y[i]) * width_px + x_start[i]
            length[n] = x_stop[i] - x_start[i]
            n += 1
    return slot[:n], first[:n], length[:n], n_pixels, n_clear


@nb.njit(cache=True, nogil=True)
def _add_runs(sums, pixels, slots, first, lengths):
    """Add every run's pixels to its slot, in raster order; unsigned indices need no look back."""
    for i in range(slots.size):
        start = np.uint64(first[i])
        total = sums[slots[i]]
        for step in range(np.uint64(lengths[i])):
            total += pixels[start + step]
        sums[slots[i]] = total
