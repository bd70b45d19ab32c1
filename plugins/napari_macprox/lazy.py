"""Arrays that napari asks for the pixels it is about to draw, and no others."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import binary_dilation

from macprox.errors import MacproxError
from macprox.slide import Slide

_told: set[str] = set()  # files that a sentence was said about


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
        try:
            pixels = self._slide.read(self._channel, y, x, level=self._level)
        except MacproxError as error:
            _tell_once(self._slide.path, str(error))
            pixels = np.zeros((y.stop - y.start, x.stop - x.start), self.dtype)
        return pixels[of_y, of_x]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:, :], dtype=dtype)


class CoarsePlane:
    """A plane ``(y, x)`` made of a coarser one by repeating its pixels, those asked for alone.

    It stands for the pyramid levels that a slide's file lacks: without them napari would read the
    whole of the finest level to show an overview.

    Parameters
    ----------
    coarse : (y, x) array
    shape : (int, int)
        What the plane pretends to be.
    coarse_px : float
        Side of a coarse pixel, in the plane's pixels.
    dtype : numpy.dtype
        Of the finer levels, to which values are rounded.
    """

    def __init__(
        self, coarse: np.ndarray, shape: tuple[int, int], coarse_px: float, dtype: np.dtype
    ) -> None:
        self._coarse = coarse
        self._coarse_px = coarse_px
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.ndim = 2
        self.size = shape[0] * shape[1]

    def __getitem__(self, key: Any) -> np.ndarray:
        rows, columns = (
            np.minimum(((np.arange(n)[part] + 0.5) / self._coarse_px).astype(int), limit - 1)
            for part, n, limit in zip(_two_axes(key), self.shape, self._coarse.shape, strict=True)
        )
        found = self._coarse[rows][..., columns]
        return (np.rint(found) if self.dtype.kind in "iu" else found).astype(self.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:, :], dtype=dtype)


class LabelPlane:
    """One level of a label image ``(y, x)`` that remembers the ids of what was last looked at.

    Several views of the same cells share one: a cut that is dragged, or a cell that gets another
    phenotype, changes what the ids mean and not the ids.

    Parameters
    ----------
    labels : array (y, x)
        Cell ids, 0 is background; a zarr array or anything that slices like one.
    """

    N_KEPT = 2  # the view, and the coarsest level as a whole for the thumbnail

    def __init__(self, labels: Any) -> None:
        self.labels = labels
        self._kept: dict[tuple, np.ndarray] = {}
        self._rims: dict[tuple, np.ndarray] = {}  # by view and width of the rim
        self.n_read_px = 0
        self.shape = labels.shape
        self.chunks = getattr(labels, "chunks", self.shape)

    def ids(self, key: Any) -> np.ndarray:
        """Ids as indices, so that looking them up needs no conversion."""
        place = _place(key, self.shape)
        if place is None:
            return self._read(key)
        if place not in self._kept:
            while len(self._kept) >= self.N_KEPT:
                oldest = next(iter(self._kept))
                del self._kept[oldest]
                self._rims = {key: ids for key, ids in self._rims.items() if key[0] != oldest}
            self._kept[place] = self._read(key)
            self.n_read_px += self._kept[place].size
        return self._kept[place]

    def __getitem__(self, key: Any) -> np.ndarray:
        """Ids that are not remembered; background where they cannot be read."""
        return self._read(key)

    def _read(self, key: Any) -> np.ndarray:
        try:
            found = self.labels[key]
        except (OSError, RuntimeError, ValueError) as error:  # a damaged chunk
            _tell_once(getattr(self.labels, "store_path", ""), str(error))
            found = np.broadcast_to(np.intp(0), self.shape)[key]
        return np.asarray(found).astype(np.intp)

    def rims(self, key: Any, rim_px: int) -> np.ndarray:
        """The ids without the inside of each cell: so many of its outermost pixels are left."""
        place = _place(key, self.shape)
        if place is None:
            return self.ids(key)
        ids = self.ids(key)
        if (place, rim_px) not in self._rims:
            self._rims[place, rim_px] = np.where(_near_edges(ids, rim_px), ids, 0)
        return self._rims[place, rim_px]

    def at(self, row: int, column: int) -> int:
        """The id of one pixel; 0 beyond the edges."""
        height, width = self.shape
        there = 0 <= row < height and 0 <= column < width
        return int(self._read((row, column))) if there else 0

    def forget(self) -> None:
        """The labels on disk have changed."""
        self._kept.clear()
        self._rims.clear()


class ClassView:
    """A label image seen as classes: ``(y, x)``, each cell's id replaced by its class when read.

    A colour for each of a million cells costs gigabytes and half a minute; a table of one small
    number a cell costs a megabyte.

    Parameters
    ----------
    labels : LabelPlane or array (y, x)
        Cell ids, 0 is background.
    class_of_cell : (n + 1,) unsigned integer
        The class of each id; entry 0 is the background's. Ids beyond the end are background.
    rim_px : int
        Draw only so many of the outermost pixels of each cell; 0 for all of it. Made from the ids,
        so that two touching cells of one class stay two.
    """

    def __init__(self, labels: Any, class_of_cell: np.ndarray, rim_px: int = 0) -> None:
        self.plane = labels if isinstance(labels, LabelPlane) else LabelPlane(labels)
        self.rim_px = rim_px
        self.shape = self.plane.shape
        self.dtype = class_of_cell.dtype
        self.ndim = 2
        self.size = self.shape[0] * self.shape[1]
        self.chunks = self.plane.chunks
        self._whole: np.ndarray | None = None
        self.recolour(class_of_cell)

    def recolour(self, class_of_cell: np.ndarray) -> None:
        """From now on these are the classes; the ids in view are not read again."""
        self._class_of_cell = np.append(class_of_cell, class_of_cell[:1])
        self.fill_again()

    def fill_again(self) -> None:
        """napari keeps the coarsest level as the array it once got: that array follows."""
        if self._whole is not None:
            self._whole[...] = self[:, :]

    def __getitem__(self, key: Any) -> np.ndarray:
        ids = self.plane.rims(key, self.rim_px) if self.rim_px else self.plane.ids(key)
        return np.take(self._class_of_cell, ids, mode="clip")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self._whole is None:
            self._whole = self[:, :]
        return np.array(self._whole, dtype=dtype, copy=copy)


def _near_edges(ids: np.ndarray, rim_px: int) -> np.ndarray:
    """Which pixels are nearer than this to another cell or the background."""
    near = np.zeros(ids.shape, bool)
    for axis in range(2):
        before = (slice(None),) * axis + (slice(None, -1),)
        after = (slice(None),) * axis + (slice(1, None),)
        differs = ids[before] != ids[after]
        near[before] |= differs
        near[after] |= differs
    return near if rim_px < 2 else binary_dilation(near, iterations=rim_px - 1)


def _place(key: Any, shape: tuple[int, ...]) -> tuple | None:
    """What to remember a view by; None for single rows and pixels, which are not remembered."""
    parts = _two_axes(key)
    if not all(isinstance(part, slice) for part in parts):
        return None
    return tuple(part.indices(n) for part, n in zip(parts, shape, strict=True))


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


def _tell_once(path: Any, reason: str) -> None:
    """A file that is lost or damaged while it is looked at: black there, not a dialog a step."""
    if str(path) in _told:
        return
    _told.add(str(path))
    from napari.utils.notifications import show_warning  # layer data can be made without a window

    show_warning(
        f"A part of {path} cannot be read and stays empty ({' '.join(reason.split())}). Bring the "
        "file back, or copy it again, and open the slide once more."
    )
