"""Is a TIFF whole? Every directory, tag and tile must lie inside the file.

tifffile reads what is left of a truncated file and only logs the loss: a cut OME-TIFF opens
without its channel names, or with fewer planes. So the directories are walked here first, which
costs a few reads per page and decodes nothing.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from macprox.errors import SlideError

_MAGIC = {b"II\x2a\x00": "<", b"MM\x00\x2a": ">", b"II\x2b\x00": "<", b"MM\x00\x2b": ">"}
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8,
               13: 4, 16: 8, 17: 8, 18: 8}  # fmt: skip
_INTEGERS = {3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
_OFFSETS, _BYTE_COUNTS, _SUBIFDS = {273, 324}, {279, 325}, 330
_FIRST_PRIVATE_TAG = 32768  # vendors' own tags may dangle without harm
_IMAGEJ_TAGS = {50838, 50839}


@dataclass(frozen=True)
class _Layout:
    """Byte order and field widths: classic TIFF or BigTIFF."""

    order: str
    big: bool

    @property
    def entry(self) -> struct.Struct:
        return struct.Struct(self.order + ("HHQ8s" if self.big else "HHI4s"))

    @property
    def count(self) -> struct.Struct:
        return struct.Struct(self.order + ("Q" if self.big else "H"))

    @property
    def pointer(self) -> struct.Struct:
        return struct.Struct(self.order + ("Q" if self.big else "I"))


class _EndsTooEarly(Exception):
    """Carries the sentence that says what lies beyond the end."""


def require_whole_tiff(path: Path) -> None:
    """Refuse what is not a TIFF, or is one whose content reaches beyond the end of the file.

    Raises
    ------
    SlideError
        Empty, not a TIFF, or truncated; says which part is beyond which byte.
    """
    n_bytes = path.stat().st_size
    if n_bytes == 0:
        raise SlideError(f"{path.name!r} is empty (0 bytes). Copy or export it again.")
    with path.open("rb") as file:
        magic = file.read(4)
        if magic not in _MAGIC:
            raise SlideError(
                f"{path.name!r} is not a TIFF file (it begins with {magic!r}). Expected an "
                f"OME-TIFF, QPTIFF, ImageJ or plain TIFF, a folder of single-channel TIFFs, "
                f"or an OME-Zarr folder."
            )
        layout = _Layout(_MAGIC[magic], big=b"\x2b" in magic)
        try:
            _walk(file, layout, n_bytes)
        except _EndsTooEarly as reason:
            raise SlideError(
                f"{path.name!r} is truncated: {reason}, but the file ends at byte {n_bytes}. "
                f"Copy or export it again."
            ) from None


def _walk(file: BinaryIO, layout: _Layout, n_bytes: int) -> None:
    file.seek(8 if layout.big else 4)
    (offset,) = layout.pointer.unpack(_read(file, layout.pointer.size, "the header"))
    pending = [("page 0", offset)]
    seen = set()
    page = 0
    while pending:
        name, offset = pending.pop()
        is_level = "," in name
        if offset == 0 or (is_level and offset in seen):
            continue
        if offset in seen:  # tifffile would follow the chain for ever
            raise SlideError(
                f"{Path(file.name).name!r} is damaged: {name} is listed twice, so its pages lead "
                f"in a circle. Copy or export it again."
            )
        seen.add(offset)
        tags, following = _directory(file, layout, name, offset, n_bytes)
        if page == 0 and not _OFFSETS & tags.keys():
            raise SlideError(f"{Path(file.name).name!r} holds no image. Export it again.")
        _check_segments(tags, name, n_bytes)
        for level, sub in enumerate(tags.get(_SUBIFDS, ())):
            pending.append((f"{name}, reduced level {level + 1}", int(sub)))
        if not is_level:
            page += 1
            pending.append((f"page {page}", following))


def _directory(
    file: BinaryIO, layout: _Layout, name: str, offset: int, n_bytes: int
) -> tuple[dict[int, np.ndarray], int]:
    """The integer arrays of one directory that say where data are, and the next directory."""
    if offset >= n_bytes:
        raise _EndsTooEarly(f"the directory of {name} begins at byte {offset}")
    file.seek(offset)
    (n,) = layout.count.unpack(_read(file, layout.count.size, f"the directory of {name}"))
    body = _read(file, n * layout.entry.size + layout.pointer.size, f"the directory of {name}")
    tags: dict[int, np.ndarray] = {}
    for code, kind, count, value in _entries(layout, body, n):
        n_value = _TYPE_BYTES.get(kind, 0) * count
        if n_value > len(value):
            (where,) = layout.pointer.unpack(value)
            vital = code < _FIRST_PRIVATE_TAG or code in _IMAGEJ_TAGS
            if vital and where + n_value > n_bytes:
                raise _EndsTooEarly(f"tag {code} of {name} ends at byte {where + n_value}")
        if code in _OFFSETS | _BYTE_COUNTS | {_SUBIFDS} and kind in _INTEGERS:
            if n_value > len(value):
                file.seek(where)
                value = file.read(n_value)
            tags[code] = np.frombuffer(value[:n_value], layout.order + _INTEGERS[kind])
    (following,) = layout.pointer.unpack(body[-layout.pointer.size :])
    return tags, following


def _entries(layout: _Layout, body: bytes, n: int) -> Iterator[tuple[int, int, int, bytes]]:
    return layout.entry.iter_unpack(body[: n * layout.entry.size])


def _check_segments(tags: dict[int, np.ndarray], name: str, n_bytes: int) -> None:
    offsets = next((tags[code] for code in _OFFSETS if code in tags), None)
    counts = next((tags[code] for code in _BYTE_COUNTS if code in tags), None)
    if offsets is None or counts is None or len(offsets) != len(counts):
        return  # tifffile knows the rules for files without byte counts
    ends = np.where(counts > 0, offsets.astype(np.uint64) + counts.astype(np.uint64), 0)
    beyond = np.flatnonzero((ends > n_bytes) | ((counts > 0) & (offsets > n_bytes)))
    if len(beyond):
        kind = "tile" if 324 in tags else "strip"
        raise _EndsTooEarly(
            f"{len(beyond)} of {len(ends)} {kind}s of {name} are missing or incomplete, "
            f"{kind} {beyond[0]} the first; it ends at byte {ends[beyond[0]]}"
        )


def _read(file: BinaryIO, n: int, what: str) -> bytes:
    end = file.tell() + n
    if end > os.fstat(file.fileno()).st_size:  # before a damaged count asks for all memory
        raise _EndsTooEarly(f"{what} ends at byte {end}")
    return file.read(n)
