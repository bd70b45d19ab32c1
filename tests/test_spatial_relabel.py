"""Relabelling: closed forms against enumeration and permutations, p values against uniformity."""

from dataclasses import dataclass, replace
from itertools import combinations, product

import numpy as np
import pytest

from macprox import spatial
from macprox.spatial.nulls import permute as permute_module
from macprox.spatial.nulls.expected_nearest import expected_nearest_to_moved
from macprox.spatial.nulls.permute import permutation_p, permute
from macprox.spatial.nulls.relabel import Relabelling, exact_p, exact_range, expected_g_to_moved
from macprox.spatial.nulls.relabel_variance import variance_of_g_to_moved
from macprox.spatial.nulls.surroundings import FROM_MOVED, TO_MOVED, Permutations, Surroundings
from macprox.spatial.search.grid import CellGrid


@dataclass(frozen=True)
class Scene:
    tumour: np.ndarray
    eligible: np.ndarray
    macrophage: np.ndarray
    compartment: np.ndarray
    radii_um: tuple[float, ...] = (10.0, 20.0, 30.0)

    @property
    def surroundings(self) -> Surroundings:
        return Surroundings(
            self.tumour,
            np.zeros(len(self.tumour)),
            self.eligible,
            np.zeros(len(self.eligible)),
            np.array(self.radii_um),
        )

    def labels(self, stratified: bool = True) -> Relabelling:
        return Relabelling.of(self.macrophage, self.compartment if stratified else None)

    def observed(self) -> np.ndarray:
        nearest = spatial.nearest_distance(self.tumour, self.eligible[self.macrophage])
        return (nearest[:, None] <= self.radii_um).mean(axis=0)


@pytest.fixture
def nests() -> Scene:
    """science.md section 2: 10 % of cells are macrophages inside tumour nests, 25 % outside.

    Within a compartment macrophages lie at random: there is no avoidance, only compartments.
    """
    rng = np.random.default_rng(2021)
    centres = np.array([[200, 250], [520, 650], [800, 200], [850, 800], [200, 760]])
    cells = rng.uniform(0, 1000, (3000, 2))
    tumour = rng.uniform(0, 1000, (2500, 2))
    inside, in_nest = (
        (np.hypot(*(xy[:, None] - centres).transpose(2, 0, 1)) < 160).any(axis=1)
        for xy in (cells, tumour)
    )
    macrophage = rng.random(3000) < np.where(inside, 0.10, 0.25)
    return Scene(tumour[in_nest], cells, macrophage, np.where(inside, "nest", "stroma"))


@pytest.fixture
def small() -> Scene:
    rng = np.random.default_rng(7)
    eligible = rng.uniform(0, 45, (11, 2))
    macrophage = np.isin(np.arange(11), [0, 1, 5, 8])
    return Scene(rng.uniform(0, 45, (6, 2)), eligible, macrophage, np.repeat([0, 1], [6, 5]))


def every_deal(scene: Scene):
    """All equally likely ways to deal the label within strata: ``(n_deals, n_eligible)``."""
    per_stratum = []
    for stratum in np.unique(scene.compartment):
        rows = np.flatnonzero(scene.compartment == stratum)
        per_stratum.append(list(combinations(rows, int(scene.macrophage[rows].sum()))))
    deals = []
    for chosen in product(*per_stratum):
        moved = np.zeros(len(scene.eligible), bool)
        moved[np.concatenate(chosen).astype(int)] = True
        deals.append(moved)
    return np.array(deals)


