"""Signed distance, zones, band areas, border profile."""

import numpy as np
import pandas as pd
import pytest
import shapely

from macprox import spatial
from macprox.spatial.border import FIRST_BAND_UM, LAST_BAND_UM

SQUARE = shapely.box(400, 400, 800, 800)
EDGES = np.arange(FIRST_BAND_UM, LAST_BAND_UM + 1, 20.0)


def test_signed_distance_by_hand():
    holed = SQUARE.difference(shapely.box(590, 590, 610, 610))
    xy = [[500, 600], [390, 600], [600, 580], [600, 600], [370, 360], [400, 500]]
    np.testing.assert_allclose(spatial.signed_distance(xy, holed), [-90, 10, -10, 10, 50, 0])


def test_signed_distance_agrees_with_the_oracle(shared_data):
    folder = shared_data / "spatstat"
    rings = [ring[["x", "y"]].to_numpy() for _, ring in nests(folder)]
    # The first nest has a hole: whichever ring lies inside another one.
    polygons = [shapely.Polygon(ring) for ring in rings]
    region = polygons[0]
    for polygon in polygons[1:]:
        region = region.symmetric_difference(polygon)
    for name in ("rect_csr", "poly_clustered", "mask_csr"):
        points = pd.read_csv(folder / f"reference_points_{name}.csv")
        distance = spatial.signed_distance(points[["x", "y"]].to_numpy(), region)
        np.testing.assert_allclose(distance, points["nest_signed"], rtol=1e-9, atol=1e-9)


def nests(folder):
    return pd.read_csv(folder / "region_nests.csv").groupby("ring")


def test_zones_follow_the_signed_distance():
    distance = np.array([-300, -100.001, -100, -1, 0, 0.001, 100, 100.001, np.nan])
    expected = ["core"] * 2 + ["inner_margin"] * 3 + ["outer_margin"] * 2 + ["distant", "none"]
    assert spatial.zone_of(distance, 100.0).tolist() == expected


@pytest.mark.parametrize(
    "region",
    [
        SQUARE,
        shapely.Point(650, 580).buffer(260, quad_segs=200),
        shapely.union_all([shapely.Point(300, 300).buffer(90), shapely.box(500, 450, 900, 700)]),
        SQUARE.difference(shapely.Point(600, 600).buffer(60)),
    ],
)
@pytest.mark.parametrize("window", ["rectangle", "polygon", "mask"])
def test_band_areas_agree_with_exact_buffers(region, window):
    window = {
        "rectangle": spatial.Window.from_rectangle(100, 0, 1333, 1111),
        "polygon": spatial.Window.from_polygon(
            shapely.Polygon([(0, 0), (1400, 100), (1200, 1300), (100, 900)]).difference(
                shapely.Point(900, 850).buffer(120)
            )
        ),
        "mask": spatial.Window.from_mask(np.hypot(*np.mgrid[-150:150, -140:140]) < 155, 4.0),
    }[window]
    exact = [region.buffer(e, quad_segs=128).intersection(window.polygon).area for e in EDGES]
    bands, expected = np.diff(spatial.area_below_um2(window, region, EDGES)), np.diff(exact)
    large = expected > 10_000
    assert large.any()
    np.testing.assert_allclose(bands[large], expected[large], rtol=0.006)
    assert bands.sum() == pytest.approx(expected.sum(), rel=0.001)


def test_band_areas_of_a_square_in_a_rectangle_are_exact():
    window = spatial.Window.from_rectangle(0, 400, 400, 800)  # the strip left of the square
    areas = np.diff(spatial.area_below_um2(window, SQUARE, [0, 20, 40, 60]))
    np.testing.assert_allclose(areas, 20 * 400, rtol=1e-9)


def test_a_window_far_from_the_region_has_no_band():
    window = spatial.Window.from_rectangle(5000, 5000, 5100, 5100)
    np.testing.assert_array_equal(spatial.area_below_um2(window, SQUARE, [0, 500]), [0, 0])
    assert np.isnan(spatial.area_below_um2(None, SQUARE, [0, 500])).all()


def test_a_region_without_area_is_refused():
    with pytest.raises(ValueError, match="region is empty"):
        spatial.signed_distance([[0, 0]], shapely.Polygon())


def test_a_flat_density_gives_a_flat_profile_and_a_ring_shows_as_one():
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 1200, (60_000, 2))
    distance = spatial.signed_distance(xy, SQUARE)
    ring = (distance > 100) & (distance < 140)
    phenotype = np.where(rng.random(60_000) < 0.5, "flat", np.where(ring, "ring", "Other"))
    cells = pd.DataFrame({"x_um": xy[:, 0], "y_um": xy[:, 1], "phenotype": phenotype})
    window = spatial.Window.from_rectangle(0, 0, 1200, 1200)
    parameters = spatial.ProximityParameters(("flat", "ring"), strata=(), n_permutations=0)
    table = spatial.slide_statistics(cells, window, SQUARE, parameters)
    profile = table[table["statistic"] == "border_profile_per_mm2"]
    assert set(profile["r_um"]) == set((EDGES[:-1] + 10).tolist())
    flat, ring = (
        profile[profile["source"] == name].set_index("r_um")["value"] for name in ("flat", "ring")
    )
    overall = (phenotype == "flat").sum() / 1.44
    np.testing.assert_allclose(flat.loc[-130:390], overall, rtol=0.15)
    assert set(ring[ring > 0].index) == {110.0, 130.0}
    zones = table[(table["statistic"] == "density_per_mm2") & (table["source"] == "flat")]
    np.testing.assert_allclose(zones["value"], overall, rtol=0.1)
    assert zones.set_index("region")["n_source"].drop("all").sum() == (phenotype == "flat").sum()


def test_a_band_of_less_than_a_hundredth_of_a_mm2_is_nan_with_the_reason():
    tiny = shapely.box(500, 500, 530, 530)
    cells = pd.DataFrame({"x_um": [510.0], "y_um": [510.0], "phenotype": ["m"]})
    window = spatial.Window.from_rectangle(0, 0, 1000, 1000)
    parameters = spatial.ProximityParameters(("m",), strata=())
    table = spatial.slide_statistics(cells, window, tiny, parameters)
    inside = table[(table["statistic"] == "border_profile_per_mm2") & (table["r_um"] == -10)]
    assert inside["n_source"].tolist() == [1, 0]
    assert inside["value"].isna().all()
    assert inside["reason"].str.contains("mm2 of window, less than 0.01").all()
