"""Lesions: shape and depth by hand, whose cell is whose, areas that fit the cells they divide."""

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from macprox.pipeline.lesions import border_flags
from macprox.quality import MIN_BORDER_CONTRAST, UNCLEAR_BORDER_FRAC
from macprox.regions import (
    Regions,
    area_by_place,
    border_clarity,
    half_width_um,
    lesion_shapes,
    lesion_zone_areas,
    lesion_zone_of,
    nearest_lesion,
    place_by_lesion,
)
from macprox.regions.lesions import PLACE_COLUMNS, SHAPE_COLUMNS
from macprox.spatial import signed_distance, zone_of

WINDOW = shapely.box(0, 0, 1000, 800)
AIR = shapely.box(700, 100, 780, 400) | shapely.box(230, 230, 250, 250)


def disk(x, y, radius):
    return shapely.Point(x, y).buffer(radius, quad_segs=64)


def slide(*pieces, window=WINDOW, air=None, margin_um=100.0):
    return Regions(
        tissue_window=window,
        airspace=shapely.MultiPolygon() if air is None else air,
        tumour=shapely.union_all(pieces) & window if pieces else shapely.MultiPolygon(),
        tumour_source="auto" if pieces else "none",
        margin_um=margin_um,
    )


def place(xy, regions):
    return place_by_lesion(xy, regions, regions.locate(xy)["lesion_id"].to_numpy())


# --- shapes ---------------------------------------------------------------------------------


def test_a_square_s_shape_by_hand():
    shape = lesion_shapes(slide(shapely.box(200, 300, 400, 500))).iloc[0]
    assert (shape["area_um2"], shape["perimeter_um"]) == (40_000, 800)
    assert shape["inradius_um"] == pytest.approx(100, abs=0.1)
    assert (shape["x_um"], shape["y_um"]) == pytest.approx((300, 400), abs=0.2)
    assert shape["at_window_edge"] == 0


def test_the_centre_of_a_curved_lesion_lies_in_it():
    sickle = disk(400, 400, 200) - disk(480, 400, 190)
    shape = lesion_shapes(slide(sickle)).iloc[0]
    assert not sickle.contains(sickle.centroid)  # control: a centroid would not do
    assert sickle.contains(shapely.Point(shape["x_um"], shape["y_um"]))
    assert shape["inradius_um"] == pytest.approx(45, abs=0.2)  # 400 - 200 to 480 - 190


def test_a_lesion_cut_by_the_window_says_how_much_of_its_border_is_cut():
    cut, whole = shapely.box(-100, 100, 200, 300), shapely.box(500, 500, 600, 600)
    shapes = lesion_shapes(slide(cut, whole))
    # 200 um of a 200 um square's perimeter of 800
    assert shapes["at_window_edge"].tolist() == pytest.approx([0.25, 0])


def test_what_is_excluded_is_no_visible_border_and_no_observed_area():
    regions = slide(shapely.box(200, 200, 400, 400))
    hidden = regions.with_exclusion(shapely.box(300, 100, 500, 500), "fold")
    shape = lesion_shapes(hidden).iloc[0]
    assert shape["observed_area_um2"] == shape["area_um2"] / 2
    assert shape["at_window_edge"] == pytest.approx(0.5, abs=0.01)


def test_no_tumour_is_no_lesion():
    regions = slide()
    assert len(lesion_shapes(regions)) == 0
    assert list(lesion_shapes(regions).columns) == list(SHAPE_COLUMNS)
    placed = place([[10, 10]], regions)
    assert list(placed.columns) == list(PLACE_COLUMNS)
    assert placed["nearest_lesion_id"].tolist() == [0]
    assert placed[["tumour_border_distance_um", "relative_depth"]].isna().all(axis=None)
    assert len(lesion_zone_areas(regions)) == 0


# --- cells ----------------------------------------------------------------------------------


def test_relative_depth_is_one_in_the_middle_whatever_the_size():
    small, large = shapely.box(100, 100, 160, 160), shapely.box(400, 300, 800, 700)
    regions = slide(small, large)
    xy = np.array([[130, 130], [600, 500], [115, 130], [500, 500], [70, 130], [300, 500]])
    placed = place(xy, regions)
    expected = [1, 1, 0.5, 0.5, -1, -0.5]
    np.testing.assert_allclose(placed["relative_depth"], expected, rtol=0.005)
    assert placed["nearest_lesion_id"].tolist() == [1, 2, 1, 2, 1, 2]
    # control: by the margin alone the whole small lesion is margin
    assert zone_of(placed["tumour_border_distance_um"].to_numpy()[:1], 100.0) == ["inner_margin"]


