"""The pixels of one tile, each channel decoded and corrected once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from macprox.image.correction import Correction
from macprox.image.tiles import Box
from macprox.slide import Slide


@dataclass
class TilePixels:
    """Corrected channels of one box of a slide.

    What is asked for by name is kept, since segmentation looks at what is measured afterwards.
    """

    slide: Slide
    correction: Correction
    box: Box
    _kept: dict[str, np.ndarray] = field(default_factory=dict)
    _blank: np.ndarray | None = None

    def channel(self, name: str) -> np.ndarray:
        """A channel ``(y, x)`` float32, background-corrected; kept."""
        if name not in self._kept:
            self._kept[name] = self._corrected(name)
        return self._kept[name]

    def channels(self) -> Iterator[tuple[str, np.ndarray]]:
        """Every channel with its name, in the slide's order; those not kept one at a time."""
        for name in self.slide.channels:
            yield name, self._kept[name] if name in self._kept else self._corrected(name)

    def _corrected(self, name: str) -> np.ndarray:
        blank = self.correction.autofluorescence
        if blank is None:
            return self.correction.apply(name, self.slide.read(name, *self.box.slices), None)
        if self._blank is None:
            self._blank = self.slide.read(blank, *self.box.slices)
        raw = self._blank if name == blank else self.slide.read(name, *self.box.slices)
        return self.correction.apply(name, raw, self._blank)
