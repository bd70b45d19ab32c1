"""What each statistic would be if labels were dealt out anew: expectation, range and p."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from macprox.spatial.nulls.expected_nearest import expected_nearest_to_each
from macprox.spatial.nulls.permute import permutation_p, permute
from macprox.spatial.nulls.relabel import Relabelling, exact_p, exact_range, expected_g_to_moved
from macprox.spatial.nulls.relabel_variance import variance_of_g_to_moved
from macprox.spatial.search.neighbours import count_in_groups, lists_in_groups, nearest_in_groups

FROM_MOVED, TO_MOVED = "from_moved", "to_moved"  # macrophage to tumour, tumour to macrophage
NO_TEST = "no test: permuting whole distances is not offered, read g"
NO_PERMUTATIONS = "no p: n_permutations is 0"
ONE_LABEL = "no p: every stratum holds one label only, there is nothing to relabel"
TOO_RARE = "no expectation: moved cells are too rare to follow every neighbour, read g"


@dataclass(frozen=True)
class NullValue:
    """One statistic under the null."""

    expected: float = np.nan
    sd: float = np.nan  # of the statistic over all deals; (value - expected) / sd is its effect
    low: float = np.nan  # central 95 %
    high: float = np.nan
    p: float = np.nan
    n_permutations: int = 0
    reason: str = ""


Key = tuple[str, str, float | None]  # direction, statistic, radius
Nulls = dict[Key, NullValue]


@dataclass(frozen=True)
class Permutations:
    """How many, from where, and whether expectations come from them too."""

    n: int
    seed: int
    only: bool = False  # the expectation is their mean, not the closed form


@dataclass(frozen=True, eq=False)
class Exact:
    """Moments of every statistic over all deals, and the distribution of moved cells in reach."""

    moments: dict[Key, tuple[float, float]]
    hits: list[tuple[int, np.ndarray]] = field(repr=False)  # by radius; `Relabelling`


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Fixed cells around eligible cells and the reverse: found once, whatever label is dealt."""

    fixed_xy: np.ndarray = field(repr=False)
    fixed_group: np.ndarray = field(repr=False)
    eligible_xy: np.ndarray = field(repr=False)
    eligible_group: np.ndarray = field(repr=False)
    radii_um: np.ndarray
    # Whether expected distances to moved cells, the dearest, are wanted; of which labels at once.
    distances: bool = field(default=True, kw_only=True)
    together: tuple[Relabelling, ...] = field(default=(), kw_only=True, repr=False)

    @cached_property
    def nearest_um(self) -> np.ndarray:
        """Nearest fixed cell of each eligible one; NaN where its field has none."""
        return nearest_in_groups(
            self.eligible_xy, self.fixed_xy, self.eligible_group, self.fixed_group
        )

    @cached_property
    def counts(self) -> np.ndarray:
        """Fixed cells within each radius of each eligible one: ``(n_eligible, n_radii)``."""
        return count_in_groups(
            self.eligible_xy, self.fixed_xy, self.eligible_group, self.fixed_group, self.radii_um
        )

    @cached_property
    def lists(self) -> tuple[np.ndarray, np.ndarray]:
        """Eligible neighbours of each fixed cell, by radius."""
        return lists_in_groups(
            self.fixed_xy, self.eligible_xy, self.fixed_group, self.eligible_group, self.radii_um
        )

    def nulls(self, labels: Relabelling, permutations: Permutations) -> Nulls:
        """Every statistic in both directions under random relabelling.

        Parameters
        ----------
        labels : Relabelling
            Of the eligible cells; at least one moved.
        """
        return {
            **self.tested(labels, permutations, self.exact(labels)),
            (TO_MOVED, "nearest_mean_um", None): self._nearest_to_moved(labels, permutations),
        }

    def exact(self, labels: Relabelling) -> Exact:
        """What is known without a draw; the same for every deal of as many labels."""
        known, pairs = self._known, int(labels.m.sum()) / max(len(self.fixed_xy), 1)
        moments: dict[Key, tuple[float, float]] = {}
        if labels.moved[known].any():
            with_fixed = Relabelling.of(labels.moved[known], labels.stratum[known])
            nearest_um = self.nearest_um[known]
            moments[FROM_MOVED, "nearest_mean_um", None] = with_fixed.mean_and_variance(nearest_um)
        g_to_moved = expected_g_to_moved(*self.lists, labels).tolist()
        variance = variance_of_g_to_moved(*self.lists, labels).tolist()
        for k, radius in enumerate(self.radii_um.tolist()):
            mean, of_mean = labels.mean_and_variance(self.counts[:, k])
            moments[FROM_MOVED, "count_within", radius] = mean, of_mean
            # The same pairs, counted from the other end.
            moments[TO_MOVED, "count_within", radius] = mean * pairs, of_mean * pairs**2
            hit = self.counts[:, k] > 0
            moments[FROM_MOVED, "g", radius] = labels.mean_and_variance(hit)
            moments[TO_MOVED, "g", radius] = g_to_moved[k], variance[k]
        return Exact(moments, [labels.hit_distribution(hit) for hit in (self.counts > 0).T])

    def tested(self, labels: Relabelling, permutations: Permutations, exact: Exact) -> Nulls:
        """`nulls` of every statistic that has a test."""
        nulls = self._from_permutations(labels, permutations, exact)
        return nulls if permutations.only else {**nulls, **self._exact_fractions(labels, exact)}

    @property
    def _known(self) -> np.ndarray:
        """Eligible cells whose field holds a fixed cell."""
        return ~np.isnan(self.nearest_um)

    def _from_permutations(
        self, labels: Relabelling, permutations: Permutations, exact: Exact
    ) -> Nulls:
        """Means over moved cells, and the share of fixed cells with a moved one."""
        known = self._known
        nearest_um = np.where(known, self.nearest_um, 0.0)
        values = np.column_stack([nearest_um, self.counts, self.counts > 0])
        dealt = permute(labels, values, self.lists, permutations.n, permutations.seed)
        n_radii, n_moved = len(self.radii_um), int(labels.m.sum())
        observed = labels.observed(values)
        pairs = n_moved / len(self.fixed_xy)
        hit_to_moved = self.hit_to_moved(labels)
        seen: dict[Key, tuple[float, np.ndarray]] = {}
        if labels.moved[known].any():
            # Fields without fixed cells have no distances; strata keep their number of moved
            # cells, so the mean over the others is the same multiple in every permutation.
            share = labels.moved[known].sum() / n_moved
            seen[FROM_MOVED, "nearest_mean_um", None] = (
                observed[0] / share,
                dealt.means[:, 0] / share,
            )
        for k, radius in enumerate(self.radii_um.tolist()):
            count, hit = 1 + k, 1 + n_radii + k
            seen[FROM_MOVED, "count_within", radius] = observed[count], dealt.means[:, count]
            seen[TO_MOVED, "count_within", radius] = (
                observed[count] * pairs,
                dealt.means[:, count] * pairs,
            )
            seen[FROM_MOVED, "g", radius] = observed[hit], dealt.means[:, hit]
            seen[TO_MOVED, "g", radius] = hit_to_moved[k], dealt.hits[:, k]
        judge = _Judge(labels, permutations)
        return {key: judge(*pair, exact.moments[key]) for key, pair in seen.items()}

    def hit_to_moved(self, labels: Relabelling) -> np.ndarray:
        """Share of fixed cells with a moved cell within each radius, as observed."""
        offsets, rows = self.lists
        so_far = np.concatenate([[0], np.cumsum(labels.moved[rows])])
        n_moved = so_far[offsets[:, 1:]] - so_far[offsets[:, :1]]
        return (n_moved > 0).mean(axis=0)

    def curves_to_moved(self, labels: Relabelling, permutations: Permutations) -> np.ndarray:
        """G from fixed to moved cells: ``(1 + n_permutations, n_radii)``, the observed first."""
        nothing = np.empty((len(labels.moved), 0))
        dealt = permute(labels, nothing, self.lists, permutations.n, permutations.seed)
        return np.vstack([self.hit_to_moved(labels), dealt.hits])

    def _exact_fractions(self, labels: Relabelling, exact: Exact) -> Nulls:
        """Share of moved cells with a fixed one: the whole distribution is known."""
        nulls: Nulls = {}
        n_moved, degenerate = int(labels.m.sum()), labels.is_degenerate
        for k, radius in enumerate(self.radii_um.tolist()):
            low, high = exact_range(*exact.hits[k])
            p = exact_p(*exact.hits[k], int((self.counts[labels.moved, k] > 0).sum()))
            expected, variance = exact.moments[FROM_MOVED, "g", radius]
            nulls[FROM_MOVED, "g", radius] = NullValue(
                expected=expected,
                sd=float(np.sqrt(variance)),
                low=low / n_moved,
                high=high / n_moved,
                p=np.nan if degenerate else p,
                reason=ONE_LABEL if degenerate else "",
            )
        return nulls

    def _nearest_to_moved(self, labels: Relabelling, permutations: Permutations) -> NullValue:
        if permutations.only or not self.distances:
            return NullValue(reason=NO_TEST)
        expected = self._expected_nearest_um.get(labels.moved.tobytes())
        if expected is None:
            expected = self._expected_to_each([labels])[0]
        return NullValue(expected, reason=TOO_RARE if np.isnan(expected) else NO_TEST)

    @cached_property
    def _expected_nearest_um(self) -> dict[bytes, float]:
        """Expected distances of the labels given together, by who is moved."""
        found = self._expected_to_each(self.together) if self.together else []
        moved = (labels.moved.tobytes() for labels in self.together)
        return dict(zip(moved, found, strict=True))

    def _expected_to_each(self, labels: Sequence[Relabelling]) -> list[float]:
        groups = self.fixed_group, self.eligible_group
        return expected_nearest_to_each(self.fixed_xy, self.eligible_xy, *groups, labels).tolist()


@dataclass(frozen=True)
class _Judge:
    """An observed number beside its permutations."""

    labels: Relabelling
    permutations: Permutations

    def __call__(
        self, observed: Any, permuted: np.ndarray, exact: tuple[float, float]
    ) -> NullValue:
        expected, sd = exact[0], float(np.sqrt(exact[1]))
        if self.permutations.only:
            expected, sd = np.nan, np.nan
        if len(permuted) == 0:
            return NullValue(expected, sd, reason=NO_PERMUTATIONS)
        p = permutation_p(permuted, float(observed), expected)
        expected = float(permuted.mean()) if np.isnan(expected) else expected
        sd = float(permuted.std()) if np.isnan(sd) else sd
        low, high = (float(q) for q in np.quantile(permuted, [0.025, 0.975]))
        if self.labels.is_degenerate:
            return NullValue(expected, sd, low, high, reason=ONE_LABEL)
        return NullValue(expected, sd, low, high, p, len(permuted))
