"""Gates turn a table of intensities into cells with names, slide by slide."""

import numpy as np
import pandas as pd
import pytest

import small_runs
from macprox.errors import TableError
from macprox.io.tables import (
    ColumnMapping,
    Gate,
    gate_of_text,
    on_scale,
    read_cells,
    read_gates,
    read_given,
)
from macprox.phenotype.gates import propose_gate
from small_runs import macprox

QUANTIFIED = "CellID,{names},X_centroid,Y_centroid,Area,MajorAxisLength,Eccentricity"


def mcquant(folder, n=40, name="s.csv", seed=0, **intensities):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"CellID": range(1, n + 1), **intensities})
    table["X_centroid"], table["Y_centroid"] = rng.uniform(0, 100, (2, n))
    table = table.assign(Area=9, MajorAxisLength=3, Eccentricity=0.1)
    table.to_csv(folder / name, index=False)
    return folder / name


def gated(*texts, **more):
    return ColumnMapping(gates=tuple(map(gate_of_text, texts)), **more)


@pytest.fixture
def table(tmp_path):
    values = np.arange(40)
    return mcquant(tmp_path, CD68=values * 100.0, ECAD=(39 - values) * 1.0)


@pytest.mark.parametrize(
    ("text", "gate"),
    [
        ("CD68=1200", Gate("CD68", 1200.0)),
        (" CD68 = 12,5 ", Gate("CD68", 12.5)),
        ("HLA-DR=auto", Gate("HLA-DR", "auto")),
        ("CD68 = Cell: CD68 mean > 3", Gate("CD68", 3.0, "Cell: CD68 mean")),
        ("CD68=-1.5", Gate("CD68", -1.5)),
    ],
)
def test_a_gate_is_read(text, gate):
    assert gate_of_text(text) == gate


@pytest.mark.parametrize("text", ["CD68", "=3", "CD68=", "CD68=high", "CD68=nan", "CD68 > 3", ""])
def test_what_is_no_gate_is_refused(text):
    with pytest.raises(TableError, match=r"is written MARKER=VALUE|number or auto, found"):
        gate_of_text(text)


def test_intensities_without_phenotype_name_the_option(table):
    with pytest.raises(TableError, match=r"'CD68', 'ECAD'\): --gate \"CD68=VALUE\"") as told:
        read_cells(table, pixel_size_um=1)
    assert "Area" not in str(told.value).split("Or give")[1]


def test_cells_above_a_gate_are_positive_and_called_by_it(table):
    given = read_given(table, gated("CD68=2000", "ECAD=10"), 1)
    cells = given.cells
    assert (cells["mean_cd68_cell"] == np.arange(40) * 100).all()
    assert (cells["cd68_positive"] == (np.arange(40) > 20)).all()  # at the gate is not above it
    assert cells["phenotype"].value_counts().to_dict() == {
        "CD68+": 11, "CD68+ ECAD+": 8, "ECAD+": 21,
    }  # fmt: skip
    row = given.gates.set_index("marker").loc["CD68"]
    assert (row["slide_id"], row["value"], row["source"], row["confirmed"]) == (
        "s",
        2000,
        "given",
        1,
    )
    assert row["percent_positive"] == pytest.approx(100 * 19 / 40)
    assert row["percent_positive_minus10"] == pytest.approx(100 * 21 / 40)  # above 1800


def test_a_phenotype_of_the_table_stays_beside_gates(table):
    given = read_given(table, gated("CD68=2000", phenotype="Eccentricity"), 1)
    assert set(given.cells["phenotype"]) == {"0.1"}
    assert given.markers == {"CD68": "cd68_positive"}


def test_auto_is_the_proposal_for_each_slide(tmp_path):
    rng = np.random.default_rng(1)
    paths = []
    for i, scale in enumerate((1, 20)):
        values = np.concatenate([rng.normal(10, 2, 200), rng.normal(80, 8, 100)]) * scale
        paths.append(mcquant(tmp_path, 300, f"s{i}.csv", i, CD68=values))
    given = read_given(paths, gated("CD68=auto"), 1)
    assert given.gates["source"].tolist() == ["auto", "auto"]
    assert not given.gates["confirmed"].any()
    assert given.cells.groupby("slide_id")["cd68_positive"].sum().tolist() == [100, 100]
    for (_, cells), value in zip(
        given.cells.groupby("slide_id"), given.gates["value"], strict=True
    ):
        assert propose_gate(cells["mean_cd68_cell"].to_numpy()).value == value


@pytest.mark.parametrize(
    "text",
    [
        "marker,gate\nCD68,2000\nECAD,\n",
        "markers,s\nCD68,2000\n",
        "markers;s.ome.tif;other\nCD68;2000;1\n",
        "Marker\tslide_id\tvalue\nCD68\ts.csv\t2000\nCD68\tother\t5\n",
        "channel,threshold,imageid\nCD68,5,\nCD68,2000,s\n",  # a slide's own goes first
    ],
)
def test_a_table_of_gates_is_read_whatever_its_shape(table, tmp_path, text):
    (tmp_path / "gates.csv").write_text(text)
    mapping = ColumnMapping(gates=read_gates(tmp_path / "gates.csv"))
    assert read_cells(table, mapping=mapping, pixel_size_um=1)["cd68_positive"].sum() == 19


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a,b\n1,2\n", "is no table of gates"),
        ("marker\nCD68\n", "is no table of gates"),
        ("marker,gate\nCD68,high\n", "gate of 'CD68' should be a number or auto, found 'high'"),
        ("markers,other\nCD68,5\n", "Slide 's' has no gate of CD68; the gates are of 'other'"),
        ("marker,gate\nCD68,5\nCD68,6\n", r"'CD68' has two gates, 5\.0 and 6\.0"),
        ("marker,gate,slide\nCD68,5,s\nCD68,6,s.tif\n", r"has two gates, 5\.0 and 6\.0"),
        ("marker,gate\nCD99,5\n", "has no intensity of 'CD99'"),
    ],
)
def test_gates_that_do_not_fit_are_refused(table, tmp_path, text, problem):
    (tmp_path / "gates.csv").write_text(text)
    with pytest.raises(TableError, match=problem):
        read_cells(
            table, mapping=ColumnMapping(gates=read_gates(tmp_path / "gates.csv")), pixel_size_um=1
        )