def test_closed_forms_equal_the_enumeration_of_every_deal(small):
    deals = every_deal(small)
    assert len(deals) == 20 * 5  # three of six, one of five
    apart = np.hypot(*(small.tumour[:, None] - small.eligible).transpose(2, 0, 1))
    arguments = (small.tumour, small.eligible, small.macrophage, small.radii_um, small.compartment)
    to_moved, from_moved = (
        [
            np.mean([(apart[:, moved].min(axis=axis) <= r).mean() for moved in deals])
            for r in small.radii_um
        ]
        for axis in (1, 0)
    )
    np.testing.assert_allclose(spatial.expected_g_relabelled(*arguments), to_moved, rtol=1e-12)
    np.testing.assert_allclose(
        spatial.expected_g_relabelled(*arguments, direction="from_moved"), from_moved, rtol=1e-12
    )
    labels, group = small.labels(), np.zeros(20)
    nearest = np.mean([apart[:, moved].min(axis=1).mean() for moved in deals])
    expected = expected_nearest_to_moved(
        small.tumour, small.eligible, group[:6], group[:11], labels
    )
    assert expected == pytest.approx(nearest, rel=1e-12)
    for values in (apart.min(axis=0), (apart <= 20).sum(axis=0).astype(float)):
        means = np.array([values[moved].mean() for moved in deals])
        mean, variance = labels.mean_and_variance(values)
        assert mean == pytest.approx(means.mean(), rel=1e-12)
        assert variance == pytest.approx(means.var(), rel=1e-12)


def test_exact_p_equals_the_enumeration_of_every_deal(small):
    labels = small.labels()
    for radius in small.radii_um:
        hit = spatial.count_within(small.eligible, small.tumour, [radius])[:, 0] > 0
        counts = np.array([hit[moved].sum() for moved in every_deal(small)])
        lowest, probability = labels.hit_distribution(hit)
        for observed in range(-1, 6):
            distance = np.abs(counts - counts.mean())
            expected = (distance >= abs(observed - counts.mean()) - 1e-9).mean()
            assert exact_p(lowest, probability, observed) == pytest.approx(expected, abs=1e-12)
        low, high = exact_range(lowest, probability)
        assert (counts < low).mean() <= 0.025
        assert (counts > high).mean() <= 0.025


def test_two_cells_of_four_by_hand():
    eligible = [[0, 5], [0, 9], [0, 50], [0, 60]]
    expected = spatial.expected_g_relabelled([[0, 0]], eligible, [1, 0, 1, 0], [10, 55])
    np.testing.assert_allclose(expected, [1 - 1 / 6, 1.0])  # three of four: never both missed


def test_the_unstratified_null_shouts_avoidance_where_the_stratified_one_says_nothing(nests):
    rng = np.random.default_rng(1)
    surroundings = nests.surroundings
    share = np.where(nests.compartment == "nest", 0.10, 0.25)
    excess, rejected = {True: [], False: []}, {True: 0, False: 0}
    for seed in range(20):
        scene = replace(nests, macrophage=rng.random(3000) < share)
        g20 = scene.observed()[1]
        for stratified in (True, False):
            nulls = surroundings.nulls(scene.labels(stratified), Permutations(199, seed))
            null = nulls[TO_MOVED, "g", 20.0]
            excess[stratified].append(g20 - null.expected)
            rejected[stratified] += null.p <= 0.05
            assert stratified or (null.expected > 0.45 and g20 < 0.4)  # science.md: 0.57, 0.32
    assert np.mean(excess[False]) < -0.15  # "strong avoidance", every time
    assert rejected[False] == 20
    assert abs(np.mean(excess[True])) < 0.01  # nothing
    assert rejected[True] <= 4


def test_closed_forms_match_two_thousand_permutations(nests):
    labels, surroundings = nests.labels(), nests.surroundings
    values = np.column_stack([surroundings.nearest_um, surroundings.counts])
    dealt = permute(labels, values, surroundings.lists, 2000, seed=3)
    error = 5 * dealt.hits.std(axis=0) / np.sqrt(2000)
    difference = expected_g_to_moved(*surroundings.lists, labels) - dealt.hits.mean(axis=0)
    assert (np.abs(difference) < np.maximum(error, 1e-12)).all()
    assert (np.abs(difference) < 0.002).all()
    for column, permuted in zip(values.T, dealt.means.T, strict=True):
        mean, variance = labels.mean_and_variance(column)
        assert abs(mean - permuted.mean()) < 5 * np.sqrt(variance / 2000)
        assert permuted.var() == pytest.approx(variance, rel=0.15)


