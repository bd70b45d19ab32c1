"""Tables shaped as the vendors' own files are: what is told apart, joined, asked and refused."""

import json

import numpy as np
import pandas as pd
import pytest

from macprox.errors import TableError
from macprox.io.tables import ColumnMapping, describe, gate_of_text, read_cells
from small_runs import macprox

GATE = ColumnMapping(gates=(gate_of_text("CD68=15"),))


def save(folder, text, name="table.csv"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


QUPATH = "Image\tName\tClass\tParent\tROI\tCentroid X µm\tCentroid Y µm\tNum Detections\n"
CELL = "s.svs\tPathCellObject\tTumor\tT1\tPolygon\t3\t4\t\n"
NAMED = "s.svs\tT1\tTumor\tImage\tRectangle\t900\t900\t2877\n"


def test_a_named_annotation_of_qupath_is_no_cell(tmp_path):
    cells = read_cells(save(tmp_path, QUPATH + CELL + NAMED))
    assert cells[["x_um", "y_um", "phenotype"]].to_numpy().tolist() == [[3, 4, "Tumor"]]
    assert describe(tmp_path / "table.csv")["cells"] == 1
    with pytest.raises(TableError, match=r"holds QuPath's annotations, not cells.*Export type"):
        read_cells(save(tmp_path, QUPATH + NAMED))


@pytest.mark.parametrize(
    "text",
    [
        "Image\tName\tMissing\tCentroid X µm\tCentroid Y µm\tNum Detections\n"
        "s.svs\tB-1\tFalse\t1\t2\t9\n",
        "Image\tName\tNum Detections\tPositive %\ns.svs\tImage\t36\t0\n",
    ],
    ids=["cores", "images"],
)
def test_qupath_s_cores_and_images_are_no_cells(tmp_path, text):
    for mapping in (None, ColumnMapping(phenotype="Name")):
        with pytest.raises(TableError, match="holds QuPath's images or cores, not cells") as told:
            read_cells(save(tmp_path, text), mapping=mapping, pixel_size_um=1)
        assert describe(tmp_path / "table.csv", mapping)["needs"] == [str(told.value)]


@pytest.mark.parametrize(
    "text",
    [
        QUPATH + NAMED,
        "Cell ID,Phenotype,Cell X Position,Cell Y Position,Cell Area (pixels)\nall,,1,2,3\n",
        "x_um,y_um,phenotype\n",
    ],
)
def test_inspect_refuses_what_stats_would_refuse(tmp_path, text):
    path = save(tmp_path, text)
    with pytest.raises(TableError) as told:
        read_cells(path, pixel_size_um=1)
    ended = macprox("inspect", path)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"macprox: {told.value}\n"


def test_inspect_asks_for_slide_phenotype_and_unit_at_once(tmp_path):
    path = save(tmp_path, "image,sample,x,y,class,lineage\na,b,1,2,M,m\n")
    asked = describe(path)["needs"]
    assert [text.split("?")[0] for text in asked[:2]] == [
        "which column is the slide", "which column is the phenotype",
    ]  # fmt: skip
    assert "--pixel-size" in asked[2]
    path = save(tmp_path, "image,x,y\na,1,2\n")  # control: the slide is known, and told
    assert describe(path)["slides"] == "image (1)"


@pytest.mark.parametrize(
    ("identifier", "kind", "is_cell"),
    [
        ("PathCellObject", "annotation", True),
        ("PathDetectionObject", "annotation", True),
        ("PathAnnotationObject", "annotation", False),
        ("65cc1adf", "annotation", False),
        ("65cc1adf", "cell", True),
    ],
)
def test_an_outline_that_says_cell_once_is_a_cell(tmp_path, identifier, kind, is_cell):
    ring = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]
    one = {
        "type": "Feature", "id": identifier,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"objectType": kind, "classification": {"name": "Neoplastic"}},
    }  # fmt: skip
    path = save(tmp_path, json.dumps([one]), "s.geojson")
    if is_cell:
        assert read_cells(path, pixel_size_um=0.5)["x_um"].tolist() == [1]
    else:
        with pytest.raises(TableError, match="holds annotations"):
            read_cells(path, pixel_size_um=0.5)


