"""Nuclei and cells that were both labelled elsewhere, and inForm's maps, which hold both."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr

import macprox as mp
import small_runs
from macprox.errors import SlideError
from macprox.image.kernels import nearest_label
from macprox.io.inform_maps import maps_in
from macprox.io.label_file import find_label_file, nuclei_beside_cells, open_label_file
from macprox.regions import RegionParameters
from macprox.segment.paired import NucleiOfCells, overlap_rows
from macprox.slide import file_of_slide

LUNG = "lung_inform_set4"
FIHC4 = "inform_component_fihc4/FIHC4__0929309_HP_IM3_2"
COMPARTMENT = """<?xml version="1.0" encoding="utf-16"?>
<SegmentationImage><Version>1</Version><CompartmentType>{}</CompartmentType></SegmentationImage>"""
TISSUE = """<?xml version="1.0" encoding="utf-16"?>
<TissueClassMap><Version>1</Version><Entry><Name>Tumor</Name></Entry>
<Entry><Name>Stroma</Name></Entry></TissueClassMap>"""


def whole(file) -> np.ndarray:
    return file.read(slice(0, file.shape[0]), slice(0, file.shape[1]))


def write_maps(path: Path, **pages: np.ndarray) -> Path:
    with tifffile.TiffWriter(path) as tif:
        for name, page in pages.items():
            text = TISSUE if name == "tissue" else COMPARTMENT.format(name)
            tif.write(page.astype(np.uint16), description=text, metadata=None)
    return path


# --- pairs ---------------------------------------------------------------------------------------


def test_a_nucleus_goes_to_the_cell_that_holds_most_of_it():
    nuclei = np.array([[5, 5, 5, 0, 9, 9, 7, 7]])
    cells = np.array([[2, 2, 1, 1, 0, 0, 3, 0]])
    pairs = NucleiOfCells.paired([overlap_rows(nuclei, cells)])
    assert pairs.nucleus.tolist() == [5, 7, 9]
    assert pairs.cell.tolist() == [2, 3, 0]  # 7: half in a cell, half in none; 9: in none
    assert pairs.n_without_cell == 1
    inside = pairs.inside(nuclei, cells)
    assert inside.tolist() == [[True, True, False, False, False, False, True, False]]


def test_pairs_do_not_depend_on_how_the_slide_is_cut():
    rng = np.random.default_rng(0)
    nuclei, cells = rng.integers(0, 40, (2, 60, 70))
    one = NucleiOfCells.paired([overlap_rows(nuclei, cells)])
    parts = [overlap_rows(nuclei[:, s], cells[:, s]) for s in (slice(0, 13), slice(13, 70))]
    cut = NucleiOfCells.paired(parts)
    np.testing.assert_array_equal(one.cell, cut.cell)
    for value, cell in zip(one.nucleus, one.cell, strict=True):  # by hand
        counts = np.bincount(cells[nuclei == value])
        assert counts[cell] == counts.max()
    alone = NucleiOfCells.paired([parts[0]])  # control: half of the slide says something else
    assert not np.array_equal(alone.cell, one.cell)


def test_no_nucleus_is_no_pair():
    nothing = np.zeros((3, 4), int)
    pairs = NucleiOfCells.paired([overlap_rows(nothing, nothing + 1)])
    assert pairs.n_without_cell == 0
    assert not pairs.inside(nothing + 1, nothing + 1).any()


# --- inForm's maps -------------------------------------------------------------------------------


@pytest.fixture
def maps(tmp_path):
    nucleus, cytoplasm, membrane = np.zeros((3, 12, 20), int)
    nucleus[4:8, 4:6], nucleus[4:8, 12:14] = 1, 7
    cytoplasm[3:9, 3:7], cytoplasm[3:9, 11:15] = 1, 7
    cytoplasm[nucleus > 0] = 0
    membrane[2:10, 2:8] = membrane[2:10, 10:16] = 1
    membrane[3:9, 3:7] = membrane[3:9, 11:15] = 0
    pages = {"Nucleus": nucleus, "Cytoplasm": cytoplasm, "Membrane": membrane}
    return write_maps(tmp_path / "a_binary_seg_maps.tif", tissue=nucleus * 0, **pages)


def test_the_pages_of_inform_s_maps_are_known_by_what_they_say(maps, tmp_path):
    found = maps_in(maps)
    assert found.compartments == {"Nucleus": 1, "Cytoplasm": 2, "Membrane": 3}
    assert (found.tissue_page, found.categories) == (0, ("Tumor", "Stroma"))
    assert nuclei_beside_cells(maps)
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((12, 20), np.uint16))
    assert maps_in(tmp_path / "b.tif") is None
    assert not nuclei_beside_cells(tmp_path / "b.tif")


def test_a_cell_of_inform_s_maps_is_nucleus_cytoplasm_and_its_membrane(maps):
    nuclei = whole(open_label_file(maps, "nuclei"))
    assert np.bincount(nuclei.ravel())[1:].tolist() == [8, 0, 0, 0, 0, 0, 8]
    file = open_label_file(maps, "cells")
    cells = whole(file)
    assert np.bincount(cells.ravel())[1:].tolist() == [48, 0, 0, 0, 0, 0, 48]  # 8 by 6
    part = file.read(slice(2, 7), slice(7, 13))  # the membrane alone is cut from its cell
    np.testing.assert_array_equal(part, cells[2:7, 7:13])
    page = whole(open_label_file(maps, "cells", page=2))  # control: a page by number is that page
    assert np.bincount(page.ravel())[1] == 16


def test_maps_without_a_compartment_are_told(tmp_path):
    nothing = np.zeros((9, 9))
    path = write_maps(tmp_path / "m.tif", tissue=nothing, Nucleus=nothing)
    assert open_label_file(path, "nuclei").page == 1
    with pytest.raises(SlideError, match=r"has no page 'Cytoplasm', only Nucleus\. Export the seg"):
        open_label_file(path, "cells")
    path = write_maps(tmp_path / "t.tif", tissue=nothing)
    with pytest.raises(SlideError, match="has no page 'Nucleus', only tissue categories"):
        open_label_file(path, "nuclei")


@pytest.mark.parametrize("field", ["lung", "fihc4"])
def test_inform_s_nuclei_are_those_of_its_cell_table(shared_data, field):
    """The vendor's own numbers: every id, every nuclear area to the pixel, positions."""
    if field == "lung":
        path = shared_data / LUNG / "Set4_1-6plex_[16142,55840]_binary_seg_maps.tif"
        table = pd.read_csv(shared_data / LUNG / "set4_cell_seg_data.csv.gz")
        unit, px_um2 = "sq microns", 0.25
    else:
        path = shared_data / f"{FIHC4}_binary_seg_maps.tif"
        table = pd.read_csv(shared_data / f"{FIHC4}_cell_seg_data.txt", sep="\t")
        unit, px_um2 = "pixels", 1.0
    nuclei, cells = (whole(open_label_file(path, name)) for name in ("nuclei", "cells"))
    ids = table["Cell ID"].to_numpy()
    assert sorted(ids) == np.unique(nuclei[nuclei > 0]).tolist()
    assert sorted(ids) == np.unique(cells[cells > 0]).tolist()
    area = np.bincount(nuclei.ravel())[ids] * px_um2
    np.testing.assert_array_equal(area, table[f"Nucleus Area ({unit})"])
    # The whole cell: inForm counts a membrane between two cells to both of them.
    found = np.bincount(cells.ravel())[ids] * px_um2
    said = table[f"Entire Cell Area ({unit})"].to_numpy()
    assert -0.13 < np.median(found / said - 1) < -0.08
    bare = np.bincount(np.where(nuclei, nuclei, tifffile.imread(path, key=2)).ravel())[ids]
    assert np.median(bare * px_um2 / said - 1) < -0.16  # control: without the membrane
    y, x = np.indices(nuclei.shape)
    weights = np.bincount(nuclei.ravel())[ids]
    middle = [np.bincount(nuclei.ravel(), of.ravel())[ids] / weights for of in (x, y)]
    said = table[["Cell X Position", "Cell Y Position"]].to_numpy().T / px_um2**0.5
    off = np.median(np.array(middle) - said, axis=1)
    assert abs(off[0] + 1.25) < 0.2  # its x lies 1.25 px to the right, in both fields
    assert abs(off[1]) < 0.5


