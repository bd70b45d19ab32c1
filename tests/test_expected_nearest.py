"""Expected distance to the nearest moved cell: brute force, crowds, several labels at once."""

from dataclasses import replace

import numpy as np
import pytest

from macprox.spatial.nulls import expected_nearest
from macprox.spatial.nulls.expected_nearest import (
    expected_nearest_to_each,
    expected_nearest_to_moved,
)
from macprox.spatial.nulls.relabel import Relabelling
from macprox.spatial.nulls.surroundings import TO_MOVED, Permutations, Surroundings


def by_sorting_everything(fixed, eligible, labels):
    """E[D] = sum_k d_k (S_(k-1) - S_k) over all eligible cells, one fixed cell at a time."""
    means = []
    for place in fixed:
        apart = np.hypot(*(eligible - place).T)
        left, free = labels.n.astype(float), (labels.n - labels.m).astype(float)
        alive, mean = 1.0, 0.0
        for k in np.argsort(apart, kind="stable"):
            s = labels.stratum[k]
            after = alive * max(free[s], 0) / left[s]
            mean += apart[k] * (alive - after)
            left[s], free[s], alive = left[s] - 1, free[s] - 1, after
        means.append(mean)
    return np.mean(means)


def eligible_cells(layout, rng, n=600):
    if layout == "even":
        return rng.uniform(0, 500, (n, 2))
    if layout == "far pile":  # all at nearly the same distance: one bucket holds everything
        return np.r_[rng.normal(90_000, 1e-3, (n - 5, 2)), rng.uniform(0, 500, (5, 2))]
    if layout == "one place":
        return np.full((n, 2), 7.0)
    return np.c_[rng.uniform(0, 1e5, n), np.zeros(n)]  # a line


@pytest.mark.parametrize("layout", ["even", "far pile", "one place", "line"])
def test_the_expectation_equals_sorting_every_cell(layout):
    rng = np.random.default_rng(8)
    eligible = eligible_cells(layout, rng)
    fixed = np.r_[rng.uniform(0, 500, (40, 2)), [[7.0, 7.0]]]
    strata = rng.integers(0, 4, len(eligible))
    moved = rng.uniform(size=len(eligible)) < np.array([0.4, 0.05, 0.1, 0.0])[strata]
    labels = Relabelling.of(moved, strata)
    assert labels.m[3] == 0  # cells of that stratum are never looked at
    groups = np.zeros(len(fixed)), np.zeros(len(eligible))
    expected = by_sorting_everything(fixed, eligible, labels)
    found = expected_nearest_to_moved(fixed, eligible, *groups, labels)
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-300)


def two_fields(rng, n=3000):
    fixed, eligible = rng.uniform(0, 900, (n, 2)), rng.uniform(0, 900, (n, 2))
    groups = rng.integers(0, 2, n), rng.integers(0, 2, n)
    strata = 3 * groups[1] + rng.integers(0, 3, n)
    labels = [
        Relabelling.of(rng.uniform(size=n) < share, strata) for share in (0.5, 0.02, 0.1, 0.0)
    ]
    one_field = Relabelling.of((groups[1] == 0) & (rng.uniform(size=n) < 0.1), strata)
    return fixed, eligible, *groups, [*labels, one_field]


def test_labels_dealt_together_are_what_they_are_alone():
    *places, labels = two_fields(np.random.default_rng(3))
    together = expected_nearest_to_each(*places, labels)
    alone = [expected_nearest_to_moved(*places, label) for label in labels]
    np.testing.assert_allclose(together, alone, rtol=1e-14)
    assert np.isnan(together).tolist() == [False, False, False, True, False]


def test_the_number_of_threads_changes_no_digit(monkeypatch):
    *places, labels = two_fields(np.random.default_rng(5))
    answers = []
    for n_cores in (1, 2, 5):
        monkeypatch.setattr("os.cpu_count", lambda n=n_cores: n)
        answers.append(expected_nearest_to_each(*places, labels))
    for other in answers[1:]:
        np.testing.assert_array_equal(answers[0], other)


def test_a_label_too_rare_to_follow_is_nan_and_leaves_the_others_as_they_are(monkeypatch):
    *places, labels = two_fields(np.random.default_rng(3))
    common, rare = labels[0], labels[1]
    expected = expected_nearest_to_moved(*places, common)
    monkeypatch.setattr(expected_nearest, "MOST_VISITS", 1_000_000)
    found = expected_nearest_to_each(*places, [common, rare])
    assert found[0] == expected
    assert np.isnan(found[1])  # by its share, before anything is read
    strata = common.stratum.copy()
    clumped = Relabelling.of(strata == 0, np.where(strata == 0, 0, 1))
    monkeypatch.setattr(expected_nearest, "MOST_VISITS", 130_000)
    assert np.isnan(expected_nearest_to_moved(*places, clumped))  # while reading


def test_surroundings_expect_the_same_of_labels_given_together():
    fixed, eligible, *groups, labels = two_fields(np.random.default_rng(4), n=400)
    alone = Surroundings(fixed, groups[0], eligible, groups[1], np.array([5.0, 20.0]))
    key, deal = (TO_MOVED, "nearest_mean_um", None), Permutations(0, 0)
    together = replace(alone, together=tuple(labels[:2]))
    for label in labels[:3]:  # the third is not among them
        expected = alone.nulls(label, deal)[key].expected
        assert together.nulls(label, deal)[key].expected == pytest.approx(expected, rel=1e-13)
        assert np.isnan(replace(alone, distances=False).nulls(label, deal)[key].expected)
