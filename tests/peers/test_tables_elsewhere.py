"""Exported tables in the programs that they are for, each by its own reader."""

import json

import numpy as np
import pytest

import macprox as mp


@pytest.fixture(scope="module")
def parquet(small_result, tmp_path_factory):
    return mp.export(small_result, "parquet", tmp_path_factory.mktemp("parquet"))[0]


@pytest.fixture(scope="module")
def fcs(small_result, tmp_path_factory):
    pytest.importorskip("flowio", reason="flowio is not installed here")
    return mp.export(small_result, "fcs", tmp_path_factory.mktemp("fcs"))[0]


@pytest.fixture
def cells(small_result):
    return small_result.cells()


def same_floats(found, cells) -> bool:
    names = [name for name in cells if name.startswith("mean_")]
    names += ["cell_id", "x_um", "y_um", "cell_area_um2"]
    return all(
        np.array_equal(np.asarray(found[name], np.float32), cells[name].astype("f4"), True)
        for name in names
    )


def test_polars_reads_the_cells(parquet, cells):
    polars = pytest.importorskip("polars", reason="polars is not installed here")
    table = polars.read_parquet(parquet)
    assert table.columns == list(cells)
    assert table["x_um"].to_list() == cells["x_um"].tolist()
    assert table["phenotype"].to_list() == cells["phenotype"].tolist()


def test_duckdb_counts_the_cells(parquet, cells):
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed here")
    asked = f"select phenotype, count(*) from '{parquet}' group by phenotype"
    assert dict(duckdb.sql(asked).fetchall()) == cells["phenotype"].value_counts().to_dict()


def test_fcsparser_reads_the_events(fcs, cells):
    fcsparser = pytest.importorskip("fcsparser", reason="fcsparser is not installed here")
    keywords, events = fcsparser.parse(str(fcs), channel_naming="$PnN")
    assert same_floats(events, cells)
    codes = json.loads(keywords["MACPROX_PHENOTYPES"])
    assert events["phenotype_code"].tolist() == cells["phenotype"].map(codes).tolist()


def test_flowkit_reads_the_events(fcs, cells):
    flowkit = pytest.importorskip("flowkit", reason="flowkit is not installed here")
    sample = flowkit.Sample(str(fcs))
    assert same_floats(sample.as_dataframe(source="raw", col_names=sample.pnn_labels), cells)


@pytest.mark.filterwarnings("ignore:Transforming to str index")  # of readfcs's own table
def test_readfcs_reads_the_events_into_anndata(fcs, cells):
    readfcs = pytest.importorskip("readfcs", reason="readfcs is not installed here")
    read = readfcs.read(str(fcs))
    found = dict(zip(read.var["channel"], np.asarray(read.X).T, strict=True))
    assert same_floats(found, cells)
