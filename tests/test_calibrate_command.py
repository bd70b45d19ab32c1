"""`macprox calibrate`: the tests on trial on a finished slide's own geometry."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest

import macprox as mp
import small_runs
from macprox.batch import BatchError, calibrate
from macprox.pipeline import RunOptions, Workers
from macprox.report.calibration import (
    calibration_figure,
    calibration_sentences,
    write_calibration_figure,
)
from macprox.spatial import calibrate as of_cells


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibrate")
    slide = small_runs.write_slide(folder / "s.ome.tif")
    study = small_runs.write_study(folder / "study.toml")
    mp.run(slide, study, folder / "results", options=RunOptions(workers=Workers(1)))
    ended = small_runs.macprox("calibrate", folder / "results", "--simulations", "20", "--quiet")
    assert ended.code == 0, ended.err
    return folder / "results", ended.out


@pytest.fixture(scope="module")
def result(made):
    return mp.open_result(made[0] / "slides" / "s")


def test_the_command_gives_what_the_function_gives(made, result):
    cells = result.cells()
    cells = cells[cells["in_window"] & ~cells["excluded"]]
    expected = of_cells(cells, result.window(), result.study.proximity, n_simulations=20)
    found = result.calibration()
    pd.testing.assert_frame_equal(found.drop(columns="slide_id"), expected)
    assert (found["slide_id"] == "s").all()
    table = pd.read_csv(made[0] / "calibration.csv")
    np.testing.assert_allclose(table["rejected_frac"], found["rejected_frac"])


def test_it_says_a_line_a_test_and_draws_them(made, result):
    tests = result.calibration().query("control == 'own null'")["test"]
    for test in tests:
        assert f"s, {test}: " in made[1]
    drawn = (made[0] / "calibration.svg").read_text(encoding="utf-8")
    assert drawn.count("<path") > 20
    report = (result.path / "report.html").read_text(encoding="utf-8")
    assert "Whether the tests keep their level here" in report


def test_results_that_changed_since_no_longer_show_it(made, tmp_path):
    shutil.copytree(made[0], tmp_path / "results")
    study = small_runs.write_study(
        tmp_path / "other.toml", ("gate = 300\n[phenotypes]", "gate = 280\n[phenotypes]")
    )
    ended = small_runs.macprox("update", tmp_path / "results", "--study", study, "--quiet")
    assert ended.code == 0, ended.err
    after = mp.open_result(tmp_path / "results" / "slides" / "s")
    assert after.calibration() is None
    assert "keep their level" not in (after.path / "report.html").read_text(encoding="utf-8")


def test_a_table_without_a_window_tries_what_needs_none(tmp_path):
    rng = np.random.default_rng(0)
    pd.DataFrame(
        {"x_um": rng.uniform(0, 500, 200), "y_um": rng.uniform(0, 500, 200),
         "phenotype": np.array(["Tumour", "Macrophage", "Other"])[np.arange(200) % 3]}
    ).to_csv(tmp_path / "cells.csv", index=False)  # fmt: skip
    ended = small_runs.macprox(
        "stats", tmp_path / "cells.csv", "--source", "Macrophage", "--target", "Tumour",
        "--out", tmp_path / "results",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    ended = small_runs.macprox(
        "calibrate", tmp_path / "results", "--simulations", "20", "--quiet", "--json"
    )
    assert ended.code == 0, ended.err
    rows = pd.DataFrame(json.loads(ended.out)).query("control == 'own null'")
    tried = rows[rows["reason"] == ""]
    assert set(tried["test"].str.split(":").str[0]) == {"relabel"}
    assert rows.loc[rows["reason"] != "", "reason"].str.contains("window").all()
    assert any("not tried" in said for said in calibration_sentences(rows))


def test_without_tumour_cells_there_is_one_sentence(made, tmp_path):
    shutil.copytree(made[0], tmp_path / "results")
    study = small_runs.write_study(
        tmp_path / "other.toml", ("[markers.panCK]\ngate = 300", "[markers.panCK]\ngate = 1e9")
    )
    with small_runs.without_reports():
        mp.update(tmp_path / "results", study)
        with pytest.raises(BatchError, match=r"s: .*Tumour"):
            calibrate(tmp_path / "results", 20)


def test_nothing_tried_is_no_figure():
    table = pd.DataFrame({"test": ["a"], "control": ["own null"], "rejected_frac": [np.nan]})
    assert calibration_figure(table) == ""


def test_the_figure_is_the_same_bytes_every_time(result, tmp_path):
    table = result.calibration()
    first, second = (
        write_calibration_figure(table, tmp_path / f"{i}.png").read_bytes() for i in range(2)
    )
    assert first == second
