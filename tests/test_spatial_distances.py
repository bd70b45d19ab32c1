"""Nearest distances, counts and cross G: brute force, spatstat, invariances."""

import time

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st

from macprox import spatial
from macprox.errors import WindowError
from macprox.spatial.search import nearest
from macprox.spatial.search.chunks import over_chunks
from macprox.spatial.search.grid import CellGrid, squared_limits
from macprox.spatial.search.neighbours import lists_in_groups

POINTS = st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=1, max_size=40)
RADII = np.array([0.5, 1, 5, 12.5, 60])


def distances(source, target):
    return np.hypot(*(np.asarray(source)[:, None] - np.asarray(target)).transpose(2, 0, 1))


@settings(max_examples=150, deadline=None)
@given(POINTS, POINTS, st.sampled_from([1.0, 0.1, 37.0]))
def test_counts_and_nearest_equal_brute_force_ties_and_duplicates_included(source, target, scale):
    source, target = np.array(source) * scale, np.array(target) * scale
    apart = np.sqrt(np.square(source[:, None] - target).sum(axis=2))
    np.testing.assert_array_equal(spatial.nearest_distance(source, target), apart.min(axis=1))
    radii = np.unique([*RADII, *apart[:1, :3].ravel()[apart[:1, :3].ravel() > 0]])
    counts = spatial.count_within(source, target, radii)
    np.testing.assert_array_equal(counts, (apart[:, :, None] <= radii).sum(axis=1))


def k_nearest_by_sorting(source, target, k):
    squares = np.square(source[:, None] - target).sum(axis=2)
    row = np.argsort(squares, axis=1, kind="stable")[:, :k]
    return np.sqrt(np.take_along_axis(squares, row, axis=1)), row


@settings(max_examples=100, deadline=None)
@example([(-10, -24)], [(-2, -4), (-30, -16)], 1, 0)  # squares that differ, roots that do not
@given(POINTS, POINTS, st.integers(1, 9), st.sampled_from([0, 5, nearest.BUDGET]))
def test_k_nearest_are_those_of_sorting_ties_by_row_whichever_path_answers(
    source, target, k, budget
):
    source, target = np.array(source) * 0.1, np.array(target) * 0.1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest, "BUDGET", budget)  # 0: by the tree alone
        patch.setattr(nearest, "TREE_COST", 0)
        distance, row = spatial.k_nearest(source, target, k)
    expected, expected_row = k_nearest_by_sorting(source, target, k)
    found = expected.shape[1]
    np.testing.assert_array_equal(distance[:, :found], expected)
    np.testing.assert_array_equal(row[:, :found], expected_row)
    assert np.isnan(distance[:, found:]).all()
    assert (row[:, found:] == -1).all()
    farthest = expected[0, -1] or 1.0
    capped, capped_row = spatial.k_nearest(source, target, k, max_um=farthest)
    within = expected <= farthest  # one exactly there counts
    np.testing.assert_array_equal(capped_row[:, :found], np.where(within, expected_row, -1))
    np.testing.assert_array_equal(capped[:, :found], np.where(within, expected, np.nan))


