"""A channel on a whole slide: background, noise, a rough threshold, bleed-through."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace

import numpy as np
from skimage.filters import threshold_otsu

LEVELS_PER_SD = 8  # quantisation of intensities: far below the noise
FLOOR_FRAC = 0.35  # of the way from background to threshold: fainter is haze
FLOOR_SD = 4.0
PURE_NOISE_SD = 8.0  # threshold of a channel that holds noise only: rare stain is brighter
BRIGHT_PERCENTILE = 75.0  # of stained pixels: above outlines and haze, below rare debris
MEDIAN_OF_CHI_SQUARED = 0.455  # one degree of freedom
GAUSSIAN_TAIL = 2.748  # the 99.7th percentile over the 84th

# Bleed-through is read where autofluorescence is bright. There a macrophage marker may truly be
# present, so the lower quartile of the ratios stands for "autofluorescence alone".
BRIGHT_AF_PERCENTILE = 97.0
ALONE_PERCENTILE = 25.0


@dataclass(frozen=True)
class StainStatistics:
    """One channel of one slide, in the units of its pixels.

    ``background`` and ``noise`` describe pixels without the stain; ``threshold`` parts them
    roughly from pixels with it; infinite where the channel is constant. ``bright`` is the upper
    quartile of stained pixels, the same in sparse and dense tissue. ``grain`` is how much
    stained pixels differ from the next, relative to the stain: a tenth with a camera, a third
    where single ions are counted.
    """

    background: float
    noise: float
    threshold: float
    bright: float = np.inf
    grain: float = 0.0

    @classmethod
    def from_sample(cls, pixels: np.ndarray) -> StainStatistics:
        """Robust statistics of smoothed pixels, a sample of the slide's tissue.

        Dense tissue has few background pixels and a few very bright ones, so that Otsu's
        threshold alone lands inside the nuclei; it is capped at 30 % of the robust range.
        """
        pixels = np.asarray(pixels, float).ravel()
        if pixels.size == 0 or np.ptp(pixels) == 0:
            level = float(pixels[0]) if pixels.size else 0.0
            return cls(background=level, noise=0.0, threshold=np.inf)
        if (noise := _pure_noise(pixels)) is not None:
            background = float(np.median(pixels))
            threshold = background + PURE_NOISE_SD * noise
            return cls(background, noise, threshold, _bright(pixels, threshold))
        low, high = np.percentile(pixels, [2, 99.7])
        otsu = threshold_otsu(pixels)
        threshold = min(otsu, low + 0.3 * (high - low))
        dark = pixels[pixels <= min(threshold, np.median(pixels[pixels <= otsu]))]
        if dark.size == 0:
            dark = pixels[pixels <= low]
        background = float(np.median(dark))
        noise = 1.4826 * float(np.median(np.abs(dark - background)))
        threshold = max(float(threshold), background)
        return cls(background, noise, threshold, _bright(pixels, threshold))

    def with_grain(self, pixels: np.ndarray, roughness: np.ndarray) -> StainStatistics:
        """The same, knowing its grain.

        Parameters
        ----------
        pixels : (n,) float
            Smoothed pixels, as for `from_sample`.
        roughness : (n,) float
            Half the squared difference between each raw pixel and its right neighbour: the
            variance of the noise, for neighbours that should be equal.
        """
        stained = pixels > self.threshold
        if self.constant or not stained.any():
            return self
        signal = float(np.mean(pixels[stained])) - self.background
        # The median leaves out outlines, where neighbours truly differ.
        variance = float(np.median(roughness[stained])) / MEDIAN_OF_CHI_SQUARED
        return replace(self, grain=variance**0.5 / signal)

    @property
    def constant(self) -> bool:
        """Whether the channel holds one value only."""
        return not np.isfinite(self.threshold)

    @property
    def step(self) -> float:
        """Size of one intensity level when the channel is quantised."""
        span = self.threshold - self.background
        return max(self.noise / LEVELS_PER_SD, span / 4096, 1e-12)

    @property
    def floor(self) -> float:
        """Pixels below do not carry the stain."""
        span = self.threshold - self.background
        return self.background + max(FLOOR_FRAC * span, FLOOR_SD * self.noise)

    def to_dict(self) -> dict[str, float | None]:
        """Plain JSON values; JSON has no infinity: null, where a channel is constant."""
        return {name: None if value == np.inf else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, saved: dict[str, float | None]) -> StainStatistics:
        known = {name: np.inf if value is None else value for name, value in saved.items()}
        return cls(**{part.name: known[part.name] for part in fields(cls)})


def _bright(pixels: np.ndarray, threshold: float) -> float:
    """The upper quartile of stained pixels; the threshold where there are none."""
    stained = pixels[pixels > threshold]
    return float(np.percentile(stained, BRIGHT_PERCENTILE)) if stained.size else threshold


def _pure_noise(pixels: np.ndarray) -> float | None:
    """Standard deviation of pixels that are noise around one level; None where they are not.

    Any stain, rare or dense, skews or flattens the distribution; without one, both sides of the
    median have the proportions of a Gaussian.
    """
    tail_low, low, middle, high, tail_high = np.percentile(pixels, [0.3, 16, 50, 84, 99.7])
    below, above = middle - low, high - middle
    if min(below, above) <= 0:
        return None
    tails = np.array([(tail_high - middle) / above, (middle - tail_low) / below]) / GAUSSIAN_TAIL
    shape = np.append(tails, above / below)
    return float((above + below) / 2) if np.all(np.abs(shape - 1) < 0.12) else None


def roughness(raw: np.ndarray) -> np.ndarray:
    """Half the squared difference to the right neighbour; the last column repeats the one before.

    Parameters
    ----------
    raw : (y, x) number

    Returns
    -------
    (y, x) float32
    """
    raw = raw.astype(np.float32)
    if raw.shape[1] < 2:
        return np.zeros_like(raw)
    squared = np.square(np.diff(raw, axis=1)) / 2
    return np.concatenate([squared, squared[:, -1:]], axis=1)


def bleed_through(marker: np.ndarray, autofluorescence: np.ndarray) -> float:
    """How much of the autofluorescence channel shows in a marker's channel.

    Parameters
    ----------
    marker, autofluorescence : (n,) float
        The same pixels of both channels, each without its background.

    Returns
    -------
    float
        Units of the marker per unit of autofluorescence; 0 where none can be told.
    """
    if autofluorescence.size == 0:
        return 0.0
    bright = autofluorescence >= np.percentile(autofluorescence, BRIGHT_AF_PERCENTILE)
    bright &= autofluorescence > 0
    if not bright.any():
        return 0.0
    ratios = marker[bright] / autofluorescence[bright]
    return max(0.0, float(np.percentile(ratios, ALONE_PERCENTILE)))
