"""Synthetic images on disk, and batches of augmented crops from them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from macprox.segment.network_grid import NETWORK_PIXEL_UM
from macprox.segment.nuclei import describe
from macprox.segment.unet import normalise
from macprox.train.optics import photograph
from macprox.train.scene import make_scene
from macprox.train.targets import depth_target

RIM_PX = 32  # drawn and cut off: nuclei at the rim are cut as on a slide
DEPTH_LEVELS = 255


@dataclass(frozen=True)
class Examples:
    """``stain`` (n, y, x) float16, of background 0 and bright 1; ``depth`` (n, y, x) uint8."""

    stain: np.ndarray
    depth: np.ndarray


def make_example(seed: int, side_px: int) -> tuple[np.ndarray, np.ndarray]:
    """One image and its target, from its seed alone."""
    rng = np.random.default_rng(seed)
    scene = make_scene(rng, side_px + 2 * RIM_PX)
    inner = slice(RIM_PX, -RIM_PX), slice(RIM_PX, -RIM_PX)
    picture, labels = photograph(rng, scene)[inner], scene.labels[inner]
    stain = describe(picture, NETWORK_PIXEL_UM)
    if stain.constant or stain.bright <= stain.background:
        relative = np.zeros_like(picture)
    else:
        relative = (picture - stain.background) / (stain.bright - stain.background)
    # Every pixel of a nucleus is at least one level deep: depth > 0 is the nucleus itself.
    depth = np.ceil(depth_target(labels) * DEPTH_LEVELS)
    return np.clip(relative, -60, 60).astype(np.float16), depth.astype(np.uint8)


def make_examples(folder: Path, seeds: range, side_px: int, n_processes: int) -> Examples:
    """Draw the images, or read them where they were drawn before."""
    name = f"examples_{seeds.start}_{len(seeds)}_{side_px}"
    paths = [folder / f"{name}_{part}.npy" for part in ("stain", "depth")]
    if not all(path.exists() for path in paths):
        folder.mkdir(parents=True, exist_ok=True)
        with ProcessPoolExecutor(n_processes) as pool:
            drawn = list(pool.map(partial(make_example, side_px=side_px), seeds, chunksize=16))
        for path, images in zip(paths, zip(*drawn, strict=True), strict=True):
            np.save(path, np.stack(images))
    return Examples(*(np.load(path) for path in paths))


def batches(
    examples: Examples, n_batches: int, batch_size: int, crop_px: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Augmented crops ``(batch, 1, y, x)``: normalised stain, and depth from 0 to 1."""
    rng = np.random.default_rng(seed)
    n, side, _ = examples.stain.shape
    for _ in range(n_batches):
        stain = np.empty((batch_size, 1, crop_px, crop_px), np.float32)
        depth = np.empty_like(stain)
        for i in range(batch_size):
            y, x = rng.integers(0, side - crop_px + 1, 2)
            at = int(rng.integers(n)), slice(y, y + crop_px), slice(x, x + crop_px)
            turn, flip = int(rng.integers(4)), rng.random() < 0.5
            for target, source in ((stain, examples.stain), (depth, examples.depth)):
                crop = np.rot90(source[at], turn)
                target[i, 0] = crop[:, ::-1] if flip else crop
            stain[i, 0] = _misjudged(rng, stain[i, 0])
        yield stain, depth / np.float32(DEPTH_LEVELS)


def _misjudged(rng: np.random.Generator, stain: np.ndarray) -> np.ndarray:
    """The stain as a slide's statistics might show it: other offset, scale, curve, noise."""
    stain = (stain + rng.normal(0, 0.03)) * np.exp(rng.uniform(-0.6, 0.6))
    stain = np.sign(stain) * np.abs(stain) ** np.exp(rng.normal(0, 0.15))
    if rng.random() < 0.25:
        stain = stain + rng.normal(0, rng.uniform(0, 0.1), stain.shape)
    return normalise(stain, 0.0, 1.0)
