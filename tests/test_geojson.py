"""Regions leave in pixels and come back in micrometres, unchanged; drawn ones are understood."""

import gzip
import json
import zipfile

import numpy as np
import pytest
import shapely
from shapely import MultiPolygon

from macprox.errors import ResultError
from macprox.io import packed
from macprox.io.drawn_areas import excluded_beside, read_drawn
from macprox.io.geojson import geometry_from_um, geometry_to_um
from macprox.io.region_files import read_artefacts, read_regions, write_regions
from macprox.regions import Regions

PIXEL_SIZE_UM = 0.497
BOWTIE = [[[0, 0], [10, 10], [10, 0], [0, 10], [0, 0]]]


def ring(x, y, size):
    corners = [[x, y], [x + size, y], [x + size, y + size], [x, y + size], [x, y]]
    return {"type": "Polygon", "coordinates": [corners]}


def feature(geometry, name=None, **properties):
    if name:
        properties["classification"] = {"name": name, "color": [200, 0, 0]}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def collection(*features):
    return {"type": "FeatureCollection", "features": list(features)}


@pytest.fixture
def save(tmp_path):
    def write(content):
        path = tmp_path / "drawn.geojson"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


@pytest.fixture
def regions():
    with_hole = shapely.Point(300, 300).buffer(150) - shapely.Point(300, 300).buffer(40)
    return Regions(
        tissue_window=shapely.box(0, 0, 1000, 800) - shapely.box(900, 700, 950, 750),
        airspace=shapely.Point(800, 700).buffer(60),
        tumour=with_hole | shapely.Point(700, 200).buffer(100),
        tumour_source="auto",
        margin_um=50,
        flags=("tumour_sparse",),
        reason="found",
    ).with_exclusion(shapely.box(5, 5, 50, 60), "fold")


def test_regions_come_back_to_a_millionth_of_a_pixel(regions, tmp_path):
    path = tmp_path / "regions.geojson"
    write_regions(path, regions, PIXEL_SIZE_UM)
    again = read_regions(path, PIXEL_SIZE_UM)
    for name in ("tissue_window", "airspace", "tumour", "exclusions"):
        before, after = (
            shapely.get_coordinates(shapely.normalize(getattr(r, name))) for r in (regions, again)
        )
        np.testing.assert_allclose(after, before, rtol=0, atol=1e-6 * PIXEL_SIZE_UM)
    for name in ("tumour_source", "margin_um", "flags", "reason"):
        assert getattr(again, name) == getattr(regions, name)
    assert [reason for reason, _ in again.exclusion_reasons] == ["fold"]
    assert list(again.lesions()) == [1, 2]


def test_nothing_comes_back_as_nothing(tmp_path):
    write_regions(tmp_path / "r.geojson", Regions(tissue_window=shapely.box(0, 0, 9, 9)), 0.5)
    again = read_regions(tmp_path / "r.geojson", 0.5)
    assert again.tumour.is_empty
    assert again.exclusions.is_empty
    assert again.tumour_source == "none"


def test_the_file_is_what_qupath_reads(regions, tmp_path):
    path = tmp_path / "regions.geojson"
    write_regions(path, regions, PIXEL_SIZE_UM)
    features = json.loads(path.read_text())["features"]
    classes = [item["properties"]["classification"]["name"] for item in features]
    assert classes == [
        *("Tissue window", "Airspace", "Tumour", "Tumour"),
        *("Inner margin", "Outer margin", "Exclusion"),
    ]
    assert {item["properties"]["objectType"] for item in features} == {"annotation"}
    assert len({item["id"] for item in features}) == len(features)
    # the first lesion in raster order is the right one, which reaches further up
    assert features[2]["properties"]["lesion_id"] == 1
    top_px = np.min([y for _, y in features[2]["geometry"]["coordinates"][0]])
    assert top_px == pytest.approx(100 / PIXEL_SIZE_UM)
    assert all(isinstance(v, str) for v in features[-1]["properties"]["metadata"].values())


