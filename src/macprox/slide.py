"""`Slide`: lazy pixels with their channel names and scale."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, unquote, urlsplit

import numpy as np

from macprox.errors import PanelError, PixelSizeError, SlideError

PIXEL_SIZE_TOLERANCE_FRAC = 0.01  # x and y may differ by this much before we call it anisotropic


@dataclass(frozen=True, order=True)
class Url:
    """Where a slide lies on a web server; answers what readers ask of a `pathlib.Path`.

    Parameters
    ----------
    text : str
        ``https://host/folder/slide.ome.zarr``.

    Raises
    ------
    SlideError
        If it names no server, or holds a password, a query or a fragment.
    """

    text: str

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.text)
            whole = bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:
            whole = False
        if not whole or parts.username or parts.query or parts.fragment:
            raise SlideError(
                f"{self.text!r} is not the address of a slide; expected "
                f"https://host/folder/slide.ome.zarr, without a password, '?' or '#'."
            )
        # What a browser shows decoded is sent encoded; what is encoded already stays.
        text = quote(self.text.rstrip("/"), safe="%:/[]!$&'()*+,;=@~")
        object.__setattr__(self, "text", text)

    @property
    def name(self) -> str:
        """The last part, or the server's name where there is no other."""
        return unquote(self.text.rsplit("/", 1)[-1])

    @property
    def parent(self) -> Url:
        return Url(self.text.rsplit("/", 1)[0]) if urlsplit(self.text).path else self

    def absolute(self) -> Url:
        return self

    def __truediv__(self, key: str) -> Url:
        return Url(f"{self.text}/{quote(key)}")

    def __str__(self) -> str:
        return self.text


def location(place: str | os.PathLike[str] | Url) -> Path | Url:
    """What a person named: an address on a web server, or a path here."""
    if isinstance(place, Url):
        return place
    text = os.fspath(place)
    return Url(text) if text.lower().startswith(("http://", "https://")) else Path(text)


class PixelSource(Protocol):
    """Where pixels come from. Picklable: file handles are opened by whoever reads."""

    def read(self, level: int, channel: int, y: slice, x: slice) -> np.ndarray:
        """Pixels ``(y, x)`` of one channel at one pyramid level, in the file's dtype."""
        ...

    def piece_shape(self, level: int, channel: int) -> tuple[int, int]:
        """``(y, x)`` of what is decoded in one go: a tile, strip or chunk, from the first pixel."""
        ...


def file_of_slide(pattern: str, slide_id: str) -> Path:
    """A file beside a slide, ``{slide_id}`` in its name being the slide's id.

    inForm calls the pixels of a field ``X_component_data.tif`` and all else of it
    ``X_binary_seg_maps.tif`` and the like: of such a slide the id is X where that file exists.
    """
    field, path = slide_id.removesuffix("_component_data"), pattern.replace("{slide_id}", slide_id)
    of_field = Path(pattern.replace("{slide_id}", field))
    return of_field if of_field.exists() and not Path(path).exists() else Path(path)


@dataclass(frozen=True)
class ArraySource:
    """Pixels that are in memory already: ``(c, y, x)``."""

    array: np.ndarray

    def read(self, level: int, channel: int, y: slice, x: slice) -> np.ndarray:
        return self.array[channel, y, x]

    def piece_shape(self, level: int, channel: int) -> tuple[int, int]:
        return self.array.shape[1], self.array.shape[2]


