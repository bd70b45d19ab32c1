"""Regions out of TIFF files: only the tiles or strips that intersect are read and decoded.

A `TiffSource` carries addresses, not handles, so it travels to any thread or process; each
process keeps a few files open. tifffile's zarr bridge was the alternative: it does not pickle and
decodes on one thread, at up to twice the CPU for small regions.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from tifffile import TiffFile, TiffPage

from macprox.errors import SlideError, reason_of
from macprox.io.decoded import CACHE_BYTES, DecodedTiles, ReadPlan
from macprox.io.tiff_pages import Damaged, Handle, Page, Plane
from macprox.io.tifffile_log import UNREADABLE, tifffile_kept_quiet

_FILES_KEPT_OPEN = 64  # a folder of single-channel TIFFs rarely has more; far below ulimit's 1024


@dataclass(frozen=True)
class TiffSource:
    """Pixels of one or more TIFF files; see `macprox.slide.PixelSource`.

    Parameters
    ----------
    planes : tuple of tuple of Plane
        ``planes[level][channel]``.
    names : tuple of str
        Channel names, for messages.
    dtype : numpy.dtype
        Native byte order; planes of narrower types are widened to it.
    plan : ReadPlan, optional
        What will be read, so that tiles which several regions touch are decoded once.
    """

    planes: tuple[tuple[Plane, ...], ...] = field(repr=False)
    names: tuple[str, ...]
    dtype: np.dtype
    plan: ReadPlan | None = field(default=None, repr=False)

    def expecting(self, level: int, boxes: Sequence[tuple[slice, slice]]) -> TiffSource:
        """The same pixels; see `macprox.slide.Slide.expecting`."""
        return replace(self, plan=ReadPlan.of(level, boxes))

    def read(self, level: int, channel: int, y: slice, x: slice) -> np.ndarray:
        """Pixels ``(y, x)``; slices as numpy's, step 1.

        Raises
        ------
        DamageError
            If a tile lies beyond the end of the file or does not decode: names the file, the
            channel, and the tile by row, column and pixels.
        SlideError
            If the file is gone.
        """
        plane = self.planes[level][channel]
        page = _open_file(plane.path).page(plane.ifd_offset)
        if page.shape != plane.shape or plane.sample >= page.n_channels:
            # tifffile takes pages for copies of the first; a damaged one is not.
            raise SlideError(
                f"{os.path.basename(plane.path)!r} is damaged: the page of channel "
                f"{self.names[channel]!r} at level {level} has {page.n_channels} x "
                f"{page.shape[0]} x {page.shape[1]} px, not {plane.shape[0]} x {plane.shape[1]} a "
                f"channel. Copy or export it again."
            )
        y0, y1 = _bounds(y, page.shape[0])
        x0, x1 = _bounds(x, page.shape[1])
        out = np.empty((y1 - y0, x1 - x0), self.dtype)
        if not out.size:
            return out
        if page.is_raw or plane.data_offset is not None:
            pieces = page.raw_rows(plane, (y0, y1, x0, x1))
        else:
            plan = self.plan if self.plan and self.plan.level == level else None
            pieces = page.decoded(plane, (y0, y1, x0, x1), plan)
        try:
            for (top, left), pixels in pieces:
                bottom, right = top + pixels.shape[0], left + pixels.shape[1]
                out[top - y0 : bottom - y0, left - x0 : right - x0] = pixels
        except Damaged as damage:
            raise damage.told(plane.path, self.names[channel], level) from damage
        return out

    def piece_shape(self, level: int, channel: int) -> tuple[int, int]:
        """``(y, x)`` of a tile or strip; see `macprox.slide.PixelSource`."""
        plane = self.planes[level][channel]
        return _open_file(plane.path).page(plane.ifd_offset).piece_shape(plane)


class _OpenFile:
    """A handle and the pages parsed so far."""

    def __init__(self, path: str, kept: DecodedTiles):
        self._path = path
        self._kept = kept
        self._handle = Handle(path)
        self._pages: dict[int, Page] = {}
        self._lock = threading.Lock()

    def page(self, ifd_offset: int) -> Page:
        with self._lock:
            if ifd_offset not in self._pages:
                self._pages[ifd_offset] = self._parsed(ifd_offset)
            return self._pages[ifd_offset]

    def _parsed(self, ifd_offset: int) -> Page:
        try:
            with tifffile_kept_quiet(), TiffFile(self._path) as tif:
                tif.filehandle.seek(ifd_offset)
                return Page(TiffPage(tif, 0), self._handle, self._kept)
        except UNREADABLE as error:
            raise SlideError(
                f"{os.path.basename(self._path)!r} is truncated or has changed since it was "
                f"opened: no page at byte {ifd_offset} ({reason_of(error)}). Open it again."
            ) from error


class _OpenFiles:
    """The files this process has open, least recently used first."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._files: OrderedDict[tuple, _OpenFile] = OrderedDict()
        self._lock = threading.Lock()
        self._kept = DecodedTiles(CACHE_BYTES)

    def get(self, path: str) -> _OpenFile:
        try:
            state = os.stat(path)
        except OSError as error:
            raise SlideError(
                f"{os.path.basename(path)!r} can no longer be read ({error.strerror}): {path}. "
                f"Was it moved, or a drive disconnected?"
            ) from error
        # A file that was replaced is another file: its old addresses must not be read.
        key = (path, state.st_ino, state.st_size, state.st_mtime_ns)
        with self._lock:
            if key not in self._files:
                self._files[key] = _OpenFile(path, self._kept)
                while len(self._files) > _FILES_KEPT_OPEN:
                    self._files.popitem(last=False)
            self._files.move_to_end(key)
            return self._files[key]


_open_files = _OpenFiles()


def _open_file(path: str) -> _OpenFile:
    global _open_files
    if _open_files.pid != os.getpid():  # after a fork the inherited lock may be held for ever
        _open_files = _OpenFiles()
    return _open_files.get(path)


def _bounds(along: slice, size: int) -> tuple[int, int]:
    start, stop, step = along.indices(size)
    if step != 1:
        raise ValueError(f"Pixels are read in contiguous regions (step 1), found step {step}.")
    return start, max(start, stop)
