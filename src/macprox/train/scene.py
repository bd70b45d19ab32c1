"""A patch of synthetic tissue or culture: which nuclei lie where, and who may overlap."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba as nb
import numpy as np
from scipy import ndimage as ndi

from macprox.train import nuclei
from macprox.train.fields import smooth_noise
from macprox.train.nuclei import CX, CY, GLOW, LONG, MIN_OWN_PX, SHORT, mostly_taken, paint

SMALLEST_PX, LARGEST_PX = 7.0, 38.0  # diameters at the network's scale: 3.5 to 19 um at 0.5


@dataclass(frozen=True)
class Kind:
    """Nuclei of one sort of cell; lengths in pixels.

    ``elongation`` is long over short axis, its spread a log standard deviation; ``aligned``: how
    far they follow the local direction of the tissue (0 to 1).
    """

    diameter_px: float
    size_cv: float
    elongation: float
    aligned: float
    bend: float
    wobble: float
    glow: float
    glow_cv: float
    dome: float
    rim: float
    spots: float
    spot_glow: float


@dataclass(frozen=True)
class Layers:
    """Light by depth: what lies in focus, somewhat off, and far off the focal plane."""

    sharp: np.ndarray
    soft: np.ndarray
    haze: np.ndarray
    labels: np.ndarray
    diameter_px: float


def _kind(rng: np.random.Generator, diameter_px: float, sort: str) -> Kind:
    """``sort``: round (lymphocyte), epithelial (large, vesicular), spindle (stroma)."""
    elongation = {"round": 1.05, "epithelial": 1.25, "spindle": rng.uniform(1.8, 4.0)}[sort]
    scale = {"round": 0.75, "epithelial": 1.2, "spindle": 0.9}[sort]
    vesicular = sort == "epithelial" and rng.random() < 0.6
    return Kind(
        diameter_px=float(np.clip(diameter_px * scale, SMALLEST_PX, LARGEST_PX)),
        size_cv=rng.uniform(0.05, 0.3),
        elongation=elongation * np.exp(rng.normal(0, 0.08)),
        aligned=rng.uniform(0.6, 1) if sort == "spindle" else rng.uniform(0, 0.6),
        bend=rng.uniform(0, 0.15 if sort == "round" else 0.4),
        wobble=rng.uniform(0, 0.11),
        glow=float(np.exp(rng.normal(0.25 if sort == "round" else 0, 0.3))),
        glow_cv=rng.uniform(0.05, 0.6),
        dome=rng.uniform(0, 1) ** 1.5,
        rim=rng.normal(0.15 if vesicular else 0, 0.12),
        spots=rng.choice([0.0, rng.uniform(0.5, 3), rng.uniform(3, 8)], p=[0.4, 0.4, 0.2]),
        spot_glow=rng.uniform(-0.6, -0.2) if rng.random() < 0.55 else rng.uniform(0.2, 0.9),
    )


def _kinds(rng: np.random.Generator) -> list[Kind]:
    diameter_px = float(np.exp(rng.uniform(np.log(9), np.log(30))))
    if rng.random() < 0.35:  # a culture: one sort
        sorts = [str(rng.choice(["round", "epithelial"], p=[0.4, 0.6]))]
    else:
        n = int(rng.integers(2, 4))
        sorts = [str(s) for s in rng.choice(["round", "epithelial", "spindle"], n, replace=False)]
    return [_kind(rng, diameter_px, sort) for sort in sorts]


def _nuclei(rng: np.random.Generator, kinds: list[Kind], which: np.ndarray, angle: float):
    """``(n, N_COLUMNS)`` nuclei without a place yet."""
    n = len(which)
    table = np.zeros((n, nuclei.N_COLUMNS))

    def of(name: str) -> np.ndarray:
        return np.array([getattr(kind, name) for kind in kinds])[which]

    diameter = of("diameter_px") * np.exp(rng.normal(0, 1, n) * of("size_cv"))
    small = rng.random(n) < 0.06  # cut near a pole
    diameter = np.clip(np.where(small, diameter * rng.uniform(0.45, 0.7, n), diameter), 6, 46)
    ratio = np.maximum(of("elongation") * np.exp(rng.normal(0, 0.15, n)), 1.0)
    table[:, nuclei.LONG] = diameter / 2 * np.sqrt(ratio)
    table[:, nuclei.SHORT] = np.maximum(diameter / 2 / np.sqrt(ratio), 2.2)
    free = rng.uniform(0, np.pi, n)
    table[:, nuclei.ANGLE] = np.where(
        rng.random(n) < of("aligned"), angle + rng.normal(0, 0.2, n), free
    )
    table[:, nuclei.BEND] = rng.normal(0, 1, n) * of("bend")
    table[:, nuclei.WOBBLE] = of("wobble")
    glow = of("glow") * np.exp(rng.normal(0, 1, n) * of("glow_cv"))
    bright = rng.random(n) < 0.025  # mitotic or pyknotic
    table[:, nuclei.GLOW] = np.where(bright, glow * rng.uniform(1.8, 4, n), glow)
    table[:, nuclei.GLOW] *= np.where(small, rng.uniform(0.4, 1, n), 1)
    table[:, nuclei.DOME] = np.clip(of("dome") + rng.normal(0, 0.08, n), 0, 1)
    table[:, nuclei.RIM] = of("rim")
    table[:, nuclei.SPOTS] = rng.poisson(of("spots"))
    table[:, nuclei.SPOT_GLOW] = of("spot_glow")
    return table


@nb.njit(cache=True, nogil=True)
def _settle(table, which, soft, chance, style, layers, labels, deepest, rng):
    """Place nuclei one by one until the target share of pixels is covered.

    ``chance`` is, by kind and pixel, how likely a nucleus may lie there; ``style`` the share of
    pixels to cover, the share of nuclei that start beside one already placed, and how much of a
    nucleus may lie on others.
    """
    height, width = labels.shape
    cover, touching, max_overlap = style
    placed = np.empty((table.shape[0], 3))
    n, covered = 0, 0
    for i in range(table.shape[0]):
        if covered >= cover * labels.size:
            break
        radius = math.sqrt(table[i, LONG] * table[i, SHORT])
        y, x = rng.random() * height, rng.random() * width
        if n > 0 and rng.random() < touching:
            other = int(rng.random() * n)
            turn = rng.random() * 2 * math.pi
            apart = (placed[other, 2] + radius) * (0.82 + 0.3 * rng.random())
            y = placed[other, 0] + apart * math.sin(turn)
            x = placed[other, 1] + apart * math.cos(turn)
        if not (0 <= y < height and 0 <= x < width):
            continue
        table[i, CY], table[i, CX] = y, x
        if rng.random() > chance[which[i], int(y), int(x)]:
            continue
        if mostly_taken(table[i], labels, max_overlap):
            continue
        new = paint(table[i], n + 1, max_overlap, layers[soft[i]], labels, deepest, rng)
        if new > 0:
            placed[n, 0], placed[n, 1], placed[n, 2] = y, x, radius
            n += 1
            covered += new


def _chance(rng: np.random.Generator, kinds: list[Kind], side_px: int) -> np.ndarray:
    """``(n_kinds, y, x)`` float32: where each kind may lie."""
    shape = side_px, side_px
    chance = np.ones((len(kinds), *shape), np.float32)
    if rng.random() < 0.5:  # nests and gaps
        field = smooth_noise(rng, shape, rng.uniform(16, 80))
        chance *= np.where(field > np.quantile(field, rng.uniform(0.1, 0.7)), 1.0, 0.06)
    if len(kinds) > 1 and rng.random() < 0.7:  # each kind has its own ground
        field = smooth_noise(rng, shape, rng.uniform(30, 90))
        inside = field > np.quantile(field, rng.uniform(0.25, 0.75))
        chance[0] *= np.where(inside, 1.0, 0.05)
        chance[1] *= np.where(inside, rng.uniform(0.05, 0.5), 1.0)
    return chance.astype(np.float32)


def _unlabelled(rng: np.random.Generator, kinds: list[Kind], light: np.ndarray, n: int) -> None:
    """Light from above and below the focal plane."""
    table = _nuclei(rng, kinds, rng.integers(0, len(kinds), n), 0.0)
    table[:, [CY, CX]] = rng.uniform(0, light.shape[0], (n, 2))
    nobody, never = np.zeros(light.shape, np.int32), np.zeros(light.shape, np.float32)
    for nucleus in table:
        nucleus[GLOW] *= rng.uniform(0.15, 0.9)
        paint(nucleus, 0, 1.0, light, nobody, never, rng)


def make_scene(rng: np.random.Generator, side_px: int) -> Layers:
    """Nuclei on a square patch.

    Parameters
    ----------
    rng : numpy.random.Generator
    side_px : int

    Returns
    -------
    Layers
        Light before any blur, a typical nucleus glowing about 1, and who it belongs to.
    """
    kinds = _kinds(rng)
    sparse, middle, dense = rng.uniform(0.02, 0.2), rng.uniform(0.15, 0.5), rng.uniform(0.45, 0.95)
    cover = rng.choice([sparse, middle, dense], p=[0.2, 0.35, 0.45])
    style = (
        cover,
        rng.choice([0.2, 0.6, 0.85]),
        rng.choice([0.03, 0.12, 0.25], p=[0.35, 0.4, 0.25]),
    )
    typical_px = float(np.mean([kind.diameter_px for kind in kinds]))
    n_tries = int(8 * cover * side_px**2 / typical_px**2) + 40
    which = rng.integers(0, len(kinds), n_tries)
    soft = (rng.random(n_tries) < rng.choice([0.0, rng.uniform(0.1, 0.6)])).astype(np.int64)
    table = _nuclei(rng, kinds, which, rng.uniform(0, np.pi) + rng.normal(0, 0.15))
    light = np.zeros((3, side_px, side_px), np.float32)
    labels = np.zeros((side_px, side_px), np.int32)
    deepest = np.full(labels.shape, 2.0, np.float32)
    chance = _chance(rng, kinds, side_px)
    _settle(table, which, soft, chance, style, light, labels, deepest, rng)
    if rng.random() < 0.55:
        n_hazy = int(rng.uniform(0.02, 0.35) * side_px**2 / typical_px**2) + 1
        _unlabelled(rng, kinds, light[2], n_hazy)
    return Layers(light[0], light[1], light[2], tidy(labels), typical_px)


def tidy(labels: np.ndarray) -> np.ndarray:
    """Every label in one piece, its largest; holes closed; specks dropped; numbered 1..n."""
    clean, n = np.zeros_like(labels), 0
    for label, box in enumerate(ndi.find_objects(labels), 1):
        if box is None:
            continue
        pieces, n_pieces = ndi.label(labels[box] == label)
        if n_pieces > 1:
            pieces = pieces == np.bincount(pieces.ravel())[1:].argmax() + 1
        if np.count_nonzero(pieces) < MIN_OWN_PX:
            continue
        n += 1
        clean[box][pieces > 0] = n
    return clean
