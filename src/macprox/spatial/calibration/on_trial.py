"""The tests that `calibrate` puts on trial, each a function from a simulated slide to p values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from macprox.spatial.nulls.envelopes import METHODS, from_curves
from macprox.spatial.nulls.permute import permutation_p
from macprox.spatial.nulls.relabel import Relabelling
from macprox.spatial.nulls.simulated import uniform_in
from macprox.spatial.nulls.surroundings import (
    FROM_MOVED,
    TO_MOVED,
    Exact,
    Permutations,
    Surroundings,
)
from macprox.spatial.search.neighbours import count_within
from macprox.window import Window

PValues = dict[str, float]

# Name, and where `Surroundings.tested` puts it.
_POINTWISE = {
    "relabel: g, source to target": (FROM_MOVED, "g"),
    "relabel: g, target to source": (TO_MOVED, "g"),
    "relabel: count within": (FROM_MOVED, "count_within"),
    "relabel: nearest distance": (FROM_MOVED, "nearest_mean_um"),
}
_GLOBAL = {f"relabel: g envelope, {method}": method for method in METHODS}
RELABEL_TESTS = (*_POINTWISE, *_GLOBAL)
CSR_TESTS = ("csr: g", "csr: count within")


@dataclass(frozen=True, eq=False)
class RelabelTests:
    """Every test of random relabelling, on one arrangement of cells."""

    surroundings: Surroundings = field(repr=False)
    exact: Exact = field(repr=False)
    radius_um: float
    n_permutations: int

    def __call__(self, labels: Relabelling, seed: int, names: Sequence[str]) -> PValues:
        """p of the tests asked for, NaN where a statistic is not defined."""
        found: PValues = {}
        permutations = Permutations(self.n_permutations, seed)
        if any(name in _POINTWISE for name in names):
            nulls = self.surroundings.tested(labels, permutations, self.exact)
            for name, (direction, statistic) in _POINTWISE.items():
                radius = None if statistic == "nearest_mean_um" else self.radius_um
                null = nulls.get((direction, statistic, radius))
                found[name] = np.nan if null is None else null.p
        if any(name in _GLOBAL for name in names):
            curves = self.surroundings.curves_to_moved(labels, permutations)
            for name, method in _GLOBAL.items():
                found[name] = from_curves(self.surroundings.radii_um, curves, method=method).p
        return found


def csr_tests(
    source_xy: np.ndarray,
    target_xy: np.ndarray,
    window: Window,
    radius_um: float,
    n_simulations: int,
    rng: np.random.Generator,
) -> PValues:
    """Raw G and mean count from source to target against sources thrown uniformly."""
    thrown = uniform_in(window, n_simulations * len(source_xy), rng)
    places = np.concatenate([source_xy, thrown])
    counts = count_within(places, target_xy, [radius_um])[:, 0].reshape(-1, len(source_xy))
    found: PValues = {}
    for name, values in zip(CSR_TESTS, (counts > 0, counts), strict=True):
        means = values.mean(axis=1)
        found[name] = permutation_p(means[1:], float(means[0]))
    return found
