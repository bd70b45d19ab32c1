"""Every tool's table is known by its content, wherever its positions, names and units stand."""

import gzip
import json
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
import shapely

import small_runs
from macprox.errors import TableError
from macprox.exports.geojson import write_geojson
from macprox.io.tables import ColumnMapping, gate_of_text, read_cells, read_given
from small_runs import macprox

PX = 0.5


def save(folder, text, name="table.csv"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def first(cells, *names):
    return cells.loc[0, list(names or ("slide_id", "roi_id", "x_um", "y_um", "phenotype"))].tolist()


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        # QuPath 0.1: no image, Class, the type as a name
        ("Name,Class,ROI,Centroid X µm,Centroid Y µm", "PathCellObject,Tumor,Polygon,3,4",
         ["table", "1", 3, 4, "Tumor"]),
        # 0.2 to 0.5, and a core
        ("Image,Name,Class,Parent,TMA core,ROI,Centroid X px,Centroid Y px",
         "s.tif,,CD68,A-1,A-1,Polygon,3,4", ["s", "A-1", 1.5, 2, "CD68"]),
        ("Image\tObject ID\tObject type\tName\tClassification\tParent\tROI\tCentroid X\tCentroid Y",
         "s.tif\tab-1\tCell\t\tCD68\tRoot\tPolygon\t3\t4", ["s", "1", 1.5, 2, "CD68"]),
        ("Sample Name,Phenotype,Cell ID,Cell X Position (microns),Cell Y Position (microns)",
         "s.im3,Mac,1,3,4", ["s", "s", 3, 4, "Mac"]),
        # HALO: pixels, or what the header says
        ("Image Location,Analysis Region,Algorithm Name,Object Id,XMin,XMax,YMin,YMax,"
         "CD68 (Opal 520) Positive Classification,CD8 Positive Classification",
         "\\\\srv\\scans\\s.tif,Layer 1,HighPlex,7,2,4,3,5,1,0", ["s", "Layer 1", 1.5, 2, "CD68+"]),
        ("Image File Name,Analysis Region,Object Id,XMin (µm),XMax (µm),YMin (µm),YMax (µm),"
         "Phenotype",
         "s.tif,Layer 1,7,2,4,3,5,Mac", ["s", "Layer 1", 3, 4, "Mac"]),
        ("Object Id,XMin (px),XMax (px),YMin (px),YMax (px),CD68 (Alexa 488) Positive",
         "7,2,4,3,5,1", ["table", "1", 1.5, 2, "CD68+"]),
        # MCMICRO: the first pixel's centre is 0
        ("CellID,CD68,X_centroid,Y_centroid,Area,MajorAxisLength,Eccentricity,imageid,phenotype",
         "1,9,3,4,5,6,0.1,exemplar-001,Mac", ["exemplar-001", "1", 1.75, 2.25, "Mac"]),
        ("CellId,X_position,Y_position,phenotype", "1,3,4,Mac", ["table", "1", 1.75, 2.25, "Mac"]),
        # histoCAT: it is 1
        ("ImageId,CellId,X_position,Y_position,phenotype", "11,1,3,4,Mac",
         ["11", "1", 1.25, 1.75, "Mac"]),
        # CellProfiler
        ("ImageNumber,ObjectNumber,Metadata_Slide,AreaShape_Center_X,AreaShape_Center_Y,"
         "Location_Center_X,Location_Center_Y,Classify_CD68,Classify_CD8",
         "2,1,S7,3,4,3,4,1,0", ["S7", "2", 1.75, 2.25, "CD68+"]),
        ("ImageNumber,ObjectNumber,Location_Center_X,Location_Center_Y,phenotype", "2,1,3,4,Mac",
         ["2", "1", 1.75, 2.25, "Mac"]),
        ("ImageNumber,Nuclei_Number_Object_Number,Nuclei_Location_Center_X,Nuclei_Location_Center_Y,"
         "Cells_Location_Center_X,Cells_Location_Center_Y,phenotype", "2,1,3,4,30,40,Mac",
         ["2", "1", 1.75, 2.25, "Mac"]),
        # scikit-image, steinbock, ark: the row comes first
        ("label,area,centroid-0,centroid-1,phenotype", "1,5,4,3,Mac",
         ["table", "1", 1.75, 2.25, "Mac"]),
        ("Image,Object,CD68,area,centroid-0,centroid-1,axis_major_length,phenotype",
         "im_001.tiff,1,9,5,4,3,2,Mac", ["im_001", "1", 1.75, 2.25, "Mac"]),
        ("fov,label,CD68,cell_size,centroid-0,centroid-1,cell_meta_cluster", "fov1,1,9,5,4,3,Mac",
         ["fov1", "1", 1.75, 2.25, "Mac"]),
        # transcripts, CODEX, ImageJ, Visiopharm
        ("cell_id,x_centroid,y_centroid,transcript_counts,phenotype", "aaab-1,3,4,88,Mac",
         ["table", "1", 3, 4, "Mac"]),
        ("fov,cell_ID,Area,CenterX_local_px,CenterY_local_px,CenterX_global_px,CenterY_global_px,cell_type",
         "12,1,5,1,1,3,4,Mac", ["table", "12", 1.5, 2, "Mac"]),
        ("cell_id,region,x,y,z,CD68,cell_type", "1,reg001,3,4,2,9,Mac",
         ["table", "reg001", 1.5, 2, "Mac"]),
        (" ,Area,Mean,X,Y,class", "1,5,9,3,4,Mac", ["table", "1", 1.5, 2, "Mac"]),
        ("Image,Object Center X,Object Center Y,phenotype", "s.tif,3,4,Mac",
         ["s", "1", 1.5, 2, "Mac"]),
    ],
)  # fmt: skip
def test_a_header_is_known_and_its_unit_read(tmp_path, header, row, expected):
    cells = read_cells(save(tmp_path, f"{header}\n{row}\n"), pixel_size_um=PX)
    assert first(cells) == expected
    path = save(tmp_path, f"{header}\n{row}\n")
    if expected[2] in (3, 4):  # the table says micrometres: nothing is asked
        assert first(read_cells(path)) == expected
    else:
        with pytest.raises(TableError, match="--pixel-size"):
            read_cells(path)