def test_inform_s_files_of_a_field_are_found_beside_its_component_image(tmp_path):
    pattern, slide_id = str(tmp_path / "{slide_id}_binary_seg_maps.tif"), "F1_component_data"
    own = tmp_path / "F1_component_data_binary_seg_maps.tif"
    assert file_of_slide(pattern, slide_id) == own
    field = tmp_path / "F1_binary_seg_maps.tif"
    field.touch()
    assert file_of_slide(pattern, slide_id) == find_label_file(pattern, slide_id) == field
    assert RegionParameters(tumour=pattern).tumour_file(slide_id) == field
    own.touch()
    assert file_of_slide(pattern, slide_id) == own  # the slide's whole name goes first


# --- whole runs ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def slide(tmp_path_factory) -> Path:
    return small_runs.write_slide(tmp_path_factory.mktemp("slides") / "a.ome.tif")


def run(slide: Path, folder: Path, keys: str) -> Path:
    tables = f'[segmentation]\nmethod = "labels"\n{keys}\n[segmentation.macrophages]'
    change = "[segmentation.macrophages]", tables
    study = small_runs.write_study(folder / "study.toml", change)
    arguments = ["run", slide, "--study", study, "--out", folder / "out", "--tile", 512, "-q"]
    with small_runs.without_reports():
        ended = small_runs.macprox(*arguments, "--check-seams")
    assert ended.code == 0, ended.err
    return folder / "out" / "slides" / "a"


