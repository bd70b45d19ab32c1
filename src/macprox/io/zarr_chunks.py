"""Regions out of OME-Zarr arrays; a chunk that does not decode is named."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from macprox.errors import DamageError, SlideError, reason_of
from macprox.io.zarr_damage import DECODE_ERRORS
from macprox.slide import Url, location

METADATA_NAMES = frozenset({".zattrs", ".zgroup", ".zarray", ".zmetadata", "zarr.json"})


@dataclass(frozen=True)
class ZarrSource:
    """Pixels of an OME-Zarr image; see `macprox.slide.PixelSource`.

    Parameters
    ----------
    store : str
        The folder of the image group, or its address.
    levels : tuple of str
        Path of each level's array inside it.
    axes : str
        One letter per dimension, with ``y`` and ``x``; what is not ``c``, ``y`` or ``x`` has
        length 1.
    names : tuple of str
        Channel names, for messages.
    dtype : numpy.dtype
    """

    store: str
    levels: tuple[str, ...]
    axes: str
    names: tuple[str, ...]
    dtype: np.dtype = field(repr=False)

    def read(self, level: int, channel: int, y: slice, x: slice) -> np.ndarray:
        """Pixels ``(y, x)``; chunks that are absent hold the array's fill value."""
        array = _open_array(self.store, self.levels[level])
        index = {"c": channel, "y": y, "x": x}
        try:
            region = array[tuple(index.get(axis, 0) for axis in self.axes)]
        except SlideError:  # a server that does not answer
            raise
        except DECODE_ERRORS as error:
            raise self._damage(array, level, channel, (y, x), error) from error
        region = np.asarray(region)
        if self.axes.index("y") > self.axes.index("x"):
            region = region.T
        return region.astype(self.dtype, copy=False)

    def piece_shape(self, level: int, channel: int) -> tuple[int, int]:
        """``(y, x)`` of a chunk; of those in a shard, which decode one by one."""
        array = _open_array(self.store, self.levels[level])
        return array.chunks[self.axes.index("y")], array.chunks[self.axes.index("x")]

    def _damage(
        self, array: Any, level: int, channel: int, region: tuple[slice, slice], error: Exception
    ) -> DamageError:
        at = [self.axes.index("y"), self.axes.index("x")]
        shape = [array.shape[i] for i in at]
        chunk = [(array.shards or array.chunks)[i] for i in at]
        where = "a chunk"
        for row, column in _chunks_in(region, shape, chunk):
            y0, x0 = row * chunk[0], column * chunk[1]
            inside = {"c": channel, "y": slice(y0, y0 + chunk[0]), "x": slice(x0, x0 + chunk[1])}
            try:
                array[tuple(inside.get(axis, 0) for axis in self.axes)]
            except DECODE_ERRORS as inner:
                where = f"chunk row {row}, column {column} (pixels from y {y0}, x {x0})"
                error = inner
                break
        name = repr(os.path.basename(self.store))
        place = f"channel {self.names[channel]!r}, {where} of level {level}"
        return DamageError(
            f"{name} is damaged or truncated: {place} does not decode ({reason_of(error)}). "
            f"Copy or export it again.",
            f"{name}, {place}",
        )


def _chunks_in(
    region: tuple[slice, slice], shape: list[int], chunk: list[int]
) -> Iterator[tuple[int, int]]:
    (y0, y1, _), (x0, x1, _) = (
        part.indices(size) for part, size in zip(region, shape, strict=True)
    )
    for row in range(y0 // chunk[0], -(-y1 // chunk[0])):
        for column in range(x0 // chunk[1], -(-x1 // chunk[1])):
            yield row, column


_opening = threading.Lock()


def _open_array(store: str, level: str) -> Any:
    """An open zarr array; its metadata are read once per process, and again when rewritten."""
    place = location(store)
    if isinstance(place, Url):
        return _remote_array(store, level)
    metadata = (place / level / name for name in ("zarr.json", ".zarray"))
    stamp = next((file.stat().st_mtime_ns for file in metadata if file.is_file()), None)
    if stamp is None:
        raise SlideError(
            f"{os.path.basename(store)!r} can no longer be read: level {level!r} is gone from "
            f"{store}. Was it moved, or a drive disconnected?"
        )
    return _cached_array(os.getpid(), stamp, store, level)


def _remote_array(url: str, level: str) -> Any:
    """The same on a web server, which is not asked before every chunk whether its files changed."""
    try:
        return _cached_array(os.getpid(), None, url, level)
    except FileNotFoundError as error:
        raise SlideError(
            f"Level {level!r} is gone from {url}. Was the slide taken off the server?"
        ) from error


@lru_cache(maxsize=64)
def _cached_array(pid: int, stamp: int | None, store: str, level: str) -> Any:
    import zarr

    with _opening:
        return zarr.open_array(store_at(location(store)), path=level, mode="r")


def store_at(place: Path | Url) -> Any:
    """What zarr opens: the name of a folder, or a store on a web server."""
    if isinstance(place, Url):
        from macprox.io.http_store import HttpStore

        return HttpStore(place)
    return str(place)