def test_a_cell_in_the_hole_of_a_lesion_is_nearest_to_what_is_nearest():
    island = disk(400, 400, 20)
    ring = disk(400, 400, 200) - disk(400, 400, 120)
    regions = slide(ring, island)
    names = {number: piece.area for number, piece in regions.lesions().items()}
    of_island = min(names, key=names.get)
    placed = place([[400, 400], [430, 400], [500, 400], [560, 400]], regions)
    assert (placed["nearest_lesion_id"] == of_island).tolist() == [True, True, False, False]
    assert (placed["tumour_border_distance_um"] < 0).tolist() == [True, False, False, True]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_the_nearest_lesion_is_what_asking_each_would_say(seed):
    rng = np.random.default_rng(seed)
    pieces = [disk(rng.uniform(100, 900), 120 + 170 * i, rng.uniform(20, 60)) for i in range(4)]
    regions = slide(*pieces)
    xy = rng.uniform((0, 0), (1000, 800), (300, 2))
    distance_um, lesion_id = nearest_lesion(xy, regions)
    each = np.array(
        [shapely.distance(shapely.points(xy), p.boundary) for p in regions.lesions().values()]
    )
    np.testing.assert_allclose(distance_um, each.min(axis=0), atol=1e-9)
    np.testing.assert_array_equal(lesion_id, each.argmin(axis=0) + 1)
    placed = place(xy, regions)
    np.testing.assert_array_equal(
        placed["tumour_border_distance_um"], signed_distance(xy, regions.tumour)
    )
    assert placed["relative_depth"].max() <= 1.01


# --- areas ----------------------------------------------------------------------------------


def test_places_of_a_square_by_hand():
    areas = area_by_place(slide(shapely.box(300, 300, 600, 600), margin_um=100.0))
    areas = areas.set_index(["region", "compartment"])["area_um2"]
    outer = 300 * 400 + np.pi * 100**2
    expected = {
        ("core", "epithelium"): 100**2,
        ("inner_margin", "epithelium"): 300**2 - 100**2,
        ("outer_margin", "stroma"): outer,
        ("distant", "stroma"): 1000 * 800 - 300**2 - outer,
    }
    assert set(areas.index) == set(expected)
    for key, area_um2 in expected.items():
        assert areas[key] == pytest.approx(area_um2, rel=0.01), key
    assert areas.sum() == pytest.approx(1000 * 800)


@pytest.mark.parametrize("tumour", [(disk(240, 240, 160), disk(600, 500, 45)), ()])
def test_random_cells_fall_into_places_as_their_areas_say(tumour):
    regions = slide(*tumour, air=AIR, margin_um=60.0).with_exclusion(shapely.box(0, 0, 90, 90), "x")
    rng = np.random.default_rng(5)
    xy = rng.uniform((0, 0), (1000, 800), (200_000, 2))
    located = regions.locate(xy)
    seen = (located["in_window"] & ~located["excluded"]).to_numpy()
    distance_um = place(xy, regions)["tumour_border_distance_um"].to_numpy()
    cells = pd.DataFrame({"region": zone_of(distance_um, 60.0), **located[["compartment"]]})[seen]
    areas = area_by_place(regions).set_index(["region", "compartment"])["area_um2"]
    assert areas.sum() == pytest.approx(regions.observed.area)
    n = cells.value_counts().reindex(areas.index, fill_value=0)
    assert n.sum() == seen.sum()  # no cell lies where there is no area
    expected = areas / areas.sum() * seen.sum()
    z = (n - expected) / np.sqrt(expected)
    assert z.abs().max() < 4
    assert len(areas) >= (6 if tumour else 2)  # control: places there are


def test_nothing_observed_has_no_area():
    nothing = Regions(tissue_window=shapely.MultiPolygon())
    assert len(area_by_place(nothing)) == 0


def test_core_and_periphery_of_a_disk_by_hand():
    regions = slide(disk(300, 300, 150), disk(700, 400, 40))
    zones = lesion_zone_areas(regions)
    assert zones["half_width_um"].tolist() == pytest.approx([75, 20], abs=0.2)
    radius, reach = np.array([150, 40]), np.array([75, 20])
    np.testing.assert_allclose(zones["core_um2"], np.pi * (radius - reach) ** 2, rtol=0.01)
    inner = np.pi * (radius**2 - (radius - reach) ** 2)
    outer = np.pi * ((radius + reach) ** 2 - radius**2)
    np.testing.assert_allclose(zones["inner_um2"], inner, rtol=0.01)
    np.testing.assert_allclose(zones["outer_um2"], outer, rtol=0.01)
    np.testing.assert_allclose(zones["periphery_um2"], inner + outer, rtol=0.01)
    assert half_width_um(np.array([1000.0]), 100.0) == [100]  # a large lesion has the margin