OBJECTS = "ImageNumber,ObjectNumber,AreaShape_Center_X,AreaShape_Center_Y,phenotype\n1,1,3,4,M\n"


@pytest.mark.parametrize(
    ("images", "slide"),
    [
        ("ImageNumber,FileName_DNA\n1,f.tif\n", "f"),
        ("ImageNumber,FileName_DNA,Metadata_Sample\n1,f.tif,S\n", "S"),
        # ExportToSpreadsheet sorts by name; a case has several slides
        ("ImageNumber,Metadata_Case,Metadata_Slide\n1,C,S\n", "S"),
    ],
)
def test_cellprofiler_s_metadata_say_the_slide(tmp_path, images, slide):
    save(tmp_path, images, "Image.csv")
    assert read_cells(save(tmp_path, OBJECTS, "cell.csv"), pixel_size_um=1)["slide_id"][0] == slide


def test_two_columns_of_metadata_for_one_slide_are_asked_about(tmp_path):
    images = "ImageNumber,FileName_Full,Metadata_acname,Metadata_slide_id,Metadata_slideid\n"
    save(tmp_path, images + "1,m_a1_full.tiff,m,0,0\n", "Image.csv")
    path = save(tmp_path, OBJECTS, "cell.csv")
    with pytest.raises(TableError, match="'Metadata_slide_id', 'Metadata_slideid' could be it"):
        read_cells(path, pixel_size_um=1)
    cells = read_cells(path, mapping=ColumnMapping(slide="Metadata_acname"), pixel_size_um=1)
    assert cells[["slide_id", "roi_id"]].to_numpy().tolist() == [["m", "1"]]


def test_cellprofiler_s_means_of_children_are_no_positions(tmp_path):
    text = OBJECTS.replace(
        "phenotype", "Mean_Nucleoli_AreaShape_Center_X,Mean_Nucleoli_AreaShape_Center_Y,phenotype"
    ).replace("M\n", "70,80,M\n")
    cells = read_cells(save(tmp_path, text), pixel_size_um=1)
    assert cells[["x_um", "y_um"]].to_numpy().tolist() == [[3.5, 4.5]]


def test_names_under_objects_may_be_longer_than_a_sample(tmp_path):
    names = [f"Texture_{'x' * 60}_{i}" for i in range(1500)]
    assert sum(map(len, names)) > 1 << 16
    columns = ["ImageNumber", "ObjectNumber", *names, "AreaShape_Center_X", "AreaShape_Center_Y"]
    objects = ["Image", *["Cells"] * (len(columns) - 1)]
    row = ["1", "1", *["0"] * len(names), "3", "4"]
    path = save(tmp_path, "".join(",".join(line) + "\n" for line in (objects, columns, row)))
    mapping = ColumnMapping(phenotype="ObjectNumber")
    assert read_cells(path, mapping=mapping, pixel_size_um=1)["x_um"].tolist() == [3.5]


EXPORT = (
    "Image,Object,CD68,area,centroid-0,centroid-1,axis_major_length,axis_minor_length,"
    "eccentricity\nP1_001.tiff,1,10,9,4,30,3,3,0\nP1_002.tiff,1,20,9,5,40,3,3,0\n"
)


@pytest.mark.parametrize("source", ["source_file", "source"])
def test_steinbock_s_export_of_all_images_knows_their_slides(tmp_path, source):
    path = save(tmp_path, EXPORT, "cells.csv")
    cells = read_cells(path, mapping=GATE, pixel_size_um=1)  # control: nothing beside it
    assert cells["slide_id"].tolist() == ["P1_001", "P1_002"]
    images = f"image,num_channels,{source}\nP1_001.tiff,1,P1.mcd\n"
    save(tmp_path, images, "images.csv")  # of another experiment: one image is not known
    assert read_cells(path, mapping=GATE, pixel_size_um=1)["slide_id"].nunique() == 2
    save(tmp_path, images + "P1_002.tiff,1,P1.mcd\n", "images.csv")
    cells = read_cells(path, mapping=GATE, pixel_size_um=1)
    assert cells["slide_id"].unique().tolist() == ["P1"]
    assert cells["roi_id"].tolist() == ["P1_001.tiff", "P1_002.tiff"]
    assert cells["phenotype"].tolist() == ["Other", "CD68+"]
    assert cells[["x_um", "y_um"]].to_numpy().tolist() == [[30.5, 4.5], [40.5, 5.5]]