UNEVEN = {
    "corner": lambda rng, n: rng.uniform(0, 1, (n, 2)),
    "line": lambda rng, n: np.c_[rng.uniform(0, 1e4, n), np.full(n, 3.0)],
    "one place": lambda rng, n: np.full((n, 2), 5.0),
    "outlier": lambda rng, n: np.r_[rng.normal(5e3, 0.1, (n - 1, 2)), [[1e9, 1e9]]],
    "circle": lambda rng, n: (
        5e3 + 4e3 * np.stack([np.cos(a := rng.uniform(0, 6.3, n)), np.sin(a)]).T
    ),
    "two piles": lambda rng, n: np.repeat([[1.0, 1.0], [9e3, 2.0]], n // 2, axis=0),
}


@pytest.mark.parametrize("layout", UNEVEN)
def test_uneven_targets_are_exact_and_cost_no_more_than_a_few_times_even_ones(layout):
    rng = np.random.default_rng(4)
    source = rng.uniform(0, 1e4, (20_000, 2))
    target = UNEVEN[layout](rng, 40_000)

    def cpu_s(target):
        started = time.process_time()
        distance, row = spatial.k_nearest(source, target, 3)
        return time.process_time() - started, distance, row

    even = cpu_s(rng.uniform(0, 1e4, target.shape))[0]
    seconds, distance, row = cpu_s(target)
    assert seconds < 12 * even + 0.5  # quadratic is more than 100 times
    np.testing.assert_array_equal(spatial.nearest_distance(source, target), distance[:, 0])
    some = slice(0, 200)
    expected, expected_row = k_nearest_by_sorting(source[some], target, 3)
    np.testing.assert_array_equal(distance[some], expected)
    np.testing.assert_array_equal(row[some], expected_row)


def test_answers_do_not_depend_on_the_number_of_threads(monkeypatch):
    rng = np.random.default_rng(6)
    source, target = rng.normal(0, 300, (50_000, 2)), rng.normal(0, 200, (20_000, 2))
    answers = []
    for n_cores in (1, 2, 5):
        monkeypatch.setattr("os.cpu_count", lambda n=n_cores: n)
        distance, row = spatial.k_nearest(source, target, 2)
        answers.append((distance, row, spatial.count_within(source, target, [5, 20, 40, 60])))
    for other in answers[1:]:
        for one, same in zip(answers[0], other, strict=True):
            np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize("k", [0, -1, 1.5])
def test_k_must_be_a_number_of_neighbours(k):
    with pytest.raises(ValueError, match="k must be a whole number"):
        spatial.k_nearest([[0, 0]], [[0, 1]], k)


@pytest.mark.parametrize("max_um", [0, -1.0, np.nan])
def test_a_reach_must_be_positive(max_um):
    with pytest.raises(ValueError, match="max_um must be positive"):
        spatial.k_nearest([[0, 0]], [[0, 1]], 1, max_um)


def test_k_nearest_of_nothing_and_among_nothing():
    distance, row = spatial.k_nearest([[0, 0]], [], 2)
    assert np.isnan(distance).all()
    assert row.tolist() == [[-1, -1]]
    distance, row = spatial.k_nearest([], [[0, 0]], 2)
    assert distance.shape == row.shape == (0, 2)
    assert row.dtype == np.int64
    with pytest.raises(ValueError, match="1 of 1 source points are not finite"):
        spatial.k_nearest([[np.inf, 0]], [[0, 0]], 1)


def test_chunks_come_back_in_order_and_cover_everything():
    for n in (0, 1, 7, 8):
        parts = over_chunks(n, lambda first, last: list(range(first, last)), chunk=3, n_threads=2)
        assert [i for part in parts for i in part] == list(range(n))


def test_a_target_exactly_at_a_radius_is_counted():
    for radius in np.random.default_rng(0).uniform(0.1, 100, 200):
        assert spatial.count_within([[0, 0]], [[0, radius]], [radius])[0, 0] == 1
        assert np.sqrt(squared_limits([radius])[0]) <= radius


@pytest.mark.parametrize(
    "target",
    [
        np.full((500, 2), 7.0),  # one place
        np.c_[np.linspace(0, 1e5, 500), np.zeros(500)],  # a line
        np.r_[np.random.default_rng(1).normal(0, 1, (499, 2)), [[1e6, 1e6]]],  # one far away
    ],
)
def test_degenerate_layouts_are_exact_and_small(target):
    source = np.r_[target[::7], [[-1e5, 3e5], [50.0, -20.0]]]
    apart = distances(source, target)
    np.testing.assert_allclose(spatial.nearest_distance(source, target), apart.min(axis=1))
    radii = np.array([0.3, 2.0, 90.0])
    expected = (apart[:, :, None] <= radii).sum(axis=1)
    np.testing.assert_array_equal(spatial.count_within(source, target, radii), expected)
    assert len(CellGrid.of(target, 0.001).start) < 20 * len(target)  # memory follows the points


def test_exclude_self_takes_out_the_cell_itself_and_no_twin():
    xy = [[0, 0], [0, 0], [0, 5]]
    counts = spatial.count_within(xy, xy, [1, 10], exclude_self=True)
    np.testing.assert_array_equal(counts, [[1, 2], [1, 2], [0, 2]])
    with pytest.raises(ValueError, match="3 sources and 1 targets"):
        spatial.count_within(xy, [[0, 0]], [1], exclude_self=True)


def test_without_targets_nearest_is_nan_and_counts_are_0():
    assert np.isnan(spatial.nearest_distance([[0, 0]], [])).all()
    np.testing.assert_array_equal(spatial.count_within([[0, 0]], [], [5, 6]), [[0, 0]])
    assert spatial.nearest_distance([], [[0, 0]]).shape == (0,)
    assert spatial.count_within([], [[0, 0]], [5]).shape == (0, 1)


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_integers_and_float32_are_taken_as_they_are(dtype):
    xy = np.array([[0, 0], [3, 4]], dtype=dtype)
    assert spatial.nearest_distance(xy[:1], xy[1:]) == [5]
    assert spatial.count_within(xy[:1], xy[1:], [5])[0, 0] == 1


@pytest.mark.parametrize("radii", [[], [0, 1], [2, 1], [1, 1], [np.nan], [[1, 2]]])
def test_radii_that_are_not_increasing_are_refused(radii):
    with pytest.raises(ValueError, match="radii_um must be"):
        spatial.count_within([[0, 0]], [[0, 1]], radii)


def test_coordinates_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match=r"1 of 2 target points are not finite \(first in row 1"):
        spatial.nearest_distance([[0, 0]], [[0, 1], [np.nan, 0]])


