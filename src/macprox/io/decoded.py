"""Decoded tiles kept for the neighbour that needs them again; bounded, shared by threads.

Regions of a slide overlap by their halos, and every overlap touches whole compressed tiles: without
this, half of a slide's tiles are decoded two to four times.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np

CACHE_BYTES = 160 * 2**20  # six 16-bit channels along the border of five 2,048 px tiles


@dataclass(frozen=True)
class ReadPlan:
    """Which regions of one pyramid level will be read, each once a channel: a grid of boxes.

    Parameters
    ----------
    level : int
    rows, columns : tuple of (int, int)
        From and to, in pixels, of the grid's rows and columns; they may overlap.
    """

    level: int
    rows: tuple[tuple[int, int], ...]
    columns: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, level: int, boxes: Sequence[tuple[slice, slice]]) -> ReadPlan:
        """The plan of a grid's boxes, given as ``(y, x)`` slices."""
        rows, columns = (
            tuple(sorted({(int(box[axis].start), int(box[axis].stop)) for box in boxes}))
            for axis in (0, 1)
        )
        return cls(level, rows, columns)

    def n_reads(self, y: tuple[int, int], x: tuple[int, int]) -> int:
        """How many of the boxes hold a pixel of the region ``y[0]:y[1], x[0]:x[1]``."""
        along = (
            sum(first < stop and last > start for first, last in spans)
            for spans, (start, stop) in ((self.rows, y), (self.columns, x))
        )
        n_rows, n_columns = along
        return n_rows * n_columns


@dataclass
class _Tile:
    """A decoded tile, or one that a thread is decoding now."""

    reads_left: int
    ready: threading.Event = field(default_factory=threading.Event)
    pixels: np.ndarray | None = None
    failed: bool = False

    @property
    def n_bytes(self) -> int:
        return 0 if self.pixels is None else self.pixels.nbytes


class DecodedTiles:
    """Tiles that will be read again, the least recently read dropped first beyond ``max_bytes``.

    A tile leaves with its last planned read, so that what is kept is the border between regions
    done and regions to come. A plan that does not come true costs only decoding.
    """

    def __init__(self, max_bytes: int = CACHE_BYTES):
        self._max_bytes = max_bytes
        self._n_bytes = 0
        self._tiles: OrderedDict[Hashable, _Tile] = OrderedDict()
        self._lock = threading.Lock()

    def get(
        self, key: Hashable, n_reads: int, decode: Callable[[], np.ndarray | None]
    ) -> np.ndarray | None:
        """The tile called ``key``, decoded here unless a thread has it or is just decoding it.

        Parameters
        ----------
        key : hashable
        n_reads : int
            How often it will be asked for in all.
        decode : callable
            Gives the pixels, or None for an empty tile; what it raises reaches every caller.
        """
        if n_reads < 2:
            return decode()
        with self._lock:
            tile = self._tiles.get(key)
            found = tile is not None
            if tile is None:
                tile = self._tiles[key] = _Tile(n_reads)
            tile.reads_left -= 1
            self._tiles.move_to_end(key)
            if tile.reads_left == 0:
                self._drop(key)
        if not found:
            self._decode(key, tile, decode)
        tile.ready.wait()
        return decode() if tile.failed else tile.pixels

    def _decode(self, key: Hashable, tile: _Tile, decode: Callable[[], np.ndarray | None]) -> None:
        try:
            pixels = decode()
        except BaseException:
            with self._lock:
                tile.failed = True
                self._drop(key)
            tile.ready.set()
            raise
        with self._lock:
            tile.pixels = pixels
            if self._tiles.get(key) is tile:  # not read for the last time meanwhile
                self._n_bytes += tile.n_bytes
            while self._n_bytes > self._max_bytes:
                self._drop(next(k for k, kept in self._tiles.items() if kept.n_bytes))
        tile.ready.set()

    def _drop(self, key: Hashable) -> None:
        if key in self._tiles:
            self._n_bytes -= self._tiles.pop(key).n_bytes
