"""A finished folder as tables, labels, regions and a window; an unfinished one says so."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
import shapely

import macprox as mp
from macprox import celltable
from macprox.errors import ResultError
from macprox.pipeline.lesions import LESION_COLUMNS


@pytest.fixture(scope="module")
def result(sample_results) -> mp.SlideResult:
    return mp.open_result(sample_results / "slides" / "P01_early")


@pytest.fixture
def copy(result, tmp_path) -> mp.SlideResult:
    """A result folder of one's own, to damage; without its pixels."""
    target = tmp_path / "slides" / result.slide_id
    shutil.copytree(result.path, target, ignore=shutil.ignore_patterns("*.zarr"))
    return mp.open_result(target)


def test_the_cell_table_is_valid_and_has_the_columns_of_the_design(result):
    cells = celltable.validate(result.cells())
    promised = """slide_id roi_id lesion_id cell_id anchor_px x_um y_um nucleus_area_um2
        cell_area_um2 eccentricity solidity has_nucleus af_suspect edge phenotype phenotype_source
        region compartment tumour_border_distance_um mean_cd68_cell mean_foxp3_nucleus
        mean_panck_ring cd68_positive nearest_tumour_um nearest_am_trm_like_um n_tumour_20um
        n_mo_mac_like_100um"""
    assert set(promised.split()) <= set(cells.columns)
    assert set(cells["slide_id"]) == {"P01_early"}
    assert set(cells["region"]) <= {"core", "inner_margin", "outer_margin", "distant"}
    assert set(cells["phenotype_source"]) == {"auto"}


def test_lesions_are_the_pieces_of_the_tumour_and_cells_know_theirs(result):
    lesions, cells, regions = result.lesions(), result.cells(), result.regions()
    assert lesions["lesion_id"].tolist() == list(regions.lesions())
    assert lesions["area_um2"].sum() == pytest.approx(regions.tumour.area)
    inside = cells[cells["lesion_id"] > 0]
    assert (inside["nearest_lesion_id"] == inside["lesion_id"]).all()
    assert set(cells["nearest_lesion_id"]) <= set(lesions["lesion_id"])
    assert inside["relative_depth"].between(0, 1.01).all()
    assert (cells.loc[cells["lesion_id"] == 0, "relative_depth"] <= 0).all()
    inradius_um = lesions.set_index("lesion_id")["inradius_um"].loc[cells["nearest_lesion_id"]]
    np.testing.assert_allclose(
        cells["relative_depth"] * inradius_um.to_numpy(), -cells["tumour_border_distance_um"],
        rtol=0.01, atol=1e-6,
    )  # fmt: skip
    counted = inside[inside["in_window"] & ~inside["excluded"]]
    n = counted.groupby("lesion_id").size()
    assert lesions.set_index("lesion_id")["n_cells"].to_dict() == n.to_dict()
    assert (lesions["border_contrast"] > 0.8).all()
    assert not lesions["no_clear_border"].any()


def test_every_column_of_the_lesions_is_described():
    described = (Path(__file__).resolve().parents[1] / "docs" / "results.md").read_text("utf-8")
    section = described[described.index("## lesions.parquet") : described.index("## gates.parquet")]
    assert [name for name in LESION_COLUMNS if f"`{name}`" not in section] == []


def test_both_directions_are_in_the_statistics(result):
    statistics = result.statistics()
    pairs = set(zip(statistics["source"], statistics["target"], strict=True))
    for macrophage in ("AM/TRM-like", "Mo-mac-like"):
        assert {(macrophage, "Tumour"), ("Tumour", macrophage)} <= pairs
    unexplained = statistics["value"].isna() & (statistics["reason"].fillna("") == "")
    assert not unexplained.any()


def test_gates_say_where_they_come_from(result):
    gates = result.gates()
    assert gates["marker"].tolist() == list(result.study.markers)
    assert gates["reason"].str.len().gt(0).all()


def test_the_window_is_the_tissue(result):
    regions, counts = result.regions(), result.manifest["counts"]
    assert result.window().area_um2 == pytest.approx(regions.observed.area)
    assert counts["tissue_mm2"] == pytest.approx(regions.observed.area / 1e6, rel=1e-3)
    assert regions.tumour_source == "auto"
    cells = result.cells()
    inside = result.window().contains(celltable.centroids_um(cells))
    np.testing.assert_array_equal(inside, cells["in_window"] & ~cells["excluded"])


def test_labels_are_lazy_and_pyramidal(result):
    cells = result.labels("cells")
    assert cells.shape == (1024, 1024)
    assert not isinstance(cells, np.ndarray)
    assert result.labels("cells", level=1).shape == (512, 512)
    assert int(cells.max()) == len(result.cells())


def test_the_overview_shows_every_channel_at_a_known_scale(result):
    overview = result.overview()
    assert overview.channels == mp.open_slide(result.manifest["source"]["path"]).channels
    n, height, width = overview.mean.shape
    assert n == len(overview.channels)
    assert height * overview.pixel_size_um == pytest.approx(512, rel=0.02)
    assert width * overview.pixel_size_um == pytest.approx(512, rel=0.02)


def test_the_study_is_the_effective_one(result):
    assert result.study.proximity.macrophages == ("AM/TRM-like", "Mo-mac-like")
    assert result.pixel_size_um == 0.5


def test_a_result_opens_from_within_its_own_folder(result):
    here = os.getcwd()
    os.chdir(result.path)
    try:
        inside = mp.open_result(".")
        assert inside.slide_id == "P01_early"
        assert inside.study == result.study
    finally:
        os.chdir(here)


