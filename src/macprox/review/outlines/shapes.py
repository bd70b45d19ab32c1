"""Outlines of cells on a small label image: added, split, merged, drawn anew. Arrays, no slide."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage as ndi

from macprox.errors import MacproxError

EIGHT = np.ones((3, 3), bool)  # pixels that touch at a corner are one piece
MAX_GAP_PX = 10  # wider than a seam between two halves of one cell


def area_within(outline_px: ArrayLike, shape: tuple[int, int]) -> np.ndarray:
    """The pixels inside a closed outline.

    Parameters
    ----------
    outline_px : (n, 2) float
        Corners as array indices, columns (y, x); three at least. (0, 0) is the middle of the first
        pixel, as in napari.
    shape : (int, int)
        ``(y, x)`` of the label image.

    Returns
    -------
    (y, x) bool
    """
    from skimage.draw import polygon2mask

    return polygon2mask(shape, np.asarray(outline_px, float))


def add(cells: np.ndarray, area: np.ndarray, over_others: bool = False) -> np.ndarray:
    """One more cell.

    Parameters
    ----------
    cells : (y, x) int
    area : (y, x) bool
        Its pixels.
    over_others : bool
        Take pixels from other cells, too; else only background.

    Returns
    -------
    (y, x) int32
        A copy; the new cell has the next number.

    Raises
    ------
    MacproxError
        If nothing is left of it.
    """
    drawn = area & ((cells == 0) | over_others)
    if not drawn.any():
        raise MacproxError("There is no room for a cell here: the place belongs to other cells.")
    return _painted(cells, drawn, _next_number(cells))


def redraw(cells: np.ndarray, cell_id: int, area: np.ndarray) -> np.ndarray:
    """A cell with other pixels, some of which its neighbours may lose; as `add`.

    Raises
    ------
    MacproxError
        If there is no such cell, or no pixel is drawn.
    """
    _require(cells, [cell_id])
    if not area.any():
        raise MacproxError("The new outline holds no pixel; draw it around the cell.")
    return _painted(remove(cells, [cell_id]), area, cell_id)


def remove(cells: np.ndarray, ids: Iterable[int]) -> np.ndarray:
    """Without some cells; their pixels are background."""
    return np.where(np.isin(cells, [*ids]), 0, cells).astype(np.int32)


def merge(cells: np.ndarray, ids: Iterable[int]) -> np.ndarray:
    """Several cells as one, with the lowest of their numbers.

    A gap of background between them, up to 10 pixels wide, becomes part of the cell.

    Parameters
    ----------
    cells : (y, x) int
    ids : iterable of int
        Two at least.

    Returns
    -------
    (y, x) int32
        A copy.

    Raises
    ------
    MacproxError
        If there are fewer cells, or they lie farther apart.
    """
    chosen = sorted({int(number) for number in ids} - {0})
    if len(chosen) < 2:
        raise MacproxError("Choose two cells or more to make one of them.")
    _require(cells, chosen)
    mask = np.isin(cells, chosen)
    free = mask | (cells == 0)
    for gap_px in range(MAX_GAP_PX // 2 + 1):
        whole = _closed(mask, gap_px) & free
        if ndi.label(whole, EIGHT)[1] == 1:
            return _painted(cells, whole, chosen[0])
    raise MacproxError(
        "These cells do not touch, so they cannot become one; paint what lies between them first."
    )


def split(cells: np.ndarray, cell_id: int, line_px: ArrayLike) -> np.ndarray:
    """A cell cut in pieces by a line drawn across it.

    Parameters
    ----------
    cells : (y, x) int
    cell_id : int
    line_px : (n, 2) float
        Points of the line as array indices, columns (y, x); two at least.

    Returns
    -------
    (y, x) int32
        A copy. The largest piece keeps the number, the others have the next ones; the pixels under
        the line go to the nearest piece.

    Raises
    ------
    MacproxError
        If there is no such cell, or the line does not part it.
    """
    _require(cells, [cell_id])
    mask = cells == cell_id
    pieces, n_pieces = ndi.label(mask & ~_under(line_px, mask.shape), EIGHT)
    if n_pieces < 2 or n_pieces <= ndi.label(mask, EIGHT)[1]:
        raise MacproxError("The line does not part the cell; draw it from side to side across it.")
    area_px = np.bincount(pieces.ravel())[1:]
    numbers = np.empty(n_pieces + 1, np.int32)
    numbers[1 + np.argsort(-area_px, kind="stable")] = [
        cell_id, *range(_next_number(cells), _next_number(cells) + n_pieces - 1)
    ]  # fmt: skip
    nearest = ndi.distance_transform_edt(pieces == 0, return_distances=False, return_indices=True)
    parted = cells.astype(np.int32)
    parted[mask] = numbers[pieces[tuple(nearest)]][mask]
    return parted


def fill_holes(cells: np.ndarray, ids: Iterable[int]) -> np.ndarray:
    """Background that a cell encloses becomes part of it."""
    filled = cells.astype(np.int32)
    for number in ids:
        holes = ndi.binary_fill_holes(cells == number) & (cells == 0)
        filled[holes] = number
    return filled


def _closed(mask: np.ndarray, gap_px: int) -> np.ndarray:
    """A mask whose gaps of up to twice ``gap_px`` are bridged."""
    if gap_px == 0:
        return mask
    room = np.pad(mask, gap_px)
    return ndi.binary_closing(room, EIGHT, iterations=gap_px)[gap_px:-gap_px, gap_px:-gap_px]


def _under(line_px: ArrayLike, shape: tuple[int, int]) -> np.ndarray:
    """Pixels under a line: a path without diagonal steps, which no corner slips through."""
    points = np.asarray(line_px, float).reshape(-1, 2)
    path = [points[:1]]
    for start, stop in pairwise(points):
        n_steps = max(1, int(np.ceil(4 * np.abs(stop - start).max())))
        path.append(start + (stop - start) * np.arange(1, n_steps + 1)[:, None] / n_steps)
    pixels = np.rint(np.concatenate(path)).astype(int)
    corners = np.column_stack([pixels[:-1, 0], pixels[1:, 1]])
    pixels = np.concatenate([pixels, corners])
    y, x = pixels[((pixels >= 0) & (pixels < shape)).all(axis=1)].T
    under = np.zeros(shape, bool)
    under[y, x] = True
    return under


def _painted(cells: np.ndarray, area: np.ndarray, number: int) -> np.ndarray:
    painted = cells.astype(np.int32)
    painted[area] = number
    return painted


def _next_number(cells: np.ndarray) -> int:
    return int(cells.max(initial=0)) + 1


def _require(cells: np.ndarray, ids: Iterable[int]) -> None:
    for number in ids:
        if number <= 0 or not (cells == number).any():
            raise MacproxError(f"There is no cell {number} on this crop; click on one.")
