"""Stratified random relabelling: what one would see if labels were dealt out anew.

Positions stay. Within each stratum the label *moved* is dealt to as many of the *eligible* cells
as carry it now, every deal equally likely; the *fixed* cells keep theirs. Two kinds of statistic:

*From moved cells* (macrophage to tumour): the mean over moved cells of a number each eligible
cell has anyway (nearest tumour, tumour cells within r, has one within r). Sampling without
replacement gives mean and variance; for a yes/no number the whole distribution, a sum of
independent hypergeometrics.

*To moved cells* (tumour to macrophage): the share of fixed cells with a moved cell within r,
E[G(r)] = mean_i {1 - prod_s C(n_s - k_is, m_s) / C(n_s, m_s)}, with k_is the eligible cells of
stratum s within r of fixed cell i (design section 6; the unstratified case is Soupir et al. 2024).
Mean counts within r are of the first kind, for the number of pairs is the same seen from both ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numba
import numpy as np
from numpy.typing import ArrayLike

from macprox.spatial.search.grid import CELLS_PER_RADIUS, CellGrid
from macprox.spatial.search.neighbours import checked_radii, count_within
from macprox.window import as_points

NEGLIGIBLE = 1e-18  # probabilities below this are left out of convolutions


@dataclass(frozen=True, eq=False)
class Relabelling:
    """Which eligible cells carry the moved label, and within what it moves.

    Parameters
    ----------
    moved : (n_eligible,) bool
    stratum : (n_eligible,) int
        0 to n_strata - 1.
    """

    moved: np.ndarray = field(repr=False)
    stratum: np.ndarray = field(repr=False)

    @classmethod
    def of(cls, moved: ArrayLike, strata: ArrayLike | None = None) -> Relabelling:
        """From labels of any kind; without strata, the label moves freely."""
        moved = np.asarray(moved, dtype=bool)
        if strata is None:
            return cls(moved, np.zeros(len(moved), dtype=np.int64))
        strata = np.asarray(strata)
        if strata.shape != moved.shape:
            raise ValueError(
                f"strata must give one stratum for each of {len(moved)} eligible cells, found "
                f"shape {strata.shape}."
            )
        return cls(moved, np.unique(strata, return_inverse=True)[1].astype(np.int64))

    @cached_property
    def n(self) -> np.ndarray:
        """Eligible cells of each stratum."""
        return np.bincount(self.stratum)

    @cached_property
    def m(self) -> np.ndarray:
        """Moved cells of each stratum."""
        return np.bincount(self.stratum[self.moved], minlength=len(self.n))

    @property
    def is_degenerate(self) -> bool:
        """Whether there is only one way to deal the label."""
        return bool(((self.m == 0) | (self.m == self.n)).all())

    def observed(self, values: np.ndarray) -> np.ndarray:
        """Mean over moved cells of ``values`` ``(n_eligible, ...)``."""
        return values[self.moved].mean(axis=0)

    def mean_and_variance(self, values: np.ndarray) -> tuple[float, float]:
        """Exact moments over all deals of the mean over moved cells of ``values (n_eligible,)``."""
        values = np.asarray(values, dtype=float)
        n, m = self.n, self.m
        mean = np.bincount(self.stratum, values) / n
        squares = np.bincount(self.stratum, np.square(values - mean[self.stratum]))
        sampling = m * (1 - m / n) * squares / np.maximum(n - 1, 1)
        return float((m * mean).sum() / m.sum()), float(sampling.sum() / m.sum() ** 2)

    def hit_distribution(self, hit: np.ndarray) -> tuple[int, np.ndarray]:
        """Exact distribution of the number of moved cells for which ``hit`` is true.

        Returns
        -------
        lowest : int
            The count of the first entry.
        probability : (n_counts,) float
            Of ``lowest``, ``lowest + 1``, ...; sums to 1.
        """
        from scipy.stats import hypergeom

        n_hit = np.bincount(self.stratum[hit], minlength=len(self.n))
        lowest, probability = 0, np.ones(1)
        for n, k, m in zip(self.n.tolist(), n_hit.tolist(), self.m.tolist(), strict=True):
            first, last = max(0, m - (n - k)), min(m, k)
            centre, spread = m * k / n, 40 + 10 * np.sqrt(m * k / n * (1 - k / n))
            first, last = max(first, int(centre - spread)), min(last, int(centre + spread) + 1)
            mass = hypergeom.pmf(np.arange(first, last + 1), n, k, m)
            probability = np.convolve(probability, mass)
            lowest += first
            keep = np.flatnonzero(probability > NEGLIGIBLE)
            lowest += int(keep[0])
            probability = probability[keep[0] : keep[-1] + 1]
        return lowest, probability / probability.sum()


def exact_p(lowest: int, probability: np.ndarray, observed: int) -> float:
    """Two-sided p of a count: the probability of one as far from the mean."""
    count = lowest + np.arange(len(probability))
    mean = count @ probability
    as_far = np.abs(count - mean) >= abs(observed - mean) - 1e-9 * max(1.0, mean)
    return float(min(1.0, probability[as_far].sum()))


def exact_range(lowest: int, probability: np.ndarray) -> tuple[int, int]:
    """The 2.5 and 97.5 % quantiles of a count."""
    cumulative = np.cumsum(probability)
    low, high = np.searchsorted(cumulative, [0.025 - 1e-12, 0.975 - 1e-12])
    return lowest + int(low), lowest + min(int(high), len(probability) - 1)


def expected_g_relabelled(
    fixed_xy: ArrayLike,
    eligible_xy: ArrayLike,
    moved: ArrayLike,
    r_um: ArrayLike,
    strata: ArrayLike | None = None,
    direction: str = "to_moved",
) -> np.ndarray:
    """Exact expectation of the raw cross G when the moved label is dealt out anew within strata.

    Compare it with ``cross_g(..., correction="none")``: like with like.

    Parameters
    ----------
    fixed_xy : (n_fixed, 2) float
        Cells that keep their label (tumour), micrometres.
    eligible_xy : (n_eligible, 2) float
        Cells that may carry the moved label.
    moved : (n_eligible,) bool
        Those that carry it (macrophages).
    r_um : (n_radii,) float
        Increasing, positive.
    strata : (n_eligible,), optional
        Labels of any kind; the moved label stays within them.
    direction : "to_moved" or "from_moved"
        ``"to_moved"``: share of fixed cells with a moved cell within r (tumour to macrophage).
        ``"from_moved"``: share of moved cells with a fixed cell within r.

    Returns
    -------
    (n_radii,) float
        NaN without fixed or without moved cells.

    Examples
    --------
    Two of four cells are macrophages; a tumour cell has two of the four within 10 um:
    1 - C(2, 2) / C(4, 2) = 5 / 6.

    >>> eligible = [[0, 5], [0, 9], [0, 50], [0, 60]]
    >>> expected_g_relabelled([[0, 0]], eligible, [True, False, True, False], [10])
    array([0.83333333])
    """
    if direction not in ("to_moved", "from_moved"):
        raise ValueError(f'direction must be "to_moved" or "from_moved", found {direction!r}.')
    fixed, eligible = as_points(np.asarray(fixed_xy)), as_points(np.asarray(eligible_xy))
    radii = checked_radii(r_um)
    labels = Relabelling.of(moved, strata)
    if len(labels.moved) != len(eligible):
        raise ValueError(
            f"moved must give one label for each of {len(eligible)} eligible cells, found "
            f"{len(labels.moved)}."
        )
    if len(fixed) == 0 or not labels.moved.any():
        return np.full(len(radii), np.nan)
    if direction == "from_moved":
        hit = count_within(eligible, fixed, radii) > 0
        return np.array([labels.mean_and_variance(column)[0] for column in hit.T])
    grid = CellGrid.of(eligible, radii[-1] / CELLS_PER_RADIUS)
    return expected_g_to_moved(*grid.lists(fixed, radii), labels)


def expected_g_to_moved(offsets: np.ndarray, rows: np.ndarray, labels: Relabelling) -> np.ndarray:
    """`expected_g_relabelled` from neighbour lists of every fixed cell: ``(n_radii,)``."""
    return 1 - _survival(offsets, rows, labels.stratum, labels.n, labels.m).mean(axis=0)


@numba.njit(nogil=True, cache=True)
def _survival(offsets, rows, stratum, n, m):
    # C(n - k, m) / C(n, m) = prod over the k neighbours of (n - m - j) / (n - j), j = 0 .. k - 1:
    # one factor a neighbour, exactly 0 once k > n - m, and no logarithm of a large factorial.
    n_radii = offsets.shape[1] - 1
    out = np.empty((len(offsets), n_radii))
    seen = np.zeros(len(n), np.int64)
    for i in range(len(offsets)):
        alive = 1.0
        for k in range(n_radii):
            for e in range(offsets[i, k], offsets[i, k + 1]):
                s = stratum[rows[e]]
                alive *= (n[s] - m[s] - seen[s]) / (n[s] - seen[s])
                seen[s] += 1
                if alive <= 0.0:
                    alive = 0.0
                    break
            out[i, k] = alive
        for e in range(offsets[i, 0], offsets[i, n_radii]):
            seen[stratum[rows[e]]] = 0
    return out
