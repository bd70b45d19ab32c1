"""Windows: area, inside, distance to the edge, outline of a mask."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from macprox.errors import WindowError
from macprox.window import Window
from macprox.window.boundary import Boundary

HOLED = shapely.Polygon(
    [(0, 0), (100, 0), (100, 60), (0, 60)], [[(40, 20), (60, 20), (60, 40), (40, 40)]]
)
MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)).filter(np.any)


def test_rectangle_knows_its_area_and_edge():
    window = Window.from_rectangle(10, 0, 110, 50)
    assert window.area_um2 == 5000
    assert window.bounds_um == (10, 0, 110, 50)
    np.testing.assert_array_equal(window.distance_to_edge([[30, 25], [12, 10]]), [20, 2])


def test_a_point_on_the_edge_is_inside_at_distance_0():
    for window in (Window.from_rectangle(0, 0, 4, 2), Window.from_mask(np.ones((2, 4), bool), 1)):
        edge = [[0, 0], [4, 1], [2, 2]]
        assert window.contains(edge).all()
        np.testing.assert_array_equal(window.distance_to_edge(edge), 0)


def test_a_point_outside_has_no_distance():
    window = Window.from_polygon(HOLED)
    outside = [[50, 30], [-1, 30], [np.nan, 3]]  # in the hole, beside, nowhere
    assert not window.contains(outside).any()
    assert np.isnan(window.distance_to_edge(outside)).all()


def test_a_hole_is_an_edge():
    assert Window.from_polygon(HOLED).distance_to_edge([[50, 15]]) == [5]


def test_distance_agrees_with_shapely_on_a_ragged_outline():
    rng = np.random.default_rng(3)
    angle = np.linspace(0, 2 * np.pi, 700, endpoint=False)
    radius = 300 + 60 * np.sin(7 * angle) + rng.normal(0, 1, angle.size)
    shape = shapely.Polygon(np.c_[radius * np.cos(angle), radius * np.sin(angle)])
    shape = shape.difference(shapely.Point(20, 30).buffer(80))
    xy = rng.uniform(-500, 500, (2000, 2))
    expected = shapely.distance(shape.boundary, shapely.points(xy))
    np.testing.assert_allclose(Boundary.from_geometry(shape).distance_um(xy), expected, atol=1e-9)


@pytest.mark.parametrize("kind", ["csr", "clustered"])
def test_distances_agree_with_the_spatstat_oracle(windows, shared_data, kind):
    for name, window in windows.items():
        points = pd.read_csv(shared_data / "spatstat" / f"reference_points_{name}_{kind}.csv")
        distance = window.distance_to_edge(points[["x", "y"]].to_numpy())
        np.testing.assert_allclose(distance, points["bdist_exact"], rtol=1e-9, atol=1e-9)
        if name == "mask":  # control: pixel centres are not good enough
            assert (points["bdist_spatstat"] - points["bdist_exact"]).abs().max() > 5


def test_areas_agree_with_the_spatstat_oracle(windows, shared_data):
    areas = pd.read_csv(shared_data / "spatstat" / "reference_windows.csv").set_index("window")
    for name, window in windows.items():
        assert window.area_um2 == pytest.approx(areas.loc[name, "area"], rel=1e-12)
        assert window.polygon.area == pytest.approx(window.area_um2, rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(MASKS, st.sampled_from([0.5, 4.0]), st.tuples(st.floats(-9, 9), st.floats(-9, 9)))
def test_the_outline_of_a_mask_is_the_union_of_its_pixels(mask, pixel_size_um, origin_um):
    window = Window.from_mask(mask, pixel_size_um, origin_um)
    row, column = np.nonzero(mask)
    # In whole pixels: in micrometres, sides that should meet differ in their last bits.
    union = shapely.union_all(shapely.box(column, row, column + 1.0, row + 1.0))
    union = shapely.transform(union, lambda xy: xy * pixel_size_um + np.array(origin_um))
    assert window.polygon.is_valid
    assert window.polygon.symmetric_difference(union).area == pytest.approx(0, abs=1e-6)
    xy = np.random.default_rng(0).uniform(-12, 50, (40, 2))
    inside = window.contains(xy)
    near_edge = shapely.distance(union.boundary, shapely.points(xy)) < 1e-9
    assert (inside == shapely.contains_xy(union, *xy.T))[~near_edge].all()
    expected = shapely.distance(union.boundary, shapely.points(xy[inside]))
    np.testing.assert_allclose(window.distance_to_edge(xy[inside]), expected, atol=1e-9)


def test_a_window_does_not_change_when_its_mask_does():
    mask = np.ones((3, 3), bool)
    window = Window.from_mask(mask, 1.0)
    mask[:] = False
    assert window.contains([[1.5, 1.5]]).all()


def test_intersection_is_a_window():
    part = Window.from_polygon(HOLED).intersection(shapely.box(50, 0, 200, 30))
    assert part.area_um2 == 50 * 30 - 10 * 10


@pytest.mark.parametrize("step_um", [0.7, 1.0, 3.0, 8.0])
def test_a_lattice_stands_for_the_area(step_um):
    rectangle = Window.from_rectangle(0, 0, 100, 50)
    xy, dx, dy = rectangle.sample(step_um)
    assert len(xy) * dx * dy == pytest.approx(5000)
    mask = np.random.default_rng(0).random((60, 80)) < 0.6
    window = Window.from_mask(mask, 2.0, (3, 7))
    xy, dx, dy = window.sample(step_um)
    assert len(xy) * dx * dy == pytest.approx(window.area_um2, rel=1e-9 if step_um <= 2 else 0.1)
    assert window.contains(xy).all()


def test_a_million_points_take_seconds_not_minutes():
    angle = np.linspace(0, 2 * np.pi, 10_000, endpoint=False)
    radius = 5000 + 500 * np.sin(9 * angle)
    ring = np.c_[radius * np.cos(angle), radius * np.sin(angle)]
    boundary = Boundary.from_geometry(shapely.Polygon(ring))
    xy = np.random.default_rng(0).uniform(-8000, 8000, (1_000_000, 2))
    distance = boundary.distance_um(xy)
    sample = slice(None, None, 10_000)
    nearest_vertex = np.hypot(*(xy[sample, None] - ring).transpose(2, 0, 1)).min(axis=1)
    assert (distance[sample] <= nearest_vertex + 1e-9).all()
    assert (distance[sample] >= nearest_vertex - 4).all()  # sides are about 4 um long


def test_importing_window_imports_nothing_heavy():
    code = "import sys, macprox.window; print([m for m in ('shapely','numba') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Window.from_rectangle(0, 0, 0, 5), "x_min < x_max"),
        (lambda: Window.from_rectangle(0, 0, np.nan, 5), "x_min < x_max"),
        (lambda: Window.from_polygon(shapely.Polygon()), "empty"),
        (lambda: Window.from_polygon(shapely.Point(0, 0)), "found Point"),
        (
            lambda: Window.from_polygon(shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])),
            "make_valid",
        ),
        (lambda: Window.from_mask(np.zeros((3, 3), bool), 1.0), "no pixel"),
        (lambda: Window.from_mask(np.ones((3, 3), int), 1.0), "labels > 0"),
        (lambda: Window.from_mask(np.ones((3, 3), bool), 0), "pixel size"),
        (lambda: Window.from_polygon(HOLED).intersection(shapely.box(200, 0, 300, 9)), "empty"),
    ],
)
def test_a_window_that_cannot_be_is_refused(make, says):
    with pytest.raises(WindowError, match=says):
        make()


def test_points_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"shape \(n, 2\)"):
        Window.from_rectangle(0, 0, 1, 1).contains(np.zeros((3, 3)))


@pytest.fixture
def windows(shared_data):
    folder = shared_data / "spatstat"
    rings = pd.read_csv(folder / "window_poly.csv").groupby("ring")[["x", "y"]]
    outer, *holes = (ring.to_numpy() for _, ring in rings)
    return {
        "rect": Window.from_rectangle(0, 0, 1000, 800),
        "poly": Window.from_polygon(shapely.Polygon(outer, holes)),
        "mask": Window.from_mask(np.load(folder / "window_mask.npy").astype(bool), 5.0),
    }
