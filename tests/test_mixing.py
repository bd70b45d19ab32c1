"""The mixing score is 1 at random, in any window and for any numbers."""

import numpy as np
import pytest

from macprox import spatial
from macprox.spatial.graphs.mixing import NO_PAIR, score_of


@pytest.mark.parametrize(("n_source", "n_target"), [(300, 900), (900, 300)])
def test_the_mean_over_random_patterns_is_1(n_source, n_target):
    rng = np.random.default_rng(n_source)
    scores = []
    for _ in range(200):
        xy = rng.uniform(0, [400, 900], (n_source + n_target, 2))
        xy[:, 1] += (xy[:, 1] > 300) * 200  # two pieces of tissue
        scores.append(spatial.mixing_score(xy[:n_source], xy[n_source:], 30).value)
    scores = np.array(scores)
    error = scores.std(ddof=1) / np.sqrt(len(scores))
    assert error < 0.01
    assert abs(scores.mean() - 1) < 3 * error


def test_the_score_equals_its_formula_by_brute_force():
    rng = np.random.default_rng(1)
    source, target = rng.integers(0, 30, (40, 2)), rng.integers(0, 30, (25, 2))
    n_st = (np.hypot(*(source[:, None] - target).transpose(2, 0, 1)) <= 5).sum()
    n_ss = ((np.hypot(*(source[:, None] - source).transpose(2, 0, 1)) <= 5).sum() - 40) / 2
    score = spatial.mixing_score(source, target, 5)
    assert (score.n_source_target, score.n_source_source) == (n_st, n_ss)
    assert score.value == pytest.approx(n_st / n_ss * (39 / 2) / 25)


def test_segregated_populations_score_below_1_and_attracted_ones_above():
    rng = np.random.default_rng(2)
    left, right = rng.uniform(0, [200, 400], (400, 2)), rng.uniform([200, 0], 400, (400, 2))
    assert spatial.mixing_score(left, right, 30).value < 0.2
    spread = rng.uniform(0, 400, (400, 2))
    assert spatial.mixing_score(spread, spread + rng.normal(0, 5, (400, 2)), 20).value > 1.2


def test_cells_outside_the_window_are_left_out():
    rng = np.random.default_rng(3)
    source, target = rng.uniform(0, 100, (2, 200, 2))
    window = spatial.Window.from_rectangle(0, 0, 50, 100)
    inside = spatial.mixing_score(source, target, 10, window)
    alone = spatial.mixing_score(source[source[:, 0] <= 50], target[target[:, 0] <= 50], 10)
    assert inside == alone


def test_fields_of_different_density_do_not_pass_for_mixing():
    rng = np.random.default_rng(4)
    counts = []
    for side, n_source, n_target in ((150, 400, 40), (600, 60, 800)):
        source, target = rng.uniform(0, side, (n_source, 2)), rng.uniform(0, side, (n_target, 2))
        score = spatial.mixing_score(source, target, 30)
        counts.append((score.n_source_target, score.n_source_source, n_source, n_target))
    n_st, n_ss, n_source, n_target = np.array(counts).T
    assert score_of(n_st, n_ss, n_source, n_target).value == pytest.approx(1, abs=0.15)
    pooled = n_st.sum() / n_ss.sum() * (n_source.sum() - 1) / 2 / n_target.sum()
    assert pooled < 0.6  # control: one formula over both fields


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ([], [[0, 0]], NO_PAIR),
        ([[0, 0]], [[0, 0]], NO_PAIR),
        ([[0, 0], [50, 0]], [[0, 0]], NO_PAIR),
        ([[0, 0], [1, 0]], [], "no target cells"),
    ],
)
def test_what_cannot_be_compared_is_nan_with_a_reason(source, target, reason):
    score = spatial.mixing_score(source, target, 10)
    assert np.isnan(score.value)
    assert score.reason == reason


def test_fields_that_share_nothing_have_no_score():
    one, none = np.array([5, 0]), np.array([0, 0])
    assert score_of(none, one, np.array([9, 0]), np.array([0, 9])).reason == "no field holds both"


def test_bad_coordinates_and_radii_are_refused():
    with pytest.raises(ValueError, match="1 of 1 cells have no finite coordinates"):
        spatial.mixing_score([[np.inf, 0]], [[0, 0]], 10)
    with pytest.raises(ValueError, match="radii_um must be positive"):
        spatial.mixing_score([[0, 0]], [[0, 0]], 0)