@dataclass(frozen=True)
class Slide:
    """A multi-channel image whose pixels are read only where asked for.

    Parameters
    ----------
    slide_id : str
        Unique and safe as a folder name.
    path : Path or Url
        Where it was opened from.
    format : str
        What kind of file, for people: ``"OME-TIFF"``, ``"OME-Zarr 0.5"``.
    channels : tuple of str
        One name a channel, in the order of the file; unique.
    pixel_size_um : float
        Micrometres per pixel at full resolution, the same in x and y.
    level_shapes : tuple of (int, int)
        ``(y, x)`` of each pyramid level; the first is full resolution.
    dtype : numpy.dtype
    source : PixelSource
    fingerprint : str
        Changes when the file's content does; what the resume logic compares.

    Raises
    ------
    PixelSizeError
        If ``pixel_size_um`` is not a positive number.
    """

    slide_id: str
    path: Path | Url
    format: str
    channels: tuple[str, ...]
    pixel_size_um: float
    level_shapes: tuple[tuple[int, int], ...]
    dtype: np.dtype
    source: PixelSource = field(repr=False)
    fingerprint: str = field(repr=False, default="")

    def __post_init__(self) -> None:
        if not (np.isfinite(self.pixel_size_um) and self.pixel_size_um > 0):
            raise PixelSizeError(
                f"Slide {self.slide_id!r}: pixel size must be a positive number of micrometres, "
                f"found {self.pixel_size_um!r}."
            )

    @classmethod
    def from_array(
        cls,
        array: np.ndarray,
        channels: tuple[str, ...] | list[str],
        pixel_size_um: float,
        slide_id: str = "array",
    ) -> Slide:
        """A slide around a ``(c, y, x)`` array in memory."""
        array = np.asarray(array)
        if array.ndim != 3 or len(channels) != array.shape[0]:
            raise PanelError(
                f"Expected a (c, y, x) array with one name a channel, found shape {array.shape} "
                f"and {len(channels)} names."
            )
        return cls(
            slide_id=slide_id,
            path=Path(slide_id),
            format="array",
            channels=tuple(channels),
            pixel_size_um=pixel_size_um,
            level_shapes=((array.shape[1], array.shape[2]),),
            dtype=array.dtype,
            source=ArraySource(array),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """``(y, x)`` at full resolution, in pixels."""
        return self.level_shapes[0]

    @property
    def place(self) -> str:
        """Where it was opened from, for whoever opens it again from elsewhere."""
        return str(self.path) if isinstance(self.path, Url) else os.path.abspath(self.path)

    def channel_index(self, name: str) -> int:
        """Position of a channel; `PanelError` names the nearest miss."""
        if name in self.channels:
            return self.channels.index(name)
        near = difflib.get_close_matches(name, self.channels, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise PanelError(
            f"Slide {self.slide_id!r} has no channel {name!r}; it has "
            f"{', '.join(self.channels)}.{hint}"
        )

    def read(self, channel: int | str, y: slice, x: slice, level: int = 0) -> np.ndarray:
        """Pixels ``(y, x)`` of one channel, read now; 0 where the file holds no number."""
        index = self.channel_index(channel) if isinstance(channel, str) else channel
        pixels = self.source.read(level, index, y, x)
        if np.issubdtype(pixels.dtype, np.floating):
            # One NaN would spread through every filter; how many there are is a quality flag.
            return np.nan_to_num(pixels, nan=0.0, posinf=0.0, neginf=0.0)
        return pixels

    def expecting(self, boxes: Sequence[tuple[slice, slice]], level: int = 0) -> Slide:
        """The same slide, told what will be read: each box of a grid once, of every channel.

        A hint and nothing else: a source that can then decodes what boxes share only once.
        """
        told = getattr(self.source, "expecting", None)
        return self if told is None else replace(self, source=told(level, boxes))

    def level(self, level: int = 0, chunk_px: int = 1024):
        """The slide at one pyramid level as a lazy dask array ``(c, y, x)``."""
        import dask.array as da

        height, width = self.level_shapes[level]
        chunks = ((1,) * len(self.channels), chunk_px, chunk_px)
        return da.map_blocks(
            _read_block,
            chunks=da.core.normalize_chunks(
                chunks, shape=(len(self.channels), height, width), dtype=self.dtype
            ),
            dtype=self.dtype,
            meta=np.empty((0, 0, 0), self.dtype),
            read=self.source.read,
            level=level,
        )


def _read_block(
    read: Callable[[int, int, slice, slice], np.ndarray], level: int, block_info=None
) -> np.ndarray:
    (c0, _), (y0, y1), (x0, x1) = block_info[None]["array-location"]
    return read(level, c0, slice(y0, y1), slice(x0, x1))[None]
