"""Nulls that draw, and envelopes: against brute force, and against their promise under the null."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from macprox import spatial
from macprox.errors import TableError, WindowError
from macprox.extreme_ranks import extreme_rank_length_p
from macprox.spatial.nulls.envelopes import from_curves
from macprox.spatial.nulls.relabel import Relabelling
from macprox.spatial.nulls.shift import overlap
from macprox.spatial.nulls.simulated import clustered_in, deal, stream, uniform_in

SQUARE = spatial.Window.from_rectangle(0, 0, 400, 400)
HOLED = spatial.Window.from_polygon(
    shapely.Polygon([(0, 0), (500, 0), (400, 400), (0, 300)]).difference(
        shapely.Point(150, 150).buffer(60)
    )
)
MASK = spatial.Window.from_mask(
    np.add.outer(np.arange(40) % 13, np.arange(50) % 17) < 22, 10.0, (-30.0, 70.0)
)
R = np.array([10.0, 20.0, 30.0, 50.0])
raw_g = partial(spatial.cross_g, r_um=R, window=None, correction="none")


def as_extreme(ranks: list[list[float]], i: int) -> int:
    """Curves whose sorted ranks come before those of curve i, or equal them."""
    return sum(sorted(other) <= sorted(ranks[i]) for other in ranks)


def brute_force_ranks(curves: np.ndarray) -> list[list[float]]:
    ranks = []
    for curve in curves:
        row = []
        for k, value in enumerate(curve):
            column = curves[:, k]
            ties = (np.sum(column == value) - 1) / 2
            row.append(min(np.sum(column < value), np.sum(column > value)) + ties + 1)
        ranks.append(row)
    return ranks


@given(
    st.integers(0, 2**32 - 1), st.integers(2, 25), st.integers(1, 6), st.sampled_from([2, 5, 1000])
)
@settings(max_examples=60, deadline=None)
def test_extreme_rank_lengths_equal_brute_force(seed, n, n_r, n_values):
    curves = np.random.default_rng(seed).integers(0, n_values, (n, n_r)).astype(float)
    ranks = brute_force_ranks(curves)
    expected = [as_extreme(ranks, i) / n for i in range(n)]
    np.testing.assert_allclose(extreme_rank_length_p(curves), expected)


@pytest.mark.parametrize("method", ["rank", "mad"])
def test_a_curve_leaves_the_global_envelope_exactly_when_its_p_says_so(method):
    rng = np.random.default_rng(0)
    rejected = 0
    for _ in range(300):
        curves = rng.normal(size=(100, 6)).cumsum(axis=1)
        found = from_curves(np.arange(6.0), curves, method=method)
        outside = (found.value < found.global_low - 1e-9) | (found.value > found.global_high + 1e-9)
        assert outside.any() == (found.p <= 0.05)
        rejected += found.p <= 0.05
    assert 5 <= rejected <= 27  # 15 expected


def test_pointwise_bands_are_left_far_more_often_than_global_ones():
    rng = np.random.default_rng(1)
    pointwise, rank, mad = 0, 0, 0
    for _ in range(400):
        curves = rng.normal(size=(200, 12)).cumsum(axis=1)
        found = from_curves(np.arange(12.0), curves)
        pointwise += ((found.value < found.low) | (found.value > found.high)).any()
        rank += found.p <= 0.05
        mad += from_curves(np.arange(12.0), curves, method="mad").p <= 0.05
    assert pointwise > 60
    assert 8 <= rank <= 34  # 20 expected
    assert 8 <= mad <= 34


def test_two_curves_of_four_by_hand():
    curves = np.array([[5.0, 5.0], [1.0, 2.0], [2.0, 1.0], [3.0, 3.0]])
    # ranks from the nearer end: (1, 1), (1, 2), (2, 1), (2, 2)
    np.testing.assert_allclose(extreme_rank_length_p(curves), [0.25, 0.75, 0.75, 1.0])


def test_a_radius_undefined_in_some_simulation_takes_no_part():
    curves = np.random.default_rng(2).normal(size=(40, 3))
    clean = from_curves(R[:2], curves[:, :2])
    curves[7, 2] = np.nan
    found = from_curves(R[:3], curves)
    assert found.p == clean.p
    assert "1 of 3 radii" in found.reason
    assert np.isnan(found.global_high[2])
    assert np.isfinite(found.value[2])
    nothing = from_curves(R[:1], curves[:, 2:])
    assert np.isnan(nothing.p)


@pytest.fixture(scope="module")
def cells() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    xy = rng.uniform(0, 400, (700, 2))
    phenotype = np.array(["Tumour"] * 200 + ["Mac"] * 100 + ["Other"] * 400)
    table = pd.DataFrame({"x_um": xy[:, 0], "y_um": xy[:, 1], "phenotype": phenotype})
    return table.assign(half=np.where(xy[:, 0] < 200, "left", "right")).set_index(
        pd.Index(rng.permutation(700) + 5)
    )


def draws(window: spatial.Window) -> dict[str, object]:
    rng = np.random.default_rng(0)
    return {
        "relabel": spatial.Relabel(uniform_in(window, 50, rng)),
        "csr": spatial.Csr(window),
        "poisson": spatial.InhomogeneousPoisson(window, lambda xy: np.full(len(xy), 3e-4), 4e-4),
        "shift": spatial.RandomShift(window, 60.0),
    }


@pytest.mark.parametrize("window", [SQUARE, HOLED, MASK], ids=["square", "holed", "mask"])
def test_what_a_null_draws_lies_in_the_window_and_follows_from_seed_and_number(window):
    rng = np.random.default_rng(5)
    source, target = uniform_in(window, 60, rng), uniform_in(window, 40, rng)
    for name, null in draws(window).items():
        one, same, other = (null.draw(source, target, stream(3, b)) for b in (8, 8, 9))
        np.testing.assert_array_equal(one.source_xy, same.source_xy)
        assert not np.array_equal(one.source_xy, other.source_xy), name
        here = window if one.window is None else one.window
        assert here.contains(one.source_xy).all()
        assert here.contains(one.target_xy).all()
        if name in ("relabel", "csr"):
            assert len(one.source_xy) == 60
        if name == "shift":
            assert window.polygon.buffer(1e-6).contains(here.polygon)
            assert one.weight == pytest.approx(here.area_um2 / window.area_um2)
            assert len(one.source_xy) <= 60


@pytest.mark.parametrize("window", [SQUARE, HOLED, MASK], ids=["square", "holed", "mask"])
def test_points_thrown_at_a_window_are_uniform_in_it(window):
    xy = uniform_in(window, 20_000, np.random.default_rng(1))
    assert window.contains(xy).all()
    lattice, _, _ = window.sample(2.0)
    for axis in (0, 1):
        middle = np.median(lattice[:, axis])
        share = (lattice[:, axis] < middle).mean()
        assert (xy[:, axis] < middle).mean() == pytest.approx(share, abs=0.02)


def test_labels_are_dealt_within_strata_and_by_their_odds():
    labels = Relabelling.of(np.arange(60) % 3 == 0, np.repeat([0, 1, 2], 20))
    rng = np.random.default_rng(0)
    odds = np.where(np.arange(60) % 2, 4.0, 1.0)
    dealt = np.array([deal(labels, rng) for _ in range(2000)])
    pulled = np.array([deal(labels, rng, odds) for _ in range(2000)])
    for draws_ in (dealt, pulled):
        for s in range(3):
            assert (draws_[:, labels.stratum == s].sum(axis=1) == labels.m[s]).all()
    assert np.abs(dealt.mean(axis=0) - (labels.m / labels.n)[labels.stratum]).max() < 0.06
    assert pulled[:, 1::2].mean() > 1.8 * pulled[:, ::2].mean()


def test_a_toroidal_shift_keeps_the_pattern_on_the_torus():
    rng = np.random.default_rng(0)
    source = rng.uniform(0, 400, (30, 2))
    moved = spatial.ToroidalShift(SQUARE).draw(source, source, stream(0, 1)).source_xy
    vectors = (moved - source) % 400
    np.testing.assert_allclose(vectors, np.broadcast_to(vectors[0], vectors.shape), atol=1e-9)
    assert SQUARE.contains(moved).all()
    with pytest.raises(WindowError, match="needs a rectangle"):
        spatial.ToroidalShift(HOLED)


@pytest.mark.parametrize("window", [SQUARE, HOLED, MASK], ids=["square", "holed", "mask"])
def test_a_window_overlaps_its_shift_as_its_set_covariance_says(window):
    vectors = np.array([[30.0, -20.0], [-50.0, 40.0]])
    expected = window.set_covariance(100.0).overlap_um2(vectors[:, 0], vectors[:, 1])
    found = [overlap(window, vector).area_um2 for vector in vectors]
    np.testing.assert_allclose(found, expected, rtol=5e-3)
    with pytest.raises(WindowError):
        overlap(window, np.array([9000.0, 0.0]))


def test_clusters_are_clustered_and_in_the_window():
    rng = np.random.default_rng(0)
    xy = clustered_in(MASK, 300, 12, 15.0, rng)
    assert len(xy) == 300
    assert MASK.contains(xy).all()
    near = spatial.count_within(xy, xy, [15.0], exclude_self=True).mean()
    spread = uniform_in(MASK, 300, rng)
    assert near > 3 * spatial.count_within(spread, spread, [15.0], exclude_self=True).mean()
    elsewhere = clustered_in(MASK, 5, 1, 1.0, rng)  # the one cluster may lie beyond the edge
    assert MASK.contains(elsewhere).all()


def test_k_of_a_shift_test_is_unbiased_and_its_p_small_under_attraction():
    rng = np.random.default_rng(3)
    target = clustered_in(MASK, 150, 12, 20.0, rng)
    source = uniform_in(MASK, 150, rng)
    test = spatial.ShiftTest.of(MASK, 15.0)
    k_um2, null = test(source, target, 199, seed=1)
    assert null.low < k_um2 < null.high
    assert null.expected == pytest.approx(np.pi * 15**2, rel=0.3)
    drawn_to = target + rng.normal(0, 6, target.shape)
    close = test(drawn_to[MASK.contains(drawn_to)], target, 199, seed=1)[1]
    assert close.p <= 0.01
    assert test(source, target, 199, seed=1) == (k_um2, null)


def test_a_shift_test_with_nothing_to_compare_says_why():
    test = spatial.ShiftTest.of(SQUARE, 20.0)
    assert "no cells" in test(np.empty((0, 2)), [[1, 1]])[1].reason
    value, null = test([[1.0, 1.0]], [[5.0, 5.0]])
    assert np.isnan(value)
    assert "20 um from the window's edge" in null.reason
    with pytest.raises(WindowError, match="ask for a smaller radius"):
        spatial.ShiftTest.of(SQUARE, 250.0)
    with pytest.raises(ValueError, match="must be a positive number"):
        spatial.ShiftTest.of(SQUARE, 20.0, -1.0)
    lone = spatial.ShiftTest.of(SQUARE, 20.0, 350.0)
    assert "shift less" in lone([[200.0, 200.0]], [[390.0, 390.0]], 50)[1].reason
    far_apart = spatial.RandomShift(SQUARE, 500.0)
    nobody = np.empty((0, 2))
    with pytest.raises(WindowError, match="shift less"):
        far_apart.draw(nobody, nobody, stream(0, 0))


@pytest.mark.parametrize("method", ["rank", "mad"])
def test_an_envelope_is_the_same_for_any_number_of_workers(cells, method):
    xy, kind = cells[["x_um", "y_um"]].to_numpy(), cells["phenotype"].to_numpy()
    null = spatial.Relabel(xy[kind == "Other"])
    one, three = (
        spatial.envelope(
            raw_g, xy[kind == "Mac"], xy[kind == "Tumour"], R, null,
            n_simulations=39, seed=2, method=method, workers=workers,
        ).to_frame()
        for workers in (1, 3)
    )  # fmt: skip
    pd.testing.assert_frame_equal(one, three)
    assert one["p_global"].between(0.025, 1).all()


def test_the_mean_of_simulated_curves_is_the_exact_expectation(cells):
    strata = ("half",)
    found = spatial.proximity_envelope(
        cells, "Mac", "Tumour", r_um=R, strata=strata, n_simulations=399
    )
    exact = spatial.proximity(
        cells, "Mac", "Tumour", radii_um=R, strata=strata, n_permutations=0
    ).query("statistic == 'g' and correction == 'none' and source == 'Mac'")
    np.testing.assert_allclose(found["value"], exact["value"])
    np.testing.assert_allclose(found["expected"], exact["expected"], atol=0.01)
    assert found["p_global"].iloc[0] > 0.01


@pytest.mark.parametrize("null", ["relabel", "shift", "csr"])
@pytest.mark.parametrize("statistic", ["g", "k", "l", "pcf"])
def test_every_statistic_has_an_envelope_under_every_null(cells, statistic, null):
    found = spatial.proximity_envelope(
        cells, "Mac", "Tumour", SQUARE, statistic=statistic, r_um=R, null=null,
        bandwidth_um=4.0, n_simulations=39,
    )  # fmt: skip
    assert found["value"].notna().all()
    assert (found["global_low"] <= found["expected"]).all()
    assert (found["global_high"] >= found["expected"]).all()
    # These labels are at random: any null holds, and expectations are near the observed.
    np.testing.assert_allclose(found["value"], found["expected"], rtol=0.5)
    assert found["p_global"].iloc[0] > 0.025


def test_an_envelope_is_computed_field_by_field(cells):
    both = cells.assign(roi_id=cells["half"])
    windows = {
        "left": spatial.Window.from_rectangle(0, 0, 200, 400),
        "right": spatial.Window.from_rectangle(200, 0, 400, 400),
    }
    ask = partial(
        spatial.proximity_envelope, source="Mac", target="Tumour", r_um=R, statistic="count_within",
        n_simulations=19,
    )  # fmt: skip
    found = ask(both, window=windows)
    for name in windows:
        alone = ask(both[both["roi_id"] == name], window=windows[name])
        pd.testing.assert_frame_equal(found[found["roi_id"] == name].reset_index(drop=True), alone)
    with pytest.raises(WindowError, match="give one window for each"):
        ask(both, window=SQUARE, null="csr")
    lacking = ask(both[(both["phenotype"] != "Mac") | (both["roi_id"] == "left")])
    gone = lacking[lacking["roi_id"] == "right"]
    assert gone["value"].isna().all()
    assert (gone["reason"] == "no cells of 'Mac'").all()


def test_a_label_that_every_eligible_cell_carries_is_no_test(cells):
    found = spatial.proximity_envelope(cells[cells["phenotype"] != "Other"], "Mac", "Tumour")
    assert found["reason"].str.contains("nothing to relabel").all()
    assert found["p_global"].isna().all()


def test_envelopes_say_what_they_need(cells):
    ask = partial(spatial.proximity_envelope, cells, "Mac", "Tumour", SQUARE, n_simulations=19)
    for wrong, match in (
        ({"statistic": "j"}, "statistic must be one of"),
        ({"null": "permute"}, "null must be one of"),
        ({"statistic": "pcf"}, "needs its bandwidth_um"),
        ({"statistic": "count_within", "null": "shift"}, "ask for k"),
        ({"method": "area"}, "method must be one of"),
        ({"level": 1.0}, "level must be a share"),
        ({"level": 0.99}, "ask for at least 99"),
        ({"r_um": [5, 5]}, "positive and increasing"),
        ({"null": "shift", "max_shift_um": 0.0}, "must be a positive number"),
    ):
        with pytest.raises(ValueError, match=match):
            ask(**wrong)
    with pytest.raises(WindowError, match="no window was given"):
        spatial.proximity_envelope(cells, "Mac", "Tumour", statistic="k")
    with pytest.raises(TableError, match="two different populations"):
        spatial.proximity_envelope(cells, "Mac", "Mac")
    xy = cells[["x_um", "y_um"]].to_numpy()
    with pytest.raises(ValueError, match="one value for each of 2 radii"):
        spatial.envelope(raw_g, xy[:5], xy[5:], [1, 2], spatial.Csr(SQUARE), n_simulations=19)
    too_low = spatial.InhomogeneousPoisson(SQUARE, lambda xy: np.full(len(xy), 2.0), 1e-3)
    with pytest.raises(ValueError, match="raise the bound"):
        too_low.draw(xy, xy, stream(0, 0))
    needle = shapely.Polygon([(0, 0), (1e4, 1e4), (1e4, 1e4 + 1e-6)])
    with pytest.raises(WindowError, match="of its bounding box"):
        uniform_in(spatial.Window.from_polygon(needle), 100, stream(0, 0))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["rank", "mad"])
def test_global_envelopes_reject_five_per_cent_of_null_slides(method):
    rng = np.random.default_rng(77)
    rejected = 0
    for seed in range(600):
        source, other, target = (uniform_in(SQUARE, n, rng) for n in (60, 240, 80))
        rejected += (
            spatial.envelope(
                raw_g, source, target, R, spatial.Relabel(other),
                n_simulations=39, seed=seed, method=method,
            ).p
            <= 0.05
        )  # fmt: skip
    assert 0.03 <= rejected / 600 <= 0.075


def test_a_shift_that_leaves_no_cells_is_replaced_by_another():
    test = spatial.ShiftTest.of(SQUARE, 20.0, 150.0)
    sources = np.array([[200.0, 340.0]])
    targets = uniform_in(SQUARE, 80, np.random.default_rng(0))
    estimates = test._estimates(sources, targets, np.array([[0.0, 0.0], [0.0, 60.0]]))[0]
    assert np.isnan(estimates).tolist() == [False, True]  # shifted out
    null = test(sources, targets, 19, seed=5)[1]
    assert null.n_permutations == 19
    assert 0 < null.p <= 1
