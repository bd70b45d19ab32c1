"""The overlap of a window with itself, shifted: closed form, GEOS, and what must not matter."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from macprox.spatial import Window
from macprox.window import set_covariance as module
from macprox.window.raster import default_raster_um, pixels_of, runs_of
from spatstat_oracle import oracle_window

SHIFT = st.floats(-140, 140)


def overlap_by_geos(window: Window, dx: float, dy: float) -> float:
    moved = shapely.transform(window.polygon, lambda xy: xy + np.array([dx, dy]))
    return window.polygon.intersection(moved).area


@given(SHIFT, SHIFT)
def test_a_rectangle_has_the_closed_form(dx, dy):
    covariance = Window.from_rectangle(-10, 5, 90, 55).set_covariance(200)
    expected = max(100 - abs(dx), 0) * max(50 - abs(dy), 0)
    assert covariance.overlap_um2(dx, dy) == pytest.approx(expected, rel=1e-13, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(-30, 30), st.floats(-30, 30))
def test_a_mask_overlaps_as_the_union_of_its_pixels_does(seed, dx, dy):
    mask = np.random.default_rng(seed).random((9, 12)) < 0.6  # several pieces, holes, corners
    mask[4, 4] = True
    window = Window.from_mask(mask, 2.5, origin_um=(-7, 3))
    found = window.set_covariance(50).overlap_um2(dx, dy)
    assert found == pytest.approx(overlap_by_geos(window, dx, dy), rel=1e-12, abs=1e-9)


def test_tiles_do_not_show(monkeypatch):
    mask = np.random.default_rng(0).random((150, 130)) < 0.5
    whole = module.overlaps_px(mask, 20, 30)
    monkeypatch.setattr(module, "TILE_PX", 37)
    np.testing.assert_array_equal(module.overlaps_px(mask, 20, 30), whole)
    np.testing.assert_array_equal(whole, whole[::-1, ::-1])
    direct = [[(mask[:130, 30:] & mask[20:, :100]).sum(), mask.sum()]]
    np.testing.assert_array_equal([[whole[40, 0], whole[20, 30]]], direct)


def test_a_longer_reach_changes_no_value_and_is_computed_only_when_needed():
    mask = np.random.default_rng(1).random((60, 50)) < 0.7
    window = Window.from_mask(mask, 5.0)
    short = window.set_covariance(40)
    assert window.set_covariance(33) is short
    shifts = np.random.default_rng(2).uniform(-28, 28, (2, 200))
    before = short.overlap_um2(*shifts)
    np.testing.assert_array_equal(window.set_covariance(400).overlap_um2(*shifts), before)
    assert window.set_covariance(40) is not short
    assert window.set_covariance(400).overlap_um2(260, 0) == 0  # farther than the window is wide


def test_a_polygon_is_within_a_thousandth_of_exact_overlaps(shared_data):
    window = oracle_window(shared_data / "spatstat", "poly")
    shifts = np.random.default_rng(0).uniform(-100, 100, (60, 2))
    exact = np.array([overlap_by_geos(window, *shift) for shift in shifts])
    error = {
        raster: np.abs(window.set_covariance(150, raster).overlap_um2(*shifts.T) / exact - 1).max()
        for raster in (None, 12.0)
    }
    assert error[None] < 5e-4
    assert error[12.0] > error[None]  # control: the raster is what limits it


def test_a_turned_rectangle_is_rastered_and_close():
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    corners = np.array([[0, 0], [100, 0], [100, 50], [0, 50]]) @ turn.T
    window = Window.from_polygon(shapely.Polygon(corners))
    assert pixels_of(window.shape, None)[0].size > 1000
    shift = np.array([[10.0, 20.0], [-40.0, 5.0]])
    found = window.set_covariance(60).overlap_um2(*(shift @ turn.T).T)
    np.testing.assert_allclose(found, [90 * 30, 60 * 45], rtol=3e-3)


def test_the_raster_follows_the_size_of_the_window():
    small = shapely.Point(0, 0).buffer(100)
    large = shapely.Point(0, 0).buffer(10_000)
    sizes = [pixels_of(Window.from_polygon(disc).shape, None)[0].size for disc in (small, large)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.01)
    assert default_raster_um(Window.from_polygon(large).shape) == pytest.approx(50, rel=0.01)


def test_strips_have_the_area_of_the_window(shared_data):
    for name in ("poly", "mask", "rect"):
        window = oracle_window(shared_data / "spatstat", name)
        runs = runs_of(window.shape, 0.5)
        area = (runs.x[1::2] - runs.x[::2]).sum() * runs.height_um
        assert area == pytest.approx(window.area_um2, rel=1e-5)


def test_what_makes_no_sense_is_refused():
    window = Window.from_rectangle(0, 0, 10, 10)
    for reach in (0, -1, np.nan, np.inf):
        with pytest.raises(ValueError, match="reach_um must be a positive length"):
            window.set_covariance(reach)
    with pytest.raises(ValueError, match="raster_um must be a positive length"):
        window.set_covariance(5, raster_um=0)
    with pytest.raises(ValueError, match="known for shifts up to 5 um, asked for 8 um"):
        window.set_covariance(5).overlap_um2([0, 8], [0, 0])
    with pytest.raises(ValueError, match="known for shifts"):
        window.set_covariance(5).overlap_um2(np.nan, 0)