def test_a_tumour_exported_again_by_qupath_is_still_tumour(regions, tmp_path, save):
    write_regions(tmp_path / "regions.geojson", regions, PIXEL_SIZE_UM)
    content = json.loads((tmp_path / "regions.geojson").read_text())
    for item in content["features"]:  # QuPath keeps its own properties and the metadata
        del item["properties"]["kind"]
    drawn = read_drawn(save(content["features"]), PIXEL_SIZE_UM, "tumour", (2000, 2100))
    assert drawn.area.symmetric_difference(regions.tumour).area < 1e-6
    excluded = read_drawn(save(content["features"]), PIXEL_SIZE_UM, "exclusion")
    assert [name for name, _ in excluded.by_reason] == ["fold"]


@pytest.mark.parametrize("name", ["Tumor", "tumour", "Cancer cells", "Carcinoma in situ"])
def test_the_class_that_means_tumour_is_taken(save, name):
    path = save(collection(feature(ring(0, 0, 10), name), feature(ring(50, 0, 10), "Stroma")))
    assert read_drawn(path, 0.5, "tumour").area.area == pytest.approx(25)  # (10 px of 0.5 um)^2


@pytest.mark.parametrize("name", [None, "Region 1"])
def test_one_class_of_any_name_is_taken_whole(save, name):
    path = save(collection(feature(ring(0, 0, 10), name), feature(ring(5, 0, 10), name)))
    assert read_drawn(path, 1.0, "tumour").area.area == pytest.approx(150)  # overlap once


@pytest.mark.parametrize("wrap", [lambda f: f, lambda f: [f], lambda f: f["geometry"]])
def test_single_features_lists_and_bare_geometries_are_read(save, wrap):
    assert read_drawn(save(wrap(feature(ring(0, 0, 10)))), 1.0, "tumour").area.area == 100


def test_detections_points_and_lines_are_left_out(save):
    path = save(
        collection(
            feature(ring(0, 0, 10), "Tumor", objectType="annotation"),
            feature(ring(50, 50, 10), "Tumor", objectType="cell"),
            feature({"type": "Point", "coordinates": [1, 1]}, "Tumor"),
        )
    )
    drawn = read_drawn(path, 1.0, "tumour")
    assert drawn.area.area == 100
    assert drawn.messages == ("drawn.geojson: 1 points or lines left out.",)


def test_a_self_intersecting_area_is_repaired_and_said(save):
    bowtie = {"type": "Polygon", "coordinates": BOWTIE}
    assert not shapely.from_geojson(json.dumps(bowtie)).is_valid  # control
    drawn = read_drawn(save(collection(feature(bowtie))), 1.0, "tumour")
    assert drawn.area.is_valid
    assert drawn.area.area == pytest.approx(50)
    assert "area 1 was repaired (Self-intersection" in drawn.messages[0]
    assert geometry_to_um(bowtie, 2.0).area == pytest.approx(200)


def test_a_geometry_goes_to_pixels_and_back():
    area = MultiPolygon([shapely.Point(10, 10).buffer(5)])
    assert geometry_to_um(geometry_from_um(area, 0.3), 0.3).symmetric_difference(area).area < 1e-9


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("not json", "is not GeoJSON"),
        ('"text"', "not GeoJSON: expected a FeatureCollection"),
        ({"type": "FeatureCollection"}, "expected a FeatureCollection"),
        (collection(), "holds no area"),
        (collection(feature({"type": "Point", "coordinates": [1, 1]})), "holds no area"),
        (collection(feature({"type": "Blob", "coordinates": [1]})), "a geometry is not GeoJSON"),
        (collection(feature(None)), "a geometry is"),
        (
            collection(feature(ring(0, 0, 9), "Immune"), feature(ring(9, 0, 9), "Stroma")),
            r"none of which says tumour: Immune \(1\), Stroma \(1\)",
        ),
        (collection(feature(ring(5000, 0, 9))), "outside the slide of 200 x 100 pixels"),
    ],
)
def test_what_cannot_be_a_drawn_region_is_refused(save, content, problem):
    with pytest.raises(ResultError, match=problem):
        read_drawn(save(content), 1.0, "tumour", shape=(100, 200))


