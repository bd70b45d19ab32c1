"""`macprox sensitivity`: every varied number is what a run with that setting would have given."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest

import macprox as mp
import small_runs
from macprox.batch import BatchError, sensitivity
from macprox.pipeline import RunOptions, Workers
from macprox.report.variations import variations_figure, write_variations_figure
from macprox.spatial import headline

AUTO = (("gate = 300\n[markers.CD68]\ngate = 300", 'gate = "auto"\n[markers.CD68]\ngate = "auto"'),)
KEY = ["source", "target"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished run with automatic gates, and its sensitivity."""
    folder = tmp_path_factory.mktemp("sensitivity")
    slide = small_runs.write_slide(folder / "s.ome.tif")
    study = small_runs.write_study(folder / "study.toml", *AUTO)
    mp.run(slide, study, folder / "results", options=RunOptions(workers=Workers(1)))
    ended = small_runs.macprox("sensitivity", folder / "results", "--quiet")
    assert ended.code == 0, ended.err
    return folder, ended.out


@pytest.fixture(scope="module")
def table(made) -> pd.DataFrame:
    return pd.read_csv(made[0] / "results" / "sensitivity.csv")


def headline_of(folder, *changes) -> pd.DataFrame:
    """What a run of its own finds with another study."""
    study = small_runs.write_study(folder / "changed.toml", *AUTO, *changes)
    out = folder / f"changed{len(list(folder.glob('changed*')))}"
    with small_runs.without_reports():
        (result,) = mp.run(folder / "s.ome.tif", study, out)
    found = headline(result.statistics(), result.study.proximity)
    return found.set_index(KEY)[["value", "expected", "n_source"]]


def varied(table: pd.DataFrame, kind: str, what: str = "", change: float = 0.0) -> pd.DataFrame:
    which = (table["kind"] == kind) & (table["what"].fillna("") == what)
    rows = table[which & np.isclose(table["change"], change)]
    assert len(rows) == 2
    return rows.set_index(KEY)[["value", "expected", "n_source"]]


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(
        found.sort_index(), expected.sort_index(), check_dtype=False, rtol=1e-12
    )


def test_as_run_is_the_headline(made, table):
    result = mp.open_result(made[0] / "results" / "slides" / "s")
    expected = headline(result.statistics(), result.study.proximity).set_index(KEY)
    assert_same(varied(table, "as run"), expected[["value", "expected", "n_source"]])


@pytest.mark.parametrize("change", [-0.1, 0.1])
def test_a_varied_gate_is_a_run_with_that_gate(made, table, change):
    gates = mp.open_result(made[0] / "results" / "slides" / "s").gates().set_index("marker")
    value = float(gates.loc["CD68", "value"])
    changed = headline_of(
        made[0],
        ('[markers.CD68]\ngate = "auto"', f"[markers.CD68]\ngate = {value * (1 + change)!r}"),
    )
    assert_same(varied(table, "gate", "CD68", change), changed)


def test_gates_change_something(table):
    gates = table[table["kind"] == "gate"]
    assert gates["value"].nunique() > 2


@pytest.mark.parametrize("change_um", [-1.0, 1.0])
def test_a_varied_expansion_is_a_run_with_that_expansion(made, table, change_um):
    changed = headline_of(
        made[0],
        ("[segmentation.macrophages]",
         f"[segmentation]\nexpansion_um = {4 + change_um}\n[segmentation.macrophages]"),
    )  # fmt: skip
    assert_same(varied(table, "expansion", change=change_um), changed)


def test_every_radius_of_the_study_is_there(made, table):
    study = mp.open_result(made[0] / "results" / "slides" / "s").study
    radii = table.loc[table["kind"] == "radius", "r_um"]
    assert sorted(set(radii)) == list(study.proximity.radii_um)


def test_the_command_says_what_moves_and_where_it_is_drawn(made):
    folder, said = made
    assert "under changed gates and expansion" in said
    assert (folder / "results" / "sensitivity.svg").read_text(encoding="utf-8").count("<path") > 20
    report = (folder / "results" / "slides" / "s" / "report.html").read_text(encoding="utf-8")
    assert "How much hangs on gates, expansion and radius" in report


def test_nothing_is_left_of_the_work(made):
    assert not list((made[0] / "results").rglob("varied"))


def test_results_that_changed_since_no_longer_show_it(made, tmp_path):
    shutil.copytree(made[0] / "results", tmp_path / "results")
    before = mp.open_result(tmp_path / "results" / "slides" / "s")
    assert before.sensitivity() is not None
    study = small_runs.write_study(tmp_path / "other.toml")
    ended = small_runs.macprox("update", tmp_path / "results", "--study", study, "--quiet")
    assert ended.code == 0, ended.err
    after = mp.open_result(tmp_path / "results" / "slides" / "s")
    assert after.sensitivity() is None
    assert "hangs on gates, expansion" not in (after.path / "report.html").read_text("utf-8")


def test_a_slide_that_is_gone_leaves_the_gates(made, tmp_path):
    shutil.copytree(made[0] / "results", tmp_path / "results")
    manifest_path = tmp_path / "results" / "slides" / "s" / "manifest.json"
    manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    manifest["source"]["path"] = str(tmp_path / "gone.ome.tif")
    manifest_path.write_text(json.dumps(manifest), encoding="utf-8")
    with small_runs.without_reports():
        found = sensitivity(tmp_path / "results")
    missing = found[found["kind"] == "expansion"]
    assert missing["value"].isna().all()
    assert missing["reason"].str.contains("gone.ome.tif").all()
    assert found.loc[found["kind"] == "gate", "value"].notna().all()


def test_without_pixels_no_pixel_is_read(made, tmp_path):
    shutil.copytree(made[0] / "results", tmp_path / "results")
    with small_runs.no_pixels(), small_runs.without_reports():
        ended = small_runs.macprox(
            "sensitivity", tmp_path / "results", "--no-pixels", "--quiet", "--json"
        )
    assert ended.code == 0, ended.err
    kinds = {row["kind"] for row in json.loads(ended.out)}
    assert kinds == {"as run", "gate", "radius"}


def test_cells_of_another_tool_have_nothing_to_vary(tmp_path):
    rng = np.random.default_rng(0)
    pd.DataFrame(
        {"x_um": rng.uniform(0, 500, 60), "y_um": rng.uniform(0, 500, 60),
         "phenotype": np.where(np.arange(60) % 3, "Tumour", "Macrophage")}
    ).to_csv(tmp_path / "cells.csv", index=False)  # fmt: skip
    ended = small_runs.macprox(
        "stats", tmp_path / "cells.csv", "--source", "Macrophage", "--target", "Tumour",
        "--out", tmp_path / "results",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    with pytest.raises(BatchError, match="no gate and no expansion to vary"):
        sensitivity(tmp_path / "results")


def test_a_slide_without_tumour_has_reasons_and_no_figure(made):
    study = mp.open_result(made[0] / "results" / "slides" / "s").study
    table = pd.DataFrame(
        {"slide_id": ["s"], "kind": ["as run"], "what": [""], "change": [0.0],
         "source": [None], "target": [None], "ratio": [np.nan], "reason": ["no tumour region"]}
    )  # fmt: skip
    assert variations_figure(table, study) == ""


def test_the_figure_is_the_same_bytes_every_time(made, table, tmp_path):
    study = mp.open_result(made[0] / "results" / "slides" / "s").study
    first, second = (
        write_variations_figure(table, study, tmp_path / f"{i}.png").read_bytes() for i in range(2)
    )
    assert first == second
