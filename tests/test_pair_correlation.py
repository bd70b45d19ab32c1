"""Pair correlation and marks at a distance: exact kernel sums of spatstat and by brute force."""

import numpy as np
import pytest

from macprox import spatial
from macprox.errors import WindowError
from macprox.spatial.functions import pair_counts
from spatstat_oracle import PATTERNS, oracle

# The kernel's foot is where both sides are next to nothing: compare with the size of the curve.
EXACT = {"rtol": 1e-9, "atol": 1e-12}
OBSERVED = pytest.mark.parametrize(("name", "kind"), PATTERNS)
WINDOW = spatial.Window.from_rectangle(0, 0, 100, 80)
BANDWIDTH_UM = 4.0


@OBSERVED
@pytest.mark.parametrize("divisor", ["r", "d"])
def test_pcf_is_the_exact_kernel_sum(shared_data, name, kind, divisor):
    o = oracle(shared_data, name, kind)
    found = spatial.cross_pcf(
        o.mac, o.tumour, o.curves["r"], o.window, BANDWIDTH_UM, divisor=divisor
    )
    bound = {"rtol": 1e-3, "atol": 1e-12} if name == "poly" else EXACT  # the stated raster
    exact = o.curves[f"pcf_trans_{divisor}_exact"]
    np.testing.assert_allclose(found[1:], exact[1:], **bound)
    assert np.isnan(found[0]) == (divisor == "r")  # 0 / 0 at no distance


@OBSERVED
def test_spatstat_s_pcf_is_smoothed_on_a_grid(shared_data, name, kind):
    """``density()`` bins distances before it smooths: 3 % of the curve where pairs are few."""
    o = oracle(shared_data, name, kind)
    r = o.curves["r"].to_numpy()
    columns = {"pcf_trans_r": ("translate", "r"), "pcf_trans_d": ("translate", "d")}
    columns["pcf_iso_r"] = ("isotropic", "r")
    for column, (correction, divisor) in columns.items():
        if column not in o.curves:
            continue  # spatstat refuses isotropic in a mask
        found = spatial.cross_pcf(o.mac, o.tumour, r, o.window, BANDWIDTH_UM, correction, divisor)
        np.testing.assert_allclose(found[10:111], o.curves[column][10:111], rtol=3e-2, atol=2e-3)


@OBSERVED
def test_mark_connection_and_correlation_are_the_exact_kernel_sums(shared_data, name, kind):
    o = oracle(shared_data, name, kind)
    r = o.curves["r"]
    is_mac, is_tumour = (o.points["type"] == cell for cell in ("mac", "tumour"))
    found = spatial.mark_connection(o.xy, is_mac, is_tumour, r, BANDWIDTH_UM)
    np.testing.assert_allclose(found, o.curves["markconnect_mt_none_exact"], **EXACT)
    found = spatial.mark_correlation(o.xy, o.points["value"], r, BANDWIDTH_UM)
    np.testing.assert_allclose(found, o.curves["markcorr_value_none_exact"], **EXACT)
    # spatstat's own, through density().
    np.testing.assert_allclose(found[10:101], o.curves["markcorr_value_none"][10:101], rtol=1e-3)


@pytest.mark.parametrize("correction", ["translate", "none", "isotropic"])
def test_a_value_has_the_same_bits_whatever_else_is_asked_for(shared_data, correction, monkeypatch):
    o = oracle(shared_data, "mask", "clustered")
    is_mac, is_tumour = (o.points["type"] == cell for cell in ("mac", "tumour"))
    functions = [
        lambda r: spatial.cross_pcf(o.mac, o.tumour, r, o.window, 4, correction, "r"),
        lambda r: spatial.cross_pcf(o.mac, o.tumour, r, o.window, 4, correction, "d"),
        lambda r: spatial.mark_connection(o.xy, is_mac, is_tumour, r, 4),
    ]
    for function in functions:
        curve = function(np.arange(1, 121.0))
        assert function(20) == function([[60, 20.0]])[0, 1] == curve[19]
    monkeypatch.setattr(pair_counts, "BLOCK_PAIRS", 100)
    np.testing.assert_array_equal(functions[-1](np.arange(1, 121.0)), curve)