def test_brackets_without_end_are_refused_not_followed(save):
    with pytest.raises(ResultError, match=r"is not GeoJSON .*recursion"):
        read_drawn(save("[" * 100_000), 0.5, "tumour")


@pytest.mark.parametrize("odd", [5, [1], "text", None, {"names": 7}, {"name": [1] * 2000}])
def test_properties_of_any_type_are_no_crash(save, odd):
    plain = read_drawn(save(feature(ring(0, 0, 10))), 0.5, "tumour").area.area
    for key in ("properties", "classification", "metadata"):
        content = feature(ring(0, 0, 10), **{key: odd})
        if key == "properties":
            content["properties"] = odd
        assert read_drawn(save(content), 0.5, "tumour").area.area == plain
    two = collection(feature(ring(0, 0, 9), classification=odd), feature(ring(0, 0, 9), "B"))
    try:
        read_drawn(save(two), 0.5, "tumour")
    except ResultError as error:
        assert len(str(error)) < 600  # noqa: PT017


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["macprox"].pop("flags"),
        lambda content: content["macprox"].update(tumour_source="who?"),
        lambda content: content["features"][0].pop("properties"),
        lambda content: content.update(features=5),
    ],
)
def test_a_result_that_was_changed_by_hand_is_refused(regions, tmp_path, change):
    write_regions(tmp_path / "regions.geojson", regions, PIXEL_SIZE_UM)
    content = json.loads((tmp_path / "regions.geojson").read_text())
    change(content)
    (tmp_path / "regions.geojson").write_text(json.dumps(content))
    with pytest.raises(ResultError, match="is not as macprox writes it"):
        read_regions(tmp_path / "regions.geojson", PIXEL_SIZE_UM)


@pytest.mark.parametrize("size", ["0.497", None, [1], 10**400])
def test_a_pixel_size_of_another_type_is_refused(regions, tmp_path, size):
    write_regions(tmp_path / "regions.geojson", regions, 1)
    read_regions(tmp_path / "regions.geojson", 1)  # control: whole numbers are numbers
    content = json.loads((tmp_path / "regions.geojson").read_text())
    content["macprox"]["pixel_size_um"] = size
    (tmp_path / "regions.geojson").write_text(json.dumps(content))
    for expected_um in (1, 0.5):
        with pytest.raises(ResultError, match=rf"has pixels of .* um, expected {expected_um}"):
            read_regions(tmp_path / "regions.geojson", expected_um)


def test_artefacts_without_a_reason_are_refused(save):
    with pytest.raises(ResultError, match=r"not as macprox writes it \('reason'\)"):
        read_artefacts(save(collection(feature(ring(0, 0, 9)))), 0.5)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ResultError, match="There is no file"):
        read_drawn(tmp_path / "none.geojson", 1.0, "tumour")


def test_a_drawn_region_is_no_result_and_pixel_sizes_must_agree(save, regions, tmp_path):
    with pytest.raises(ResultError, match="was not written by macprox"):
        read_regions(save(collection(feature(ring(0, 0, 10)))), 0.5)
    write_regions(tmp_path / "r.geojson", regions, 0.5)
    with pytest.raises(ResultError, match=r"pixels of 0\.5 um, expected 0\.25"):
        read_regions(tmp_path / "r.geojson", 0.25)


# --- what QuPath writes --------------------------------------------------------------------------


def test_derived_classes_are_read_from_their_names(save):
    derived = feature(ring(0, 0, 10), classification={"names": ["Tumor", "core"]})
    path = save(collection(derived, feature(ring(50, 0, 10), "Stroma: CD3")))
    drawn = read_drawn(path, 1.0, "tumour")
    assert drawn.area.area == 100
    assert drawn.by_reason[0][0] == "Tumor: core"


@pytest.mark.parametrize("name", ["Non-tumor", "Peritumoural", "non tumour", "Tumor-free tissue"])
def test_what_says_that_it_is_no_tumour_is_none(save, name):
    path = save(collection(feature(ring(0, 0, 10), name), feature(ring(50, 0, 20), "Tumor")))
    assert read_drawn(path, 1.0, "tumour").area.area == 400


