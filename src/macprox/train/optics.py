"""From light to a camera's picture: focus, scatter, background, debris, shading, sensor."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from macprox.train.fields import smooth_noise
from macprox.train.scene import Layers

SPECK = np.array([[0.3, 0.7, 0.3], [0.7, 1.0, 0.7], [0.3, 0.7, 0.3]], np.float32)


def photograph(rng: np.random.Generator, layers: Layers) -> np.ndarray:
    """The picture of a scene.

    Returns
    -------
    (y, x) float32
        Arbitrary units; a typical nucleus about 1 above the background.
    """
    picture = _focus(rng, layers)
    picture += _background(rng, picture.shape, layers.diameter_px)
    if rng.random() < 0.35:
        _debris(rng, picture, layers.diameter_px)
    picture *= np.exp(
        rng.uniform(0, 0.35) * smooth_noise(rng, picture.shape, picture.shape[0] // 2)
    )
    return _sensor(rng, picture)


def _focus(rng: np.random.Generator, layers: Layers) -> np.ndarray:
    """Each layer through its own blur, with chromatin texture and scattered light."""
    diameter, shape = layers.diameter_px, layers.sharp.shape
    grain = 0.7 * smooth_noise(rng, shape, max(1.0, rng.uniform(0.05, 0.2) * diameter))
    grain += 0.4 * smooth_noise(rng, shape, 1)
    texture = np.clip(1 + rng.uniform(0.02, 0.38) * grain, 0.1, 3)
    point_px = 0.35 + rng.uniform(0.015, 0.1) * diameter
    off_px = point_px + rng.uniform(0.05, 0.16) * diameter
    picture = ndi.gaussian_filter(layers.sharp * texture, point_px)
    if layers.soft.any():
        picture += ndi.gaussian_filter(layers.soft * texture, off_px)
    if layers.haze.any():
        picture += ndi.gaussian_filter(layers.haze, rng.uniform(0.22, 0.6) * diameter)
    if rng.random() < 0.5:
        scatter = ndi.gaussian_filter(picture, rng.uniform(0.3, 1.5) * diameter)
        picture += rng.uniform(0.03, 0.35) * scatter
    return picture


def _background(rng: np.random.Generator, shape: tuple[int, int], diameter: float) -> np.ndarray:
    """Offset, uneven glow, autofluorescent patches and fibres."""
    level = rng.uniform(0, 0.5) * rng.random()
    background = level * (1 + 0.4 * smooth_noise(rng, shape, shape[0] // 3))
    if rng.random() < 0.5:
        patches = np.clip(smooth_noise(rng, shape, max(2, diameter * rng.uniform(0.2, 2))), 0, None)
        background += rng.uniform(0.02, 0.3) * rng.random() * patches
    if rng.random() < 0.3:
        ridge = np.abs(smooth_noise(rng, shape, diameter * rng.uniform(0.8, 2)))
        fibres = np.exp(-((ridge / rng.uniform(0.04, 0.15)) ** 2)).astype(np.float32)
        background += rng.uniform(0.02, 0.4) * ndi.gaussian_filter(fibres, rng.uniform(0.7, 2))
    return background


def _debris(rng: np.random.Generator, picture: np.ndarray, diameter: float) -> None:
    """Specks of precipitate and glowing granules, much smaller than nuclei."""
    for _ in range(int(rng.integers(1, 30))):
        y, x = rng.integers(3, np.array(picture.shape) - 3)
        picture[y - 1 : y + 2, x - 1 : x + 2] += np.float32(rng.uniform(0.2, 3)) * SPECK
    if rng.random() < 0.3:
        grains = smooth_noise(rng, picture.shape, max(1, 0.12 * diameter))
        where = smooth_noise(rng, picture.shape, 2 * diameter) > rng.uniform(1, 2)
        picture += where * np.clip(grains - 1, 0, None) * np.float32(rng.uniform(0.1, 0.6))


def _sensor(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Photons, read noise, resampling, clipping."""
    few = rng.random() < 0.08  # counts of ions
    photons = np.exp(rng.uniform(np.log(4), np.log(15)) if few else rng.uniform(np.log(15), 7.6))
    noisy = rng.poisson(np.clip(picture, 0, None) * photons).astype(np.float32) / photons
    noisy += rng.normal(0, rng.uniform(0, 0.04), noisy.shape)
    if few or rng.random() < 0.2:
        noisy = ndi.gaussian_filter(noisy, rng.uniform(0.4, 1.0))
    if rng.random() < 0.12:
        noisy = np.minimum(noisy, np.float32(rng.uniform(0.8, 1.6)))  # exposed too long
    return noisy.astype(np.float32)