def test_a_centre_in_three_dimensions_is_asked_about(tmp_path):
    path = save(tmp_path, "label,centroid-0,centroid-1,centroid-2,phenotype\n1,1,2,3,Mac\n")
    with pytest.raises(TableError, match="Say where the positions are"):
        read_cells(path, pixel_size_um=1)


def test_qupath_without_centroids_is_told_to_export_them(shared_data):
    path = shared_data / "imports/qupath/cells_measurements_detections.tsv"
    with pytest.raises(TableError, match=r"is QuPath's, but has no positions.*Centroid X µm"):
        read_cells(path)
    cells = read_cells(path, mapping=ColumnMapping(x="Atlas_X", y="Atlas_Y"), pixel_size_um=1000)
    assert first(cells, "slide_id", "x_um", "phenotype") == [
        "animalid0_030", 11523.0, "Cells: marker-",
    ]  # fmt: skip
    assert cells["marker_positive"].sum() == (cells["phenotype"] == "Cells: marker+").sum() > 1000


@pytest.mark.parametrize(
    ("names", "marker", "positive"),
    [
        (["Tumor: CD68: PD-L1", "Tumor", "Stroma"], "PD-L1", [True, False, False]),
        (["Tumor: CD68: PD-L1", "Tumor", "Stroma"], "Tumor", [True, True, False]),
        (["CD68: Positive", "CD68: Negative", ""], "CD68", [True, False, False]),
        (["Tumor: Positive", "Tumor: Negative", "Stroma"], "Tumor", [True, True, False]),
        (["Tumor: Positive", "Tumor: Negative", "Stroma"], "Positive", [True, False, False]),
        (["Immune cells*: CD68: 2+", "Immune cells: CD8", ""], "Immune cells", [True, True, False]),
        (["Cells: CD68+", "Cells: CD68-", ""], "CD68", [True, False, False]),
    ],
)
def test_derived_classes_say_markers(tmp_path, names, marker, positive):
    rows = "".join(f"s.svs,Cell,{name},{i},{i}\n" for i, name in enumerate(names))
    path = save(tmp_path, f"Image,Object type,Classification,Centroid X µm,Centroid Y µm\n{rows}")
    given = read_given(path)
    assert given.cells[given.markers[marker]].tolist() == positive
    assert given.cells["phenotype"].tolist() == [name or "Other" for name in names]


