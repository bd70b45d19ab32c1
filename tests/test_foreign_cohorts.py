"""A stranger's cohort of cells becomes a result folder that knows patients, groups and classes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
import tifffile

import macprox as mp
import small_runs
from macprox.errors import MacproxError, TableError
from macprox.io.masks import read_mask
from macprox.io.tables import ColumnMapping, read_given, signs_of
from macprox.pipeline.given import TableRequest, prepare_tables, run_tables, write_tables
from macprox.spatial import proximity
from macprox.study import Study
from small_runs import macprox

MARKERS = ("CD14", "CD4", "CK")
PATIENTS = {"s1": "007", "s2": "007", "s3": "10", "s4": "2"}
GROUPS = {"007": "early", "10": "late", "2": "late"}


def cohort(n_cells=240, seed=0) -> pd.DataFrame:
    """Four images of three patients; CD14 and CK are independent, so some cells have both."""
    rng = np.random.default_rng(seed)
    slide = np.repeat(list(PATIENTS), n_cells // len(PATIENTS))
    positive = rng.random((n_cells, 3)) < [0.5, 0.4, 0.5]
    table = pd.DataFrame({"image": slide, "case": [PATIENTS[name] for name in slide]})
    table["stage"] = table["case"].map(GROUPS)
    table["x"], table["y"] = rng.uniform(0, 200, n_cells).round(1), rng.uniform(0, 200, n_cells)
    for marker, values in zip(MARKERS, positive.T, strict=True):
        table[f"phenotype_{marker.lower()}"] = np.where(values, f"{marker}+", f"{marker}-")
    return table


MAPPING = ColumnMapping(
    slide="image",
    patient="case",
    group="stage",
    phenotype=tuple(f"phenotype_{marker.lower()}" for marker in MARKERS),
)


@pytest.fixture
def table(tmp_path):
    return saved(cohort(), tmp_path)


def saved(table, folder, name="cells.csv", **how) -> Path:
    path = folder / name
    table.to_csv(path, index=False, **how)
    return path


def run(path, request, out, mapping=MAPPING):
    with small_runs.without_reports():
        return run_tables([path], mapping, request, out, pixel_size_um=1.0)


def has(table, marker):
    return table[f"phenotype_{marker.lower()}"] == f"{marker}+"


@pytest.mark.parametrize(
    ("text", "signs"),
    [
        ("CD68+", {"CD68": True}),
        ("CK+CD8-CD14-", {"CK": True, "CD8": False, "CD14": False}),
        ("CK+ CD8- CD14+", {"CK": True, "CD8": False, "CD14": True}),
        ("CK+/CD8-", {"CK": True, "CD8": False}),
        ("PD-L1+CD68+", {"PD-L1": True, "CD68": True}),
        ("HLA-DR-CD8+", {"HLA-DR": False, "CD8": True}),
        ("CD68⁺ CD163⁻", {"CD68": True, "CD163": False}),
        ("T-cell", None),
        ("Macrophage", None),
        ("", None),
        ("+", None),
        ("CD68+ macrophage", None),
    ],
)
def test_a_name_of_markers_and_signs_is_told_from_any_other_name(text, signs):
    assert signs_of(text) == signs


@pytest.mark.parametrize(
    ("positive", "negative"),
    [("CD8+", "CD8-"), ("1", "0"), ("TRUE", "FALSE"), ("pos", "neg"), ("Yes", "no"), ("1.0", ""),
     ("+", "-"), ("CD8", "Other"), ("CD8 positive", "CD8 negative"), ("3", "0")],
)  # fmt: skip
def test_positivity_is_read_however_it_is_spelled(tmp_path, positive, negative):
    rows = [(1, positive, "CK-"), (2, negative, "CK+"), (3, positive, "CK+")]
    frame = pd.DataFrame(rows, columns=["x", "CD8.pos", "ck"]).assign(y=1)
    given = read_given(saved(frame, tmp_path), ColumnMapping(phenotype=("CD8.pos", "ck")), 1.0)
    assert given.cells["phenotype"].tolist() == ["CD8+", "CK+", "CD8+ CK+"]
    assert given.markers == {"CD8": "cd8_positive", "CK": "ck_positive"}
    assert given.cells["cd8_positive"].tolist() == [True, False, True]


@pytest.mark.parametrize("wrong", ["0.53", "maybe", "17", "nan.1"])
def test_what_is_no_call_is_refused_and_not_negative(tmp_path, wrong):
    frame = pd.DataFrame({"x": [1, 2], "y": 1, "cd8": ["1", wrong], "ck": ["0", "1"]})
    with pytest.raises(TableError, match=rf"column 'cd8' should say positive.*has '{wrong}'"):
        read_given(saved(frame, tmp_path), ColumnMapping(phenotype=("cd8", "ck")), 1.0)


def test_a_plain_marker_means_every_positive_cell_whatever_else_it_is(table, tmp_path):
    cells = cohort()
    only = has(cells, "CD14") & ~has(cells, "CD4") & ~has(cells, "CK")
    wanted = has(cells, "CD14") & ~has(cells, "CK")
    assert only.sum() < wanted.sum()  # control: the joined name would be too few
    given = prepare_tables([table], MAPPING, TableRequest("CD14+ CK-", "CK+"), 1.0)
    called = pd.concat([slide.cells for slide in given.slides])["phenotype"]
    assert (called == "CD14+ CK-").sum() == wanted.sum()
    assert (called == "CK+").sum() == has(cells, "CK").sum()
    assert given.notices == []
    assert (called == "CD4+").sum() == (
        has(cells, "CD4") & ~has(cells, "CD14") & ~has(cells, "CK")
    ).sum()


def test_a_rule_with_brackets_counts_as_pandas_does(table):
    request = TableRequest(
        "Mono = CD14+ (CD4+ or CK-)", "CK+ CD14-", also=("Helper = CD4+ CD14- CK-",)
    )
    given = prepare_tables([table], MAPPING, request, 1.0)
    called = pd.concat([slide.cells for slide in given.slides])["phenotype"]
    cells = cohort()
    mono = has(cells, "CD14") & (has(cells, "CD4") | ~has(cells, "CK"))
    assert (called == "Mono").sum() == mono.sum()
    assert (called == "Helper").sum() > 0
    assert given.study.proximity.macrophages == ("Mono",)
    assert {"Mono", "Helper", "CK+ CD14-"} <= set(given.study.phenotypes)


def test_a_cell_that_fits_both_is_ambiguous_and_told_with_a_rule_that_tells_them_apart(table):
    cells = cohort()
    both = has(cells, "CD14") & has(cells, "CK")
    given = prepare_tables([table], MAPPING, TableRequest("CD14+", "CK+"), 1.0)
    called = pd.concat([slide.cells for slide in given.slides])["phenotype"]
    assert (called == "Ambiguous").sum() == both.sum() > 0
    (notice,) = given.notices
    assert notice.startswith(f"{both.sum()} cells fit both 'CD14+' and 'CK+' and are Ambiguous.")
    assert notice.endswith('Write "CD14+ CK-" so that none does.')
    again = prepare_tables([table], MAPPING, TableRequest("CD14+ CK-", "CK+"), 1.0)
    assert again.notices == []
    assert sum("fit both" in slide.warnings[0] for slide in given.slides if slide.warnings) > 0


def test_names_such_as_ck_pos_cd8_neg_are_read_as_markers(tmp_path):
    names = ["CK+CD14-CD8-", "CK-CD14+CD8-", "CK-CD14+CD8+", "CK-CD14-CD8-", "CK-CD14-CD8+"]
    frame = pd.DataFrame({"X": range(5), "Y": 0, "Sample": "a", "Phenotype": names})
    path = saved(frame, tmp_path)
    given = prepare_tables([path], None, TableRequest("CD14+", "CK+"), 1.0)
    assert given.slides[0].cells["phenotype"].tolist() == [
        "CK+", "CD14+", "CD14+", "Other", "CK-CD14-CD8+",
    ]  # fmt: skip
    exact = prepare_tables([path], None, TableRequest("CK-CD14+CD8-", "CK+"), 1.0)
    assert exact.slides[0].cells["phenotype"].tolist()[1:3] == ["CK-CD14+CD8-", "CK-CD14+CD8+"]


def test_names_can_be_pooled_into_one_class(tmp_path):
    frame = pd.DataFrame(
        {"x_um": range(4), "y_um": 0, "Cell.Type": ["M1", "M2", "Tumour cell", "B"]}
    )
    given = prepare_tables(
        [saved(frame, tmp_path)], None, TableRequest("Mac = M1 or M2", "Tumour cell")
    )
    assert given.slides[0].cells["phenotype"].tolist() == ["Mac", "Mac", "Tumour cell", "B"]


def test_patients_and_groups_reach_the_sheet_the_study_and_every_manifest(table, tmp_path):
    out = tmp_path / "out"
    results = run(table, TableRequest("CD14+ CK-", "CK+"), out)
    sheet = pd.read_csv(out / "samples.csv", dtype=str)
    assert sheet.columns.tolist() == ["slide_id", "patient", "group", "stage"]
    assert dict(zip(sheet["slide_id"], sheet["patient"], strict=True)) == PATIENTS  # "007" is not 7
    assert (sheet["group"] == sheet["stage"]).all()
    assert Study.from_toml(out / "study.toml").cohort.samples == str(out / "samples.csv")
    for result in results:
        patient = PATIENTS[result.slide_id]
        assert result.manifest["patient"] == patient
        assert result.manifest["sample"]["group"] == GROUPS[patient]
    moved = tmp_path / "moved"
    shutil.move(out, moved)
    assert Path(Study.from_toml(moved / "study.toml").cohort.samples).is_file()


def test_the_whole_cohort_is_one_command(tmp_path):
    frame = cohort().rename(columns=str.upper).assign(AGE="61")
    path = tmp_path / "cells.csv.gz"
    frame.to_csv(path, index=False)
    columns = [part for m in MARKERS for part in ("--phenotype", f"PHENOTYPE_{m}")]
    with small_runs.without_reports():
        ended = macprox(
            "stats", path, *columns, "--slide-column", "IMAGE", "--patient-column", "CASE",
            "--group-column", "STAGE", "--sample-column", "AGE", "--source", "CD14+ CK- CD4-",
            "--source", "CD14+ CK- CD4+", "--target", "CK+", "--pixel-size", 1,
            "-o", tmp_path / "out", "--quiet",
        )  # fmt: skip
    assert ended.code == 0, ended.err
    statistics = mp.open_result(tmp_path / "out" / "slides" / "s1").statistics()
    assert {"CD14+ CK- CD4-", "CD14+ CK- CD4+", "All macrophages"} <= set(statistics["source"])
    sheet = pd.read_csv(tmp_path / "out" / "samples.csv", dtype=str)
    assert sheet.columns.tolist() == ["slide_id", "patient", "group", "STAGE", "AGE"]


def test_a_slide_of_given_cells_says_what_proximity_says(table, tmp_path):
    (first, *_) = run(table, TableRequest("CD14+ CK-", "CK+", seed=3), tmp_path / "out")
    alone = proximity(
        first.cells(), "CD14+ CK-", "CK+", radii_um=TableRequest("a", "b").radii_um, seed=3
    )
    keys = ["roi_id", "statistic", "source", "target", "r_um", "correction"]
    both = alone.merge(first.statistics(), on=keys, suffixes=("", "_given"))
    assert len(both) == len(alone)
    for column in ("value", "expected", "p"):
        np.testing.assert_array_equal(both[column], both[f"{column}_given"])
    assert both["reason"].tolist() == both["reason_given"].tolist()


def test_several_classes_have_rows_of_their_own_and_a_lineage_null(table, tmp_path):
    sources = ("CD14+ CK- CD4-", "CD14+ CK- CD4+")
    (first, *_) = run(table, TableRequest(sources, "CK+"), tmp_path / "out")
    statistics, cells = first.statistics(), first.cells()
    lineage = statistics[statistics["eligible"] == " or ".join(sources)]
    assert set(lineage["moved"]) == set(sources)
    pooled = proximity(cells, sources, "CK+", radii_um=(20.0,))
    together = statistics[statistics["source"] == "All macrophages"]
    for frame, source in ((pooled, " or ".join(sources)), (together, "All macrophages")):
        rows = frame[(frame["source"] == source) & (frame["statistic"] == "nearest_mean_um")]
        frame.attrs["value"] = rows["value"].iloc[0]
    assert pooled.attrs["value"] == together.attrs["value"]
    profile = statistics[statistics["statistic"] == "border_profile_per_mm2"]
    assert profile["value"].isna().all()
    assert profile["reason"].str.startswith("no tumour region").all()


def test_a_slide_without_source_stays_with_rows_of_nan_and_the_reason(tmp_path):
    frame = cohort()
    frame.loc[frame["image"] == "s2", "phenotype_cd14"] = "CD14-"
    results = run(saved(frame, tmp_path), TableRequest("CD14+ CK-", "CK+"), tmp_path / "out")
    (second,) = (result for result in results if result.slide_id == "s2")
    rows = second.statistics().query("statistic == 'g'")
    assert rows["value"].isna().all()
    assert set(rows["reason"]) == {"no cells of 'CD14+ CK-'"}


def refused(frame, tmp_path, match, mapping=MAPPING, request=None, **how):
    path, out = saved(frame, tmp_path), tmp_path / "out"
    with pytest.raises(MacproxError, match=match) as told:
        run(path, request or TableRequest("CD14+ CK-", "CK+", **how), out, mapping)
    assert "\n" not in str(told.value)
    assert not out.exists()  # nothing half-written


def test_two_patients_on_a_slide_are_refused_with_both_names(tmp_path):
    frame = cohort()
    frame.loc[3, "case"] = "11"
    refused(frame, tmp_path, "Slide 's1' has two patients in column 'case', '007' and '11'")


def test_a_fact_that_changes_within_a_slide_is_named(tmp_path):
    frame = cohort()
    frame.loc[3, "stage"] = "late"
    refused(frame, tmp_path, "Column 'stage' is not the same in all rows of slide 's1': 'early'")


def test_a_slide_without_patient_is_kept_and_told(tmp_path):
    frame = cohort()
    frame.loc[frame["image"] == "s3", "case"] = ""
    frame.loc[2, "case"] = None  # others of its slide say who it is
    path = saved(frame, tmp_path)
    given = prepare_tables([path], MAPPING, TableRequest("CD14+ CK-", "CK+"), 1.0)
    assert given.notices == ["1 of 4 slides have no patient: s3."]
    with small_runs.without_reports():
        results = write_tables(given, tmp_path / "out")
    assert [result.manifest["patient"] for result in results] == ["007", "007", None, "2"]
    assert "takes no part in a cohort" in results[2].manifest["warnings"][0]


@pytest.mark.parametrize(
    ("how", "match"),
    [
        ({"source": "CD41+"}, "needs marker 'CD41'.*CD14, CD4, CK.* Did you mean 'CD4'"),
        ({"source": "CD14+ CK"}, "'CK' has no sign"),
        ({"source": "Macrophage"}, "No cell is called 'Macrophage'"),
        ({"source": "CD14+ CD14-"}, "No cell of any slide is"),
        ({"source": "CK+ CD14+"}, "No cell of any slide is.*fit both"),
        ({"source": "CD14+ in:tumour"}, "asks for in:tumour.*--tumour"),
        ({"source": ("CD14+ CK-", "CD14+ CK-")}, "is asked for twice"),
    ],
)
def test_a_class_that_the_tables_do_not_have_is_one_sentence(tmp_path, how, match):
    refused(cohort(), tmp_path, match, request=TableRequest(**{"target": "CK+", **how}))


def test_an_unknown_column_is_told_with_the_nearest(tmp_path):
    mapping = ColumnMapping(slide="image", patient="Cas", phenotype=MAPPING.phenotype)
    refused(cohort(), tmp_path, "has no column 'Cas'.*Did you mean 'case'", mapping)


def test_missing_and_mixed_positions_are_refused(tmp_path):
    refused(cohort().assign(x=np.nan), tmp_path, "240 of 240 cells have no position")
    frame = cohort().astype({"x": object})
    frame.loc[7, "x"] = "left"
    refused(frame, tmp_path, "column 'x' should hold numbers, but row 9 has 'left'")


def test_a_slide_in_two_tables_is_refused_and_namesakes_of_two_folders_are_two_slides(tmp_path):
    frame = cohort()
    first, second = (saved(frame.iloc[rows], tmp_path, name) for rows, name in
                     ((slice(0, 30), "a.csv"), (slice(30, 60), "b.csv")))  # fmt: skip
    with pytest.raises(TableError, match=r"Slide 's1', field '1', is in both a.csv and b.csv"):
        prepare_tables([first, second], MAPPING, TableRequest("CD14+ CK-", "CK+"), 1.0)
    without = frame.drop(columns="image")
    for name in ("P1", "P2"):
        (tmp_path / name).mkdir()
        saved(without.iloc[:60], tmp_path / name)
    mapping = ColumnMapping(phenotype=MAPPING.phenotype)
    paths = [tmp_path / name / "cells.csv" for name in ("P1", "P2")]
    given = prepare_tables(paths, mapping, TableRequest("CD14+ CK-", "CK+"), 1.0)
    assert [slide.slide_id for slide in given.slides] == ["P1_cells", "P2_cells"]


def test_slides_are_told_apart_by_the_column_that_can_only_be_theirs(tmp_path):
    frame = cohort()
    mapping = ColumnMapping(phenotype=MAPPING.phenotype)
    request = TableRequest("CD14+ CK-", "CK+")
    assert len(prepare_tables([saved(frame, tmp_path)], mapping, request, 1.0).slides) == 4
    frame["Sample ID"] = frame["case"]
    with pytest.raises(TableError, match=r"which column is the slide.*'image', 'Sample ID'"):
        prepare_tables([saved(frame, tmp_path)], mapping, request, 1.0)


@pytest.mark.parametrize("how", ["excel", "r", "tab", "parquet", "latin"])
def test_a_table_is_read_however_it_was_exported(tmp_path, how):
    frame = cohort()
    path = tmp_path / "cells.csv"
    if how == "excel":
        text = frame.to_csv(index=False, sep=";", decimal=",")
        path.write_bytes(b"sep=;\r\n" + text.replace("\n", "\r\n").encode())
    elif how == "r":  # write.table: rows have names, and the header none for them
        frame.to_csv(path, quoting=2)
        path.write_text(path.read_text().replace('"",', "", 1))
    elif how == "tab":
        frame.to_csv(path, index=False, sep="\t", encoding="utf-8-sig")
    elif how == "latin":
        frame.assign(**{"Größe": 1}).to_csv(path, index=False, encoding="latin-1")
    else:
        path = tmp_path / "cells.parquet"
        frame.to_parquet(path)
    plain = read_given(saved(frame, tmp_path, "plain.csv"), MAPPING, 1.0)
    given = read_given(path, MAPPING, 1.0)
    pd.testing.assert_frame_equal(given.cells, plain.cells)
    pd.testing.assert_frame_equal(given.facts, plain.facts)


def test_names_that_nobody_asked_for_may_look_alike_and_positions_may_have_long_names(tmp_path):
    names = ["Tumor", "tumor", "Mac", "B cell", "B_cell"]
    frame = pd.DataFrame({"Cell.Type": names, "Cell X Pos (µm)": range(5), "Cell Y Pos (µm)": 0})
    path = saved(frame, tmp_path)
    request = TableRequest("Mac", "Tumour = Tumor or tumor")
    given = prepare_tables([path], None, request)
    assert given.slides[0].cells["phenotype"].tolist() == ["Tumour", "Tumour", *names[2:]]
    assert list(given.study.phenotypes) == ["Mac", "Tumour", "B cell"]
    with pytest.raises(MacproxError, match="would share the column name 'tumor'"):
        prepare_tables([path], None, TableRequest("tumor", "Tumor"))
    two = frame.rename(columns={"Cell Y Pos (µm)": "y_um"}).assign(nucleus_y_um=1)
    with pytest.raises(TableError, match="Say where the positions are"):
        prepare_tables([saved(two, tmp_path)], None, request)


def sheet_of(tmp_path, text) -> Path:
    path = tmp_path / "clinical.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "slide_id,patient,response\ns1.ome.tif,007,yes\ns2,007,yes\ns3,10,no\ns4,2,no\n",
        "Scan;case;response\ns1;007;yes\ns2;007;yes\ns3;10;no\ns4;2;no\nunknown;3;no\n",
        "case\tresponse\n007\tyes\n10\tno\n2\tno\n",  # one row a patient, whom the table names
    ],
)
def test_a_sheet_of_any_columns_is_joined_by_slide_or_by_patient(table, tmp_path, text):
    by_patient = text.startswith("case")
    mapping = ColumnMapping(
        slide="image", patient="patient" if text.startswith("slide_id") else "case",
        group="response", phenotype=MAPPING.phenotype,
    )  # fmt: skip
    request = TableRequest("CD14+ CK-", "CK+", samples=sheet_of(tmp_path, text))
    given = prepare_tables([table], mapping, request, 1.0)
    assert given.samples["patient"].tolist() == ["007", "007", "10", "2"]
    assert given.samples["group"].tolist() == ["yes", "yes", "no", "no"]
    assert by_patient or given.notices == []


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("slide_id,case\ns1,1\ns1,2\n", "lists slide 's1' twice"),
        ("case,response\n007,yes\n007,no\n", "lists patient '007' twice"),
        ("name,response\nA,yes\n", "none of them names slides such as 's1', 's2', 's3'"),
        ("a,b\ns1,s1\ns2,s2\n", "Which column of the sample sheet is the slide"),
        ("a,a\ns1,s1\n", "two columns called 'a'"),
    ],
)
def test_a_sheet_that_does_not_fit_is_refused(table, tmp_path, text, match):
    mapping = ColumnMapping(
        slide="image", patient="case" if "case" in text else None, phenotype=MAPPING.phenotype
    )
    request = TableRequest("CD14+ CK-", "CK+", samples=sheet_of(tmp_path, text))
    with pytest.raises(TableError, match=match):
        prepare_tables([table], mapping, request, 1.0)


def test_a_tumour_region_gives_distances_zones_and_strata(table, tmp_path):
    mask = np.zeros((220, 220), np.uint8)
    mask[:, :100] = 1
    for name in PATIENTS:
        tifffile.imwrite(tmp_path / f"{name}_tumour.tif", mask)
    tifffile.imwrite(tmp_path / "window.tif", np.ones((220, 220), np.uint8))
    request = TableRequest(
        "CD14+ CK-", "CK+ in:tumour", window_file=tmp_path / "window.tif",
        tumour_file=tmp_path / "{slide_id}_tumour.tif",
    )  # fmt: skip
    (first, *_) = run(table, request, tmp_path / "out")
    cells = first.cells()
    inside = cells["x_um"] < 100
    assert (cells["lesion_id"] == inside).all()
    assert (cells["compartment"].eq("epithelium") == inside).all()
    np.testing.assert_allclose(
        cells.loc[~inside, "tumour_border_distance_um"], cells.loc[~inside, "x_um"] - 100
    )
    assert cells.loc[cells["phenotype"] == "CK+ in:tumour", "x_um"].max() < 100
    assert first.study.proximity.strata == ("region", "compartment")
    assert first.regions().tumour.area == pytest.approx(220 * 100)
    profile = first.statistics().query("statistic == 'border_profile_per_mm2'")
    assert profile["value"].notna().any()


def test_areas_that_do_not_fit_are_refused_before_anything_is_written(tmp_path):
    far = tmp_path / "far.geojson"
    area = json.loads(shapely.to_geojson(shapely.box(9000, 9000, 9100, 9100)))
    feature = {"type": "Feature", "properties": {}, "geometry": area}
    far.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    refused(cohort(), tmp_path, "one file for 4 slides; write {slide_id}", tumour_file=far)
    refused(cohort(), tmp_path, "None of the 60 cells of slide 's1' lies inside", window_file=far)
    one = cohort().query("image == 's1'")
    refused(one, tmp_path, "tumour region of slide 's1' lies outside its cells", tumour_file=far)
    missing = tmp_path / "{slide_id}.tif"
    refused(cohort(), tmp_path, r"s1\.tif", tumour_file=missing)


def test_a_mask_in_colour_is_what_is_painted_opaquely(tmp_path):
    path = tmp_path / "tumour.tif"
    painted = np.zeros((6, 8, 4), np.uint8)
    painted[1:5, 2:6] = (59, 2, 2, 63)
    painted[1:5, 6] = (15, 0, 0, 16)  # a smoothed edge
    tifffile.imwrite(path, painted, photometric="rgb", extrasamples=["assocalpha"])
    assert read_mask(path).sum() == 16
    painted[..., 3] = 255  # opaque everywhere: the colours count
    tifffile.imwrite(path, painted, photometric="rgb", extrasamples=["assocalpha"])
    assert read_mask(path).sum() == 16


def test_inform_s_masks_put_melanoma_cells_into_the_tumour(shared_data):
    folder = shared_data / "melanoma_inform" / "MEL2"
    request = TableRequest("CD8+", "SOX10+", tumour_file=folder / "{slide_id}_Tumor.tif")
    tables = sorted(folder.glob("*_cell_seg_data.txt"))
    given = prepare_tables(tables, None, request, 0.5)
    cells = given.slides[0].cells
    inside = (cells["lesion_id"] > 0).groupby(cells["phenotype"]).mean()
    assert inside["SOX10+"] > 0.9 > 0.5 > inside["CD8+"] > inside["Other"]


@pytest.mark.slow
def test_two_processes_give_what_one_gives(table, tmp_path):
    given = prepare_tables([table], MAPPING, TableRequest("CD14+ CK-", "CK+"), 1.0)
    one = write_tables(given, tmp_path / "one")
    two = write_tables(given, tmp_path / "two", n_processes=2)
    for a, b in zip(one, two, strict=True):
        pd.testing.assert_frame_equal(a.statistics(), b.statistics())
        assert (b.path / "report.html").is_file()
