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
    y, x_start, x_stop : (n,) int32
    n_pixels : (n_cells, 2) int64
        Counted in nucleus and ring.
    in_cell : (n_cells, 2) bool
        Whether those pixels count for the whole cell, too.
    """

    slot: np.ndarray
    y: np.ndarray
    x_start: np.ndarray
    x_stop: np.ndarray
    n_pixels: np.ndarray
    in_cell: np.ndarray

    @classmethod
    def of(cls, runs: Runs) -> CountedPixels:
        slot = 2 * runs.cell + runs.part
        every, clear = (
            np.bincount(slot, weights, 2 * runs.n_cells).astype(np.int64)
            for weights in (runs.n_pixels, runs.n_pixels * runs.clear)
        )
        counted = runs.clear | (clear == 0)[slot]
        has_clear = (clear > 0).reshape(-1, 2)
        return cls(
            slot[counted],
            runs.y[counted],
            runs.x_start[counted],
            runs.x_stop[counted],
            n_pixels=np.where(clear > 0, clear, every).reshape(-1, 2),
            in_cell=has_clear | ~has_clear.any(axis=1, keepdims=True),
        )

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
            sums = np.zeros(self.n_pixels.size, np.int64)
            pixels = np.ascontiguousarray(pixels, np.uint16)
        else:
            sums = np.zeros(self.n_pixels.size, np.float64)
            single = pixels.dtype == np.float32
            pixels = np.ascontiguousarray(pixels, np.float32 if single else np.float64)
        _add_runs(sums, pixels, self.slot, self.y, self.x_start, self.x_stop)
        parts = sums.reshape(-1, 2)
        whole = np.where(self.in_cell, parts, 0).sum(axis=1, keepdims=True)
        n_whole = np.where(self.in_cell, self.n_pixels, 0).sum(axis=1, keepdims=True)
        total, n = np.hstack([parts, whole]), np.hstack([self.n_pixels, n_whole])
        return np.divide(total, n, out=np.full(n.shape, np.nan), where=n > 0)


@nb.njit(cache=True, nogil=True)
def _add_runs(sums, pixels, slots, ys, x_starts, x_stops):
    """Add every run's pixels to its slot, in raster order."""
    for i in range(slots.size):
        total = sums[slots[i]]
        row = pixels[ys[i]]
        for x in range(x_starts[i], x_stops[i]):
            total += row[x]
        sums[slots[i]] = total