def test_plain_classes_are_no_markers(tmp_path):
    text = "Image,Object type,Class,Centroid X µm,Centroid Y µm\ns.svs,Cell,Tumor,1,1\n"
    assert read_given(save(tmp_path, text)).markers == {}


def feature(geometry, kind="detection", cls="CD68", **more):
    said = {"objectType": kind, "classification": {"name": cls, "color": [1, 2, 3]}}
    return {"type": "Feature", "id": f"id-{id(geometry)}", "geometry": geometry,
            "properties": said} | more  # fmt: skip


def polygon(*box):
    return json.loads(shapely.to_geojson(shapely.box(*box)))


def packed(folder, content, how="collection"):
    if how != "list":
        content = {"type": "FeatureCollection", "features": content}
    text = json.dumps(content)
    path = save(folder, text, "s.geojson")
    if how == "gz":
        path = folder / "s.geojson.gz"
        path.write_bytes(gzip.compress(text.encode()))
    elif how == "zip":
        path = folder / "s.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("s.geojson", text)
    elif how == "json":
        path = save(folder, "\ufeff\n" + text, "s.json")
    return path


@pytest.mark.parametrize("how", ["collection", "list", "gz", "zip", "json"])
def test_qupath_s_objects_lie_where_their_nuclei_are(tmp_path, how):
    nucleus = feature(polygon(0, 0, 10, 10), "cell", nucleusGeometry=polygon(2, 2, 4, 6))
    hole = json.loads(shapely.to_geojson(shapely.box(0, 0, 8, 8) - shapely.box(2, 2, 4, 4)))
    content = [
        nucleus,
        feature({"type": "Point", "coordinates": [8, 10]}),
        feature(polygon(4, 4, 8, 12), cls="Tumor"),
        feature(hole, cls="Tumor"),
        feature(polygon(0, 0, 99, 99), "annotation"),
    ]
    path = packed(tmp_path, content, how)
    with pytest.raises(TableError, match=r"in pixels.*--pixel-size"):
        read_cells(path)
    cells = read_cells(path, pixel_size_um=PX)
    expected = shapely.from_geojson(json.dumps(hole)).centroid
    np.testing.assert_allclose(
        cells[["x_um", "y_um"]],
        [[1.5, 2], [4, 5], [3, 4], [expected.x / 2, expected.y / 2]],
    )
    assert cells["slide_id"].unique().tolist() == ["s"]
    assert cells["phenotype"].tolist() == ["CD68", "CD68", "Tumor", "Tumor"]
    assert cells["source_cell_id"].str.startswith("id-").all()


def test_older_objects_have_their_type_as_id_and_lists_of_measurements(tmp_path):
    old = [
        {"type": "Feature", "id": f"Path{kind}Object", "geometry": polygon(0, 0, 4 * n, 4),
         "properties": {"classification": {"name": name}, "isLocked": False,
                        "measurements": [{"name": "Cell: CD68 mean", "value": 7.5 * n}]}}
        for n, (kind, name) in enumerate([("Cell", "T"), ("Cell", "M"), ("Annotation", "A")], 1)
    ]  # fmt: skip
    given = read_given(packed(tmp_path, old), ColumnMapping(gates=(gate_of_text("CD68=10"),)), 1)
    assert given.cells["x_um"].tolist() == [2, 4]
    assert given.cells["cell_id"].tolist() == [1, 2]
    assert given.cells["cd68_positive"].tolist() == [False, True]


def test_names_of_classes_may_be_a_list_and_stand_in_properties(tmp_path):
    one = feature(polygon(0, 0, 2, 2))
    one["properties"]["classification"] = {"names": ["Tumor", "CD68"]}
    two = feature(polygon(0, 0, 2, 2))
    del two["properties"]["classification"]
    given = read_given(packed(tmp_path, [one, two]), None, 1)
    assert given.cells["phenotype"].tolist() == ["Tumor: CD68", "Other"]
    assert given.cells["cd68_positive"].tolist() == [True, False]


