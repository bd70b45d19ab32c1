"""Parquet with meanings and FCS: what leaves macprox is what was measured, and says what it is."""

import json
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import macprox as mp
from macprox.errors import MacproxError
from macprox.exports.columns import column
from macprox.exports.fcs import EXACT, phenotype_codes, write_fcs
from macprox.exports.parquet import write_parquet_table
from small_runs import macprox


@pytest.fixture
def cells():
    return pd.DataFrame(
        {
            "slide_id": ["a", "a", "a"],
            "cell_id": [1, 2, EXACT],
            "x_um": [0.25, 1 / 3, 16384.001],
            "y_um": [1.0, 2.0, 3.0],
            "mean_hla_dr_dp_cell": [0.1, 2e5, -3.5],
            "mean_hla_dr_dp_nucleus": pd.array([1.5, None, 2.0], dtype="Float64"),
            "phenotype": pd.Categorical(["AM/TRM-like", "Ambiguous", "/odd/"]),
        }
    )


# --- Parquet


def test_parquet_holds_the_same_tables_and_says_what_each_column_is(small_result, tmp_path):
    ended = macprox("export", small_result.path, "--to", "parquet", "--out", tmp_path)
    assert ended.code == 0, ended.err
    for name in ("cells", "statistics", "gates"):
        written = pq.read_table(tmp_path / f"{name}.parquet")
        own = getattr(small_result, name)()
        pd.testing.assert_frame_equal(written.to_pandas(), own)
        assert written.schema.metadata[b"macprox_table"] == name.encode()
        unsaid = [field.name for field in written.schema if not field.metadata]
        assert not unsaid
    x_um = pq.read_schema(tmp_path / "cells.parquet").field("x_um")
    assert x_um.metadata[b"unit"] == b"um"
    plain = pq.read_schema(small_result.folder.cells).field("x_um")
    assert plain.metadata is None  # control: the result folder's own file does not say it


@pytest.mark.parametrize(
    ("table", "name", "unit"),
    [
        ("cells", "nearest_tumour_um", "um"),
        ("cells", "nearest_lesion_id", ""),  # no distance, though it begins like one
        ("cells", "tumour_border_distance_um", "um"),
        ("cells", "n_am_trm_like_20um", "cells"),
        ("cells", "mean_cd68_ring", "grey level"),
        ("statistics", "source_per_mm2", "1/mm2"),
        ("statistics", "value", ""),  # its unit depends on the statistic
        ("gates", "percent_positive_minus10", "%"),
    ],
)
def test_a_column_s_unit_is_that_of_its_numbers(table, name, unit):
    assert column(table, name).unit == unit


def test_a_column_of_another_tool_is_written_and_not_described(cells, tmp_path):
    path = write_parquet_table(cells.assign(weather="fine"), "cells", tmp_path / "c.parquet")
    assert pq.read_schema(path).field("weather").metadata is None
    assert pq.read_table(path)["weather"].to_pylist() == ["fine"] * 3


# --- FCS


def fcs_of(path):
    pytest.importorskip("flowio", reason="flowio is not installed here")
    import flowio

    return flowio.FlowData(str(path))


def test_fcs_holds_every_cell_as_an_event_with_the_same_floats(small_result, tmp_path):
    pytest.importorskip("flowio", reason="flowio is not installed here")
    ended = macprox("export", small_result.path, "--to", "fcs", "--out", tmp_path)
    assert ended.code == 0, ended.err
    read = fcs_of(tmp_path / f"{small_result.slide_id}.fcs")
    own = small_result.cells()
    events = pd.DataFrame(read.as_array(preprocess=False), columns=read.pnn_labels)
    assert len(events) == len(own) > 10
    means = [name for name in own if name.startswith("mean_")]
    assert set(means) < set(events)
    for name in ["cell_id", "x_um", "y_um", "cell_area_um2", *means]:
        np.testing.assert_array_equal(events[name], own[name].astype(np.float32), name)
    codes = json.loads(read.text["macprox_phenotypes"])
    names = {code: name for name, code in codes.items()}
    assert events["phenotype_code"].map(names).tolist() == own["phenotype"].tolist()
    labels = dict(zip(read.pnn_labels, read.pns_labels, strict=True))
    assert labels["mean_cd68_cell"] == "CD68 cell"
    assert labels["mean_panck_cell"] == "panCK cell"  # as the study spells it, not as the column
    assert labels["mean_dapi_nucleus"] == "DAPI nucleus"
    assert labels["x_um"] == "x (um)"


def test_names_with_the_delimiter_and_missing_values_come_through(cells, tmp_path):
    path = write_fcs(cells, tmp_path / "a.fcs", "a", ["Tumour"], ["HLA-DR/DP"])
    read = fcs_of(path)
    values = read.as_array(preprocess=False)
    by_name = dict(zip(read.pnn_labels, values.T, strict=True))
    assert by_name["cell_id"].tolist() == [1, 2, EXACT]
    assert abs(by_name["x_um"][2] - 16384.001) < 0.001
    assert np.isnan(by_name["mean_hla_dr_dp_nucleus"]).tolist() == [False, True, False]
    assert by_name["phenotype_code"].tolist() == [3, -1, 2]
    assert "HLA-DR-DP cell" in read.pns_labels
    assert json.loads(read.text["macprox_phenotypes"]) == {
        "Other": 0, "Ambiguous": -1, "Tumour": 1, "/odd/": 2, "AM/TRM-like": 3,
    }  # fmt: skip


def test_codes_are_the_study_s_whatever_a_slide_holds():
    study = ["Tumour", "Treg"]
    assert phenotype_codes(pd.Series(["Treg"]), study)["Treg"] == 2
    assert phenotype_codes(pd.Series(["Treg"]), [])["Treg"] == 1  # control: without the study


def test_a_number_that_fcs_would_change_is_refused(cells, tmp_path):
    pytest.importorskip("flowio", reason="flowio is not installed here")
    too_many = cells.assign(cell_id=[1, 2, EXACT + 1])
    assert int(np.float32(EXACT + 1)) == EXACT  # control: it would be another cell
    with pytest.raises(MacproxError, match=r"FCS keeps whole numbers up to 16777216.*parquet"):
        write_fcs(too_many, tmp_path / "a.fcs", "a")
    assert list(tmp_path.iterdir()) == []


def test_a_slide_without_cells_is_a_file_without_events(cells, tmp_path):
    read = fcs_of(write_fcs(cells.iloc[:0], tmp_path / "a.fcs", "a"))
    assert read.event_count == 0
    assert "x_um" in read.pnn_labels


def test_without_flowio_it_says_what_to_install(small_result, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "flowio.create_fcs", None)
    with pytest.raises(MacproxError, match=r'needs flowio: pip install "macprox\[fcs\]"'):
        mp.export(small_result, "fcs", tmp_path)
