"""What a user can get wrong: one clear sentence or an explained NaN, never a wrong number."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

import macprox as mp
import small_runs
from macprox.batch import BatchError
from macprox.cli import SOME_FAILED, USER_ERROR
from macprox.errors import PixelSizeError
from small_runs import macprox


@pytest.fixture(scope="module")
def tissue() -> np.ndarray:
    return small_runs.tissue(256)


@pytest.fixture(scope="module")
def slide(tissue, tmp_path_factory) -> Path:
    """As small as a slide can be that still has cells: here it is about everything else."""
    path = tmp_path_factory.mktemp("good") / "good.ome.tif"
    return small_runs.write_slide(path, tissue[:, :100, :140])


@pytest.fixture
def study(tmp_path) -> Path:
    return small_runs.write_study(tmp_path / "study.toml")


@pytest.fixture
def changed(tmp_path):
    return lambda *changes: small_runs.write_study(tmp_path / "changed.toml", *changes)


def run(slide, study, out, *options):
    with small_runs.without_reports():
        return macprox("run", slide, "--study", study, "--out", out, "--quiet", *options)


def assert_mistake(ended, *words: str) -> None:
    """One line, exit code 2."""
    assert ended.code == USER_ERROR, ended
    assert ended.out == ""
    assert ended.err.startswith("macprox: ")
    assert ended.err.count("\n") == 1, ended.err
    for word in words:
        assert word in ended.err


def assert_slide_failed(ended, *words: str) -> None:
    """A list of one line, exit code 1."""
    assert ended.code == SOME_FAILED, ended
    title, line = ended.err.splitlines()
    assert title == "macprox: 1 of 1 slides failed:"
    assert "bug" not in line
    for word in words:
        assert word in line


# --- the study


def test_a_channel_that_the_slide_lacks(slide, changed, tmp_path):
    ended = run(slide, changed(("[markers.CD68]", "[markers.CD86]")), tmp_path / "out")
    assert_slide_failed(ended, "'CD86'", "DAPI, panCK, CD68", "Did you mean 'CD68'?")


def test_a_key_that_does_not_exist(slide, changed, tmp_path):
    ended = run(slide, changed(("[markers.CD68]\ngate", "[markers.CD68]\ngat")), tmp_path / "out")
    assert_mistake(ended, "changed.toml line 9", "unknown key 'gat'", "did you mean 'gate'?")
    assert not (tmp_path / "out").exists()


def test_a_rule_that_is_not_logic(slide, changed, tmp_path):
    ended = run(slide, changed(('"CD68+ panCK-"', '"CD68+ and and panCK-"')), tmp_path / "out")
    assert_mistake(ended, "changed.toml line 13", "'Macrophage'", "column 11")


def test_several_mistakes_are_told_at_once(slide, changed, tmp_path):
    ended = run(
        slide,
        changed(("[markers.CD68]\ngate", "[markers.CD68]\ngat"), ('"CD68+ panCK-"', '"CD68"')),
        tmp_path / "out",
    )
    assert ended.code == USER_ERROR
    assert ended.err.count("line ") == 2


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_a_study_that_is_not_there(slide, tmp_path, name):
    assert_mistake(run(slide, tmp_path / name, tmp_path / "out"), "Cannot read the study")


def test_a_study_that_is_not_toml(slide, tmp_path):
    (tmp_path / "study.toml").write_text("[image\nnucleus = 'DAPI'")
    ended = run(slide, tmp_path / "study.toml", tmp_path / "out")
    assert_mistake(ended, "line 1", "not valid TOML")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "there is no such file"),
        ('{"type', "is not GeoJSON"),
        ('{"type": "FeatureCollection", "features": []}', "holds no area"),
    ],
)
def test_a_tumour_file_that_cannot_be_used(slide, changed, tmp_path, content, problem):
    if content is not None:
        (tmp_path / "t.geojson").write_text(content)
    study = changed(("[phenotypes]", '[regions]\ntumour = "t.geojson"\n[phenotypes]'))
    assert_slide_failed(run(slide, study, tmp_path / "out"), problem)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("slide,patient\ngood,P1\n", "lacks the column slide_id"),
        ("slide_id,group\ngood,early\n", "lacks the column patient"),
        ("slide_id,patient\ngood,P1\ngood,P2\n", "lists slide 'good' twice"),
        ("", "is not a CSV table"),
        ("slide_id,patient\nm\xfcller,P1\n".encode("latin-1"), "is not a CSV table in UTF-8"),
        (None, "No such file"),
    ],
)
def test_a_sample_sheet_that_cannot_be_used(slide, changed, tmp_path, content, problem):
    if content is not None:
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / "samples.csv").write_bytes(data)
    study = changed(("[phenotypes]", '[cohort]\nsamples = "samples.csv"\n[phenotypes]'))
    assert_mistake(run(slide, study, tmp_path / "out"), "samples.csv", problem)


def test_a_slide_that_the_sample_sheet_does_not_name(slide, changed, tmp_path):
    (tmp_path / "samples.csv").write_text("slide_id,patient\nother,P1\n")
    study = changed(("[phenotypes]", '[cohort]\nsamples = "samples.csv"\n[phenotypes]'))
    assert run(slide, study, tmp_path / "out").code == 0
    manifest = mp.open_result(tmp_path / "out" / "slides" / "good").manifest
    assert "has no row for this slide" in manifest["warnings"][0]
    assert manifest["patient"] is None


# --- the slide's file


def test_a_truncated_slide_among_good_ones(slide, study, tmp_path):
    folder = tmp_path / "slides"
    folder.mkdir()
    for name in ("a", "b", "c"):
        shutil.copy(slide, folder / f"{name}.ome.tif")
    small_runs.slide_files.cut(folder / "b.ome.tif", 0.6)
    ended = run(folder, study, tmp_path / "out")
    assert ended.code == SOME_FAILED
    assert ended.err.splitlines()[0] == "macprox: 1 of 3 slides failed:"
    assert "b: 'b.ome.tif' is truncated" in ended.err
    for name in ("a", "c"):
        assert len(mp.open_result(tmp_path / "out" / "slides" / name).cells()) > 15


def test_a_text_file_that_is_called_tif(study, tmp_path):
    (tmp_path / "notes.tif").write_text("remember to export the slide")
    ended = run(tmp_path / "notes.tif", study, tmp_path / "out")
    assert_slide_failed(ended, "'notes.tif' is not a TIFF file")


def test_a_file_that_is_no_slide_by_its_name(study, tmp_path):
    (tmp_path / "notes.txt").write_text("remember")
    assert_mistake(run(tmp_path / "notes.txt", study, tmp_path / "out"), "is not a slide")


@pytest.mark.filterwarnings("ignore:.*zero-size:UserWarning")
def test_an_image_without_pixels(study, tmp_path):
    path = tmp_path / "none.tif"
    tifffile.imwrite(path, np.zeros((3, 0, 0), np.uint16), photometric="minisblack")
    ended = run(path, study, tmp_path / "out", "--pixel-size", "0.5")
    assert_slide_failed(ended, "'none.tif'")


@pytest.mark.parametrize("side_px", [1, 2, 7])
def test_an_image_of_few_pixels_is_a_slide_without_cells(tissue, study, tmp_path, side_px):
    path = small_runs.write_slide(tmp_path / "dot.ome.tif", tissue[:, :side_px, :side_px])
    ended = run(path, study, tmp_path / "out")
    assert ended.code == 0, ended.err
    result = mp.open_result(tmp_path / "out" / "slides" / "dot")
    assert len(result.cells()) == 0
    small_runs.assert_explained(result)


def test_a_slide_without_a_scale(tissue, study, tmp_path):
    path = small_runs.write_slide(tmp_path / "bare.ome.tif", tissue, pixel_size_um=None)
    ended = run(path, study, tmp_path / "out")
    assert_slide_failed(ended, "--pixel-size UM", "pixel_size_um under [image]")


def test_a_scale_that_contradicts_the_file(slide, study, tmp_path):
    ended = run(slide, study, tmp_path / "out", "--pixel-size", "0.25")
    assert_slide_failed(ended, "says 0.5 um per pixel", "but 0.25 was given")


@pytest.mark.parametrize("size", ["0", "-1", "nan", "inf"])
def test_a_scale_that_is_none(slide, study, tmp_path, size):
    ended = run(slide, study, tmp_path / "out", "--pixel-size", size)
    assert_mistake(ended, "positive number of micrometres")
    with pytest.raises(PixelSizeError, match="positive number of micrometres"):
        mp.run(slide, study, tmp_path / "out", pixel_size_um=float(size))


# --- names and places


def test_names_with_spaces_and_other_scripts(slide, study, tmp_path):
    path = shutil.copy(slide, tmp_path / "Fall 3 (links) größe 病理.ome.tif")
    ended = run(path, study, tmp_path / "Ergebnisse für heute")
    assert ended.code == 0, ended.err
    assert "Fall_3_links_größe_病理" in ended.out
    (folder,) = (tmp_path / "Ergebnisse für heute" / "slides").iterdir()
    assert mp.open_result(folder).slide_id == "Fall_3_links_größe_病理"


def test_two_slides_of_the_same_name(slide, tissue, study, tmp_path):
    for name, image in (("x", tissue[:, :120, :120]), ("y", tissue[:, :90, :120])):
        small_runs.write_slide(tmp_path / "in" / name / "1.ome.tif", image)
    assert run(tmp_path / "in", study, tmp_path / "out").code == 0
    shapes = {
        folder.name: mp.open_result(folder).labels().shape
        for folder in (tmp_path / "out" / "slides").iterdir()
    }
    assert shapes == {"x_1": (120, 120), "y_1": (90, 120)}


def test_slides_that_are_not_there(study, tmp_path):
    assert_mistake(run(tmp_path / "none", study, tmp_path / "out"), "no such file or folder")
    assert_mistake(run(tmp_path, study, tmp_path / "out"), "No slides found")
    assert_mistake(run(tmp_path / "*.tif", study, tmp_path / "out"), "No slides found")


@pytest.mark.parametrize("where", ["file", "file/below"])
def test_results_cannot_go_into_a_file(slide, study, tmp_path, where):
    (tmp_path / "file").write_text("mine")
    out = tmp_path / where
    assert_mistake(run(slide, study, out), "Cannot write")
    assert_mistake(macprox("simulate", out, "--size", "256", "--patients", "1"), "Cannot write")
    assert_mistake(macprox("demo", out), "Cannot write")
    assert_mistake(macprox("init", slide, "-o", tmp_path / "file" / "s.toml"), "Cannot write")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_file_where_the_slides_folder_should_be(slide, study, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "slides").write_text("mine")
    assert_slide_failed(run(slide, study, tmp_path / "out"), "Not a directory")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_results_cannot_go_into_a_read_only_folder(slide, study, tmp_path):
    (tmp_path / "out").mkdir(mode=0o500)
    assert_mistake(run(slide, study, tmp_path / "out"), "Permission denied")


def test_a_disk_that_refuses_is_a_sentence(slide, study, tmp_path, monkeypatch):
    """What a read-only folder does, also for root."""

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("macprox.io.atomic.os.replace", refuse)
    assert_mistake(run(slide, study, tmp_path / "out"), "study.toml: Permission denied")


@pytest.mark.parametrize(
    "arguments", [("update",), ("export", "--to", "csv"), ("export", "--to", "geojson")]
)
def test_a_folder_without_results(tmp_path, arguments):
    verb, *options = arguments
    ended = macprox(verb, tmp_path, *options)
    assert_mistake(ended, "manifest.json")


def test_an_export_format_that_does_not_exist(slide, study, tmp_path):
    run(slide, study, tmp_path / "out")
    folder = tmp_path / "out" / "slides" / "good"
    assert_mistake(macprox("export", folder, "--to", "xlsx"), "found 'xlsx'")


@pytest.mark.parametrize("text", ['{"stages"', "[]"])
def test_a_damaged_manifest_stops_one_slide_only(slide, study, tmp_path, text):
    shutil.copy(slide, tmp_path / "other.ome.tif")
    both = (slide, tmp_path / "other.ome.tif")
    with small_runs.without_reports():
        mp.run(both, study, tmp_path / "out")
    manifest = tmp_path / "out" / "slides" / "good" / "manifest.json"
    manifest.write_text(text)
    with small_runs.without_reports(), pytest.raises(BatchError, match="delete it to redo") as told:
        mp.run(both, study, tmp_path / "out")
    assert [result.slide_id for result in told.value.results] == ["other"]
    manifest.unlink()
    with small_runs.without_reports():
        assert len(mp.run(both, study, tmp_path / "out")) == 2


def test_a_bug_in_one_slide_costs_no_other_and_leaves_its_trace(
    slide, study, tmp_path, monkeypatch
):
    shutil.copy(slide, tmp_path / "zz.ome.tif")
    from macprox.pipeline import run as stages

    analyse = stages.analyse_slide

    def broken(study, folder, *given):
        if folder.slide_id == "good":
            raise ZeroDivisionError("by hand")
        return analyse(study, folder, *given)

    with monkeypatch.context() as breaking:
        breaking.setattr(stages, "analyse_slide", broken)
        with small_runs.without_reports():
            ended = macprox(
                "run", slide, tmp_path / "zz.ome.tif", "-s", study, "-o", tmp_path / "out", "--json"
            )
    assert ended.code == SOME_FAILED
    assert [entry["slide_id"] for entry in json.loads(ended.out)] == ["zz", "good"]
    assert "unexpected ZeroDivisionError" in ended.err
    trace = tmp_path / "out" / "slides" / "good" / "error.txt"
    assert "by hand" in trace.read_text()
    assert run(slide, study, tmp_path / "out").code == 0
    assert not trace.exists()