def test_pcf_is_that_of_brute_force():
    rng = np.random.default_rng(0)
    source, target = rng.uniform(0, 80, (40, 2)), rng.uniform(0, 80, (30, 2))
    shift = np.abs(target - source[:, None])
    d = np.sqrt(np.square(shift).sum(axis=2))
    weight = 8000 / ((100 - shift[..., 0]) * (80 - shift[..., 1]))
    r, half = np.array([3.0, 17.5, 60.0]), 2.5 * np.sqrt(5)
    t = (r - d[..., None]) / half
    kernel = np.where(np.abs(t) < 1, 0.75 * (1 - t * t) / half, 0)
    for divisor, by in (("r", r), ("d", d[..., None])):
        expected = 8000 / (2 * np.pi * 1200) * (weight[..., None] * kernel / by).sum(axis=(0, 1))
        found = spatial.cross_pcf(source, target, r, WINDOW, 2.5, divisor=divisor)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_without_relation_pcf_is_1_and_mark_connection_the_product_of_shares():
    rng = np.random.default_rng(7)
    window = spatial.Window.from_rectangle(0, 0, 1000, 1000)
    xy = rng.uniform(0, 1000, (6000, 2))
    is_source, is_target = np.arange(6000) < 2000, np.arange(6000) >= 3000
    r = np.array([20, 60, 100])
    found = spatial.cross_pcf(xy[is_source], xy[is_target], r, window, 4)
    np.testing.assert_allclose(found, 1, atol=0.05)
    found = spatial.mark_connection(xy, is_source, is_target, r, 4)
    np.testing.assert_allclose(found, 1 / 3 * 1 / 2, atol=0.005)
    np.testing.assert_allclose(spatial.mark_correlation(xy, np.ones(6000), r, 4), 1, rtol=1e-12)


def test_coincident_pairs_are_left_out_of_divisor_d_and_counted_by_r():
    xy = [[50, 40]]
    assert spatial.cross_pcf(xy, xy, [3], WINDOW, 4, divisor="d") == 0
    assert spatial.cross_pcf(xy, xy, [3], WINDOW, 4, divisor="r") > 0


def test_zero_and_one_cell_are_nan():
    one = [[50, 40]]
    assert np.isnan(spatial.cross_pcf([], one, [5, 6], WINDOW, 4)).all()
    assert np.isnan(spatial.cross_pcf(one, [], [5, 6], WINDOW, 4)).all()
    assert np.isnan(spatial.mark_connection([], np.zeros(0, bool), np.zeros(0, bool), [5], 4)).all()
    assert np.isnan(spatial.mark_connection(one, [True], [False], [5], 4)).all()
    assert np.isnan(spatial.mark_correlation([], [], [5], 4)).all()
    assert np.isnan(spatial.mark_correlation([*one, [90, 40]], [1, 2], [5], 4)).all()  # no pair


def test_what_makes_no_sense_is_refused():
    one, yes = [[50, 40]], [True]
    with pytest.raises(ValueError, match="correction must be one of translate, none, isotropic"):
        spatial.cross_pcf(one, one, [5], WINDOW, 4, "border")
    with pytest.raises(ValueError, match="divisor must be r or d"):
        spatial.cross_pcf(one, one, [5], WINDOW, 4, divisor="a")
    with pytest.raises(ValueError, match="bandwidth_um must be a positive length"):
        spatial.cross_pcf(one, one, [5], WINDOW, -4)
    with pytest.raises(ValueError, match="r_um must be finite and not negative"):
        spatial.cross_pcf(one, one, [np.nan], WINDOW, 4)
    with pytest.raises(WindowError, match="1 of 1 target points lie outside"):
        spatial.cross_pcf(one, [[500, 40]], [5], WINDOW, 4)
    with pytest.raises(ValueError, match="1 of 1 cell points are not finite"):
        spatial.mark_connection([[np.inf, 0]], yes, yes, [5], 4)
    with pytest.raises(ValueError, match="is_target must be 1 bool, one a cell; found"):
        spatial.mark_connection(one, yes, [1], [5], 4)
    for value in ([-1], [np.nan], [0], [1, 2]):
        with pytest.raises(ValueError, match="value must be 1 numbers, one a cell"):
            spatial.mark_correlation(one, value, [5], 4)
