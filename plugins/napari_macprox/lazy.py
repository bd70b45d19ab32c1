"""Arrays that napari asks for the pixels it is about to draw, and no others."""

from __future__ import annotations

from typing import Any

import numpy as np

from macprox.slide import Slide


class SlidePlane:
    """One channel of a slide at one pyramid level: ``(y, x)``, read from the file when indexed.

    Neither a dask nor a zarr array: napari keeps its own cache of dask results, and a TIFF needs
    no third layer between its tiles and the screen.
    """

    def __init__(self, slide: Slide, channel: str, level: int) -> None:
        self._slide = slide
        self._channel = slide.channel_index(channel)
        self._level = level
        self.shape = slide.level_shapes[level]
        self.dtype = slide.dtype
        self.ndim = 2
        self.size = self.shape[0] * self.shape[1]

    def __getitem__(self, key: Any) -> np.ndarray:
        rows, columns = _two_axes(key)
        y, of_y = _box(rows, self.shape[0])
        x, of_x = _box(columns, self.shape[1])
        return self._slide.read(self._channel, y, x, level=self._level)[of_y, of_x]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:, :], dtype=dtype)


class ClassView:
    """A label image seen as classes: ``(y, x)``, each cell's id replaced by its class when read.

    A colour for each of a million cells costs gigabytes and half a minute; a table of one small
    number a cell costs a megabyte.

    Parameters
    ----------
    labels : array (y, x)
        Cell ids, 0 is background; a zarr array or anything that slices like one.
    class_of_cell : (n + 1,) unsigned integer
        The class of each id; entry 0 is the background's. Ids beyond the end are background.
    """

    def __init__(self, labels: Any, class_of_cell: np.ndarray) -> None:
        self._labels = labels
        self._class_of_cell = np.append(class_of_cell, class_of_cell[:1])
        self.shape = labels.shape
        self.dtype = class_of_cell.dtype
        self.ndim = 2
        self.size = self.shape[0] * self.shape[1]
        self.chunks = getattr(labels, "chunks", self.shape)

    def __getitem__(self, key: Any) -> np.ndarray:
        return np.take(self._class_of_cell, np.asarray(self._labels[key]), mode="clip")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:, :], dtype=dtype)


def _two_axes(key: Any) -> tuple[Any, Any]:
    parts = [part for part in (key if isinstance(key, tuple) else (key,)) if part is not Ellipsis]
    rows, columns = (*parts, slice(None), slice(None))[:2]
    return rows, columns


def _box(part: Any, length: int) -> tuple[slice, Any]:
    """The stretch of an axis to read, and what to take of it afterwards."""
    if isinstance(part, slice):
        start, stop, step = part.indices(length)
        if step < 1:
            raise IndexError(f"Expected a slice that runs forward, found step {step}.")
        return slice(start, max(start, stop)), slice(None, None, step)
    place = range(length)[part]  # negative counts from the end, beyond it is an IndexError
    return slice(place, place + 1), 0