def test_steinbock_s_anndata_has_fields_of_slides_and_only_its_markers(tmp_path):
    ad = pytest.importorskip("anndata")
    obs = pd.DataFrame(
        {"Image": ["P1_001.tiff", "P1_002.tiff"], "area": [9.0, 9.0], "centroid-0": [4.0, 5.0],
         "centroid-1": [30.0, 40.0], "image": ["P1_001.tiff", "P1_002.tiff"],
         "image_num_channels": [1, 1], "image_source_file": ["P1.mcd", "P1.mcd"]},
        index=["Object 1", "Object 2"],
    )  # fmt: skip
    var = pd.DataFrame({"channel": ["a", "b"]}, index=["CD68", "ECAD"])
    path = tmp_path / "cells.h5ad"
    ad.AnnData(np.array([[10.0, 1], [20, 1]]), obs=obs, var=var).write_h5ad(path)
    told = describe(path)
    assert (told["format"], told["intensities"]) == ("steinbock", ["CD68", "ECAD"])
    cells = read_cells(path, mapping=GATE, pixel_size_um=1)
    assert cells[["slide_id", "roi_id", "phenotype"]].to_numpy().tolist() == [
        ["P1", "P1_001.tiff", "Other"], ["P1", "P1_002.tiff", "CD68+"],
    ]  # fmt: skip


def test_a_store_without_shapes_offers_its_variables_as_markers(tmp_path):
    ad = pytest.importorskip("anndata")
    obs = pd.DataFrame({"slide": ["image"] * 2, "area": [1913.4, 1900]}, index=["aa-1", "ab-1"])
    adata = ad.AnnData(np.array([[20.0], [10.0]]), obs=obs, var=pd.DataFrame(index=["CD68"]))
    adata.obsm["spatial"] = np.array([[30.0, 4.0], [5.0, 6.0]])
    adata.write_h5ad(tmp_path / "s.h5ad")
    with pytest.raises(TableError, match=r"for its intensities \('CD68'\): --gate"):
        read_cells(tmp_path / "s.h5ad", pixel_size_um=1)
    cells = read_cells(tmp_path / "s.h5ad", mapping=GATE, pixel_size_um=1)
    assert cells[["slide_id", "x_um", "y_um", "phenotype"]].to_numpy().tolist() == [
        ["image", 30, 4, "CD68+"], ["image", 5, 6, "Other"],
    ]  # fmt: skip


def test_ark_s_own_clusters_go_before_the_wider_and_the_narrower(tmp_path):
    text = (
        ",Unnamed: 0,cell_size,CD68,label,fov,Tissue,PatientID,lineage,cell_meta_cluster,cell_lin,"
        "centroid-0,centroid-1\n0,0,169,0.9,2,1,lung,30,immune,CD14_Mono,myeloid,4,12\n"
    )
    path = save(tmp_path, text)
    cells = read_cells(path, pixel_size_um=1)
    assert cells[["slide_id", "x_um", "y_um", "phenotype"]].to_numpy().tolist() == [
        ["1", 12.5, 4.5, "CD14_Mono"],
    ]  # fmt: skip
    assert describe(path)["intensities"][0] == "CD68"


def test_boxes_and_weighted_centres_of_regions_are_no_markers(tmp_path):
    text = (
        "label,area,bbox-0,bbox-1,centroid-0,centroid-1,centroid_weighted-0-0,intensity_mean-0\n"
        "1,20,2,10,4,11.5,3.9,0.5\n"
    )
    assert describe(save(tmp_path, text))["intensities"] == ["intensity_mean-0"]


