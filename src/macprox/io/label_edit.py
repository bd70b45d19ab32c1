"""Painting into finished label images: a few runs of pixels, on every level of the pyramid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import zarr

from macprox.errors import ResultError
from macprox.image.tiles import Box
from macprox.io.store import LABEL_NAMES


def read_labels(labels: Path, box: Box) -> dict[str, np.ndarray]:
    """Every label image of a box at full resolution.

    Parameters
    ----------
    labels : Path
        ``labels.zarr``.
    box : Box

    Returns
    -------
    dict of str to (y, x) int32
        By image: ``nuclei`` and ``cells``.

    Raises
    ------
    ResultError
        If there are none.
    """
    return {
        name: np.asarray(_level(labels / name, 0, "r")[box.slices]).astype(np.int32)
        for name in LABEL_NAMES
    }


def paint(image: Path, runs: np.ndarray) -> None:
    """Give pixels of one label image other values; painting twice is painting once.

    A killed process leaves whole chunks behind, painted or not: zarr replaces each by a rename.

    Parameters
    ----------
    image : Path
        Group of the image, ``labels.zarr/cells``.
    runs : (n, 4) int64
        Row, first column, column after the last (full-resolution px), and the value.

    Raises
    ------
    ResultError
        If there is no such image.
    """
    if not len(runs):
        return
    for number in range(_n_levels(image)):
        on_level = _on_level(runs, 1 << number)
        if not len(on_level):
            return  # a pixel of a coarser level is one of this level
        level = _level(image, number, "r+")
        for chunk, inside in _by_chunk(on_level, level.chunks, level.shape):
            _paint_chunk(level, chunk, inside)


def _on_level(runs: np.ndarray, step: int) -> np.ndarray:
    """The same runs among every ``step``-th pixel of every ``step``-th row."""
    y, x0, x1, value = runs[runs[:, 0] % step == 0].T
    found = np.column_stack([y // step, -(-x0 // step), -(-x1 // step), value])
    return found[found[:, 1] < found[:, 2]]


def _by_chunk(
    runs: np.ndarray, side: tuple[int, ...], shape: tuple[int, ...]
) -> Iterator[tuple[Box, np.ndarray]]:
    """Each chunk that runs reach, in raster order, and those runs."""
    y, x0, x1, _ = runs.T
    first, last = x0 // side[1], (x1 - 1) // side[1]
    for row in np.unique(y // side[0]):
        in_row = y // side[0] == row
        for column in range(int(first[in_row].min()), int(last[in_row].max()) + 1):
            inside = in_row & (first <= column) & (last >= column)
            if inside.any():
                top, left = int(row) * side[0], column * side[1]
                bottom, right = min(top + side[0], shape[0]), min(left + side[1], shape[1])
                yield Box(top, bottom, left, right), runs[inside]


def _paint_chunk(level: zarr.Array, chunk: Box, runs: np.ndarray) -> None:
    before = np.asarray(level[chunk.slices])
    after = before.copy()
    for y, x0, x1, value in runs:
        after[y - chunk.y0, max(x0 - chunk.x0, 0) : x1 - chunk.x0] = value
    if not np.array_equal(after, before):
        level[chunk.slices] = after


def _n_levels(image: Path) -> int:
    try:
        group = zarr.open_group(str(image), mode="r")
    except FileNotFoundError as error:
        raise _no_labels(image) from error
    described: dict = dict(group.attrs)
    return len(described["ome"]["multiscales"][0]["datasets"])


def _level(image: Path, number: int, mode: str) -> zarr.Array:
    try:
        return zarr.open_array(str(image / str(number)), mode=mode)
    except FileNotFoundError as error:
        raise _no_labels(image) from error


def _no_labels(image: Path) -> ResultError:
    return ResultError(
        f"{image} is not there: cells cannot be drawn into labels that are missing. Copy the whole "
        "slide's folder, or run the slide again."
    )