def test_a_folder_that_is_no_result_says_what_one_is(tmp_path):
    with pytest.raises(ResultError, match=r"no manifest\.json.*results/slides/<slide_id>"):
        mp.open_result(tmp_path)


def test_the_whole_results_folder_points_at_its_slides(result):
    with pytest.raises(ResultError, match=r"results of 3 slides; give one, such as .*P01_early"):
        mp.open_result(result.path.parents[1])


def test_labels_have_two_names(result):
    with pytest.raises(ResultError, match="has labels nuclei, cells; found 'bodies'"):
        result.labels("bodies")


@pytest.mark.parametrize(
    ("missing", "ask"),
    [
        ("cells.parquet", lambda r: r.cells()),
        ("statistics.parquet", lambda r: r.statistics()),
        ("lesions.parquet", lambda r: r.lesions()),
        ("regions.geojson", lambda r: r.regions()),
        ("labels.zarr", lambda r: r.labels()),
        ("manifest.json", lambda r: r.pixel_size_um),
    ],
)
def test_what_is_missing_is_named_with_the_remedy(copy, missing, ask):
    (copy.path / missing).unlink(missing_ok=True)
    with pytest.raises(ResultError, match=r"the run stopped before it\. Run the same"):
        ask(copy)


def test_a_slide_that_was_never_opened_has_no_pixel_size(copy):
    (copy.path / "manifest.json").write_text('{"slide_id": "P01_early", "stages": {}}')
    with pytest.raises(ResultError, match="no pixel size"):
        _ = mp.open_result(copy.path).pixel_size_um


def test_a_damaged_table_is_named(copy):
    (copy.path / "cells.parquet").write_text("not a table")
    with pytest.raises(ResultError, match=r"cells\.parquet is damaged"):
        copy.cells()


@pytest.mark.parametrize(
    ("text", "problem"),
    [('{"slide_id": "P0', "not valid JSON"), ("[]", "lists no stages"), ('{"a": 1}', "no stages")],
)
def test_a_damaged_manifest_is_named(copy, text, problem):
    (copy.path / "manifest.json").write_text(text)
    with pytest.raises(ResultError, match=problem):
        _ = mp.open_result(copy.path).manifest


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"source": [1]}, "not a slide's manifest"),
        ({"stages": {"survey": 5}}, "not a slide's manifest"),
        ({"source": {"pixel_size_um": [0.5]}}, r"says that a pixel is \[0\.5\] um wide"),
        ({"source": {"pixel_size_um": -1}}, "says that a pixel is -1 um wide"),
    ],
)
def test_a_manifest_of_other_types_is_named(copy, change, problem):
    manifest = json.loads((copy.path / "manifest.json").read_text()) | change
    (copy.path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ResultError, match=problem):
        _ = mp.open_result(copy.path).pixel_size_um


def test_a_manifest_of_brackets_is_not_followed(copy):
    (copy.path / "manifest.json").write_text("[" * 100_000)
    with pytest.raises(ResultError, match=r"not valid JSON .*recursion"):
        _ = mp.open_result(copy.path).manifest


def test_a_table_whose_notes_are_damaged_is_named(copy):
    table = pyarrow.parquet.read_table(copy.path / "gates.parquet")
    notes = {b"pandas": b'{"columns": [{}], "index_columns": []}'}
    pyarrow.parquet.write_table(table.replace_schema_metadata(notes), copy.path / "gates.parquet")
    with pytest.raises(ResultError, match=r"gates\.parquet is damaged"):
        copy.gates()


@pytest.mark.parametrize(
    "change", [{"attributes": {}}, {"attributes": 5}, {"shape": [3, 2**20, 2**20]}]
)
def test_a_damaged_overview_is_named(small_copy, change):
    metadata = small_copy.folder.overview / "zarr.json"
    if small_copy.folder.picture.exists():
        metadata = small_copy.folder.picture / "zarr.json"
    metadata.write_text(json.dumps(json.loads(metadata.read_text()) | change))
    with pytest.raises(ResultError, match="is damaged"):
        small_copy.overview()


def test_damaged_labels_are_named_when_they_are_read(small_copy):
    level = small_copy.folder.labels / "cells" / "0"
    chunk = next(path for path in level.rglob("*") if path.name.isdigit() and path.is_file())
    chunk.write_bytes(chunk.read_bytes()[:20])
    labels = small_copy.labels("cells")
    with pytest.raises(ResultError, match=r"cells/0 is damaged"):
        labels.compute()
    metadata = json.loads((level / "zarr.json").read_text())
    metadata["chunk_grid"]["configuration"]["chunk_shape"] = [2**20, 2**20]
    (level / "zarr.json").write_text(json.dumps(metadata))
    with pytest.raises(ResultError, match="its chunks are"):
        small_copy.labels("cells")


def test_regions_that_cross_themselves_are_damage_told(small_copy, monkeypatch):
    def crossing(*_):
        raise shapely.errors.GEOSException("TopologyException: side location conflict")

    monkeypatch.setattr("macprox.window.Window.from_polygon", crossing)
    with pytest.raises(ResultError, match=r"regions\.geojson is damaged .TopologyException"):
        small_copy.window()


def test_tables_without_pixels_have_no_overview(copy):
    assert copy.overview() is None
    assert isinstance(copy.cells(), pd.DataFrame)