def test_a_permutation_deals_as_many_labels_to_every_stratum(nests):
    labels = nests.labels()
    in_stratum = np.eye(2)[labels.stratum]
    dealt = permute(labels, in_stratum, nests.surroundings.lists, 130, seed=5)
    np.testing.assert_allclose(dealt.means * labels.m.sum(), np.tile(labels.m, (130, 1)))


def test_every_eligible_cell_is_dealt_the_label_equally_often():
    labels = Relabelling.of(np.arange(12) < 4, np.repeat([0, 1], 6))
    nobody = np.zeros((0, 2), np.int64), np.zeros(0, np.int32)
    dealt = permute(labels, np.eye(12), nobody, 6000, seed=0)
    share = dealt.means.mean(axis=0) * 4
    assert np.abs(share[:6] - 4 / 6).max() < 0.03
    assert (share[6:] == 0).all()


def test_the_answer_does_not_depend_on_workers_or_on_how_many_follow(nests):
    labels, surroundings = nests.labels(), nests.surroundings
    values = surroundings.counts.astype(float)
    arguments = labels, values, surroundings.lists
    one, three = (permute(*arguments, 300, seed=9, workers=n) for n in (1, 3))
    fewer, other = permute(*arguments, 70, seed=9), permute(*arguments, 70, seed=10)
    for part in ("means", "hits"):
        np.testing.assert_array_equal(getattr(one, part), getattr(three, part))
        np.testing.assert_array_equal(getattr(one, part)[:70], getattr(fewer, part))
        assert (getattr(fewer, part) != getattr(other, part)).any()


def test_observed_labels_seen_by_the_permutation_machinery_are_the_observed_statistic(nests):
    surroundings, labels = nests.surroundings, nests.labels()
    np.testing.assert_allclose(surroundings.hit_to_moved(labels), nests.observed())
    bits = labels.moved.astype(np.uint64)
    hits = permute_module._hits(*surroundings.lists, bits, 1)[0]
    np.testing.assert_allclose(hits / len(nests.tumour), nests.observed())


@pytest.fixture(scope="module")
def calibration():
    """p values of 2,000 true random labellings within strata, drawn by numpy."""
    rng = np.random.default_rng(42)
    eligible, tumour = rng.uniform(0, 800, (2500, 2)), rng.normal(400, 120, (700, 2))
    stratum = (eligible[:, 0] > 300).astype(int) + (eligible[:, 1] > 500)
    m = (np.bincount(stratum) * [0.1, 0.2, 0.35]).astype(int)
    moved = np.zeros((2000, 2500), bool)
    for row in moved:
        for s in range(3):
            row[rng.choice(np.flatnonzero(stratum == s), m[s], replace=False)] = True
    surroundings = Scene(tumour, eligible, moved[0], stratum, (15.0, 40.0)).surroundings
    hit = surroundings.counts > 0
    values = np.column_stack([surroundings.nearest_um, surroundings.counts])
    labels = [Relabelling.of(row, stratum) for row in moved]
    # Conditional on the strata the null is the same for every labelling: one reference serves all.
    dealt = permute(labels[0], values, surroundings.lists, 3999, seed=0)
    to_moved = np.array([surroundings.hit_to_moved(one) for one in labels])
    p = {
        f"mean {v}": [
            permutation_p(dealt.means[:, v], one.observed(values[:, v])) for one in labels
        ]
        for v in range(3)
    }
    for k, radius in enumerate(surroundings.radii_um):
        p[f"g to moved {radius}"] = [permutation_p(dealt.hits[:, k], g) for g in to_moved[:, k]]
        distribution = labels[0].hit_distribution(hit[:, k])
        p[f"g from moved {radius}"] = [exact_p(*distribution, hit[row, k].sum()) for row in moved]
    return {name: np.array(values) for name, values in p.items()}


