"""A catalogue of tiny named scenes that every stage is tested on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

PIXEL_SIZE_UM = 0.5
BACKGROUND, STAINED, NOISE = 200.0, 1500.0, 12.0


@dataclass(frozen=True)
class Scene:
    """One field.

    Parameters
    ----------
    nuclear : (y, x) uint16
        Nuclear stain.
    marker : (y, x) uint16
        Macrophage marker.
    truth : (y, x) int32
        Nuclei.
    """

    nuclear: np.ndarray
    marker: np.ndarray
    truth: np.ndarray

    @property
    def n_nuclei(self) -> int:
        return int(self.truth.max())


def discs(centres_px, radius_px: float, shape: tuple[int, int]) -> np.ndarray:
    """Labelled discs, the later ones beneath the earlier."""
    labels = np.zeros(shape, np.int32)
    y, x = np.ogrid[: shape[0], : shape[1]]
    for number, (cy, cx) in enumerate(centres_px, start=1):
        inside = (y - cy) ** 2 + (x - cx) ** 2 <= radius_px**2
        labels[inside & (labels == 0)] = number
    return labels


def exposed(mask: np.ndarray, seed: int, blur_px: float = 1.0) -> np.ndarray:
    """A stained mask as a camera sees it: blurred, on a background, with noise."""
    rng = np.random.default_rng(seed)
    signal = BACKGROUND + STAINED * ndi.gaussian_filter(mask.astype(float), blur_px)
    noisy = signal + rng.normal(0, NOISE, mask.shape) + rng.normal(0, 1, mask.shape) * signal**0.5
    return np.clip(np.rint(noisy), 0, 65535).astype(np.uint16)


def _scene(truth: np.ndarray, marker: np.ndarray | None = None, seed: int = 0) -> Scene:
    marker = np.zeros(truth.shape, bool) if marker is None else marker
    return Scene(exposed(truth > 0, seed), exposed(marker, seed + 1), truth)


def empty() -> Scene:
    """Background only."""
    return _scene(np.zeros((128, 128), np.int32))


def one_nucleus() -> Scene:
    return _scene(discs([(64, 64)], 8, (128, 128)))


def two_touching_nuclei() -> Scene:
    return _scene(discs([(64, 56), (64, 71)], 8, (128, 128)))


def crowd(side_px: int = 640, seed: int = 3) -> Scene:
    """Some hundreds of nuclei of several sizes, many touching, some cut by the rim."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((side_px, side_px), np.int32)
    n_nuclei, n_placed = int(side_px**2 / 120), 0
    y, x = np.mgrid[:side_px, :side_px]
    for cy, cx in rng.uniform(0, side_px, (n_nuclei, 2)):
        radius = rng.uniform(6, 11)
        box = np.s_[max(int(cy - 12), 0) : int(cy + 13), max(int(cx - 12), 0) : int(cx + 13)]
        near = (y[box] - cy) ** 2 + (x[box] - cx) ** 2 <= radius**2
        if near.any() and not truth[box][near].any():
            n_placed += 1
            truth[box][near] = n_placed
    marker = ndi.binary_dilation(truth % 9 == 1, iterations=9) & (truth >= 0)
    return _scene(truth, marker & (ndi.gaussian_filter(rng.normal(size=truth.shape), 3) > -0.2))


def macrophage_beside_lymphocyte() -> Scene:
    """Nucleus 1 sits inside a large marker-positive body; nucleus 2 touches it from outside."""
    truth = discs([(64, 50), (64, 86)], 7, (128, 128))
    body = discs([(64, 56)], 22, (128, 128)) > 0
    return _scene(truth, body & (truth != 2))


def body_without_nucleus() -> Scene:
    """A marker-positive body whose nucleus lies outside the plane, far from a lone nucleus."""
    truth = discs([(30, 30)], 8, (128, 128))
    return _scene(truth, discs([(85, 85)], 14, (128, 128)) > 0)
