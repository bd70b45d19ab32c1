"""Reduced levels that a survey made of a large slide whose file has none, for looking at it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from macprox.io.zarr_chunks import ZarrSource
from macprox.slide import PixelSource, Slide


@dataclass(frozen=True)
class OwnPyramid:
    """Full resolution out of a slide's file, all else out of our levels.

    Parameters
    ----------
    file, reduced : PixelSource
        Level 1 is the first of ``reduced``. See `macprox.slide.PixelSource`.
    """

    file: PixelSource
    reduced: PixelSource

    def read(self, level: int, channel: int, y: slice, x: slice) -> np.ndarray:
        source, its_level = (self.reduced, level - 1) if level else (self.file, 0)
        return source.read(its_level, channel, y, x)

    def piece_shape(self, level: int, channel: int) -> tuple[int, int]:
        source, its_level = (self.reduced, level - 1) if level else (self.file, 0)
        return source.piece_shape(its_level, channel)


def with_own_pyramid(slide: Slide, place: Path) -> Slide:
    """The slide with the levels that lie in ``place``; as it is where none do.

    Parameters
    ----------
    slide : Slide
    place : Path
        `macprox.io.store.SlideFolder.pyramid`: an array ``(c, y, x)`` a level, called by its
        factor.
    """
    factors = sorted(int(level.name) for level in place.glob("*") if level.name.isdigit())
    if not factors:
        return slide
    names = tuple(map(str, factors))
    reduced = ZarrSource(str(place), names, "cyx", slide.channels, slide.dtype)
    height, width = slide.shape
    shapes = tuple((-(-height // factor), -(-width // factor)) for factor in factors)
    return replace(
        slide, source=OwnPyramid(slide.source, reduced), level_shapes=(slide.shape, *shapes)
    )