def test_p_is_uniform_under_its_own_null(calibration):
    assert len(calibration) == 7
    for name, p in calibration.items():
        assert 0.03 <= (p <= 0.05).mean() <= 0.065, name
        assert 0.42 <= (p <= 0.5).mean() <= 0.55, name  # doubled tails of counts: conservative


def test_attraction_is_found():
    rng = np.random.default_rng(0)
    eligible, tumour = rng.uniform(0, 800, (1500, 2)), rng.uniform(0, 800, (300, 2))
    near = spatial.nearest_distance(eligible, tumour) < 15
    scene = Scene(tumour, eligible, rng.random(1500) < np.where(near, 0.25, 0.1), np.zeros(1500))
    nulls = scene.surroundings.nulls(scene.labels(), Permutations(199, 0))
    assert nulls[FROM_MOVED, "g", 20.0].p < 0.01
    assert nulls[TO_MOVED, "g", 20.0].p == 1 / 200


def test_a_stratum_of_one_label_leaves_nothing_to_test(small):
    everyone = Relabelling.of(np.ones(11, bool), small.compartment)
    assert everyone.is_degenerate
    nulls = small.surroundings.nulls(everyone, Permutations(99, 0))
    for key, null in nulls.items():
        assert np.isnan(null.p)
        if key[1] == "g":
            assert null.expected == pytest.approx(null.low) == pytest.approx(null.high)
            assert "one label only" in null.reason


def test_fields_without_moved_or_fixed_cells_have_no_distance():
    labels = Relabelling.of([True, False, False], ["a", "a", "b"])
    fixed, eligible = np.array([[0.0, 0], [0, 9]]), np.array([[3.0, 0], [4, 0], [1, 9]])
    groups = np.array(["a", "b"]), np.array(["a", "a", "b"])
    assert expected_nearest_to_moved(fixed, eligible, *groups, labels) == 3.5
    nobody = Relabelling.of([False] * 3, ["a", "a", "b"])
    assert np.isnan(expected_nearest_to_moved(fixed, eligible, *groups, nobody))


def test_permutation_p_counts_the_observed_arrangement():
    permuted = np.arange(99.0)
    assert permutation_p(permuted, 1000.0) == 1 / 100
    assert permutation_p(permuted, -500.0) == 1 / 100
    assert permutation_p(permuted, 49.0) == 1.0
    assert permutation_p(permuted, 49.0, expected=49.0) == 1.0
    assert permutation_p(permuted, 97.0, expected=49.0) == 5 / 100  # 0, 1, 97, 98 and itself
    assert permutation_p(permuted, 0.0, expected=0.0) == 1.0


def test_p_of_a_continuous_statistic_is_exact_at_ninety_nine_permutations():
    rng = np.random.default_rng(0)
    values = np.square(rng.normal(size=(20_000, 100)))  # skewed
    for expected in (np.nan, 1.0):
        p = np.array([permutation_p(row[1:], row[0], expected) for row in values])
        assert 0.045 <= (p <= 0.05).mean() <= 0.055
        assert set(np.unique(np.rint(p * 100))) == set(range(1, 101))


def test_the_variance_to_moved_cells_equals_the_enumeration_of_every_deal(small):
    apart = np.hypot(*(small.tumour[:, None] - small.eligible).transpose(2, 0, 1))
    for stratified in (True, False):
        labels = small.labels(stratified)
        deals = every_deal(
            small if stratified else replace(small, compartment=np.zeros(len(small.eligible)))
        )
        found = variance_of_g_to_moved(*small.surroundings.lists, labels)
        for variance, r in zip(found, small.radii_um, strict=True):
            g = np.array([(apart[:, moved].min(axis=1) <= r).mean() for moved in deals])
            assert variance == pytest.approx(g.var(), rel=1e-9)
            assert g.var() > 0


