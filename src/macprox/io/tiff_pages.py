"""One page of a TIFF: where its tiles or strips lie, and how they decode."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from tifffile import TiffPage

from macprox.errors import DamageError, reason_of
from macprox.io.decoded import DecodedTiles, ReadPlan
from macprox.io.plausible import could_hold
from macprox.io.tifffile_log import UNREADABLE

_READ_BYTES = 2**26
_MAX_CHUNK_PX = 2**31  # scanners' tiles have 2**18; more than this is damage, not a slide


@dataclass(frozen=True)
class Plane:
    """One channel at one pyramid level: the address of its directory in its file.

    Parameters
    ----------
    path : str
    ifd_offset : int
        Byte at which the page's directory begins.
    shape : (int, int)
        ``(y, x)`` that the page has to have.
    sample : int
        Which of the page's samples is the channel, where one page holds several.
    data_offset : int, optional
        First byte of the pixels, where the file left out this plane's own directory (ImageJ
        beyond 4 GB: uncompressed planes one after the other behind the first).
    """

    path: str
    ifd_offset: int
    shape: tuple[int, int]
    sample: int = 0
    data_offset: int | None = None


class Damaged(Exception):
    """A tile or strip that cannot be had."""

    def __init__(self, where: str, why: str, truncated: bool = False):
        super().__init__(where, why)
        self.where, self.why, self.truncated = where, why, truncated

    def told(self, path: str, channel: str, level: int) -> DamageError:
        """The same for people, who know files and channels."""
        name, state = os.path.basename(path), "is truncated" if self.truncated else "is damaged"
        at_level = f" of pyramid level {level}" if level else ""
        place = f"channel {channel!r}, {self.where}{at_level}"
        return DamageError(
            f"{name!r} {state}: {place} {self.why}. Copy or export it again.", f"{name!r}, {place}"
        )


class Page:
    """One page's layout and decoder, detached from the file object that parsed it."""

    def __init__(self, page: TiffPage, handle: Handle, kept: DecodedTiles):
        self._handle = handle
        self._kept = kept
        self.shape = (page.imagelength, page.imagewidth)
        if page.is_tiled:
            self._chunk = (page.tilelength, page.tilewidth)
        else:
            self._chunk = (min(page.rowsperstrip, page.imagelength), page.imagewidth)
        self._kind = "tile" if page.is_tiled else "strip"
        self._offsets = np.asarray(page.dataoffsets, np.int64)
        self._counts = np.asarray(page.databytecounts, np.int64)
        self._separate = page.planarconfig == 2 and page.samplesperpixel > 1
        self.n_channels = page.samplesperpixel
        self._n_samples = 1 if self._separate else page.samplesperpixel
        self._fill = page.nodata
        # Bound while the file is open: building the decoder may look at the first tile.
        self._decode = page.decode
        self._jpeg_tables = page.jpegtables
        dtype = np.dtype(page.dtype)
        self._file_dtype = dtype.newbyteorder(page.parent.byteorder)
        self.is_raw = (
            not page.is_tiled
            and page.compression == 1
            and page.predictor == 1
            and page.fillorder == 1
            and page.bitspersample == 8 * dtype.itemsize
        )
        self._require_sound_layout(page.samplesperpixel if self._separate else 1)

    def _require_sound_layout(self, n_separate: int) -> None:
        sizes = (*self.shape, *self._chunk, self.n_channels)
        if not all(isinstance(size, int) and size > 0 for size in sizes):
            raise ValueError(f"a page with {self._kind}s of {sizes} is none")
        n_expected = n_separate * self._grid[0] * self._grid[1]
        if min(len(self._offsets), len(self._counts)) < n_expected:
            raise ValueError(f"{n_expected} {self._kind}s announced, {len(self._offsets)} there")
        if not self.is_raw and self._chunk[0] * self._chunk[1] > _MAX_CHUNK_PX:
            raise ValueError(f"{self._kind}s of {self._chunk[0]} x {self._chunk[1]} px")

    def piece_shape(self, plane: Plane) -> tuple[int, int]:
        """``(y, x)`` of a tile or strip; of rows read in one go where nothing is compressed."""
        if not (self.is_raw or plane.data_offset is not None):
            return self._chunk
        row_bytes = self.shape[1] * self._file_dtype.itemsize * self._n_samples
        return max(1, min(self._chunk[0], _READ_BYTES // row_bytes)), self.shape[1]

    @property
    def _grid(self) -> tuple[int, int]:
        return -(-self.shape[0] // self._chunk[0]), -(-self.shape[1] // self._chunk[1])

    def decoded(
        self, plane: Plane, box: tuple[int, int, int, int], plan: ReadPlan | None = None
    ) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
        """The parts of ``box`` that each intersecting tile or strip holds, at ``(y, x)``.

        With a plan of all that will be read, tiles that other boxes need too are kept for them.
        """
        y0, y1, x0, x1 = box
        height, width = self._chunk
        n_rows, n_columns = self._grid
        first = plane.sample * n_rows * n_columns if self._separate else 0
        sample = 0 if self._separate else plane.sample
        for row in range(y0 // height, -(-y1 // height)):
            for column in range(x0 // width, -(-x1 // width)):
                top, left = max(y0, row * height), max(x0, column * width)
                bottom, right = min(y1, (row + 1) * height), min(x1, (column + 1) * width)
                index = first + row * n_columns + column
                tile = self._kept.get(
                    (self, index),
                    self._n_reads(plan, row, column),
                    partial(self._segment, index, row, column),
                )
                if tile is None:
                    yield (top, left), np.full((bottom - top, right - left), self._fill)
                    continue
                inner = np.s_[top - row * height : bottom - row * height,
                              left - column * width : right - column * width]  # fmt: skip
                yield (top, left), tile[..., sample][inner]

    def _n_reads(self, plan: ReadPlan | None, row: int, column: int) -> int:
        """How often a tile will be asked for: by every box that it touches, for every sample."""
        if plan is None:
            return 1
        height, width = self._chunk
        y, x = row * height, column * width
        return self._n_samples * plan.n_reads((y, y + height), (x, x + width))

    def _segment(self, index: int, row: int, column: int) -> np.ndarray | None:
        """One decoded tile ``(y, x, sample)``; ``None`` where the file leaves it out as empty."""
        where = self._where(row, column)
        n_bytes, offset = int(self._counts[index]), int(self._offsets[index])
        if n_bytes == 0:
            return None
        data = self._bytes(offset, n_bytes, where)
        n_decoded = self._chunk[0] * self._chunk[1] * self._n_samples * self._file_dtype.itemsize
        if not could_hold(n_bytes, n_decoded):
            raise Damaged(where, f"has {n_bytes} bytes, too few for {n_decoded} of pixels")
        try:
            pixels = self._decode(data, index, jpegtables=self._jpeg_tables)[0]
        except (*UNREADABLE, MemoryError) as error:
            # The tile's size is plausible; what asks for all memory is a header inside it (LERC).
            raise Damaged(where, f"does not decode ({reason_of(error)})") from error
        return None if pixels is None else pixels[0]

    def raw_rows(
        self, plane: Plane, box: tuple[int, int, int, int]
    ) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
        """``box`` out of uncompressed strips, reading no byte outside its columns."""
        y0, y1, x0, x1 = box
        width, n_samples = self.shape[1], self._n_samples
        pixel_bytes = self._file_dtype.itemsize * n_samples
        strip_rows = self.shape[0] if plane.data_offset is not None else self._chunk[0]
        sample = 0 if self._separate else plane.sample
        # Whole rows come in one read a strip (or 64 MiB), narrow columns of wide rows row by row.
        whole = 2 * (x1 - x0) >= width
        step = min(strip_rows, max(1, _READ_BYTES // (width * pixel_bytes))) if whole else 1
        left, right = (0, width) if whole else (x0, x1)
        top = y0
        while top < y1:
            strip = top // strip_rows
            first = strip * strip_rows
            bottom = min(y1, top + step, first + strip_rows)
            begin = ((top - first) * width + left) * pixel_bytes
            n_bytes = ((bottom - top - 1) * width + right - left) * pixel_bytes
            data = self._raw_bytes(plane, strip, begin, n_bytes)
            if data is None:
                yield (top, x0), np.full((bottom - top, x1 - x0), self._fill)
            else:
                pixels = np.frombuffer(data, self._file_dtype)
                pixels = pixels.reshape(bottom - top, right - left, n_samples)
                yield (top, x0), pixels[:, x0 - left : x1 - left, sample]
            top = bottom

    def _raw_bytes(self, plane: Plane, strip: int, begin: int, n_bytes: int) -> bytes | None:
        """Part of an uncompressed strip; ``None`` where the file leaves it out as empty."""
        where = self._where(strip, 0)
        if plane.data_offset is not None:
            return self._bytes(plane.data_offset + begin, n_bytes, where)
        index = strip + (plane.sample * self._grid[0] if self._separate else 0)
        if self._counts[index] == 0:
            return None
        if begin + n_bytes > self._counts[index]:
            raise Damaged(where, f"holds only {self._counts[index]} bytes, fewer than its pixels")
        return self._bytes(int(self._offsets[index]) + begin, n_bytes, where)

    def _bytes(self, offset: int, n_bytes: int, where: str) -> bytes:
        data = self._handle.read(offset, n_bytes)
        if len(data) < n_bytes:
            why = f"ends at byte {offset + n_bytes}, after the end of the file"
            raise Damaged(where, why, truncated=True)
        return data

    def _where(self, row: int, column: int) -> str:
        height, width = self._chunk
        bottom = min(self.shape[0], (row + 1) * height) - 1
        right = min(self.shape[1], (column + 1) * width) - 1
        if self._kind == "strip":
            return f"strip {row} (pixels y {row * height}-{bottom})"
        return (
            f"tile row {row}, column {column} "
            f"(pixels y {row * height}-{bottom}, x {column * width}-{right})"
        )


class Handle:
    """A file descriptor for reads at any position from any thread; closed when unreferenced."""

    def __init__(self, path: str):
        self._fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._lock = threading.Lock()
        weakref.finalize(self, os.close, self._fd)
        self._n_bytes = os.fstat(self._fd).st_size

    def read(self, offset: int, n_bytes: int) -> bytes:
        """``n_bytes`` from ``offset``, fewer only where the file ends."""
        n_bytes = max(0, min(n_bytes, self._n_bytes - offset))  # before a damaged count takes all
        if offset < 0 or n_bytes == 0:
            return b""
        data = self._read_once(offset, n_bytes)
        while len(data) < n_bytes:  # one call gives 2 GiB at most
            more = self._read_once(offset + len(data), n_bytes - len(data))
            if not more:
                break
            data += more
        return data

    def _read_once(self, offset: int, n_bytes: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._fd, n_bytes, offset)
        with self._lock:  # Windows has one position per descriptor
            os.lseek(self._fd, offset, os.SEEK_SET)
            return os.read(self._fd, n_bytes)