def test_a_gate_on_another_scale_is_told_and_not_used(table):
    with pytest.raises(TableError, match=r"has no cell above it.*0 to 3900.*--gate-scale log1p"):
        read_cells(table, mapping=gated("CD68=1e9"), pixel_size_um=1)
    with pytest.raises(TableError, match="has every cell above it"):
        read_cells(table, mapping=gated("CD68=-1"), pixel_size_um=1)
    assert on_scale([Gate("CD68", "auto")], "log1p") == (Gate("CD68", "auto"),)
    (gate,) = on_scale([Gate("CD68", np.log1p(2000))], "log1p")
    assert gate.value == pytest.approx(2000)
    with pytest.raises(TableError, match="'table' or 'log1p'"):
        on_scale([gate], "log10")


def test_scimap_s_gates_are_of_log1p(shared_data):
    folder = shared_data / "imports/mcmicro"
    path, gates = (
        folder / "exemplar-001--unmicst_cell.csv.gz",
        read_gates(folder / "manual_gates.csv"),
    )
    with pytest.raises(TableError, match="--gate-scale log1p"):
        read_cells(path, mapping=ColumnMapping(gates=gates), pixel_size_um=0.65)
    mapping = ColumnMapping(gates=on_scale(gates, "log1p"))
    cells = read_cells(path, mapping=mapping, pixel_size_um=0.65)
    raw = pd.read_csv(path)
    assert cells["ecad_positive"].sum() == (np.log1p(raw["ECAD"]) > 7.35).sum() > 1000


@pytest.mark.parametrize(
    ("column", "marker", "where"),
    [
        ("Cell: CD68 mean", "CD68", "cell"),
        ("CD68: Cell: Mean", "CD68", "cell"),
        ("Nucleus: FOXP3 mean", "FOXP3", "nucleus"),
        ("CD68 (Opal 520) Cell Intensity", "CD68", "cell"),
        ("Entire Cell CD68 (Opal 520) Mean (Normalized Counts, Total Weighting)", "CD68", "cell"),
        ("Cell_CD68Tb159Di_Tb159", "CD68", "cell"),
        ("Intensity_MeanIntensity_CD68", "CD68", "cell"),
        ("CD68_cellMask", "CD68", "cell"),
        ("FOXP3_nucleiMask", "FOXP3", "nucleus"),
        ("CD68 - macrophages:Cyc_4_ch_2", "CD68", "cell"),
        ("cd68", "CD68", "cell"),
    ],
)
def test_a_marker_s_column_is_found_in_every_tool_s_spelling(tmp_path, column, marker, where):
    pd.DataFrame({"x_um": [1, 2], "y_um": 0, column: [1.5, 9]}).to_csv(
        tmp_path / "t.csv", index=False
    )
    cells = read_cells(tmp_path / "t.csv", mapping=gated(f"{marker}=5"))
    assert cells["phenotype"].tolist() == ["Other", f"{marker}+"]
    assert cells[f"mean_{marker.lower()}_{where}"].tolist() == [1.5, 9]


def test_a_column_may_be_named_and_is_one(table):
    cells = read_cells(table, mapping=gated("Mac = CD68 > 2000"), pixel_size_um=1)
    assert cells["phenotype"].value_counts()["Mac+"] == 19
    with pytest.raises(TableError, match="no column 'CD69' for its gate"):
        read_cells(table, mapping=gated("CD68 = CD69 > 2"), pixel_size_um=1)
    with pytest.raises(TableError, match="gated on two columns, 'CD68' and 'ECAD'"):
        read_cells(table, mapping=gated("CD68=2", "CD68 = ECAD > 3"), pixel_size_um=1)


def test_our_own_cells_can_be_gated_again(tmp_path):
    frame = pd.DataFrame(
        {"slide_id": "s", "cell_id": [1, 2], "x_um": [1.0, 2], "y_um": 0.0, "phenotype": "Other",
         "mean_cd68_cell": [3.0, 7.0]}
    )  # fmt: skip
    frame.to_parquet(tmp_path / "cells.parquet")
    given = read_given(tmp_path / "cells.parquet", gated("CD68=5"))
    assert given.cells["cd68_positive"].tolist() == [False, True]


def test_gates_reach_the_result_and_marker_logic(table, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "gates.csv").write_text("markers,s\nECAD,3.0445\n")  # log1p of 20
    with small_runs.without_reports():
        ended = macprox(
            "stats", table, "--gates", tmp_path / "gates.csv", "--gate-scale", "log1p",
            "--gate", "CD68=7.6261", "--source", "CD68+ ECAD-", "--target", "ECAD+",
            "--pixel-size", 1, "-o", out, "--quiet",
        )  # fmt: skip
    assert ended.code == 0, ended.err
    gates = pd.read_parquet(out / "slides" / "s" / "gates.parquet").set_index("marker")
    assert gates.loc["CD68", "value"] == pytest.approx(2050, rel=1e-3)
    assert gates["source"].tolist() == ["given", "given"]
    cells = pd.read_parquet(out / "slides" / "s" / "cells.parquet")
    assert (cells["phenotype"] == "CD68+ ECAD-").sum() == 19
    assert {"mean_cd68_cell", "cd68_positive"} <= set(cells)
