"""Which cells touch or nearly touch: boundary gaps read from a label image.

The gap of two cells is the Euclidean distance between their outlines, each a union of closed
pixel squares: pixels dy rows and dx columns apart leave sqrt(max(|dy| - 1, 0)^2 +
max(|dx| - 1, 0)^2) pixels between them. Cells that share a side or a corner have gap 0.

The image is read in blocks with a rim as wide as the largest gap. Rows are cut into runs of one
label, and runs are compared instead of pixels. A pair is found in the block that holds the upper
of its two nearest pixels; another block sees parts of the cells and never a smaller gap, so the
smallest is the gap, whatever the blocks.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any

import numba
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from macprox.errors import PixelSizeError, TableError
from macprox.spatial.graphs.graph import Graph, csr_of_ones

BLOCK_PX = 2048


def contacts(
    cell_labels: Any,
    pixel_size_um: float,
    max_gap_um: float = 5.0,
    block_px: int = BLOCK_PX,
    n_workers: int | None = None,
) -> pd.DataFrame:
    """Pairs of cells whose boundaries are no farther apart than a gap.

    Parameters
    ----------
    cell_labels : (y, x) int
        numpy, dask or zarr: anything with ``shape``, ``dtype`` and slices. 0 is background. A
        label in several pieces is one cell.
    pixel_size_um : float
    max_gap_um : float
        0: cells that share a side or a corner. A gap of exactly this is within.
    block_px : int
        Side of the blocks that are read, in pixels; changes no number.
    n_workers : int, optional
        Threads, by default one a processor; changes no number.

    Returns
    -------
    DataFrame
        ``cell_id_a < cell_id_b`` (int64), sorted; ``gap_um``.

    Raises
    ------
    ValueError
        If the labels are no two-dimensional integers or are negative, or ``max_gap_um`` is.
    PixelSizeError
        If the pixel size is not a positive number.

    Notes
    -----
    The cost is that of pairs of runs within reach, about a thousand a cell at 0.5 um pixels and
    5 um: 15 to 40 CPU seconds a million cells. Memory is one block and its pairs a worker.

    Examples
    --------
    >>> contacts(np.array([[1, 1, 0, 2, 3]]), pixel_size_um=0.5, max_gap_um=1)
       cell_id_a  cell_id_b  gap_um
    0          1          2     0.5
    1          1          3     1.0
    2          2          3     0.0
    """
    _check(cell_labels, pixel_size_um, max_gap_um)
    limit = _largest_square(max_gap_um, pixel_size_um)
    reach = int(np.sqrt(limit)) + 2  # pixels; one more than a pixel within the gap can be away
    height, width = cell_labels.shape

    def pairs_of(corner: tuple[int, int]) -> np.ndarray:
        y, x = corner
        # The upper pixel of a pair lies in the block: no rim above.
        rows = slice(y, min(y + block_px + reach, height))
        columns = slice(max(x - reach, 0), min(x + block_px + reach, width))
        block = np.ascontiguousarray(np.asarray(cell_labels[rows, columns]))
        if block.min() < 0:
            raise ValueError(f"Labels must be 0 or more, found {block.min()}.")
        return _smallest(_pairs(limit, reach, *_runs(block)))

    corners = product(range(0, height, block_px), range(0, width, block_px))
    with ThreadPoolExecutor(n_workers or os.cpu_count() or 1) as pool:
        parts = list(pool.map(pairs_of, corners))
    pairs = _smallest(np.concatenate([np.empty((0, 3), np.int64), *parts]))
    return pd.DataFrame(
        {
            "cell_id_a": pairs[:, 0],
            "cell_id_b": pairs[:, 1],
            "gap_um": np.sqrt(pairs[:, 2]) * pixel_size_um,
        }
    )


def contact_graph(pairs: pd.DataFrame, cell_id: ArrayLike) -> Graph:
    """The contacts as a `Graph` over the cells of a table.

    Parameters
    ----------
    pairs : DataFrame
        As `contacts` gives it; pairs with a cell that is not in ``cell_id`` are left out.
    cell_id : (n_cells,) int
        Label of each cell, in the order of the table.

    Returns
    -------
    Graph
        Undirected.

    Raises
    ------
    TableError
        If a label stands twice.
    """
    index = pd.Index(np.asarray(cell_id))
    if not index.is_unique:
        twice = index[index.duplicated()][0]
        raise TableError(
            f"cell_id {twice} stands for two cells; contacts are of one slide's labels."
        )
    one, other = (index.get_indexer(pairs[name]) for name in ("cell_id_a", "cell_id_b"))
    known = (one >= 0) & (other >= 0)
    one, other = one[known], other[known]
    matrix = csr_of_ones(np.concatenate([one, other]), np.concatenate([other, one]), len(index))
    return Graph(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), directed=False)


@dataclass(frozen=True)
class ContactShare:
    """Share of source cells in contact with a target, and what relabelling expects."""

    value: float
    expected: float
    p: float
    n_source: int
    n_target: int
    reason: str = ""


def contact_share(
    graph: Graph, phenotype: ArrayLike, source: str, target: str, strata: ArrayLike | None = None
) -> ContactShare:
    """Share of source cells that are in contact with at least one target cell.

    Parameters
    ----------
    graph : Graph
        As `contact_graph` gives it.
    phenotype : (n_cells,)
    source, target : str
        Two different phenotypes.
    strata : (n_cells,), optional
        Labels within which the source label moves.

    Returns
    -------
    ContactShare
        ``expected`` and the two-sided ``p`` are exact when the source label is dealt out anew
        among all cells that are no targets, within strata. NaN with a reason where a phenotype is
        absent; no p where only one label can be dealt.

    Raises
    ------
    ValueError
        If source and target are one, or labels are not one a cell.
    """
    from macprox.spatial.nulls.relabel import Relabelling, exact_p

    if source == target:
        raise ValueError(f"source and target are both {source!r}; contact compares two phenotypes.")
    labels = np.asarray(phenotype)
    if labels.shape != (graph.n_cells,):
        raise ValueError(
            f"phenotype must give one label for each of {graph.n_cells} cells, found shape "
            f"{labels.shape}."
        )
    is_target = labels == target
    n_source, n_target = int((labels == source).sum()), int(is_target.sum())
    if not n_source or not n_target:
        absent = target if n_source else source
        return ContactShare(np.nan, np.nan, np.nan, n_source, n_target, f"no cells of {absent!r}")
    touched = np.bincount(graph.sources, is_target[graph.indices], graph.n_cells) > 0
    strata = np.zeros(len(labels), int) if strata is None else np.asarray(strata)
    dealt = Relabelling.of(labels[~is_target] == source, strata[~is_target])
    hit = touched[~is_target]
    value, expected = dealt.observed(hit.astype(float)), dealt.mean_and_variance(hit)[0]
    if dealt.is_degenerate:
        reason = "no p: every stratum holds one label only, there is nothing to relabel"
        return ContactShare(float(value), expected, np.nan, n_source, n_target, reason)
    p = exact_p(*dealt.hit_distribution(hit), int(hit[dealt.moved].sum()))
    return ContactShare(float(value), expected, p, n_source, n_target)


def _check(cell_labels: Any, pixel_size_um: float, max_gap_um: float) -> None:
    if len(cell_labels.shape) != 2 or not np.issubdtype(cell_labels.dtype, np.integer):
        raise ValueError(
            "Labels must be whole numbers of shape (y, x), found "
            f"{cell_labels.dtype} of shape {tuple(cell_labels.shape)}."
        )
    if not (np.isfinite(pixel_size_um) and pixel_size_um > 0):
        raise PixelSizeError(f"The pixel size must be a positive number, found {pixel_size_um!r}.")
    if not (np.isfinite(max_gap_um) and max_gap_um >= 0):
        raise ValueError(f"max_gap_um must be a number of 0 or more, found {max_gap_um!r}.")


def _largest_square(max_gap_um: float, pixel_size_um: float) -> int:
    """The largest squared gap, in square pixels, that is within ``max_gap_um`` once reported."""
    limit = int((max_gap_um / pixel_size_um) ** 2) + 1
    while np.sqrt(limit) * pixel_size_um > max_gap_um:
        limit -= 1
    return limit


def _smallest(pairs: np.ndarray) -> np.ndarray:
    """Each pair once, with its smallest gap: ``(n, 3)`` sorted."""
    pairs = pairs[np.lexsort(pairs.T[::-1])]
    first = np.ones(len(pairs), bool)
    first[1:] = (pairs[1:, :2] != pairs[:-1, :2]).any(axis=1)
    return pairs[first]


@numba.njit(nogil=True, cache=True)
def _runs(block):
    """Runs of one label, row by row: where rows start, first and last column, label."""
    height, width = block.shape
    row_start = np.zeros(height + 1, np.int64)
    for y in range(height):
        n = 0
        for x in range(width):
            n += block[y, x] != 0 and (x == 0 or block[y, x] != block[y, x - 1])
        row_start[y + 1] = row_start[y] + n
    first, last = np.empty(row_start[-1], np.int32), np.empty(row_start[-1], np.int32)
    label = np.empty(row_start[-1], np.int64)
    for y in range(height):
        run = row_start[y] - 1
        for x in range(width):
            if block[y, x] != 0:
                if x == 0 or block[y, x] != block[y, x - 1]:
                    run += 1
                    first[run], label[run] = x, block[y, x]
                last[run] = x
    return row_start, first, last, label


@numba.njit(nogil=True, cache=True)
def _pairs(limit, reach, row_start, first, last, label):
    """Pairs of labels with the smallest squared gap found: ``(n, 3)`` int64, in any order."""
    table = np.full((1024, 3), -1, np.int64)  # open addressing by the two labels
    n_pairs = 0
    height = len(row_start) - 1
    for y in range(height):
        for dy in range(min(reach, height - y)):
            gap_y = max(dy - 1, 0)
            left = limit - gap_y * gap_y
            if left < 0:
                break
            gap_x = int(np.sqrt(left))
            begin = row_start[y + dy]
            for run in range(row_start[y], row_start[y + 1]):
                a = label[run]
                while begin < row_start[y + dy + 1] and last[begin] < first[run] - gap_x - 1:
                    begin += 1
                # In its own row a run meets those to its right; those to the left met it.
                near = run + 1 if dy == 0 else begin
                while near < row_start[y + dy + 1] and first[near] <= last[run] + gap_x + 1:
                    b = label[near]
                    if b != a:
                        between = max(first[near] - last[run], first[run] - last[near]) - 1
                        between = max(between, 0)
                        if 2 * n_pairs > len(table):
                            table = _grown(table)
                        n_pairs += _lower(
                            table, min(a, b), max(a, b), gap_y * gap_y + between * between
                        )
                    near += 1
    return table[table[:, 0] >= 0]


@numba.njit(nogil=True, cache=True)
def _lower(table, a, b, gap):
    """Lower the gap of a pair; 1 if the pair is new."""
    mask = len(table) - 1
    slot = (a * 0x9E3779B1 + b * 0x85EBCA77) & mask
    slot ^= slot >> 7
    while True:
        if table[slot, 0] == -1:
            table[slot, 0], table[slot, 1], table[slot, 2] = a, b, gap
            return 1
        if table[slot, 0] == a and table[slot, 1] == b:
            table[slot, 2] = min(table[slot, 2], gap)
            return 0
        slot = (slot + 1) & mask


@numba.njit(nogil=True, cache=True)
def _grown(table):
    larger = np.full((2 * len(table), 3), -1, np.int64)
    for entry in table:
        if entry[0] >= 0:
            _lower(larger, entry[0], entry[1], entry[2])
    return larger
