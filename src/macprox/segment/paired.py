"""Which given nucleus belongs to which given cell, where a label image shows each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_ROW = np.dtype([("nucleus", np.uint64), ("cell", np.uint64), ("n_px", np.int64)])


def overlap_rows(nuclei: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """How many pixels each nucleus shares with each cell, and with none (0), in one region.

    Parameters
    ----------
    nuclei, cells : (y, x) int
        Values of the two label images; 0 and below are background.

    Returns
    -------
    (n,) structured array
        ``nucleus``, ``cell``, ``n_px``.
    """
    inside = nuclei > 0
    nucleus, cell = nuclei[inside], np.maximum(cells[inside], 0)
    starts = _starts(nucleus, cell)  # runs first: they are a tenth of the pixels
    runs = np.empty(len(starts), _ROW)
    runs["nucleus"], runs["cell"] = nucleus[starts], cell[starts]
    runs["n_px"] = np.diff(starts, append=len(nucleus))
    return _summed(runs)


@dataclass(frozen=True)
class NucleiOfCells:
    """Each nucleus's cell.

    Parameters
    ----------
    nucleus : (n,) uint64
        Values of nuclei; rising.
    cell : (n,) uint64
        Value of the cell that holds most of it; 0 where most of it lies in none.
    """

    nucleus: np.ndarray
    cell: np.ndarray

    @classmethod
    def paired(cls, parts: Sequence[np.ndarray]) -> NucleiOfCells:
        """From `overlap_rows` of regions that cover the slide once.

        Numbers need not agree between the two images. At a tie a cell goes before none, and a
        lower value before a higher.
        """
        rows = _summed(np.concatenate([np.empty(0, _ROW), *parts]))
        order = np.lexsort([rows["cell"], rows["cell"] == 0, -rows["n_px"], rows["nucleus"]])
        rows = rows[order]
        first = np.diff(rows["nucleus"], prepend=rows["nucleus"][:1] + np.uint64(1)) != 0
        return cls(rows["nucleus"][first].copy(), rows["cell"][first].copy())

    @property
    def n_without_cell(self) -> int:
        return int((self.cell == 0).sum())

    def inside(self, nuclei: np.ndarray, cells: np.ndarray) -> np.ndarray:
        """Where a nucleus lies in its own cell: ``(y, x)`` bool.

        Parameters
        ----------
        nuclei, cells : (y, x) int
            Values of the two label images, the same region.
        """
        if not len(self.nucleus):
            return np.zeros(nuclei.shape, bool)
        is_nucleus = nuclei > 0
        place = np.searchsorted(self.nucleus, nuclei[is_nucleus].astype(np.uint64))
        at = np.minimum(place, len(self.nucleus) - 1)
        own = np.where(self.nucleus[at] == nuclei[is_nucleus].astype(np.uint64), self.cell[at], 0)
        found = np.zeros(nuclei.shape, bool)
        found[is_nucleus] = (own > 0) & (own == np.maximum(cells[is_nucleus], 0).astype(np.uint64))
        return found


def _summed(rows: np.ndarray) -> np.ndarray:
    """One row a pair."""
    if not len(rows):
        return rows
    rows = rows[np.lexsort([rows["cell"], rows["nucleus"]])]
    starts = _starts(rows["nucleus"], rows["cell"])
    summed = rows[starts].copy()
    summed["n_px"] = np.add.reduceat(rows["n_px"], starts)
    return summed


def _starts(nucleus: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Where runs of the same pair begin."""
    new = np.ones(len(nucleus), bool)
    new[1:] = (nucleus[1:] != nucleus[:-1]) | (cell[1:] != cell[:-1])
    return np.flatnonzero(new)