@pytest.mark.parametrize("airspace", [True, False])
def test_random_cells_fall_into_lesion_zones_as_their_areas_say(airspace):
    # two lesions whose peripheries meet, one cut by the window, a lumen, an exclusion
    regions = slide(disk(200, 200, 150), disk(430, 200, 70), disk(1000, 600, 120), air=AIR)
    regions = regions.with_exclusion(shapely.box(150, 300, 250, 400), "fold")
    zones = lesion_zone_areas(regions, airspace=airspace)
    xy = np.random.default_rng(8).uniform((0, 0), (1000, 800), (300_000, 2))
    located, placed = regions.locate(xy), place(xy, regions)
    seen = (located["in_window"] & ~located["excluded"]).to_numpy()
    if not airspace:
        seen = seen & (located["compartment"] != "airspace").to_numpy()
    zone = lesion_zone_of(
        placed["tumour_border_distance_um"].to_numpy(), placed["nearest_lesion_id"], zones
    )
    per_um2 = 300_000 / 800_000
    for row in zones.itertuples():
        mine = seen & (placed["nearest_lesion_id"] == row.lesion_id).to_numpy()
        for name, area_um2 in (("core", row.core_um2), ("periphery", row.periphery_um2)):
            expected = area_um2 * per_um2
            away = (mine & (zone == name)).sum() - expected
            # four of the counts' standard deviations and 1 % of the lattice
            assert abs(away) < 4 * expected**0.5 + 0.01 * expected


def test_a_cell_exactly_at_the_half_width_is_periphery_and_none_without_tumour_is_anywhere():
    zones = pd.DataFrame({"lesion_id": [1], "half_width_um": [20.0]})
    zone = lesion_zone_of([-20.1, -20, 0, 20, 20.1, np.nan], np.array([1, 1, 1, 1, 1, 0]), zones)
    assert zone.tolist() == ["core", "periphery", "periphery", "periphery", "", ""]


# --- clear borders --------------------------------------------------------------------------


def sides(n_inside, marked_inside, n_outside, marked_outside, lesion_id=1):
    return pd.DataFrame(
        {
            "nearest_lesion_id": lesion_id,
            "tumour_border_distance_um": [-10.0] * n_inside + [10.0] * n_outside,
            "carries_marker": np.r_[
                np.arange(n_inside) < marked_inside, np.arange(n_outside) < marked_outside
            ],
            "is_macrophage": False,
        }
    )


def test_a_contrast_by_hand():
    both = pd.concat([sides(40, 36, 50, 5), sides(40, 20, 40, 20, lesion_id=2)])
    clarity = border_clarity(both, [1, 2])
    assert clarity["border_contrast"].tolist() == pytest.approx([0.8, 0.0])
    assert clarity["no_clear_border"].tolist() == [False, True]
    assert clarity["reason"].tolist() == ["", ""]


def test_macrophages_and_cells_farther_than_the_band_say_nothing_of_a_border():
    cells = sides(40, 36, 50, 5)
    noise = sides(500, 0, 500, 500).assign(is_macrophage=True)
    far = sides(500, 0, 500, 500)
    far["tumour_border_distance_um"] *= 3.1
    clarity = border_clarity(pd.concat([cells, noise, far]), [1])
    assert clarity["border_contrast"].tolist() == pytest.approx([0.8])


def test_of_few_cells_nobody_knows_and_nobody_says_clear():
    clarity = border_clarity(sides(40, 40, 19, 0), [1, 2])
    assert clarity["no_clear_border"].isna().all()
    assert clarity["border_contrast"].isna().all()
    assert clarity["marker_inside"].tolist()[0] == 1  # what can be told is told
    assert clarity["reason"].tolist() == [
        "19 cells within 30 um outside; a share needs 20",
        "0 cells within 30 um inside and 0 cells within 30 um outside; a share needs 20",
    ]


@pytest.mark.parametrize(
    ("areas", "unclear", "flagged"),
    [
        ([1000, 9000], [True, False], False),
        ([1000, 2000], [True, False], True),
        ([1000, 2000], [pd.NA, False], False),
        ([], [], False),
    ],
)
def test_a_slide_is_flagged_where_much_of_its_tumour_has_no_clear_border(areas, unclear, flagged):
    lesions = pd.DataFrame({"area_um2": areas, "no_clear_border": pd.array(unclear, "boolean")})
    flags = border_flags(lesions)
    assert [flag.flag for flag in flags] == (["no_clear_border"] if flagged else [])
    if flagged:
        assert flags[0].value == pytest.approx(1 / 3)
        assert f"less than {MIN_BORDER_CONTRAST:g}" in flags[0].message
        assert flags[0].value >= UNCLEAR_BORDER_FRAC