def labels_of(result: Path, name: str) -> np.ndarray:
    return np.asarray(zarr.open_array(str(result / "labels.zarr" / name / "0"), mode="r"))


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray]:
    """Nuclei, and cells around them under other numbers; one nucleus has no cell."""
    y, x = np.mgrid[12:630:24, 12:630:24]
    nuclei = np.zeros((640, 640), np.int32)
    for number, (row, column) in enumerate(zip(y.ravel(), x.ravel(), strict=True), start=1):
        nuclei[row - 4 : row + 5, column - 4 : column + 5] = number
    cells = nearest_label(nuclei, 5.0)
    cells = np.where(cells > 0, 2000 - cells, 0)
    cells[cells == 2000 - 1] = 0
    return nuclei.astype(np.uint16), cells.astype(np.uint16)


def check(result: Path, nuclei: np.ndarray, cells: np.ndarray) -> dict:
    """Every cell as it was given, with the nucleus that was given to it."""
    found, inside = labels_of(result, "cells"), labels_of(result, "nuclei")
    np.testing.assert_array_equal(found > 0, cells > 0)
    np.testing.assert_array_equal(inside > 0, (nuclei > 0) & (cells > 0))
    np.testing.assert_array_equal(inside[inside > 0], found[inside > 0])
    pairs = np.unique(np.column_stack([found.ravel(), cells.ravel()]), axis=0)
    assert len(pairs) == found.max() + 1
    table = mp.open_result(result).cells()
    assert table["has_nucleus"].all()
    manifest = json.loads((result / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["seam_check"]["cells"] > 50
    assert manifest["seam_check"]["cells_differ"] == manifest["seam_check"]["nuclei_differ"] == 0
    return manifest


def test_nuclei_and_cells_given_as_two_files_are_paired_by_overlap(slide, drawn, tmp_path):
    nuclei, cells = drawn
    tifffile.imwrite(tmp_path / "n.tif", nuclei)
    tifffile.imwrite(tmp_path / "c.tif", np.stack([cells * 0, cells]), photometric="minisblack")
    keys = f'labels = "{tmp_path}/n.tif"\ncell_labels = "{tmp_path}/c.tif"\ncell_label_page = 1'
    manifest = check(run(slide, tmp_path, keys), nuclei, cells)
    assert (
        "1 nuclei of the label image lie in no cell of the other and were left out."
        in (manifest["warnings"])
    )


def test_inform_s_maps_give_cells_with_their_nuclei(slide, drawn, tmp_path):
    nuclei, cells = drawn
    nuclei = np.where(cells > 0, nuclei, 0)
    ids = np.where(cells > 0, 2000 - cells.astype(int), 0)
    pages = {"Nucleus": nuclei, "Cytoplasm": np.where(nuclei > 0, 0, ids)}
    path = write_maps(tmp_path / "a_binary_seg_maps.tif", **pages)
    manifest = check(run(slide, tmp_path, f'labels = "{path}"\nlabels_are = "cells"'), nuclei, ids)
    assert manifest["segmentation"]["n_without_cell"] == 0
