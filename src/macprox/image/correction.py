"""Background and autofluorescence taken off a channel: slide-wide numbers, pixel by pixel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numba as nb
import numpy as np

from macprox.image.stain import StainStatistics, bleed_through


@dataclass(frozen=True)
class Correction:
    """``corrected = raw - background - bleed * (autofluorescence - its background)``.

    Parameters
    ----------
    stains : mapping of str to StainStatistics
        One a channel, of the whole slide.
    bleed : mapping of str to float
        Bleed-through of autofluorescence; 0 where a channel is not corrected.
    autofluorescence : str or None
        The blank channel.
    """

    stains: Mapping[str, StainStatistics]
    bleed: Mapping[str, float]
    autofluorescence: str | None = None

    @classmethod
    def from_sample(
        cls,
        sample: Mapping[str, np.ndarray],
        autofluorescence: str | None,
        roughness: Mapping[str, np.ndarray] | None = None,
    ) -> Correction:
        """Estimate from a slide's sample pixels, ``(n,)`` a channel, in tissue.

        The nuclear stain is corrected like any other: lipofuscin glows in DAPI too, and its
        granules pass for small nuclei that split a macrophage.
        """
        stains = {name: StainStatistics.from_sample(pixels) for name, pixels in sample.items()}
        for name, rough in (roughness or {}).items():
            stains[name] = stains[name].with_grain(sample[name], rough)
        bleed = dict.fromkeys(sample, 0.0)
        if autofluorescence is not None:
            blank = sample[autofluorescence] - stains[autofluorescence].background
            for name in sample:
                if name != autofluorescence:
                    bleed[name] = bleed_through(sample[name] - stains[name].background, blank)
        return cls(stains, bleed, autofluorescence)

    def apply(
        self, name: str, raw: np.ndarray, autofluorescence: np.ndarray | None = None
    ) -> np.ndarray:
        """One channel's pixels above background, without autofluorescence; float32, may be < 0."""
        background = np.float32(self.stains[name].background)
        if not self.bleed[name] or autofluorescence is None:
            corrected = raw.astype(np.float32)
            corrected -= background
            return corrected
        # 16 bits or single precision: two compiled versions, whatever slides hold.
        small = all(p.dtype.kind == "u" and p.dtype.itemsize <= 2 for p in (raw, autofluorescence))
        plain = np.uint16 if small else np.float32
        corrected = _without_autofluorescence(
            raw.astype(plain, copy=False).ravel(),
            autofluorescence.astype(plain, copy=False).ravel(),
            background,
            np.float32(self.stains[self.autofluorescence or ""].background),
            np.float32(self.bleed[name]),
        )
        return corrected.reshape(raw.shape)

    def apply_to_means(
        self, name: str, raw: np.ndarray, autofluorescence: np.ndarray | None = None
    ) -> np.ndarray:
        """Means of raw pixels to means of corrected ones: the correction is linear.

        Parameters
        ----------
        name : str
            Channel.
        raw, autofluorescence : (n, ...) float64
            Means over the same pixels of the channel and of the blank channel.

        Returns
        -------
        (n, ...) float64
        """
        corrected = raw - self.stains[name].background
        if self.bleed[name] and autofluorescence is not None:
            blank = self.stains[self.autofluorescence or ""].background
            corrected -= self.bleed[name] * (autofluorescence - blank)
        return corrected

    def to_dict(self) -> dict:
        return {
            "autofluorescence": self.autofluorescence,
            "channels": {
                name: {**stain.to_dict(), "bleed": self.bleed[name]}
                for name, stain in self.stains.items()
            },
        }

    @classmethod
    def from_dict(cls, saved: dict) -> Correction:
        channels = saved["channels"]
        stains = {name: StainStatistics.from_dict(values) for name, values in channels.items()}
        bleed = {name: values["bleed"] for name, values in channels.items()}
        return cls(stains, bleed, saved["autofluorescence"])


@nb.njit(cache=True, nogil=True)
def _without_autofluorescence(raw, blank, background, blank_background, bleed):
    """`Correction.apply` in one pass over flat arrays."""
    corrected = np.empty(raw.size, np.float32)
    for i in range(raw.size):
        glow = bleed * (np.float32(blank[i]) - blank_background)
        corrected[i] = (np.float32(raw[i]) - background) - glow
    return corrected


def clipped_px(raw: np.ndarray, autofluorescence: np.ndarray | None = None) -> int:
    """Pixels that cannot be corrected: the channel, or the blank one, is at the top of its type.

    Parameters
    ----------
    raw, autofluorescence : (y, x) number
        As read. Floating point has no top: such an image has no clipped pixels.
    """
    images = [raw] if autofluorescence is None else [raw, autofluorescence]
    whole = [image for image in images if image.dtype.kind in "ui"]
    clipped = np.zeros(raw.shape, bool)
    for image in whole:
        clipped |= image == np.iinfo(image.dtype).max
    return int(np.count_nonzero(clipped))