def test_neighbours_never_cross_a_group():
    rng = np.random.default_rng(0)
    source, target = rng.uniform(0, 50, (60, 2)), rng.uniform(0, 50, (80, 2))
    source_group, target_group = rng.integers(0, 3, 60), rng.integers(0, 4, 80)
    radii = np.array([5.0, 20.0])
    offsets, rows = lists_in_groups(source, target, source_group, target_group, radii)
    apart = distances(source, target)
    same = source_group[:, None] == target_group
    for i in range(60):
        near, far = (set(rows[offsets[i, k] : offsets[i, k + 1]].tolist()) for k in (0, 1))
        assert near == set(np.flatnonzero(same[i] & (apart[i] <= 5)).tolist())
        assert far == set(np.flatnonzero(same[i] & (apart[i] > 5) & (apart[i] <= 20)).tolist())


@pytest.mark.parametrize("kind", ["csr", "clustered"])
@pytest.mark.parametrize("name", ["rect", "poly", "mask"])
def test_everything_agrees_with_the_spatstat_oracle(shared_data, name, kind):
    folder = shared_data / "spatstat"
    points = pd.read_csv(folder / f"points_{name}_{kind}.csv")
    cells = pd.read_csv(folder / f"reference_points_{name}_{kind}.csv")
    curves = pd.read_csv(folder / f"reference_functions_{name}_{kind}.csv")
    source, target = (
        points.loc[points["type"] == kind_of_cell, ["x", "y"]].to_numpy()
        for kind_of_cell in ("mac", "tumour")
    )
    window = oracle_window(folder, name)
    np.testing.assert_allclose(spatial.nearest_distance(source, target), cells["nn1"], rtol=1e-12)
    counts = spatial.count_within(source, target, [20, 50, 100])
    np.testing.assert_array_equal(counts, cells[["count20", "count50", "count100"]])
    exact = "_exact" if name == "mask" else ""
    for correction, column in (("none", "raw"), ("km", f"km{exact}"), ("border", f"rs{exact}")):
        curve = spatial.cross_g(source, target, curves["r"], window, correction=correction)
        np.testing.assert_allclose(curve, curves[f"Gcross_{column}"], rtol=1e-9, atol=1e-12)
        alone = spatial.cross_g(source, target, 20, window, correction=correction)
        assert alone == curve[20]  # a value never depends on which other radii are asked for


def oracle_window(folder, name):
    if name == "rect":
        return spatial.Window.from_rectangle(0, 0, 1000, 800)
    if name == "mask":
        mask = np.load(folder / "window_mask.npy").astype(bool)
        return spatial.Window.from_mask(mask, 5.0)
    rings = pd.read_csv(folder / "window_poly.csv").groupby("ring")[["x", "y"]]
    outer, *holes = (ring.to_numpy() for _, ring in rings)
    return spatial.Window.from_polygon(shapely.Polygon(outer, holes))