def test_a_class_is_chosen_by_its_name(save):
    path = save(collection(feature(ring(0, 0, 10), "Nest"), feature(ring(50, 0, 20), "Tumor")))
    assert read_drawn(path, 1.0, "tumour", name="nest").area.area == 100
    with pytest.raises(ResultError, match=r"no annotation of class 'Bed', but Nest \(1\), Tumor"):
        read_drawn(path, 1.0, "tumour", name="Bed")


def test_a_file_of_the_tumour_says_what_to_leave_out_too(save):
    necrosis = feature(ring(2, 2, 3), "Necrosis", metadata={"reason": "middle"})
    ignored = feature(ring(80, 0, 5), "Ignore*")
    path = save(collection(feature(ring(0, 0, 10), "Region 1"), necrosis, ignored))
    assert read_drawn(path, 1.0, "tumour").area.area == 100  # one class is left, whatever its name
    found = excluded_beside(path, 1.0)
    assert [reason for reason, _ in found.by_reason] == ["middle", "Ignore*"]
    assert found.area.area == 34
    plain = save(collection(feature(ring(0, 0, 10), "Tumor")))
    assert excluded_beside(plain, 1.0) is None
    with pytest.raises(ResultError, match=r"has only areas to leave out: Necrosis \(1\)"):
        read_drawn(save(collection(necrosis)), 1.0, "tumour")


def test_ellipses_planes_holes_and_locks_are_areas_like_others(save):
    round_ = ring(0, 0, 10) | {"isEllipse": True, "plane": {"c": -1, "z": 0, "t": 0}}
    outer, hole = ring(50, 0, 10)["coordinates"][0], ring(52, 2, 5)["coordinates"][0]
    two = {"type": "MultiPolygon", "coordinates": [[outer, hole], ring(80, 0, 2)["coordinates"]]}
    core = feature(ring(0, 0, 300), objectType="tmaCore", isMissing=True)
    path = save(collection(feature(round_, "Tumor", isLocked=True), feature(two, "Tumor"), core))
    assert read_drawn(path, 1.0, "tumour").area.area == 100 + 75 + 4


@pytest.mark.parametrize(
    "cell",
    [
        {"id": "PathCellObject"},
        {"properties": {"object_type": "cell"}},
        {"properties": {"objectType": "tile"}},
    ],
)
def test_objects_of_older_qupath_that_nobody_drew_are_left_out(save, cell):
    drawn = {"type": "Feature", "id": "PathAnnotationObject", "geometry": ring(0, 0, 10)}
    other = {"type": "Feature", "geometry": ring(50, 0, 10), "properties": {}, **cell}
    assert read_drawn(save([drawn, other]), 1.0, "tumour").area.area == 100
    second = drawn | {"geometry": ring(50, 0, 10)}  # control
    assert read_drawn(save([drawn, second]), 1.0, "tumour").area.area == 200


def test_packed_files_are_unpacked_whatever_their_name(tmp_path, monkeypatch):
    text = json.dumps(feature(ring(0, 0, 10))).encode() + b" " * 5000
    path = tmp_path / "a.geojson"
    path.write_bytes(gzip.compress(text))
    assert read_drawn(path, 1.0, "tumour").area.area == 100
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("slide.geojson", text)
        archive.writestr("readme.txt", "x")
    assert read_drawn(path, 1.0, "tumour").area.area == 100
    monkeypatch.setattr(packed, "MOST_UNPACKED_BYTES", 20)
    with pytest.raises(ResultError, match=r"not GeoJSON \(more than 0 GB when unpacked\)"):
        read_drawn(path, 1.0, "tumour")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "x")
    with pytest.raises(ResultError, match=r"a zip archive with 0 files .*json in it, not one"):
        read_drawn(path, 1.0, "tumour")
    for damaged in (gzip.compress(text)[:-9], b"\x1f\x8bnothing", b"PK\x03\x04nothing"):
        path.write_bytes(damaged)
        with pytest.raises(ResultError, match="is not GeoJSON"):
            read_drawn(path, 1.0, "tumour")
