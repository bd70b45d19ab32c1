"""Areas that other programs painted: masks, masks at another scale, inForm's tissue categories."""

import json

import numpy as np
import pytest
import shapely
import tifffile

import macprox as mp
import small_runs
from macprox.errors import ResultError, StudyError
from macprox.io import area_files
from macprox.io.area_files import read_area, read_exclusions_beside
from macprox.regions import RegionParameters

TISSUE = """<?xml version="1.0" encoding="utf-16"?>
<TissueClassMap><Version>1</Version><Entry><Name>{}</Name></Entry>
<Entry><Name>Stroma</Name></Entry><Entry><Name>Background</Name></Entry></TissueClassMap>"""
NUCLEI = "<SegmentationImage><CompartmentType>Nucleus</CompartmentType></SegmentationImage>"


@pytest.fixture
def mask():
    inside = np.zeros((60, 80), np.uint8)
    inside[10:40, 20:60] = 1
    return inside


def write(path, pages, texts=(None, None)):
    with tifffile.TiffWriter(path) as tif:
        for page, text in zip(pages, texts, strict=False):
            tif.write(page, description=text, metadata=None)
    return path


def bounds(drawn) -> list[float]:
    return list(drawn.area.bounds)


def test_a_mask_is_outlined_in_micrometres(mask, tmp_path):
    path = write(tmp_path / "tumour.tif", [mask * 7])
    drawn = read_area(path, 0.5, "tumour", (60, 80))
    assert bounds(drawn) == [10, 5, 30, 20]  # corners of the pixels, half a micrometre each
    assert [name for name, _ in drawn.by_reason] == ["tumour"]
    assert drawn.messages == ()
    assert read_exclusions_beside(path, 0.5) is None


@pytest.mark.parametrize("shape", [(240, 320), (243, 323), (237, 317)])
def test_a_mask_of_a_coarser_level_is_scaled(mask, tmp_path, shape):
    """A quarter of the slide a side; a part of a pixel at the rim counts, or does not."""
    drawn = read_area(write(tmp_path / "m.tif", [mask]), 0.5, "tumour", shape)
    assert bounds(drawn) == [40, 20, 120, 80]


@pytest.mark.parametrize("shape", [(60, 90), (100, 80), (150, 200), (30, 40)])
def test_a_mask_of_another_field_is_refused(mask, tmp_path, shape):
    path = write(tmp_path / "m.tif", [mask])
    with pytest.raises(ResultError, match=r"has 80 x 60 pixels, the slide .*; expected the same"):
        read_area(path, 0.5, "tumour", shape)


def test_a_large_mask_is_outlined_by_squares_and_said(mask, tmp_path, monkeypatch):
    path = write(tmp_path / "m.tif", [mask])
    exact = read_area(path, 0.5, "tumour")
    monkeypatch.setattr(area_files, "MOST_TRACED_PX", 1300)  # of 4,800: every second
    coarse = read_area(path, 0.5, "tumour")
    assert coarse.messages == ("m.tif: outlined to 2 pixels, for its size.",)
    assert shapely.hausdorff_distance(coarse.area, exact.area) <= 0.5


def maps_of(path, mask, name="Tumor"):
    """Tumour is 0 on inForm's page, and so is nothing that a mask would call inside."""
    categories = np.where(mask > 0, 0, 1).astype(np.uint16)
    return write(path, [categories, categories], [TISSUE.format(name), NUCLEI])


def test_a_tissue_category_is_taken_by_its_name(mask, tmp_path):
    path = maps_of(tmp_path / "a_binary_seg_maps.tif", mask)
    drawn = read_area(path, 0.5, "tumour", (60, 80))
    assert bounds(drawn) == [10, 5, 30, 20]
    assert drawn.by_reason[0][0] == "Tumor"
    stroma = read_area(path, 0.5, "tumour", (60, 80), "stroma")
    assert stroma.area.area == pytest.approx(60 * 80 * 0.25 - drawn.area.area, abs=1)


