"""A tumour is where its cells fill an area: nests are, alveoli are not, whatever the slide."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from scipy import ndimage as ndi
from scipy.spatial import Voronoi
from skimage.measure import find_contours

from macprox.errors import StudyError
from macprox.io.drawn_areas import read_drawn
from macprox.regions import (
    RegionParameters,
    Regions,
    mask_from_polygons,
    polygons_from_mask,
    tumour_region,
)
from macprox.regions.contours import polygons_from_field, without_small_parts

SIDE_UM = 1000
WINDOW = shapely.box(0, 0, SIDE_UM, SIDE_UM)


def packed(spacing_um, jitter_frac, seed=0, side_um=SIDE_UM):
    """Cells of a hexagonal packing, each moved at random."""
    rng = np.random.default_rng(seed)
    rows = np.arange(0, side_um, spacing_um * np.sqrt(3) / 2)
    columns = np.arange(0, side_um, spacing_um)
    cells = np.array([(x + i % 2 * spacing_um / 2, y) for i, y in enumerate(rows) for x in columns])
    cells += rng.normal(0, jitter_frac * spacing_um, cells.shape)
    return inside(shapely.box(0, 0, side_um, side_um), cells)


def inside(area, xy):
    return xy[shapely.contains_xy(area, xy)]


def lobed_nest():
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    radius = 250 + 40 * np.sin(5 * angle) + 20 * np.sin(11 * angle)
    return shapely.Polygon(500 + radius[:, None] * np.c_[np.cos(angle), np.sin(angle)])


def nest_in_stroma(spacing_um, marked_frac=0.95, stroma_um=16, seed=0):
    """Marker cells of a nest whose tissue ends half a cell beyond its centroids, all cells."""
    nest = lobed_nest()
    cells = inside(nest.buffer(-spacing_um / 2), packed(spacing_um, 0.15, seed))
    stroma = inside(WINDOW - nest.buffer(4), packed(stroma_um, 0.3, seed + 1))
    is_marked = np.random.default_rng(seed).random(len(cells)) < marked_frac
    return nest, cells[is_marked], np.concatenate([cells, stroma])


def alveoli(diameter_um, spacing_um, faces, macrophage_frac=0.3, seed=0):
    """Septa of a honeycomb lined by panCK+ cells; macrophages lie against them."""
    rng = np.random.default_rng(seed)
    mesh = Voronoi(packed(diameter_um, 0.1, seed, 1400) - 200)
    lining, others = [], []
    for a, b in mesh.ridge_vertices:
        start, end = mesh.vertices[a], mesh.vertices[b]
        length = np.hypot(*(end - start))
        if a < 0 or b < 0 or length > SIDE_UM:
            continue
        along = (end - start) / length
        across = np.array([-along[1], along[0]])
        for offset_um in ((0,), (-4, 4))[faces - 1]:
            place = np.arange(rng.uniform(0, spacing_um), length, spacing_um)
            lining.append(start + np.outer(place, along) + offset_um * across)
        place = rng.uniform(0, length, rng.poisson(length / 20))
        others.append(start + np.outer(place, along))
    lining = inside(WINDOW, np.concatenate(lining))
    lining = lining + rng.normal(0, 1, lining.shape)
    near = lining[rng.random(len(lining)) < macrophage_frac]
    angle, reach = rng.uniform(0, 2 * np.pi, len(near)), rng.uniform(8, 16, len(near))
    macrophages = near + reach[:, None] * np.c_[np.cos(angle), np.sin(angle)]
    return lining, np.concatenate([lining, inside(WINDOW, np.concatenate([*others, macrophages]))])


def iou(a, b):
    return (a & b).area / (a | b).area


# --- the detector ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spacing_um", "marked_frac", "stroma_um", "at_least"),
    [
        (10, 0.95, 16, 0.95),
        (12, 0.95, 16, 0.95),
        (15, 0.95, 16, 0.94),
        (18, 0.95, 16, 0.88),  # 3,500 cells per mm2: a large-cell tumour
        (12, 0.95, 12, 0.94),  # in stroma as dense as the nest itself
        (12, 0.80, 16, 0.93),  # a fifth of its cells missed or infiltrating
        (12, 0.60, 16, 0.87),
    ],
)
def test_a_nest_s_border_is_found(spacing_um, marked_frac, stroma_um, at_least):
    nest, marker, cells = nest_in_stroma(spacing_um, marked_frac, stroma_um)
    found = tumour_region(marker, cells, WINDOW)
    assert len(found.polygons.geoms) == 1
    assert iou(found.polygons, nest) > at_least
    assert found.flags == ()


@pytest.mark.parametrize(
    ("diameter_um", "spacing_um", "faces"),
    list(itertools.product((80, 120, 200), (8, 12, 16), (1, 2))),
)
def test_normal_alveoli_are_not_tumour(diameter_um, spacing_um, faces):
    lining, cells = alveoli(diameter_um, spacing_um, faces)
    assert len(lining) > 500  # control: plenty of marker cells, most of the cells there
    assert len(lining) / len(cells) > 0.35
    found = tumour_region(lining, cells, WINDOW)
    assert found.polygons.is_empty
    assert found.flags == ("no_tumour_region",)
    assert "the highest density is" in found.reason


def test_density_alone_would_call_alveoli_tumour():
    # the control of the test above: it is the width that tells them apart
    lining, cells = alveoli(120, 10, faces=2)
    blind = RegionParameters(min_width_um=1.0, min_width_in_tissue_um=1.0)
    assert tumour_region(lining, cells, WINDOW, blind).polygons.area > 0.3 * WINDOW.area
    assert tumour_region(lining, cells, WINDOW).polygons.is_empty


def test_a_nest_among_alveoli_is_found_without_them():
    nest, marker, _ = nest_in_stroma(11)
    lining, cells = alveoli(150, 12, faces=1)
    marker = np.concatenate([marker, inside(WINDOW - nest, lining)])
    cells = np.concatenate([marker, inside(WINDOW - nest, cells[len(lining) :])])
    found = tumour_region(marker, cells, WINDOW)
    assert iou(found.polygons, nest) > 0.9


def test_a_core_that_is_all_tumour_is_all_tumour():
    core = shapely.Point(500, 500).buffer(450)
    cells = inside(core, packed(12, 0.2))
    found = tumour_region(cells, cells, core)
    assert iou(found.polygons, core) > 0.99
    assert found.flags == ("tumour_everywhere",)


def test_no_marker_cell_means_no_tumour():
    _, _, cells = nest_in_stroma(12)
    found = tumour_region(np.empty((0, 2)), cells, WINDOW)
    assert found.polygons.is_empty
    assert found.flags == ("no_tumour_cells",)
    beyond = tumour_region(cells + 5000, cells, WINDOW)  # none inside the window
    assert beyond.flags == ("no_tumour_cells",)


def test_scattered_marker_cells_are_not_tumour():
    cells = packed(10, 0.2)
    marked = cells[np.random.default_rng(1).random(len(cells)) < 0.2]
    assert len(marked) / 1.0 > 1500  # control: dense enough, by number alone
    assert tumour_region(marked, cells, WINDOW).flags == ("no_tumour_region",)


def test_a_small_nest_is_found_and_flagged():
    nest = shapely.Point(500, 500).buffer(50)
    stroma = inside(WINDOW - nest, packed(16, 0.3))
    marker = inside(nest.buffer(-5), packed(10, 0.1))
    found = tumour_region(marker, np.concatenate([marker, stroma]), WINDOW)
    assert iou(found.polygons, nest) > 0.75
    assert "few_tumour_cells" in found.flags


def test_the_result_does_not_depend_on_what_is_far_away():
    _, marker, cells = nest_in_stroma(12)
    alone = tumour_region(marker, cells, WINDOW).polygons
    beside = shapely.box(0, 0, 3000, SIDE_UM)
    away_um = np.array([2000, 0])
    markers = np.concatenate([marker, marker + away_um])
    both = tumour_region(markers, np.concatenate([cells, cells + away_um]), beside).polygons
    assert len(both.geoms) == 2
    first = min(both.geoms, key=lambda piece: piece.bounds[0])
    assert first.symmetric_difference(alone).area < 1.0


def test_bands_of_rows_give_the_same_border(monkeypatch):
    _, marker, cells = nest_in_stroma(12)
    whole = tumour_region(marker, cells, WINDOW)
    monkeypatch.setattr("macprox.regions.tumour.BAND_ROWS", 40)  # six bands
    in_bands = tumour_region(marker, cells, WINDOW)
    assert in_bands.polygons.symmetric_difference(whole.polygons).area < 0.01
    assert in_bands.reason == whole.reason


def test_a_nest_cut_by_the_window_reaches_its_edge():
    nest, marker, cells = nest_in_stroma(12)
    half = shapely.box(500, 0, SIDE_UM, SIDE_UM)
    found = tumour_region(marker, cells, half)
    assert iou(found.polygons, nest & half) > 0.93
    assert found.polygons.bounds[0] == 500


@pytest.mark.parametrize("smoothing_um", [10, 30])
def test_smoothing_moves_the_border_little(smoothing_um):
    nest, marker, cells = nest_in_stroma(12)
    parameters = RegionParameters(smoothing_um=smoothing_um)
    assert iou(tumour_region(marker, cells, WINDOW, parameters).polygons, nest) > 0.92


def test_lung_cancer_nests_agree_with_the_other_tool_s_tissue_map(shared_data):
    table = pd.read_csv(
        shared_data / "lung_inform_set4" / "set4_cell_seg_data.csv.gz",
        usecols=["Cell X Position", "Cell Y Position", "Phenotype", "Tissue Category"],
    )
    xy = table[["Cell X Position", "Cell Y Position"]].to_numpy(float)
    is_marker = (table["Phenotype"] == "CK+").to_numpy()
    found = tumour_region(xy[is_marker], xy, shapely.box(0, 0, 934, 700)).polygons
    in_tumour = shapely.contains_xy(found, xy)
    called = (table["Tissue Category"] == "Tumor").to_numpy()
    assert called[in_tumour].mean() > 0.85
    # its map also calls strands of one to three cells tumour; ours keeps the nests
    assert in_tumour[is_marker].mean() > 0.7


SAMPLES = Path(__file__).resolve().parents[1] / "sample_data" / "truth"


@pytest.mark.parametrize("slide_id", ["P01_early", "P02_late", "P03_early"])
def test_the_sample_slides_tumours_are_found(slide_id):
    truth = pd.read_csv(SAMPLES / f"{slide_id}_truth.csv")
    border = read_drawn(SAMPLES / f"{slide_id}_tumour.geojson", 0.5, "tumour", (1024, 1024)).area
    xy = truth[["x_um", "y_um"]].to_numpy()
    is_marker = truth["phenotype"].isin(["Tumour", "Normal epithelium"]).to_numpy()
    is_tumour = (truth["phenotype"] == "Tumour").to_numpy()
    assert (is_marker & ~is_tumour).sum() > 50  # control: panCK+ pneumocytes are there
    found = tumour_region(xy[is_marker], xy, shapely.box(0, 0, 512, 512)).polygons
    called = is_marker & shapely.contains_xy(found, xy)
    assert iou(found, border) > 0.8
    assert (called & is_tumour).sum() > 0.97 * is_tumour.sum()
    assert (called & ~is_tumour).sum() <= 0.01 * is_tumour.sum()


# --- parameters -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"smoothing_um": 0}, "regions.smoothing_um must be a positive"),
        ({"min_area_um2": -1}, "regions.min_area_um2 must be a positive"),
        ({"margin_um": float("nan")}, "regions.margin_um must be a positive"),
        ({"min_share_frac": 1.5}, "above 0 and up to 1"),
        ({"tumour": ""}, "expected 'auto', 'none' or the name"),
    ],
)
def test_impossible_parameters_are_refused(changed, problem):
    with pytest.raises(StudyError, match=problem):
        RegionParameters(**changed)


def test_a_drawn_tumour_is_one_file_a_slide():
    drawn = RegionParameters(tumour="drawn/{slide_id}.geojson", exclusions="bad.geojson")
    assert str(drawn.tumour_file("a").as_posix()) == "drawn/a.geojson"
    assert drawn.exclusions_file("a").name == "bad.geojson"
    for word in ("auto", "none"):
        assert RegionParameters(tumour=word).tumour_file("a") is None
    assert RegionParameters().exclusions_file("a") is None


# --- masks and polygons ---------------------------------------------------------------------


def test_a_mask_from_polygons_is_what_point_in_polygon_says():
    rng = np.random.default_rng(3)
    disks = [shapely.Point(rng.uniform(0, 90, 2)).buffer(radius) for radius in range(3, 15)]
    area = shapely.union_all(disks) - shapely.Point(45, 45).buffer(9)
    mask = mask_from_polygons(area, (70, 80), 1.3, (-4.0, 2.5))
    x = -4.0 + 1.3 * (np.arange(80) + 0.5)
    y = 2.5 + 1.3 * (np.arange(70) + 0.5)
    assert (mask == shapely.contains_xy(area, *np.meshgrid(x, y))).all()
    assert 0 < mask.sum() < mask.size


def test_a_mask_s_outline_has_its_area_and_its_mask():
    y, x = np.mgrid[:120, :150]
    mask = (x - 70) ** 2 + (y - 60) ** 2 < 45**2
    mask &= ~((x - 70) ** 2 + (y - 60) ** 2 < 15**2)
    outline = polygons_from_mask(mask, 2.0, (10.0, 20.0))
    assert len(outline.geoms[0].interiors) == 1
    assert outline.area == pytest.approx(mask.sum() * 4.0, rel=0.01)
    assert (mask_from_polygons(outline, mask.shape, 2.0, (10.0, 20.0)) == mask).all()


def test_a_full_mask_is_the_whole_rectangle_and_an_empty_one_is_nothing():
    assert polygons_from_mask(np.ones((3, 5), bool), 2.0).equals(shapely.box(0, 0, 10, 6))
    assert polygons_from_mask(np.zeros((3, 5), bool), 2.0).is_empty
    assert not mask_from_polygons(shapely.MultiPolygon(), (3, 5), 2.0).any()


def test_a_field_that_meets_the_level_at_pixels_has_its_area():
    # distances on a grid are often exactly the level: contours then touch themselves
    noise = np.random.default_rng(1).random((80, 80))
    field = -ndi.distance_transform_edt(ndi.gaussian_filter(noise, 3) <= 0.5)
    rings = find_contours(np.pad(field, 1, constant_values=-99), -3.0)
    assert not shapely.is_simple([shapely.LineString(ring) for ring in rings]).all()  # control
    area = polygons_from_field(field, -3.0, 1.0)
    assert area.is_valid
    assert (field > -3).sum() <= area.area <= (field >= -3).sum()


def test_small_pieces_and_small_holes_go():
    ring = shapely.box(0, 0, 100, 100) - shapely.box(10, 10, 20, 20) - shapely.box(30, 30, 80, 80)
    area = shapely.MultiPolygon([ring, shapely.box(200, 0, 210, 10)])
    kept = without_small_parts(area, 500)
    assert kept.area == 100**2 - 50**2


# --- regions --------------------------------------------------------------------------------


@pytest.fixture
def regions():
    return Regions(
        tissue_window=WINDOW,
        airspace=shapely.box(700, 0, 900, 300) | shapely.box(290, 290, 310, 310),
        tumour=shapely.box(200, 200, 400, 400) | shapely.box(100, 600, 200, 700),
        tumour_source="auto",
    ).with_exclusion(shapely.box(0, 900, 100, 1000), "fold")


def test_each_place_has_its_compartment(regions):
    places = {
        (250, 250): "epithelium",
        (300, 300): "airspace",  # a lumen inside the tumour
        (800, 100): "airspace",
        (910, 100): "tissue",  # 10 um from air: perhaps a septum
        (600, 500): "stroma",
    }
    located = regions.locate(np.array(list(places)))
    assert located["compartment"].tolist() == list(places.values())
    assert located["in_tumour"].tolist() == [True, True, False, False, False]


def test_lesions_are_numbered_from_the_top(regions):
    located = regions.locate([[150, 650], [300, 210], [600, 600]])
    assert located["lesion_id"].tolist() == [2, 1, 0]
    assert located["lesion_id"].dtype == np.int32


def test_excluded_and_outside_cells_are_told(regions):
    located = regions.locate([[50, 950], [500, 500], [-10, 500]])
    assert located["excluded"].tolist() == [True, False, False]
    assert located["in_window"].tolist() == [True, True, False]
    assert regions.observed.area == WINDOW.area - 100**2


def test_without_a_tumour_nothing_is_called_stroma():
    located = Regions(tissue_window=WINDOW).locate([[5, 5]])
    assert located["compartment"].tolist() == ["tissue"]
    assert located["lesion_id"].tolist() == [0]
    assert len(Regions(tissue_window=WINDOW).locate(np.empty((0, 2)))) == 0


def test_margins_lie_on_both_sides_of_the_border():
    alone = Regions(tissue_window=WINDOW, tumour=shapely.box(300, 300, 700, 700), margin_um=50)
    assert alone.inner_margin.area == pytest.approx(400**2 - 300**2)
    corners = np.pi * 50**2
    assert alone.outer_margin.area == pytest.approx(4 * 400 * 50 + corners, rel=0.001)
    assert Regions(tissue_window=WINDOW).outer_margin.is_empty


def test_a_drawn_tumour_replaces_the_proposal(regions):
    drawn = regions.with_tumour(shapely.box(900, 900, 1200, 1200), "reviewer", "by hand")
    assert drawn.tumour.area == 100**2  # inside the window
    assert (drawn.tumour_source, drawn.flags) == ("reviewer", ())
    assert drawn.exclusion_reasons == regions.exclusion_reasons
    assert regions.with_tumour(shapely.Polygon(), "file").flags == ("no_tumour_region",)


def test_an_unknown_source_is_refused():
    with pytest.raises(ValueError, match="tumour_source must be one of auto, file, reviewer"):
        Regions(tissue_window=WINDOW, tumour_source="guess")
