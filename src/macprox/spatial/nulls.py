"""What each statistic would be if labels were dealt out anew: expectation, range and p."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from macprox.spatial.expected_nearest import expected_nearest_to_moved
from macprox.spatial.neighbours import count_in_groups, lists_in_groups, nearest_in_groups
from macprox.spatial.permute import permutation_p, permute
from macprox.spatial.relabel import Relabelling, exact_p, exact_range, expected_g_to_moved
from macprox.spatial.relabel_variance import variance_of_g_to_moved

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


Nulls = dict[tuple[str, str, float | None], NullValue]  # direction, statistic, radius


@dataclass(frozen=True)
class Permutations:
    """How many, from where, and whether expectations come from them too."""

    n: int
    seed: int
    only: bool = False  # the expectation is their mean, not the closed form


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Fixed cells around eligible cells and the reverse: found once, whatever label is dealt."""

    fixed_xy: np.ndarray = field(repr=False)
    fixed_group: np.ndarray = field(repr=False)
    eligible_xy: np.ndarray = field(repr=False)
    eligible_group: np.ndarray = field(repr=False)
    radii_um: np.ndarray

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
            **self._from_permutations(labels, permutations),
            **({} if permutations.only else self._exact_fractions(labels)),
            (TO_MOVED, "nearest_mean_um", None): self._nearest_to_moved(labels, permutations),
        }

    def _from_permutations(self, labels: Relabelling, permutations: Permutations) -> Nulls:
        """Means over moved cells, and the share of fixed cells with a moved one."""
        known = ~np.isnan(self.nearest_um)
        values = np.column_stack(
            [np.where(known, self.nearest_um, 0.0), self.counts, self.counts > 0]
        )
        dealt = permute(labels, values, self.lists, permutations.n, permutations.seed)
        n_radii, n_moved = len(self.radii_um), int(labels.m.sum())
        judge = _Judge(labels, permutations)
        nulls: Nulls = {}
        if labels.moved[known].any():
            # Fields without fixed cells have no distances; strata keep their number of moved
            # cells, so the mean over the others is the same multiple in every permutation.
            share = labels.moved[known].sum() / n_moved
            with_fixed = Relabelling.of(labels.moved[known], labels.stratum[known])
            exact = with_fixed.mean_and_variance(self.nearest_um[known])
            observed = with_fixed.observed(self.nearest_um[known])
            nulls[FROM_MOVED, "nearest_mean_um", None] = judge(
                observed, dealt.means[:, 0] / share, exact
            )
        hit_to_moved = self.hit_to_moved(labels)
        exact_to_moved = np.column_stack(
            [expected_g_to_moved(*self.lists, labels), variance_of_g_to_moved(*self.lists, labels)]
        )
        for k, radius in enumerate(self.radii_um.tolist()):
            count, hit = values[:, 1 + k], values[:, 1 + n_radii + k]
            pairs = n_moved / len(self.fixed_xy)  # the same pairs, counted from the other end
            observed, permuted = labels.observed(count), dealt.means[:, 1 + k]
            exact = labels.mean_and_variance(count)
            of_fixed = exact[0] * pairs, exact[1] * pairs**2
            nulls[FROM_MOVED, "count_within", radius] = judge(observed, permuted, exact)
            nulls[TO_MOVED, "count_within", radius] = judge(
                observed * pairs, permuted * pairs, of_fixed
            )
            nulls[FROM_MOVED, "g", radius] = judge(
                labels.observed(hit),
                dealt.means[:, 1 + n_radii + k],
                labels.mean_and_variance(hit),
            )
            nulls[TO_MOVED, "g", radius] = judge(
                hit_to_moved[k], dealt.hits[:, k], tuple(exact_to_moved[k])
            )
        return nulls

    def hit_to_moved(self, labels: Relabelling) -> np.ndarray:
        """Share of fixed cells with a moved cell within each radius, as observed."""
        offsets, rows = self.lists
        so_far = np.concatenate([[0], np.cumsum(labels.moved[rows])])
        n_moved = so_far[offsets[:, 1:]] - so_far[offsets[:, :1]]
        return (n_moved > 0).mean(axis=0)

    def _exact_fractions(self, labels: Relabelling) -> Nulls:
        """Share of moved cells with a fixed one: the whole distribution is known."""
        nulls: Nulls = {}
        n_moved = int(labels.m.sum())
        for radius, hit in zip(self.radii_um.tolist(), (self.counts > 0).T, strict=True):
            distribution = labels.hit_distribution(hit)
            low, high = exact_range(*distribution)
            degenerate = labels.is_degenerate
            p = exact_p(*distribution, int(hit[labels.moved].sum()))
            expected, variance = labels.mean_and_variance(hit)
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
        if permutations.only:
            return NullValue(reason=NO_TEST)
        expected = expected_nearest_to_moved(
            self.fixed_xy, self.eligible_xy, self.fixed_group, self.eligible_group, labels
        )
        return NullValue(expected, reason=TOO_RARE if np.isnan(expected) else NO_TEST)


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