def test_the_variance_to_moved_cells_is_that_of_permutations(nests):
    labels, surroundings = nests.labels(), nests.surroundings
    nobody = np.empty((len(nests.eligible), 0))
    dealt = permute(labels, nobody, surroundings.lists, 4000, seed=11)
    variance = variance_of_g_to_moved(*surroundings.lists, labels)
    np.testing.assert_allclose(dealt.hits.var(axis=0), variance, rtol=0.12)  # 5 se of a variance
    g, null = nests.observed()[1], surroundings.nulls(labels, Permutations(0, 0))
    here = null[TO_MOVED, "g", 20.0]
    assert here.sd == pytest.approx(np.sqrt(variance[1]))
    assert abs(g - here.expected) < 3 * here.sd


def test_a_sum_too_long_leaves_its_radius_out(nests):
    variance = variance_of_g_to_moved(*nests.surroundings.lists, nests.labels(), 25_000)
    assert np.isnan(variance[2])
    assert np.isfinite(variance[0])
    assert np.isnan(variance_of_g_to_moved(np.empty((0, 2), int), np.empty(0, int), nests.labels()))


def test_every_deviation_is_the_enumerated_one(small):
    nulls = small.surroundings.nulls(small.labels(), Permutations(0, 0))
    apart = np.hypot(*(small.tumour[:, None] - small.eligible).transpose(2, 0, 1))
    deals = every_deal(small)
    for r in small.radii_um:
        count = np.array([(apart[:, moved] <= r).sum() for moved in deals])
        hit = np.array([(apart[:, moved] <= r).any(axis=0).mean() for moved in deals])
        assert nulls[FROM_MOVED, "count_within", r].sd == pytest.approx(count.std() / 4)
        assert nulls[TO_MOVED, "count_within", r].sd == pytest.approx(count.std() / 6)
        assert nulls[FROM_MOVED, "g", r].sd == pytest.approx(hit.std())
    nearest = np.array([apart[:, moved].min(axis=0).mean() for moved in deals])
    assert nulls[FROM_MOVED, "nearest_mean_um", None].sd == pytest.approx(nearest.std())


def test_rare_labels_in_big_strata_lose_no_precision():
    rng = np.random.default_rng(0)
    eligible = rng.uniform(0, 3000, (200_000, 2))
    moved = np.arange(200_000) < 20
    tumour = rng.uniform(500, 2500, (50, 2))
    n = spatial.count_within(tumour, eligible, [50.0])[:, 0]
    expected = np.mean(
        [1 - np.prod((200_000 - k - np.arange(20)) / (200_000 - np.arange(20))) for k in n]
    )
    g = spatial.expected_g_relabelled(tumour, eligible, moved, [50.0])
    assert g[0] == pytest.approx(expected, rel=1e-9)
    lowest, probability = Relabelling.of(moved).hit_distribution(eligible[:, 0] < 1000)
    assert probability.sum() == pytest.approx(1, abs=1e-12)
    assert len(probability) <= 21
    assert lowest >= 0


def test_expected_g_says_what_it_needs():
    with pytest.raises(ValueError, match="direction must be"):
        spatial.expected_g_relabelled([[0, 0]], [[0, 1]], [True], [5], direction="both")
    with pytest.raises(ValueError, match="one label for each of 1 eligible"):
        spatial.expected_g_relabelled([[0, 0]], [[0, 1]], [True, False], [5])
    with pytest.raises(ValueError, match="one stratum for each of 1 eligible"):
        spatial.expected_g_relabelled([[0, 0]], [[0, 1]], [True], [5], strata=[1, 2])
    assert np.isnan(spatial.expected_g_relabelled([], [[0, 1]], [True], [5]))
    assert np.isnan(spatial.expected_g_relabelled([[0, 0]], [[0, 1]], [False], [5]))


def test_lists_are_empty_where_nobody_is_near():
    grid = CellGrid.of(np.array([[0.0, 0.0]]), 1.0)
    offsets, rows = grid.lists(np.array([[50.0, 50.0]]), np.array([1.0, 2.0]))
    assert offsets.tolist() == [[0, 0, 0]]
    assert len(rows) == 0
