"""Other tools' tables become cell tables in micrometres, or say in one sentence why not."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import cKDTree

from macprox.celltable import MICROMETRES
from macprox.errors import TableError
from macprox.io.tables import ColumnMapping, read_cells
from macprox.io.tables.text import numbers

INFORM = "Sample Name\tTissue Category\tPhenotype\tCell ID\tCell X Position\tCell Y Position"


def save(folder, text, name="table.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def inform_rows(*rows, unit="Nucleus Area (pixels)"):
    lines = [f"{INFORM}\t{unit}"]
    lines += ["\t".join(map(str, (*row, 50))) for row in rows]
    return "\n".join(lines) + "\n"


def test_the_lung_table_gives_the_published_distances(shared_data):
    cells = read_cells(shared_data / "lung_inform_set4" / "set4_cell_seg_data.csv.gz")
    assert len(cells) == 6072
    assert cells["slide_id"].unique().tolist() == ["Set4_1-6plex"]
    assert cells["roi_id"].unique().tolist() == ["Set4_1-6plex_[16142,55840]"]
    # micrometres: the field is 1868 x 1400 pixels of 0.5 um
    assert 900 < cells["x_um"].max() <= 934
    assert 660 < cells["y_um"].max() <= 700
    macrophages, tumour = (
        cells.loc[cells["phenotype"] == name, ["x_um", "y_um"]].to_numpy()
        for name in ("CD68+", "CK+")
    )
    to_tumour = cKDTree(tumour).query(macrophages)[0]
    assert to_tumour.mean() == pytest.approx(23.1, abs=0.05)
    assert cKDTree(macrophages).query(tumour)[0].mean() == pytest.approx(44.3, abs=0.05)
    assert (to_tumour <= 25).sum() == 274


def test_point_and_comma_decimals_give_the_same_table(shared_data):
    folder = shared_data / "inform_component_fihc4"
    point, comma = (
        read_cells(folder / f"FIHC4__0929309_HP_IM3_2_{kind}.txt", pixel_size_um=0.497)
        for kind in ("cell_seg_data", "comma_cell_seg_data")
    )
    assert len(point) == 270
    assert point["slide_id"].unique().tolist() == ["0929309"]  # the leading zero stays
    pd.testing.assert_frame_equal(point, comma)


def test_merged_fields_are_rois_of_one_slide_with_ids_of_their_own(shared_data):
    merged = read_cells(
        shared_data / "inform_component_fihc4" / "merge" / "FIHC4_merge_cell_seg_data.txt",
        pixel_size_um=0.5,
    )
    assert merged.groupby("roi_id").size().tolist() == [66, 68, 270, 215]
    assert merged["source_cell_id"].duplicated().any()  # control: unique only within a field
    assert merged["cell_id"].is_unique


def test_consolidated_phenotypes_agree_with_the_merge(shared_data):
    folder = shared_data / "inform_component_fihc4"
    merged = read_cells(folder / "merge" / "FIHC4_merge_cell_seg_data.txt", pixel_size_um=0.5)
    consolidated = read_cells(
        folder / "consolidated" / "FIHC4_consolidated_merge_cell_seg_data.txt"
    )  # in micrometres, so no pixel size
    names = {"B": "B+", "Cytotoxic T": "Cytotoxic_T+", "Helper T": "Helper_T+", "Epi": "Epi+"}
    assert (merged["phenotype"].replace(names) == consolidated["phenotype"]).all()
    np.testing.assert_allclose(merged["x_um"], consolidated["x_um"], atol=0.01)


@pytest.mark.parametrize(
    ("name", "n_cells"),
    [("melanoma_inform/MEL2/MEL2_080416_2_cell_seg_data.txt", 2342)],
)
def test_an_inform_field_without_sample_name_takes_the_file_s(shared_data, name, n_cells):
    cells = read_cells(shared_data / name, pixel_size_um=0.5)
    assert len(cells) == n_cells
    assert cells["slide_id"].unique().tolist() == ["MEL2_080416_2"]


def test_halo_boxes_become_centres_and_positivity_becomes_phenotypes(shared_data):
    cells = read_cells(sorted((shared_data / "imports/halo").glob("TMA*.gz")), pixel_size_um=0.5)
    assert cells["slide_id"].nunique() == 5
    assert cells.loc[0, ["x_um", "y_um"]].tolist() == [650.5, 1200.5]  # (1290 + 1312) / 2 / 2
    assert (cells["phenotype"] == "CD3+ CD8+").sum() == 161
    assert set(cells["tissue_category"]) >= {"Tumor", "Stroma"}


def test_mcmicro_needs_a_phenotype_and_a_pixel_size(shared_data):
    path = shared_data / "imports/mcmicro/spac_lymphnode_cells_phenotyped.csv.gz"
    with pytest.raises(TableError, match="'detailed_cell_type', 'broad_cell_type' could be it"):
        read_cells(path, pixel_size_um=0.65)
    mapping = ColumnMapping(phenotype="broad_cell_type")
    with pytest.raises(TableError, match=r"in pixels \(MCMICRO\).*--pixel-size"):
        read_cells(path, mapping=mapping)
    cells = read_cells(path, mapping=mapping, pixel_size_um=0.65)
    # the first pixel's centre is 0 there and half a pixel here
    assert cells["x_um"][0] == pytest.approx((511.5555556 + 0.5) * 0.65)


def test_summaries_and_annotations_are_not_cells(shared_data):
    with pytest.raises(TableError, match="inForm's summary: it has totals"):
        read_cells(shared_data / "imports/inform_merge/Merge_cell_seg_data_summary.txt")
    with pytest.raises(TableError, match="annotations, not cells"):
        read_cells(shared_data / "imports/qupath/cells_measurements_annotations.tsv")


@pytest.mark.parametrize(
    ("unit", "pixel_size_um", "x_um"),
    [
        ("Nucleus Area (pixels)", 0.25, 2.5),
        ("Nucleus Area (sq microns)", None, 10.0),
        ("Nucleus Area (square microns)", 0.25, 10.0),  # said in the table: not scaled
        ("Cell Density (per megapixel)", 0.25, 2.5),
        ("Cell Density (per square mm)", None, 10.0),
    ],
)
def test_inform_s_unit_is_read_from_its_areas(tmp_path, unit, pixel_size_um, x_um):
    path = save(tmp_path, inform_rows(("a.im3", "Tumor", "CK+", 1, 10, 20), unit=unit))
    assert read_cells(path, pixel_size_um=pixel_size_um)["x_um"].tolist() == [x_um]


@pytest.mark.parametrize("unit", ["Nucleus Size", "Area (pixels) or (microns)"])
def test_an_inform_table_of_unknown_unit_is_refused(tmp_path, unit):
    path = save(tmp_path, inform_rows(("a.im3", "Tumor", "CK+", 1, 10, 20), unit=unit))
    with pytest.raises(TableError, match="says the unit"):
        read_cells(path)


@pytest.mark.parametrize("micro", ["µ", "μ", "Âµ"])
def test_qupath_s_micro_sign_is_read_however_it_is_spelled(tmp_path, micro):
    header = f"Image\tObject type\tClassification\tCentroid X {micro}m\tCentroid Y {micro}m\n"
    rows = "s1.ome.tif\tAnnotation\tTumor\t0,5\t0,5\ns1.ome.tif\tCell\tCD68\t1,5\t2,5\n"
    cells = read_cells(save(tmp_path, header + rows, "q.tsv"))
    assert cells[["slide_id", "x_um", "y_um", "phenotype"]].to_numpy().tolist() == [
        ["s1", 1.5, 2.5, "CD68"]
    ]


def test_qupath_s_latin_1_and_pixels(tmp_path):
    text = "Image,Class,Centroid X µm,Centroid Y µm\na.tif,CD68,1.5,2.5\n"
    assert read_cells(save(tmp_path, text, encoding="latin-1"))["x_um"].tolist() == [1.5]
    in_pixels = save(tmp_path, text.replace("µm", "px"))
    with pytest.raises(TableError, match="--pixel-size"):
        read_cells(in_pixels)
    assert read_cells(in_pixels, pixel_size_um=2.0)["x_um"].tolist() == [3.0]


@pytest.mark.parametrize(
    ("name", "pixel_size_um", "expected"),
    [("x_um", None, 4.0), ("x_um", 0.5, 4.0), ("x (px)", 0.5, 2.0), ("x", 0.5, 2.0), ("x", 1, 4.0)],
)
def test_a_mapped_column_s_unit_comes_from_its_name_or_the_pixel_size(
    tmp_path, name, pixel_size_um, expected
):
    y = name.replace("x", "y")
    path = save(tmp_path, f"{name};{y};kind\n4,0;8,0;CD68\n")
    cells = read_cells(
        path, mapping=ColumnMapping(x=name, y=y, phenotype="kind"), pixel_size_um=pixel_size_um
    )
    assert cells["x_um"].tolist() == [expected]


def test_several_positivity_columns_are_joined(tmp_path):
    path = save(tmp_path, "x_um,y_um,cd3,CD8 Positive\n1,1,CD3+,1\n2,2,CD3-,0\n3,3,CD3-,1\n")
    mapping = ColumnMapping(phenotype=("cd3", "CD8 Positive"))
    assert read_cells(path, mapping=mapping)["phenotype"].tolist() == ["CD3+ CD8+", "Other", "CD8+"]


def test_lung_cohort_by_mapping(shared_data):
    mapping = ColumnMapping(
        x="x",
        y="y",
        phenotype=("phenotype_ck", "phenotype_cd14"),
        slide="patient_id",
        roi="image_id",
        cell_id="cell_id",
    )
    path = shared_data / "tables" / "lung_vectra_25_patients.csv.gz"
    with pytest.raises(TableError, match="1 if they are micrometres"):
        read_cells(path, mapping=mapping)
    cells = read_cells(path, mapping=mapping, pixel_size_um=1)
    assert cells["slide_id"].nunique() == 25
    assert (cells["phenotype"] == "CD14+").sum() == 10733


def test_macprox_s_own_tables_come_back_whole(tmp_path):
    table = pd.DataFrame(
        {
            "slide_id": ["007", "007"],
            "cell_id": [1, 2],
            "x_um": [1.0, 2.0],
            "y_um": [3.0, 4.0],
            "phenotype": ["Treg", "Other"],
            "mean_cd68_cell": [0.5, 1.5],
        }
    )
    table.to_parquet(tmp_path / "cells.parquet", index=False)
    table.to_csv(tmp_path / "cells.csv", index=False)
    read = read_cells(tmp_path / "cells.parquet")
    pd.testing.assert_frame_equal(read, table, check_dtype=False)  # of text, by version of pandas
    pd.testing.assert_frame_equal(read_cells(tmp_path / "cells.csv"), table, check_dtype=False)
    both = [tmp_path / "cells.parquet", tmp_path / "cells.csv"]
    with pytest.raises(TableError, match="cell_id 1 occurs twice"):
        read_cells(both)


def test_a_mapping_overrides_what_was_recognised(tmp_path):
    path = save(tmp_path, "slide_id,cell_id,x_um,y_um,phenotype,class2\na,1,1,1,Other,Treg\n")
    assert read_cells(path)["phenotype"].tolist() == ["Other"]  # control
    cells = read_cells(path, mapping=ColumnMapping(phenotype="class2"))
    assert cells["phenotype"].tolist() == ["Treg"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a,b\n1,2\n", "no table of a known tool.*--x and --y, and --phenotype"),
        ("x_um,y_um,phenotype\n", "has a header but no cells"),
        ("slide_id,cell_id,x_um,y_um,phenotype\n", "has a header but no cells"),
        ("slide_id,cell_id,x_um,y_um\na,1,1,1\n", "lacks phenotype"),
        ("x_um,y_um,phenotype\n1,,CD68\n2,2,CD68\n", "1 of 2 cells have no position .*row 2"),
        ("x_um,y_um,phenotype\n1,far,CD68\n", "row 2 has 'far'"),
        ('x_um,y_um,phenotype\n1,"1,234.5",CD68\n', "row 2 has '1,234.5'"),
        ("x_um,y_um\n1,1\n", "no column looks like it"),
        ("x_um,y_um,phenotype,cell_id\n1,1,a,5\n2,2,b,5\n", "Cell 5 .*occurs twice"),
        ("x_um,y_um,phenotype,slide_id\n1,1,a,s 1\n2,2,b,s_1\n", "would share a folder name"),
        ('x_um,y_um,phenotype\n1,1,"a\n2,2,b\n', "is damaged|have no position|hold numbers"),
    ],
)
def test_what_is_wrong_with_a_table_is_said_in_one_sentence(tmp_path, text, problem):
    with pytest.raises(TableError, match=problem) as caught:
        read_cells(save(tmp_path, text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        (ColumnMapping(x="x"), "both --x and --y"),
        (ColumnMapping(x="q", y="y", phenotype="p"), "has no column 'q'"),
        (ColumnMapping(phenotype=("p", "z")), "has no column 'z'"),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused(tmp_path, mapping, problem):
    with pytest.raises(TableError, match=problem):
        read_cells(save(tmp_path, "x,y,p\n1,1,a\n"), mapping=mapping)


OURS = "slide_id,cell_id,x_um,y_um,phenotype\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (OURS + "a,1,there,2,T\n", "column 'x_um' should hold numbers, but row 2 has 'there'"),
        (OURS + "a,1,1,2,T\na,2,1,2,T,9\n", "is damaged: .*Expected 5 fields"),
        (OURS + "a,1,1,2,T\na,1,3,4,T\n", r"table\.csv: Not a valid cell table.*occurs twice"),
        (OURS + f"a,1,{'9' * 9000}x,2,T\n", "should hold numbers, but row 2 has '9+…"),
        ("a\rb,c\nd", "has a damaged header"),
    ],
)
def test_a_damaged_table_is_refused_in_a_short_sentence(tmp_path, text, problem):
    with pytest.raises(TableError, match=problem) as told:
        read_cells(save(tmp_path, text))
    assert len(str(told.value)) < 600


def test_own_tables_and_headers_that_are_no_utf_8_are_refused(tmp_path):
    path = save(tmp_path, OURS + "a,1,1,2,ü\n", encoding="latin-1")
    with pytest.raises(TableError, match=r"is damaged: .*utf-8"):
        read_cells(path)
    path.write_bytes(b"\xffslide")
    with pytest.raises(TableError, match="no table of a known tool"):
        read_cells(path)


def test_an_endless_cell_id_is_a_name_and_no_number(tmp_path):
    text = inform_rows(("a", "", "T", 1, 1, 2), ("a", "", "T", "inf", 3, 4), unit="Area (microns)")
    cells = read_cells(save(tmp_path, text, "a.txt"))
    assert cells["cell_id"].tolist() == [1, 2]
    assert cells["source_cell_id"].tolist() == ["1", "inf"]


def test_files_that_are_no_tables_are_refused(tmp_path):
    with pytest.raises(TableError, match="There is no table"):
        read_cells(tmp_path / "none.csv")
    with pytest.raises(TableError, match="There is no table"):
        read_cells(tmp_path / "none.parquet")
    with pytest.raises(TableError, match="No table was given"):
        read_cells([])
    with pytest.raises(TableError, match="positive number, found -1"):
        read_cells(tmp_path / "none.csv", pixel_size_um=-1)
    for start, what in ((b"PK\x03\x04", "zip"), (b"\x89HDF\r\n", "HDF5"), (b"ab\0cd", "binary")):
        (tmp_path / "file.csv").write_bytes(start + b"\0" * 50)
        with pytest.raises(TableError, match=what):
            read_cells(tmp_path / "file.csv")
    (tmp_path / "text.parquet").write_text("x,y")
    with pytest.raises(TableError, match="not a Parquet table"):
        read_cells(tmp_path / "text.parquet")
    (tmp_path / "text.csv.gz").write_bytes(b"\x1f\x8bx,y")
    with pytest.raises(TableError, match="cannot be read"):
        read_cells(tmp_path / "text.csv.gz")
    whole = gzip.compress(("x_um,y_um,phenotype\n" + "1,1,a\n" * 60000).encode(), 0)
    (tmp_path / "torn.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TableError, match="is damaged"):
        read_cells(tmp_path / "torn.csv.gz")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(TableError, match="no table of a known tool"):
        read_cells(tmp_path / "other.parquet")
    empty = {name: [] for name in ("slide_id", "cell_id", "x_um", "y_um", "phenotype")}
    pd.DataFrame(empty).to_parquet(tmp_path / "empty.parquet")
    with pytest.raises(TableError, match="no cells"):
        read_cells(tmp_path / "empty.parquet")


def test_numbers_are_read_to_the_last_bit():
    written = np.random.default_rng(0).uniform(0, 1000, 1000)
    text = pd.Series([repr(value) for value in written.tolist()])
    np.testing.assert_array_equal(numbers(text, Path("a.csv")), written)
    np.testing.assert_array_equal(numbers(text.str.replace(".", ","), Path("a.csv")), written)


@pytest.mark.parametrize("unit", MICROMETRES)
def test_every_word_for_micrometres_is_read_in_a_column_s_name(tmp_path, unit):
    path = save(tmp_path, f"slide,x ({unit}),y ({unit}),cell type\na,10,20,Tumour\n")
    assert read_cells(path)["x_um"].tolist() == [10.0]
    path = save(tmp_path, "slide,x (furlong),y (furlong),cell type\na,10,20,Tumour\n")
    with pytest.raises(TableError, match="no table of a known tool"):  # control
        read_cells(path)