def test_kaplan_meier_by_hand():
    # Nearest 2 (edge 10), 7 (edge 4: censored there), 5 (edge 10): the factors are 1 - 1/3 at 2
    # and, with one of three censored at 4, 1 - 1/1 at 5.
    window = spatial.Window.from_rectangle(0, 0, 20, 1000)
    source = [[10, 100], [4, 500], [10, 900]]
    target = [[10, 102], [4, 507], [10, 905]]
    curve = spatial.cross_g(source, target, [1, 2, 4.9, 5], window)
    np.testing.assert_allclose(curve, [0, 1 / 3, 1 / 3, 1])
    raw = spatial.cross_g(source, target, [1, 2, 4.9, 5, 7], None, correction="none")
    np.testing.assert_allclose(raw, [0, 1 / 3, 1 / 3, 2 / 3, 1])


def test_a_radius_between_grid_points_reads_the_last_one():
    rng = np.random.default_rng(2)
    window = spatial.Window.from_rectangle(0, 0, 200, 200)
    source, target = rng.uniform(0, 200, (50, 2)), rng.uniform(0, 200, (50, 2))
    for correction in ("km", "border"):
        low, between = spatial.cross_g(source, target, [7, 7.9], window, correction)
        assert low == between
    finer = spatial.cross_g(source, target, [7.9], window, grid_um=0.1)
    assert finer != spatial.cross_g(source, target, [7.0], window, grid_um=0.1)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 2 * np.pi), st.floats(-1e4, 1e4))
def test_g_does_not_change_when_the_slide_moves_or_turns(seed, angle, shift):
    rng = np.random.default_rng(seed)
    source, target = rng.uniform(1, 99, (40, 2)), rng.uniform(1, 99, (25, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = np.array([[0, 0], [100, 0], [100, 100], [0, 100]], dtype=float)
    still = spatial.Window.from_polygon(shapely.Polygon(corners))
    moved = spatial.Window.from_polygon(shapely.Polygon(corners @ turn.T + shift))
    r = np.arange(0, 60)
    for correction in ("km", "border", "none"):
        before = spatial.cross_g(source, target, r, still, correction)
        after = spatial.cross_g(
            source @ turn.T + shift, target @ turn.T + shift, r, moved, correction
        )
        np.testing.assert_allclose(before, after, atol=1e-9)
        if correction != "border":
            assert (np.diff(before) >= -1e-12).all()
            assert ((before >= 0) & (before <= 1)).all()


def test_edge_correction_removes_the_bias_of_a_narrow_window():
    rng = np.random.default_rng(5)
    window = spatial.Window.from_rectangle(0, 0, 40, 20_000)
    poisson = 1 - np.exp(-400 / window.area_um2 * np.pi * 15**2)
    share = {"none": [], "km": [], "border": []}
    for _ in range(20):
        source = rng.uniform((0, 0), (40, 20_000), (1000, 2))
        target = rng.uniform((0, 0), (40, 20_000), (rng.poisson(400), 2))
        for correction, values in share.items():
            values.append(spatial.cross_g(source, target, 15, window, correction))
    assert np.mean(share["none"]) < poisson - 0.03  # control: it misses targets beyond the edge
    assert np.mean(share["km"]) == pytest.approx(poisson, abs=0.015)
    assert np.mean(share["border"]) == pytest.approx(poisson, abs=0.015)


def test_g_says_what_it_needs():
    window = spatial.Window.from_rectangle(0, 0, 10, 10)
    with pytest.raises(ValueError, match="correction must be one of km, border, none"):
        spatial.cross_g([[1, 1]], [[2, 2]], [1], window, "hanisch")
    with pytest.raises(ValueError, match="not negative"):
        spatial.cross_g([[1, 1]], [[2, 2]], [-1], window)
    with pytest.raises(WindowError, match="needs a window"):
        spatial.cross_g([[1, 1]], [[2, 2]], [1], None)
    with pytest.raises(WindowError, match="1 of 2 source cells lie outside"):
        spatial.cross_g([[1, 1], [11, 1]], [[2, 2]], [1], window)
    assert np.isnan(spatial.cross_g([[1, 1]], [], [1, 2], window)).all()
    assert np.isnan(spatial.cross_g([[1, 1]], [[1, 2]], [9], window, "border")).all()
