"""Places of a slide that do not decode: found piece by piece, then left alone by every reader."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from macprox.errors import DamageError
from macprox.image.tiles import Box
from macprox.slide import PixelSource, Slide

READ_PX = 2048  # side of what is read in one go while looking for damage
N_PLACES_TOLD = 20  # by name; a slide may have lost thousands


@dataclass(frozen=True)
class Damage:
    """What of a slide cannot be had.

    Parameters
    ----------
    boxes : tuple of Box
        At full resolution, where at least one channel does not decode.
    unused_levels : tuple of int
        Reduced pyramid levels with a piece that does not decode.
    n_pieces : int
        Tiles, strips or chunks that do not decode, of all channels and levels.
    places : tuple of str
        The first of them: file, channel and piece.
    """

    boxes: tuple[Box, ...] = ()
    unused_levels: tuple[int, ...] = ()
    n_pieces: int = 0
    places: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.n_pieces > 0

    def to_dict(self) -> dict[str, Any]:
        """For a manifest."""
        return {
            "boxes_px": [[box.y0, box.y1, box.x0, box.x1] for box in self.boxes],
            "unused_levels": list(self.unused_levels),
            "n_pieces": self.n_pieces,
            "places": list(self.places),
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any] | None) -> Damage:
        """What `to_dict` gave; no damage for None."""
        if saved is None:
            return cls()
        return cls(
            tuple(Box(*corners) for corners in saved["boxes_px"]),
            tuple(saved["unused_levels"]),
            saved["n_pieces"],
            tuple(saved["places"]),
        )


@dataclass(frozen=True)
class Stretch:
    """Neighbouring pieces of one channel at one pyramid level, read in one go."""

    level: int
    channel: int
    box: Box
    piece_shape: tuple[int, int]

    def pieces(self) -> list[Box]:
        """The tiles, strips or chunks in it."""
        return _cut(self.box, self.piece_shape)


@dataclass(frozen=True)
class DamagedPiece:
    """A tile, strip or chunk that does not decode; ``place`` says which, for people."""

    level: int
    box: Box
    place: str


def stretches(slide: Slide) -> list[Stretch]:
    """Every pixel of a slide once, in parts that cut no piece."""
    found = []
    for level, (height, width) in enumerate(slide.level_shapes):
        for channel in range(len(slide.channels)):
            piece = slide.source.piece_shape(level, channel)
            columns = max(1, READ_PX // piece[1]) * piece[1]
            rows = max(1, READ_PX**2 // (piece[0] * min(columns, width))) * piece[0]
            whole = Box(0, height, 0, width)
            found += [Stretch(level, channel, box, piece) for box in _cut(whole, (rows, columns))]
    return found


def _cut(box: Box, shape: tuple[int, int]) -> list[Box]:
    """Rectangles of a shape that partition a box, in raster order; smaller at its end."""
    return [
        Box(y, min(y + shape[0], box.y1), x, min(x + shape[1], box.x1))
        for y in range(box.y0, box.y1, shape[0])
        for x in range(box.x0, box.x1, shape[1])
    ]


def damaged_pieces(stretch: Stretch, source: PixelSource) -> list[DamagedPiece]:
    """The pieces of a stretch that do not decode; one by one only where it fails as a whole."""
    if damage_at(source, stretch.level, stretch.channel, stretch.box) is None:
        return []
    found = []
    for box in stretch.pieces():
        error = damage_at(source, stretch.level, stretch.channel, box)
        if error is not None:
            found.append(DamagedPiece(stretch.level, box, error.place))
    return found


def damage_at(source: PixelSource, level: int, channel: int, box: Box) -> DamageError | None:
    """Why a box does not decode, or None where it does."""
    try:
        source.read(level, channel, *box.slices)
    except DamageError as error:
        return error
    return None


def damage_of(pieces: Iterable[DamagedPiece]) -> Damage:
    """All that single stretches showed, together."""
    pieces = sorted(pieces, key=lambda piece: (piece.level, piece.place))
    places = tuple(dict.fromkeys(piece.place for piece in pieces))
    return Damage(
        boxes=_joined({piece.box for piece in pieces if piece.level == 0}),
        unused_levels=tuple(sorted({piece.level for piece in pieces} - {0})),
        n_pieces=len(pieces),
        places=places[:N_PLACES_TOLD],
    )


def _joined(boxes: Iterable[Box]) -> tuple[Box, ...]:
    """The boxes with those of one row made one where they touch: there may be thousands."""
    joined: list[Box] = []
    for box in sorted(boxes, key=lambda box: (box.y0, box.y1, box.x0)):
        last = joined[-1] if joined else None
        if last and (last.y0, last.y1, last.x1) == (box.y0, box.y1, box.x0):
            joined[-1] = replace(last, x1=box.x1)
        else:
            joined.append(box)
    return tuple(joined)


def without_damage(slide: Slide, damage: Damage) -> Slide:
    """The same slide with 0 where it is damaged, in all channels, and without damaged levels."""
    if not damage:
        return slide
    levels = tuple(n for n in range(len(slide.level_shapes)) if n not in damage.unused_levels)
    source = SparedSource(slide.source, damage.boxes, levels, slide.shape, slide.dtype)
    shapes = tuple(slide.level_shapes[level] for level in levels)
    return replace(slide, source=source, level_shapes=shapes)


def damaged_boxes(slide: Slide) -> tuple[Box, ...]:
    """Where a slide's pixels are 0 for want of any; none unless `without_damage` made it so."""
    return slide.source.boxes if isinstance(slide.source, SparedSource) else ()