@pytest.mark.parametrize(
    ("header", "before"),
    [
        ("EntityID,fov,volume,center_x,center_y,min_x,min_y,leiden", "2317032900000100001,,3731.8"),
        ('"X","fov","volume","center_x","center_y","min_x","min_y","leiden"', "88869,1609,245.8"),
        (",fov,volume,center_x,center_y,min_x,min_y,leiden", "110883424764611924,0,432.2"),
    ],
)
def test_merscope_s_cells_are_in_micrometres(tmp_path, header, before):
    path = save(tmp_path, f"{header}\n{before},37.5,1.75,19,-2,Mac\n")
    cells = read_cells(path, mapping=ColumnMapping(phenotype="leiden"))
    assert cells[["x_um", "y_um", "phenotype"]].to_numpy().tolist() == [[37.5, 1.75, "Mac"]]
    assert describe(path)["format"] == "MERSCOPE"


@pytest.mark.parametrize(
    ("header", "positions"),
    [
        ("X,center_x,center_y,class", ["center_x", "center_y"]),  # R's row names
        ("x,y,center_x,center_y,class", ["x", "y"]),
        ("center_x,y_um,class", None),
        ("x_micron,y_micron,x_pixel,y_pixel,class", None),
        ("x,y,X,class", None),
    ],
)
def test_x_and_y_are_a_pair_or_asked_about(tmp_path, header, positions):
    columns = header.split(",")
    values = [*map(str, range(1, len(columns))), "Mac"]
    told = describe(save(tmp_path, f"{header}\n{','.join(values)}\n"))
    assert told.get("positions") == positions
    if positions is None:
        assert "with --x and --y" in told["needs"][0]


@pytest.mark.parametrize(
    "header",
    ["fov,cell_ID,x_slide_mm,y_slide_mm,cell_type", "Centroid X mm,Centroid Y mm,class"],
    ids=["CosMx", "plain"],
)
def test_millimetres_are_read(tmp_path, header):
    values = "10,7,1.5,2.25,Mac" if "fov" in header else "1.5,2.25,Mac"
    path = save(tmp_path, f"{header}\n{values}\n")
    assert read_cells(path)[["x_um", "y_um"]].to_numpy().tolist() == [[1500, 2250]]
    assert describe(path)["unit"] == "mm"
    columns = ColumnMapping(x="Atlas X mm", y="Atlas Y mm")
    path = save(tmp_path, "Atlas X mm,Atlas Y mm,class\n1.5,2.25,Mac\n")
    assert read_cells(path, mapping=columns)["x_um"].tolist() == [1500]


def test_halo_s_boxes_beside_columns_of_combinations(tmp_path):
    text = (
        "Image Location,Analysis Region,Object Id,XMin,XMax,YMin,YMax,CD3+ FOXP3+,"
        "Nuclei (DAPI) Positive,Nuclei (DAPI) Positive Nucleus,CD3 (Opal 570) Positive,"
        "CD3 (Opal 570) Positive Nucleus,FOXP3 (Opal 620) Positive,Cell Area (µm²),"
        'Classifier Label\n"TMA2_[3,D].tif",Layer 1,0,10,20,30,50,1,1,1,1,0,0,45.9,Tumor\n'
    )
    cells = read_cells(save(tmp_path, text), pixel_size_um=0.5)
    assert cells.loc[0, ["slide_id", "roi_id", "x_um", "y_um"]].tolist() == [
        "TMA2_3_D", "Layer 1", 7.5, 20,
    ]  # fmt: skip
    assert cells.loc[0, ["phenotype", "cd3_positive", "foxp3_positive"]].tolist() == [
        "CD3+", True, False,
    ]  # fmt: skip


def test_a_file_of_a_cytometer_is_called_by_its_name(tmp_path):
    path = tmp_path / "cells.fcs"
    path.write_bytes(b"FCS3.0    58\0\0\n\1\2")
    with pytest.raises(TableError, match="is an FCS file; expected CSV, TSV or Parquet"):
        read_cells(path)
