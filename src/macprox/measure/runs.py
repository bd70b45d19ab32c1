"""Label images as runs: stretches of one row that lie in the same part of the same cell.

A cell of 600 pixels has about 80 runs, so what follows costs a fraction of a pass over pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np

NUCLEUS, RING = 0, 1  # parts of a cell


@dataclass(frozen=True)
class Runs:
    """The pixels of the kept cells of a tile.

    Parameters
    ----------
    n_cells : int
    cell : (n,) int32
        Row of the cell in the tile's table.
    part : (n,) int32
        `NUCLEUS` or `RING`.
    clear : (n,) bool
        Away from other cells.
    y, x_start, x_stop : (n,) int32
        Where the run lies; ``x_stop`` is the first column after it.
    """

    n_cells: int
    cell: np.ndarray
    part: np.ndarray
    clear: np.ndarray
    y: np.ndarray
    x_start: np.ndarray
    x_stop: np.ndarray

    @classmethod
    def of(cls, nuclei: np.ndarray, cells: np.ndarray, owned: np.ndarray, contact_px: int) -> Runs:
        """Of the labels that ``owned`` allows, in label order.

        Parameters
        ----------
        nuclei, cells : (y, x) int32
            A nucleus lies in the cell of its label.
        owned : (n + 1,) bool
        contact_px : int
            A pixel is clear where the square of this radius around it holds no other cell.
        """
        row_of = np.where(owned, np.cumsum(owned) - 1, -1).astype(np.int32)
        nuclei = np.ascontiguousarray(nuclei, np.int32)
        cells = np.ascontiguousarray(cells, np.int32)
        cell, kind, *place = _runs(nuclei, cells, row_of, contact_px)
        return cls(int(owned.sum()), cell, kind & 1, kind > 1, *place)

    @property
    def n_pixels(self) -> np.ndarray:
        """``(n,)`` int32: length of each run."""
        return self.x_stop - self.x_start


@nb.njit(cache=True, nogil=True)
def _runs(nuclei, cells, row_of, contact_px):
    """``(5, n)`` int32: row of the cell, part + 2 where clear, y, x_start, x_stop."""
    height, width = cells.shape
    # Room for the worst case, one run a pixel: memory that is never touched is never taken.
    runs = np.empty((5, height * width), np.int32)
    n = 0
    highest = np.zeros(width + 2 * contact_px, np.int32)
    lowest = np.zeros(width + 2 * contact_px, np.int32)
    code = np.zeros(width + 1, np.int32)
    for y in range(height):
        _extremes_of_rows(cells, y, contact_px, highest, lowest)
        _code_row(nuclei[y], cells[y], highest, lowest, code)
        start, here = 0, code[0]
        for x in range(1, width + 1):
            if code[x] != here:
                row = row_of[here >> 2]
                if row >= 0:
                    runs[0, n], runs[1, n], runs[2, n] = row, here & 3, y
                    runs[3, n], runs[4, n] = start, x
                    n += 1
                start, here = x, code[x]
    return runs[:, :n].copy()


@nb.njit(cache=True, nogil=True)
def _extremes_of_rows(cells, y, reach, highest, lowest):
    """Highest label, and lowest above 0, of each column in the rows within reach."""
    height, width = cells.shape
    nobody = np.int32(2**31 - 1)
    for x in range(highest.size):
        highest[x], lowest[x] = 0, nobody
    high, low = highest[reach : reach + width], lowest[reach : reach + width]
    for yy in range(max(y - reach, 0), min(y + reach + 1, height)):
        row = cells[yy]
        for x in range(width):
            high[x] = max(high[x], row[x])
            low[x] = min(low[x], row[x] if row[x] > 0 else nobody)


@nb.njit(cache=True, nogil=True)
def _code_row(nuclei, cells, highest, lowest, code):
    """Label, part and whether clear as one number a pixel; one more at the end, unlike any."""
    width = cells.size
    side = highest.size - width + 1
    for x in range(width):
        code[x] = 4 * cells[x] + (2 if nuclei[x] == cells[x] else 3)
    for step in range(side):
        high, low = highest[step:], lowest[step:]
        for x in range(width):
            alone = (high[x] <= cells[x]) & (low[x] >= cells[x])
            code[x] = code[x] if alone else code[x] & ~2
    code[width] = -1
