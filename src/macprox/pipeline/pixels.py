"""The pixels of one tile, each channel decoded once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from macprox.celltable import COMPARTMENTS, mean_column
from macprox.image.correction import Correction
from macprox.image.tiles import Box
from macprox.slide import Slide


@dataclass
class TilePixels:
    """Channels of one box of a slide: corrected where one looks at them, raw where one measures.

    Raw pixels of what is asked for by name are kept: segmentation looks at what is measured
    afterwards.
    """

    slide: Slide
    correction: Correction
    box: Box
    _raw: dict[str, np.ndarray] = field(default_factory=dict)

    def channel(self, name: str) -> np.ndarray:
        """A channel ``(y, x)`` float32, background-corrected."""
        blank = self.correction.autofluorescence
        raw, glow = self._kept(name), None if blank is None else self._kept(blank)
        return self.correction.apply(name, raw, glow)

    def channels(self) -> Iterator[tuple[str, np.ndarray]]:
        """Every channel's name and raw pixels, in the slide's order; those not kept one at a time.

        Means of these are corrected by `corrected_means`: six corrections a cell, not a pixel.
        """
        for name in self.slide.channels:
            yield name, self._raw[name] if name in self._raw else self._read(name)

    def _kept(self, name: str) -> np.ndarray:
        if name not in self._raw:
            self._raw[name] = self._read(name)
        return self._raw[name]

    def _read(self, name: str) -> np.ndarray:
        return self.slide.read(name, *self.box.slices)


def corrected_means(
    table: dict[str, np.ndarray], channels: Iterable[str], correction: Correction
) -> dict[str, np.ndarray]:
    """A tile's measurements with the means of corrected pixels, from those of raw ones.

    Parameters
    ----------
    table : dict of (n,) arrays
        From `macprox.measure.measure_tile` on raw pixels.
    channels : iterable of str
    correction : Correction
    """
    blank = correction.autofluorescence
    corrected = dict(table)
    for where in COMPARTMENTS:
        glow = None if blank is None else table[mean_column(blank, where)]
        for name in channels:
            column = mean_column(name, where)
            corrected[column] = correction.apply_to_means(name, table[column], glow)
    return corrected