def test_our_own_geojson_comes_back(tmp_path):
    cells = pd.DataFrame(
        {"slide_id": "s", "cell_id": [7, 3], "x_um": [1.25, 9.0], "y_um": [2.0, 4.5],
         "phenotype": ["Mac", "Other"]}
    )  # fmt: skip
    path = write_geojson(cells, 0.325, tmp_path / "s.geojson")
    back = read_cells(path, pixel_size_um=0.325)
    pd.testing.assert_frame_equal(
        back.drop(columns="roi_id"), cells, check_dtype=False, check_exact=False
    )
    whole = json.loads(path.read_text())
    for one, number in zip(whole["features"], (70, 30), strict=True):
        one["properties"] |= {"metadata": {"cell_id": str(number)}, "name": "a cell"}
    path.write_text(json.dumps(whole))
    assert read_cells(path, pixel_size_um=1)["cell_id"].tolist() == [70, 30]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ([feature(polygon(0, 0, 9, 9), "annotation")], "holds annotations.*--tumour or --window"),
        ([], "holds no object"),
        ([feature(None)], "1 of 1 objects have no geometry"),
        ([feature({"type": "Polygon", "coordinates": [[[0, "a"], [1, 1], [1, 0]]]})],
         "a geometry is not GeoJSON"),
        ([feature({"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]})],
         "a geometry is not GeoJSON"),
        ([feature({"type": "Polygon", "coordinates": [[]]})], "is not GeoJSON|no geometry"),
        ([feature({"type": "Point", "coordinates": [float("nan"), 1]})], "no position"),
        ([feature({"type": "Blob"})], "a geometry is not GeoJSON"),
        ([1, 2], "JSON but not GeoJSON"),
    ],
)  # fmt: skip
def test_objects_that_are_no_cells_are_refused_in_one_sentence(tmp_path, content, problem):
    with pytest.raises(TableError, match=problem) as told:
        read_cells(packed(tmp_path, content), pixel_size_um=1)
    assert "\n" not in str(told.value)


def test_torn_json_and_other_json_are_refused(tmp_path):
    path = save(tmp_path, json.dumps([feature(polygon(0, 0, 9, 9))])[:-9], "s.geojson")
    with pytest.raises(TableError, match="is not GeoJSON"):
        read_cells(path, pixel_size_um=1)
    with pytest.raises(TableError, match="JSON but not GeoJSON"):
        read_cells(save(tmp_path, '{"a": 1}', "s.json"), pixel_size_um=1)


def test_cellprofiler_s_images_and_merged_objects(tmp_path):
    objects = "ImageNumber,ObjectNumber,Location_Center_X,Location_Center_Y,phenotype\n"
    rows = "1,1,3,4,Mac\n2,1,3,4,Tum\n"
    path = save(tmp_path, objects + rows, "Run_Nuclei.csv")
    assert read_cells(path, pixel_size_um=1)["slide_id"].tolist() == ["1", "2"]  # control
    images = "ImageNumber,FileName_DAPI,Count_Nuclei\n1,a.tif,1\n2,b.tif,1\n"
    save(tmp_path, images, "Run_Image.csv")
    cells = read_cells(path, pixel_size_um=1)
    assert cells[["slide_id", "roi_id"]].to_numpy().tolist() == [["a", "1"], ["b", "2"]]
    save(tmp_path, images + "2,c.tif,1\n", "Run_Image.csv")
    with pytest.raises(TableError, match="has an ImageNumber twice"):
        read_cells(path, pixel_size_um=1)
    merged = (
        "Image,Image,Nuclei,Nuclei,Nuclei,Cells,Cells\n"
        "ImageNumber,Metadata_Sample,ObjectNumber,AreaShape_Center_X,AreaShape_Center_Y,"
        "AreaShape_Center_X,AreaShape_Center_Y\n1,S1,1,3,4,30,40\n"
    )
    mapping = ColumnMapping(phenotype="Metadata_Sample")
    cells = read_cells(save(tmp_path, merged, "all.csv"), mapping=mapping, pixel_size_um=1)
    assert first(cells) == ["S1", "1", 3.5, 4.5, "S1"]


@pytest.fixture
def steinbock(tmp_path):
    for image, n in (("P1_001", 2), ("P1_002", 1)):
        rows = "".join(f"{i},10,{i}.5,20,5,3,0.1\n" for i in range(1, n + 1))
        header = (
            "Object,area,centroid-0,centroid-1,axis_major_length,axis_minor_length,eccentricity\n"
        )
        save(tmp_path, header + rows, f"regionprops/{image}.csv")
        rows = "".join(f"{i},{i * 10}\n" for i in range(1, n + 1))
        save(tmp_path, "Object,CD68\n" + rows, f"intensities/{image}.csv")
    return tmp_path


def test_a_steinbock_folder_is_one_table_and_its_acquisitions_are_fields(steinbock):
    mapping = ColumnMapping(gates=(gate_of_text("CD68=15"),))
    with pytest.raises(TableError, match=r"in pixels \(steinbock\)"):
        read_cells(steinbock, mapping=mapping)
    cells = read_cells(steinbock, mapping=mapping, pixel_size_um=1)
    assert cells["slide_id"].tolist() == ["P1_001", "P1_001", "P1_002"]
    assert cells[["x_um", "y_um"]].to_numpy().tolist() == [[20.5, 2], [20.5, 3], [20.5, 2]]
    assert cells["phenotype"].tolist() == ["Other", "CD68+", "Other"]
    save(steinbock, "image,source_file\nP1_001.tiff,P1.mcd\nP1_002.tiff,P1.mcd\n", "images.csv")
    cells = read_cells(steinbock, mapping=mapping, pixel_size_um=1)
    assert cells["slide_id"].unique().tolist() == ["P1"]
    assert cells["roi_id"].tolist() == ["P1_001", "P1_001", "P1_002"]
    files = sorted((steinbock / "regionprops").glob("*.csv"))
    pd.testing.assert_frame_equal(cells, read_cells(files, mapping=mapping, pixel_size_um=1))


def test_a_damaged_steinbock_folder_is_refused(steinbock):
    save(steinbock, "Object,CD68\n1,1\n1,2\n", "intensities/P1_001.csv")
    with pytest.raises(TableError, match="no table of one row an Object"):
        read_cells(steinbock)
    save(steinbock, "cell,area\n1,1\n", "regionprops/P1_001.csv")
    with pytest.raises(TableError, match="has no column Object"):
        read_cells(steinbock)
    for path in (steinbock / "regionprops").glob("*"):
        path.unlink()
    with pytest.raises(TableError, match=r"holds no \.csv of objects"):
        read_cells(steinbock)
    with pytest.raises(TableError, match="is a folder, but neither zarr"):
        read_cells(steinbock / "intensities")


def test_other_tools_parquet_is_read_as_their_text(tmp_path):
    frame = pd.DataFrame({"cell_id": ["a", "b"], "x_centroid": [1.5, 2], "y_centroid": [3.0, 4],
                          "transcript_counts": [7, 8], "cluster": ["T", "M"]})  # fmt: skip
    frame.to_parquet(tmp_path / "cells.parquet")
    cells = read_cells(tmp_path / "cells.parquet")
    assert cells["x_um"].tolist() == [1.5, 2]
    assert cells["source_cell_id"].tolist() == ["a", "b"]


def annotated(obs=None, xy=((1, 2), (3, 4)), x=None, **uns):
    anndata = pytest.importorskip("anndata", reason="anndata is not installed here")
    obs = pd.DataFrame({"cell_type": ["Mac", "Tum"]} if obs is None else obs, index=["a", "b"])
    var = pd.DataFrame(index=["CD68", "CD8"])
    x = np.array([[5.0, 0], [1, 7]]) if x is None else x
    obsm = {} if xy is None else {"spatial": np.asarray(xy, float)}
    return anndata.AnnData(x, obs=obs, var=var, obsm=obsm, uns=uns)


@pytest.fixture(params=["h5ad", "zarr"])
def stored(request, tmp_path):
    def write(data, name="s"):
        import warnings

        path = tmp_path / f"{name}.{request.param}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of formats that change
            (data.write_h5ad if request.param == "h5ad" else data.write_zarr)(path)
        return path

    return write


def test_anndata_without_a_unit_is_asked_about(stored):
    path = stored(annotated(spatial={"lib": {"scalefactors": {"spot_diameter_fullres": 1.0}}}))
    with pytest.raises(TableError, match="says the unit of positions"):
        read_cells(path)
    cells = read_cells(path, pixel_size_um=PX)
    assert cells[["slide_id", "x_um", "phenotype"]].to_numpy().tolist() == [
        ["s", 0.5, "Mac"], ["s", 1.5, "Tum"],
    ]  # fmt: skip
    assert cells["source_cell_id"].tolist() == ["a", "b"]


def test_anndata_with_a_unit_asks_nothing(stored):
    obs = {"cell_type": pd.Categorical(["Mac", "Tum"]), "imageid": [1, 2], "CellID": [8, 9]}
    cells = read_cells(stored(annotated(obs, macprox={"spatial_unit": "um"})))
    assert cells[["slide_id", "cell_id", "x_um"]].to_numpy().tolist() == [["1", 8, 1], ["2", 9, 3]]
    cells = read_cells(stored(annotated({"x_um": [5, 6], "y_um": 0, "phenotype": "Mac"}), "t"))
    assert cells["x_um"].tolist() == [5, 6]


def test_our_own_anndata_comes_back_whole(stored):
    obs = {"slide_id": pd.Categorical(["007"] * 2), "roi_id": "1", "cell_id": [4, 9],
           "phenotype": pd.Categorical(["Mac", "Tum"]), "cd68_positive": [True, False],
           "area_um2": [1.5, 2.5]}  # fmt: skip
    given = read_given(stored(annotated(obs, macprox={"spatial_unit": "um"})))
    assert given.markers == {"cd68": "cd68_positive"}
    assert given.cells.loc[1, ["slide_id", "cell_id", "x_um", "y_um"]].tolist() == ["007", 9, 3, 4]
    assert given.cells["area_um2"].tolist() == [1.5, 2.5]


@pytest.mark.parametrize("how", ["dense", "row by row", "sparse"])
def test_gates_are_held_to_x(stored, how, monkeypatch):
    from scipy import sparse

    if how == "row by row":
        monkeypatch.setattr("macprox.io.tables.anndata.SLAB_ROWS", 1)
    x = sparse.csr_matrix([[5.0, 0], [1, 7]]) if how == "sparse" else None
    path = stored(annotated({"Area": [1, 2]}, x=x))
    with pytest.raises(TableError, match="which column is the phenotype"):
        read_cells(path, pixel_size_um=1)
    mapping = ColumnMapping(gates=(gate_of_text("CD68=2"), gate_of_text("CD8=2")))
    cells = read_cells(path, mapping=mapping, pixel_size_um=1)
    assert cells["phenotype"].tolist() == ["CD68+", "CD8+"]
    assert cells["mean_cd8_cell"].tolist() == [0, 7]


@pytest.mark.parametrize(
    ("name", "how", "n_slides", "n_cells"),
    [
        ("imports/mcmicro/scimap_example_data.csv.gz", {"gates": ("CD68=500",)}, 1, None),
        ("tables/crc_reg009A_codex_celesta_fullmarkers.csv.gz", {}, 1, 2434),
        ("tables/skin_csm_mif_cells.csv.gz", {"slide": "Subject_Names"}, 1, 21499),
    ],
)
def test_files_of_other_groups_are_read(shared_data, name, how, n_slides, n_cells):
    gates = tuple(map(gate_of_text, how.get("gates", ())))
    mapping = ColumnMapping(slide=how.get("slide"), gates=gates)
    cells = read_cells(shared_data / name, mapping=mapping, pixel_size_um=0.5)
    assert cells["slide_id"].nunique() == n_slides
    assert n_cells is None or len(cells) == n_cells
    assert cells["phenotype"].nunique() > 1


def test_scimap_s_example_has_its_positions_in_columns(shared_data):
    path = shared_data / "imports/h5ad/scimap_example.h5ad"
    with pytest.raises(TableError, match="in pixels"):
        read_cells(path)
    cells = read_cells(path, pixel_size_um=1)
    assert len(cells) == 3029
    assert (cells["phenotype"] == "Tumor CD30+").sum() == 245


def test_positions_in_depth_are_refused(stored):
    flat = read_cells(stored(annotated(xy=[[1, 2, 7], [3, 4, 7]])), pixel_size_um=1)
    assert flat["x_um"].tolist() == [1, 3]
    with pytest.raises(TableError, match="expected 2 rows of x and y"):
        read_cells(stored(annotated(xy=[[1, 2, 7], [3, 4, 8]]), "deep"), pixel_size_um=1)


def test_steinbock_s_anndata_has_its_positions_in_columns(stored):
    obs = {"Image": "P1_001.tiff", "Object": [1, 2], "centroid-0": [4, 5], "centroid-1": [30, 40]}
    mapping = ColumnMapping(gates=(gate_of_text("CD68=2"),))
    cells = read_cells(stored(annotated(obs, xy=None)), mapping=mapping, pixel_size_um=1)
    assert cells[["slide_id", "x_um", "y_um", "phenotype"]].to_numpy().tolist() == [
        ["P1_001", 30.5, 4.5, "CD68+"], ["P1_001", 40.5, 5.5, "Other"],
    ]  # fmt: skip


def test_anndata_and_a_folder_become_results(stored, steinbock, tmp_path):
    request = ("--source", "CD68+", "--target", "CD68-", "--pixel-size", 1, "--quiet", "-o")
    path = stored(annotated({"Area": [1, 2]}))
    with small_runs.without_reports():
        for given, gate in ((path, "CD68=2"), (steinbock, "CD68=15")):
            ended = macprox("stats", given, "--gate", gate, *request, tmp_path / given.stem)
            assert ended.code == 0, ended.err


def test_damaged_anndata_is_one_sentence(stored, tmp_path):
    path = stored(annotated(xy=None))
    with pytest.raises(TableError, match="Say where the positions are"):
        read_cells(path)
    if path.is_file():
        data = path.read_bytes()
        for n in (200, len(data) // 2, len(data) - 9):
            path.write_bytes(data[:n])
            with pytest.raises(TableError, match="is no AnnData") as told:
                read_cells(path)
            assert "\n" not in str(told.value)
    else:
        for name in ("obs/_index", "obs"):
            for file in (path / name).rglob("*"):
                if file.is_file():
                    file.write_bytes(b"torn")
        with pytest.raises(TableError, match="is no AnnData"):
            read_cells(path)


def test_without_anndata_the_remedy_is_told(stored, monkeypatch):
    path = stored(annotated())
    monkeypatch.setitem(sys.modules, "anndata", None)
    monkeypatch.setitem(sys.modules, "anndata.io", None)
    with pytest.raises(TableError, match=r'needs anndata: pip install "macprox\[anndata\]"'):
        read_cells(path)


def test_zarr_without_a_table_is_refused(tmp_path):
    import zarr

    zarr.open_group(str(tmp_path / "s.zarr"), mode="w")
    with pytest.raises(TableError, match="zarr without a table of cells"):
        read_cells(tmp_path / "s.zarr")
    for file in (tmp_path / "s.zarr").iterdir():
        file.write_bytes(b"{torn")
    with pytest.raises(TableError, match="is no zarr group"):
        read_cells(tmp_path / "s.zarr")


def test_inspect_tells_what_is_recognised_and_what_is_missing(tmp_path, shared_data):
    path = shared_data / "imports/mcmicro/exemplar-001--unmicst_cell.csv.gz"
    (one,) = json.loads(macprox("inspect", path, "--json").out)
    assert (one["format"], one["cells"], one["unit"]) == ("MCMICRO", 11201, "pixels")
    assert one["positions"] == ["X_centroid", "Y_centroid"]
    assert "ECAD" in one["intensities"]
    assert [text.split("?")[0].split(" in ")[0] for text in one["needs"]] == [
        "which column is the phenotype", "positions",
    ]  # fmt: skip
    text = "Image,Object type,Class,TMA core,Centroid X µm,Centroid Y µm\ns.tif,Cell,CD68,A-1,1,1\n"
    ended = macprox("inspect", save(tmp_path, text))
    assert ended.code == 0
    for fact in ("QuPath", "µm", "Image (1)", "TMA core (1)", "CD68 1"):
        assert fact in ended.out
    (one,) = json.loads(macprox("inspect", save(tmp_path, "a,b\n1,2\n"), "--json").out)
    assert one["needs"][0].startswith("no table of a known tool")
    ended = macprox("inspect", save(tmp_path, "", "empty.csv"))
    assert (ended.code, ended.err.count("\n")) == (2, 1)


def test_a_packed_table_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "s.geojson.gz"
    text = json.dumps([feature(polygon(0, 0, 9, 9))]) + " " * 10**6
    path.write_bytes(gzip.compress(text.encode()))
    assert len(read_cells(path, pixel_size_um=1)) == 1  # control
    monkeypatch.setattr("macprox.io.packed.MOST_UNPACKED_BYTES", 10**5)
    with pytest.raises(TableError, match="is damaged: more than 0 GB when unpacked"):
        read_cells(path, pixel_size_um=1)