@dataclass(frozen=True)
class SparedSource:
    """Pixels of another source, 0 in boxes that are not touched; see `macprox.slide.PixelSource`.

    Parameters
    ----------
    source : PixelSource
    boxes : tuple of Box
        At full resolution.
    levels : tuple of int
        Those of the source that are read, full resolution first.
    shape : (int, int)
        ``(y, x)`` at full resolution.
    dtype : numpy.dtype
    """

    source: PixelSource
    boxes: tuple[Box, ...] = field(repr=False)
    levels: tuple[int, ...]
    shape: tuple[int, int]
    dtype: np.dtype

    def read(self, level: int, channel: int, y: slice, x: slice) -> np.ndarray:
        if level:
            return self.source.read(self.levels[level], channel, y, x)
        (y0, y1, _), (x0, x1, _) = y.indices(self.shape[0]), x.indices(self.shape[1])
        asked = Box(y0, max(y0, y1), x0, max(x0, x1))
        parts = _around(asked, self.boxes)
        if parts == [asked]:
            return self.source.read(0, channel, y, x)
        pixels = np.zeros(asked.shape, self.dtype)
        for part in parts:
            pixels[part.within(asked)] = self.source.read(0, channel, *part.slices)
        return pixels

    def piece_shape(self, level: int, channel: int) -> tuple[int, int]:
        return self.source.piece_shape(self.levels[level], channel)

    def expecting(self, level: int, boxes: Sequence[tuple[slice, slice]]) -> SparedSource:
        """The same pixels; see `macprox.slide.Slide.expecting`."""
        told = getattr(self.source, "expecting", None)
        return self if told is None else replace(self, source=told(self.levels[level], boxes))


def _around(asked: Box, holes: Iterable[Box]) -> list[Box]:
    """Rectangles that cover a box without its holes."""
    parts = [asked]
    for hole in holes:
        if _overlap_px(asked, hole):
            parts = [rest for part in parts for rest in _beside(part, hole)]
    return parts


def _beside(part: Box, hole: Box) -> list[Box]:
    """What a hole leaves of a box: above and below in its whole width, left and right between."""
    if not _overlap_px(part, hole):
        return [part]
    top, bottom = max(part.y0, hole.y0), min(part.y1, hole.y1)
    rests = (
        replace(part, y1=top),
        replace(part, y0=bottom),
        Box(top, bottom, part.x0, hole.x0),
        Box(top, bottom, hole.x1, part.x1),
    )
    return [rest for rest in rests if rest.y0 < rest.y1 and rest.x0 < rest.x1]


def _overlap_px(one: Box, other: Box) -> int:
    """How many pixels two boxes share."""
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    return max(0, height) * max(0, width)


def n_damaged_px(damage: Damage) -> int:
    """Pixels of full resolution in the boxes, each counted once."""
    parts: list[Box] = []
    for box in damage.boxes:
        parts += _around(box, tuple(parts))
    return sum(math.prod(part.shape) for part in parts)