def test_a_category_that_is_not_there_is_told(mask, tmp_path):
    path = maps_of(tmp_path / "a.tif", mask, "Epithelium")
    with pytest.raises(ResultError, match="categories Epithelium, Stroma, Background; what says t"):
        read_area(path, 0.5, "tumour")
    assert bounds(read_area(path, 0.5, "tumour", name="Epithelium")) == [10, 5, 30, 20]
    with pytest.raises(ResultError, match="; 'Nest' is none of them"):
        read_area(path, 0.5, "tumour", name="Nest")
    with pytest.raises(ResultError, match="no pixel of the tissue category Background, one of"):
        read_area(path, 0.5, "tumour", name="Background")
    with pytest.raises(ResultError, match="has pages Nucleus, but none of tissue categories"):
        read_area(write(tmp_path / "n.tif", [mask], [NUCLEI]), 0.5, "tumour")
    with pytest.raises(ResultError, match="is a mask without classes, so there is no 'Nest' in it"):
        read_area(write(tmp_path / "m.tif", [mask]), 0.5, "tumour", name="Nest")


def test_a_class_needs_a_file():
    with pytest.raises(StudyError, match=r"is a class of the file .* found tumour = 'auto'"):
        RegionParameters(tumour_class="Nest")


def test_inform_s_tumour_is_where_its_table_says_tumour(shared_data):
    """Of the vendor's cells: 98.9 % lie, by their nucleus, in the category that their row names."""
    import pandas as pd

    folder = shared_data / "lung_inform_set4"
    path = folder / "Set4_1-6plex_[16142,55840]_binary_seg_maps.tif"
    table = pd.read_csv(folder / "set4_cell_seg_data.csv.gz")
    drawn = read_area(path, 0.5, "tumour", (1400, 1868))
    x, y = table["Cell X Position"], table["Cell Y Position"]
    inside = shapely.contains_xy(drawn.area, x, y)
    agree = inside == (table["Tissue Category"] == "Tumor")
    assert agree.mean() > 0.98
    assert 0.2 < inside.mean() < 0.9  # control: neither all nor nothing


def test_a_run_takes_a_mask_for_the_tumour_and_geojson_for_both(tmp_path):
    slide, out = small_runs.write_slide(tmp_path / "a.ome.tif"), tmp_path / "out"
    mask = np.zeros((320, 320), np.uint8)
    mask[40:300, 20:150] = 255
    write(tmp_path / "a_mask.tif", [mask])
    box = {"type": "Polygon", "coordinates": [[[0, 0], [99, 0], [99, 99], [0, 99], [0, 0]]]}
    whole = {"type": "Polygon", "coordinates": [[[0, 0], [300, 0], [300, 600], [0, 600], [0, 0]]]}
    features = [
        {"type": "Feature", "geometry": one, "properties": {"classification": {"name": name}}}
        for one, name in ((whole, "Tumor"), (box, "Necrosis"))
    ]
    text = json.dumps({"type": "FeatureCollection", "features": features})
    (tmp_path / "a.geojson").write_text(text, encoding="utf-8")
    found = []
    for name in ("{slide_id}_mask.tif", "{slide_id}.geojson"):
        change = "[phenotypes]", f'[regions]\ntumour = "{name}"\n[phenotypes]'
        study = small_runs.write_study(tmp_path / "study.toml", change)
        with small_runs.without_reports():
            ended = small_runs.macprox("run", slide, "--study", study, "--out", out, "-q")
        assert ended.code == 0, ended.err
        found.append(mp.open_result(out / "slides" / "a").regions())
    by_mask, by_geojson = found
    assert by_mask.tumour_source == by_geojson.tumour_source == "file"
    assert list(by_mask.tumour.bounds) == [20, 40, 150, 300]
    assert by_mask.exclusions.is_empty
    assert by_geojson.exclusions.area == pytest.approx(49.5**2)
    assert dict(by_geojson.exclusion_reasons).keys() == {"Necrosis"}
    assert by_geojson.tumour.area == pytest.approx(150 * 300)  # whole: cells there are excluded
