"""Damage that knows where a TIFF keeps its numbers: directories, tags, descriptions, tiles."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from fuzzing.damage import EDGES
from fuzzing.text_damage import damaged_text

_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 11: 4, 12: 8, 13: 4, 16: 8, 18: 8}
_DESCRIPTION, _SUBIFDS, _OFFSETS, _BYTE_COUNTS, _COMPRESSION = 270, 330, (273, 324), (279, 325), 259
_SIZES = (256, 257, 258, 259, 262, 277, 278, 284, 317, 322, 323, 339, 32997)
# Every codec that a TIFF may name; most of them will find nonsense.
_CODECS = (1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 33003, 33005, 33007, 34712, 34887, 34892,
           34925, 34926, 34927, 34933, 34934, 48124, 50000, 50001, 50002, 52546, 65000)  # fmt: skip
_CODES = (*_SIZES, 254, 255, 266, 269, 270, 273, 279, 282, 283, 296, 305, 306, 320, 324, 325, 330,
          338, 347, 530, 32996, 50838, 50839, 42113)  # fmt: skip


@dataclass(frozen=True)
class _Entry:
    """One tag of one directory: where its fields stand in the file, and what they hold."""

    at: int
    code: int
    kind: int
    count: int
    value_at: int

    @property
    def n_bytes(self) -> int:
        return _TYPE_BYTES.get(self.kind, 1) * self.count


class _Tiff:
    """The directories of a sound TIFF, to be written over."""

    def __init__(self, data: bytes):
        self.data = bytearray(data)
        self.order = "<" if data[:2] == b"II" else ">"
        self.big = data[2:4] in (b"\x2b\x00", b"\x00\x2b")
        self.word = "Q" if self.big else "I"
        self.directories = list(self._walk())
        self.entries = [entry for _, _, entries in self.directories for entry in entries]

    def get(self, at: int, form: str) -> int:
        return struct.unpack_from(self.order + form, self.data, at)[0]

    def put(self, at: int, form: str, value: int) -> None:
        struct.pack_into(self.order + form, self.data, at, value % 256 ** struct.calcsize(form))

    def _walk(self) -> Iterator[tuple[int, int, list[_Entry]]]:
        """Where each directory begins, where its link to the next stands, and its tags."""
        pending = [self.get(8 if self.big else 4, self.word)]
        seen: set[int] = set()
        while pending:
            start = pending.pop()
            if start in seen:
                continue
            seen.add(start)
            n, first = (
                (self.get(start, "Q"), start + 8) if self.big else (self.get(start, "H"), start + 2)
            )
            size = 20 if self.big else 12
            if n * size > len(self.data):  # damaged before
                continue
            entries = [self._entry(first + i * size) for i in range(n)]
            link = first + n * size
            yield start, link, entries
            for entry in entries:
                if entry.code == _SUBIFDS:
                    pending.extend(self.elements(entry))
            if self.get(link, self.word):
                pending.append(self.get(link, self.word))

    def _entry(self, at: int) -> _Entry:
        code, kind, count = self.get(at, "H"), self.get(at + 2, "H"), self.get(at + 4, self.word)
        inline = at + (12 if self.big else 8)
        fits = _TYPE_BYTES.get(kind, 1) * count <= (8 if self.big else 4)
        return _Entry(at, code, kind, count, inline if fits else self.get(inline, self.word))

    def form(self, entry: _Entry) -> str:
        return {1: "B", 2: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}.get(entry.kind, "B")

    def elements(self, entry: _Entry) -> list[int]:
        form = self.form(entry)
        size = struct.calcsize(form)
        last = min(entry.count, max(0, len(self.data) - entry.value_at) // size)
        return [self.get(entry.value_at + i * size, form) for i in range(last)]

    def put_element(self, entry: _Entry, index: int, value: int) -> None:
        form = self.form(entry)
        self.put(entry.value_at + index * struct.calcsize(form), form, value)

    def point_to(self, entry: _Entry, content: bytes) -> None:
        """The tag's content put at the end of the file."""
        at = len(self.data)
        self.data += content
        self.put(entry.at + 4, self.word, len(content) // _TYPE_BYTES.get(entry.kind, 1))
        self.put(entry.at + (12 if self.big else 8), self.word, at)


def damaged_tiff(data: bytes, rng: random.Random) -> bytes:
    """A sound TIFF with one to four of its numbers or texts wrong."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        try:
            tiff = _Tiff(data)
            rng.choice(_KINDS)(tiff, rng)
        except (struct.error, IndexError, OverflowError):  # broken beyond reading already
            return data
        data = bytes(tiff.data)
    return data


def _wrong_size(tiff: _Tiff, rng: random.Random) -> None:
    entry = rng.choice([e for e in tiff.entries if e.code in _SIZES])
    if entry.code == _COMPRESSION:
        value = rng.choice(_CODECS)
    else:
        value = rng.choice((*EDGES, *range(1, 20), tiff.get(entry.value_at, tiff.form(entry)) * 2))
    if rng.random() < 0.5:  # room for a value of 32 bits
        tiff.put(entry.at + 2, "H", 4)
        tiff.put(entry.at + (12 if tiff.big else 8), "I", value)
    else:
        tiff.put_element(entry, rng.randrange(max(1, entry.count)), value)


def _wrong_field(tiff: _Tiff, rng: random.Random) -> None:
    entry = rng.choice(tiff.entries)
    field = rng.choice(("code", "kind", "count", "value"))
    if field == "code":
        tiff.put(entry.at, "H", rng.choice(_CODES))
    elif field == "kind":
        tiff.put(entry.at + 2, "H", rng.randrange(20))
    elif field == "count":
        tiff.put(entry.at + 4, tiff.word, rng.choice((*EDGES, entry.count + 1, entry.count // 2)))
    else:
        at = entry.at + (12 if tiff.big else 8)
        tiff.put(at, tiff.word, rng.choice((*EDGES, rng.randrange(len(tiff.data)))))


def _wrong_element(tiff: _Tiff, rng: random.Random) -> None:
    """An address or a length of one tile, or anything else that is listed."""
    vital = [e for e in tiff.entries if e.code in (*_OFFSETS, *_BYTE_COUNTS, _SUBIFDS)]
    entry = rng.choice(vital or tiff.entries)
    value = rng.choice((*EDGES, rng.randrange(len(tiff.data)), len(tiff.data)))
    tiff.put_element(entry, rng.randrange(max(1, entry.count)), value)


def _wrong_link(tiff: _Tiff, rng: random.Random) -> None:
    """The chain of directories ends early, leads into nothing, or bites its tail."""
    _, link, _ = rng.choice(tiff.directories)
    starts = [start for start, _, _ in tiff.directories]
    tiff.put(link, tiff.word, rng.choice((0, rng.choice(starts), rng.randrange(len(tiff.data)))))


def _looped_levels(tiff: _Tiff, rng: random.Random) -> None:
    """A page's reduced levels are the page itself, or another one."""
    sub = [entry for entry in tiff.entries if entry.code == _SUBIFDS]
    entry = rng.choice(sub or tiff.entries)
    tiff.put(entry.at, "H", _SUBIFDS)
    starts = [start for start, _, _ in tiff.directories]
    tiff.put(entry.at + 2, "H", 18 if tiff.big else 13)
    content = b"".join(
        struct.pack(tiff.order + tiff.word, rng.choice(starts))
        for _ in range(rng.choice((1, 3, 500)))
    )
    tiff.point_to(_Entry(entry.at, _SUBIFDS, 18 if tiff.big else 13, 0, 0), content)


def _wrong_description(tiff: _Tiff, rng: random.Random) -> None:
    texts = [entry for entry in tiff.entries if entry.code == _DESCRIPTION and entry.count > 8]
    if not texts:
        return _wrong_field(tiff, rng)
    entry = rng.choice(texts)
    text = bytes(tiff.data[entry.value_at : entry.value_at + entry.count]).rstrip(b"\0")
    changed = damaged_text(text.decode("utf-8", "replace"), rng)
    tiff.point_to(entry, changed.encode("utf-8", "replace") + b"\0")
    return None


def _wrong_tile_header(tiff: _Tiff, rng: random.Random) -> None:
    """Edges near the start of compressed data, where codecs keep sizes."""
    entry = rng.choice([e for e in tiff.entries if e.code in _OFFSETS] or tiff.entries)
    at = rng.choice(tiff.elements(entry) or [0]) + rng.randrange(200)
    n_bytes = rng.choice((1, 2, 4))
    if at + n_bytes < len(tiff.data):
        value = rng.choice(EDGES) % 256**n_bytes
        tiff.data[at : at + n_bytes] = value.to_bytes(n_bytes, rng.choice(("little", "big")))


_KINDS = (
    *(_wrong_size, _wrong_size, _wrong_size, _wrong_field, _wrong_field, _wrong_element),
    *(_wrong_link, _looped_levels, _wrong_description, _wrong_description, _wrong_tile_header),
)
