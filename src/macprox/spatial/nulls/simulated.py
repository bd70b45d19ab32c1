"""Nulls as things that draw: what two populations might have looked like, by what has been kept.

Each takes the two populations as observed and a generator, and gives another pair. Simulation b
draws from a generator of its own, made of the seed and b (`stream`): it is the same whoever draws
it, and however many there are. `macprox.spatial.nulls.shift` has the nulls that move a whole
population.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from macprox.errors import WindowError
from macprox.spatial.nulls.relabel import Relabelling
from macprox.window import Window, as_points

MOST_TRIES = 100_000_000  # points thrown at a window's bounding box before giving up


@dataclass(frozen=True, eq=False)
class Drawn:
    """Two populations under a null."""

    source_xy: np.ndarray = field(repr=False)
    target_xy: np.ndarray = field(repr=False)
    window: Window | None = None  # where both were seen, if that is not the window of the slide
    weight: float = 1.0  # inverse variance, relative to the populations as observed


class Null(Protocol):
    """What draws."""

    def draw(
        self, source_xy: np.ndarray, target_xy: np.ndarray, rng: np.random.Generator
    ) -> Drawn: ...


def stream(seed: int, number: int) -> np.random.Generator:
    """The generator of one simulation; another number is another, independent one."""
    return np.random.default_rng((seed, number))


@dataclass(frozen=True, eq=False)
class Relabel:
    """The source label is dealt out anew among sources and ``other_xy``; targets stay.

    Parameters
    ----------
    other_xy : (n_other, 2) float
        Cells that may carry the label and do not.
    strata : (n_source + n_other,), optional
        Of the sources first; the label stays within them.
    """

    other_xy: np.ndarray = field(repr=False)
    strata: np.ndarray | None = field(default=None, repr=False)

    def draw(self, source_xy: np.ndarray, target_xy: np.ndarray, rng: np.random.Generator) -> Drawn:
        eligible = np.concatenate([source_xy, as_points(self.other_xy)])
        labels = Relabelling.of(np.arange(len(eligible)) < len(source_xy), self.strata)
        return Drawn(eligible[deal(labels, rng)], target_xy)


def deal(
    labels: Relabelling, rng: np.random.Generator, odds: np.ndarray | None = None
) -> np.ndarray:
    """One random relabelling within strata: ``(n_eligible,)`` bool.

    With ``odds (n_eligible,)``, cells are drawn one after another without replacement, each time
    in proportion to their odds (Efraimidis & Spirakis 2006).
    """
    key = rng.exponential(size=len(labels.moved))
    if odds is not None:
        key /= odds
    order = np.lexsort((key, labels.stratum))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    first = np.cumsum(labels.n) - labels.n
    return place - first[labels.stratum] < labels.m[labels.stratum]


@dataclass(frozen=True, eq=False)
class Csr:
    """Complete spatial randomness: as many sources, uniform in the window; targets stay."""

    window: Window

    def draw(self, source_xy: np.ndarray, target_xy: np.ndarray, rng: np.random.Generator) -> Drawn:
        return Drawn(uniform_in(self.window, len(source_xy), rng), target_xy)


@dataclass(frozen=True, eq=False)
class InhomogeneousPoisson:
    """Sources a Poisson process of a given intensity; targets stay.

    Parameters
    ----------
    window : Window
    per_um2 : callable of (n, 2) points to (n,)
        Intensity per square micrometre.
    most_per_um2 : float
        Its upper bound (thinning, Lewis & Shedler 1979: exact).
    """

    window: Window
    per_um2: Callable[[np.ndarray], np.ndarray]
    most_per_um2: float

    def draw(self, source_xy: np.ndarray, target_xy: np.ndarray, rng: np.random.Generator) -> Drawn:
        n = rng.poisson(self.most_per_um2 * self.window.area_um2)
        xy = uniform_in(self.window, int(n), rng)
        intensity = np.asarray(self.per_um2(xy), dtype=float)
        if not ((intensity >= 0) & (intensity <= self.most_per_um2)).all():
            raise ValueError(
                f"An intensity must lie between 0 and most_per_um2 = {self.most_per_um2:g}, found "
                f"{intensity.min():g} to {intensity.max():g}; raise the bound."
            )
        return Drawn(xy[rng.random(len(xy)) * self.most_per_um2 < intensity], target_xy)


def uniform_in(window: Window, n: int, rng: np.random.Generator) -> np.ndarray:
    """``(n, 2)`` points uniform in a window, exact whatever its shape (rejection).

    Raises
    ------
    WindowError
        If the window fills next to nothing of its bounding box.
    """
    x_min, y_min, x_max, y_max = window.bounds_um
    share = window.area_um2 / ((x_max - x_min) * (y_max - y_min))
    if n > MOST_TRIES * share:
        raise WindowError(
            f"The window fills {share:.1e} of its bounding box: too little to throw {n} points "
            "at random; simulate its pieces one by one."
        )
    kept: list[np.ndarray] = [np.empty((0, 2))]
    missing = n
    while missing > 0:
        n_thrown = int(1.1 * missing / share) + 16
        thrown = rng.uniform((x_min, y_min), (x_max, y_max), (n_thrown, 2))
        kept.append(thrown[window.contains(thrown)][:missing])
        missing -= len(kept[-1])
    return np.concatenate(kept)


def clustered_in(
    window: Window, n: int, n_clusters: int, sigma_um: float, rng: np.random.Generator
) -> np.ndarray:
    """``(n, 2)`` points of a Thomas process, given how many fell into the window.

    Cluster centres are uniform in the bounding box widened by 3 sigma, so that clusters beyond
    the edge reach in; offspring are Gaussian about them.
    """
    x_min, y_min, x_max, y_max = window.bounds_um
    reach = 3 * sigma_um
    kept: list[np.ndarray] = [np.empty((0, 2))]
    missing = n
    centre = np.empty((0, 2))
    while missing > 0:
        # New centres each round, lest one lone cluster far outside is asked for all of them.
        low, high = (x_min - reach, y_min - reach), (x_max + reach, y_max + reach)
        centre = rng.uniform(low, high, (n_clusters, 2)) if len(kept) % 20 == 1 else centre
        thrown = centre[rng.integers(n_clusters, size=2 * missing + 16)]
        thrown = thrown + rng.normal(0, sigma_um, thrown.shape)
        kept.append(thrown[window.contains(thrown)][:missing])
        missing -= len(kept[-1])
    return np.concatenate(kept)
