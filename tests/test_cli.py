"""The commands as a user types them."""

from __future__ import annotations

import io
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import shapely.geometry
from rich.console import Console

import macprox as mp
import small_runs
from macprox.cli import STOPPED
from macprox.cli.app import ORDER as VERBS
from macprox.progress import Bars
from small_runs import macprox

SAMPLES = Path(__file__).resolve().parents[1] / "sample_data"

PROGRAM = Path(sys.executable).with_name("macprox")


@pytest.fixture(scope="module")
def slides(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "slides"
    small_runs.write_slide(folder / "a.ome.tif", small_runs.tissue(400))
    return folder


@pytest.fixture(scope="module")
def study(slides) -> Path:
    return small_runs.write_study(slides.parent / "study.toml")


@pytest.fixture(scope="module")
def done(slides, study) -> Path:
    """A finished result folder, with its figures."""
    out = slides.parent / "results"
    ended = macprox("run", slides, "--study", study, "--out", out, "--quiet")
    assert ended.code == 0, ended.err
    return out


@pytest.fixture
def copy(done, tmp_path) -> Path:
    shutil.copytree(done, tmp_path / "results")
    return tmp_path / "results"


# --- the program itself


@pytest.mark.skipif(not PROGRAM.exists(), reason="macprox is not installed as a program here")
def test_help_is_there_within_a_second_and_lists_the_verbs():
    """A second of this program's work, whatever else the machine does."""
    resource = pytest.importorskip("resource", reason="no CPU times on this system")
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        ended = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, timeout=60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert ended.returncode == 0
    for verb in VERBS:
        assert f" {verb} " in ended.stdout
    assert sorted(seconds)[1] < 1


def test_version_is_the_package_s():
    assert macprox("--version").out == f"macprox {mp.__version__}\n"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb):
    ended = macprox(verb, "--help")
    assert ended.code == 0
    assert "Usage: " in ended.out
    assert f"macprox {verb}" in ended.out


@pytest.mark.skipif(not PROGRAM.exists(), reason="macprox is not installed as a program here")
def test_a_mistake_is_one_line_and_exit_code_2(tmp_path):
    command = [PROGRAM, "inspect", tmp_path / "no such slide.tif"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("macprox: No slide at ")


def test_commands_that_do_not_exist_are_mistakes():
    assert macprox("analyse").code == 2
    assert macprox("run", "--speed").code == 2
    assert macprox("run", "x.tif", "--study", "s.toml", "--workers", "0").code == 2


# --- inspect and init


def test_inspect_shows_what_a_slide_is():
    ended = macprox("inspect", SAMPLES / "slides" / "P01_early.ome.tif")
    assert ended.code == 0
    for fact in ("OME-TIFF", "1024 x 1024", "DAPI, panCK, CD68, MARCO", "0.5", "uint16"):
        assert fact in ended.out


def test_inspect_speaks_json():
    (info,) = json.loads(macprox("inspect", SAMPLES / "slides" / "P01_early.ome.tif", "--json").out)
    assert info["slide_id"] == "P01_early"
    assert info["channels"][:3] == ["DAPI", "panCK", "CD68"]
    assert info["pixel_size_um"] == 0.5
    assert info["problems"] == []
    assert len(info["levels"]) >= 2


def test_inspect_takes_a_folder_of_channels_for_one_slide(tmp_path):
    folder = small_runs.slide_files.write_folder(tmp_path / "field 7", small_runs.tissue(128))
    (info,) = json.loads(macprox("inspect", folder, "--json").out)
    assert (info["format"], info["slide_id"]) == ("folder of TIFFs", "field_7")
    assert set(info["channels"]) == set(small_runs.CHANNELS)
    assert info["pixel_size_um"] is None
    assert "--pixel-size" in info["problems"][0]


def test_inspect_goes_on_past_a_damaged_slide(slides, tmp_path):
    shutil.copy(slides / "a.ome.tif", tmp_path / "good.ome.tif")
    (tmp_path / "bad.tif").write_text("no image")
    ended = macprox("inspect", tmp_path)
    assert ended.code == 1
    assert "good.ome.tif" in ended.out
    assert ended.err.startswith("macprox: 'bad.tif' is not a TIFF")
    entries = json.loads(macprox("inspect", tmp_path, "--json").out)
    assert [("error" in entry) for entry in entries] == [False, True]
    assert macprox("inspect", tmp_path / "bad.tif").code == 2


def test_the_starter_study_runs_as_it_is(slides, tmp_path):
    study = tmp_path / "my study.toml"
    ended = macprox("init", slides, "-o", study)
    assert ended.code == 0
    assert f"--study '{study}'" in ended.out  # the next command, ready to be copied
    with small_runs.without_reports():
        ended = macprox("run", slides, "-s", study, "-o", tmp_path / "out", "-q")
    assert ended.code == 0
    cells = mp.open_result(tmp_path / "out" / "slides" / "a").cells()
    assert {"Tumour", "Macrophage"} <= set(cells["phenotype"])


def test_init_replaces_nothing_unasked(slides, tmp_path):
    study = tmp_path / "study.toml"
    study.write_text("mine")
    ended = macprox("init", slides, "-o", study)
    assert (ended.code, study.read_text()) == (2, "mine")
    assert "--force" in ended.err
    assert macprox("init", slides, "-o", study, "--force").code == 0
    assert study.read_text() != "mine"


def test_init_leaves_damaged_slides_out_and_says_so(slides, tmp_path):
    (tmp_path / "bad.tif").write_text("no image")
    ended = macprox("init", slides, tmp_path / "bad.tif", "-o", tmp_path / "study.toml")
    assert ended.code == 0
    assert "left out: 'bad.tif'" in ended.err
    assert macprox("init", tmp_path / "bad.tif", "-o", tmp_path / "none.toml").code == 2
    assert not (tmp_path / "none.toml").exists()


# --- run and update


def test_run_ends_with_an_answer_and_where_to_look(done, slides, study):
    ended = macprox("run", slides, "--study", study, "--out", done, "--quiet")
    line = next(line for line in ended.out.splitlines() if line.startswith("a "))
    counts = mp.open_result(done / "slides" / "a").manifest["counts"]
    assert line.split()[1:4] == ["⚠", "amber", str(counts["cells_observed"])]
    assert "share of tumour cells with a Macrophage" in ended.out
    assert f"Open {(done / 'index.html').resolve()} in a browser." in ended.out
    assert ended.err == ""


def test_a_run_leaves_a_whole_result_folder(done):
    left = {path.name for path in (done / "slides" / "a").glob("[!.]*")}
    assert left == {
        "cells.parquet", "gates.parquet", "labels.zarr", "lesions.parquet", "manifest.json",
        "quality.geojson", "regions.geojson", "report.html", "statistics.parquet", "work",
    }  # fmt: skip
    listed = {path.name for path in done.glob("[!.]*")}
    assert listed == {"index.html", "log.jsonl", "slides", "study.toml"}
    assert "slides/a/report.html" in (done / "index.html").read_text(encoding="utf-8")
    report = (done / "slides" / "a" / "report.html").read_text(encoding="utf-8")
    assert "share of tumour cells" in report or "tumour cells have" in report
    assert 'src="http' not in report  # self-contained


def test_the_same_run_again_does_nothing(copy, slides, study):
    before = small_runs.stages(copy / "slides" / "a")
    with small_runs.no_pixels():
        ended = macprox("run", slides, "-s", study, "-o", copy, "-q")
    assert ended.code == 0
    assert small_runs.stages(copy / "slides" / "a") == before


@pytest.mark.parametrize("verb", ["run", "update"])
def test_a_moved_gate_costs_no_pixel(copy, slides, tmp_path, verb):
    other = small_runs.write_study(
        tmp_path / "other.toml", ("[markers.CD68]\ngate = 300", "[markers.CD68]\ngate = 900")
    )
    folder = copy / "slides" / "a"
    before, n_before = small_runs.stages(folder), positive(folder)
    arguments = ("run", slides, "-o", copy) if verb == "run" else ("update", copy)
    with small_runs.no_pixels(), small_runs.without_reports():
        assert macprox(*arguments, "-s", other, "-q").code == 0
    after = small_runs.stages(folder)
    for stage in ("survey", "segmentation"):
        assert after[stage] == before[stage]
    for stage in ("analysis", "report"):
        assert after[stage]["fingerprint"] != before[stage]["fingerprint"]
    assert 0 < positive(folder) < n_before


def positive(folder: Path) -> int:
    return int(mp.open_result(folder).cells()["cd68_positive"].sum())


def test_another_segmentation_is_a_new_segmentation(copy, slides, tmp_path):
    other = small_runs.write_study(
        tmp_path / "other.toml",
        ("[segmentation.", "[segmentation]\nexpansion_um = 1.0\n[segmentation."),
    )
    ended = macprox("update", copy, "-s", other)
    assert ended.code == 2
    assert "`macprox run`" in ended.err
    before = small_runs.stages(copy / "slides" / "a")
    with small_runs.without_reports():
        assert macprox("run", slides, "-s", other, "-o", copy, "-q").code == 0
    after = small_runs.stages(copy / "slides" / "a")
    assert after["survey"] == before["survey"]
    assert after["segmentation"]["fingerprint"] != before["segmentation"]["fingerprint"]


def test_a_failed_slide_is_listed_and_the_others_are_done(slides, study, tmp_path):
    folder = tmp_path / "mixed"
    shutil.copytree(slides, folder)
    small_runs.slide_files.cut(shutil.copy(folder / "a.ome.tif", folder / "z.ome.tif"), 0.5)
    with small_runs.without_reports():
        ended = macprox("run", folder, "-s", study, "-o", tmp_path / "out", "--json")
    assert ended.code == 1
    good, bad = json.loads(ended.out)
    assert good["slide_id"] == "a"
    assert good["cells"] > 100
    assert bad["slide_id"] == "z"
    assert "truncated" in bad["failure"]
    assert ended.err.startswith("macprox: 1 of 2 slides failed:\n  z: ")
    assert len(ended.err.splitlines()) == 2
    index = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "truncated" in index
    ended = macprox("update", tmp_path / "out", "-q")
    assert ended.code == 1
    assert "'z' has no cells" in ended.err


def test_json_answers_are_only_json(copy, slides, study):
    for arguments in (("run", slides, "-s", study, "-o", copy), ("update", copy)):
        ended = macprox(*arguments, "--json")
        (answer,) = json.loads(ended.out)
        assert answer["slide_id"] == "a"
        assert answer["cells"] == len(mp.open_result(copy / "slides" / "a").cells())
        assert ended.err == ""


def test_bars_say_which_slide_and_stage():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    with Bars(console) as bars:
        bars.slide("case 7", 2, 11)
        advance = bars.stage("case 7", "segmentation", 40)
        advance(3)
        bars._progress.refresh()
    assert "2/11, about 1 min left" in screen.getvalue()
    assert "case 7" in screen.getvalue()
    assert "segmentation" in screen.getvalue()
    assert "3/40" in screen.getvalue()


def test_a_log_gets_a_line_a_slide_instead_of_bars(copy, slides, study):
    shutil.copytree(slides, copy.parent / "two")
    shutil.copy(copy.parent / "two" / "a.ome.tif", copy.parent / "two" / "b.ome.tif")
    with small_runs.without_reports():
        ended = macprox("run", copy.parent / "two", "-s", study, "-o", copy)
    assert ended.code == 0
    assert ended.err == "1/2 a\n2/2 b (about 1 min left)\n"


def test_ctrl_c_ends_with_a_sentence(slides, study, tmp_path, monkeypatch):
    def press(*_, **__):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("macprox.pipeline.run.survey_slide", press)
    # A shell's background jobs, this test run among them, start with Ctrl-C ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        ended = macprox("run", slides, "-s", study, "-o", tmp_path / "out", "-q")
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.code == STOPPED
    assert ended.err == "macprox: stopped; the same command goes on from here.\n"


# --- tables, exports, samples


def test_export_writes_csv_and_geojson(done, tmp_path):
    folder = done / "slides" / "a"
    ended = macprox("export", folder, "--to", "csv", "-o", tmp_path)
    assert ended.code == 0
    assert ended.out.splitlines() == [str(tmp_path / f"{n}.csv") for n in ("cells", "statistics")]
    cells = mp.open_result(folder).cells()
    read = pd.read_csv(tmp_path / "cells.csv", dtype=str)
    assert list(map(float, read["x_um"])) == cells["x_um"].tolist()
    assert macprox("export", folder, "--to", "geojson", "-o", tmp_path).code == 0
    features = json.loads((tmp_path / "cells.geojson").read_text(encoding="utf-8"))["features"]
    assert len(features) == len(cells)
    place = shapely.geometry.shape(features[0]["nucleusGeometry"]).centroid
    row = cells.set_index("cell_id").loc[int(features[0]["properties"]["name"])]
    assert (place.x * 0.5, place.y * 0.5) == pytest.approx((row["x_um"], row["y_um"]))


def test_stats_gives_the_published_answers_of_the_lung_table(shared_data, tmp_path):
    """Mean nearest distances and counts within 25 um as another tool published them."""
    (table,) = (shared_data / "lung_inform_set4").glob("*cell_seg_data.csv.gz")
    out = tmp_path / "results"
    ended = macprox(
        "stats", table, "--source", "CD68+", "--target", "CK+", "-o", out, "--json"
    )  # fmt: skip
    assert ended.code == 0, ended.err
    (answer,) = json.loads(ended.out)
    result = mp.open_result(answer["path"])
    statistics, cells = result.statistics(), result.cells()
    value = {
        (row.statistic, row.source): row.value
        for row in statistics.itertuples()
        if row.roi_id == "all" and row.region == "all" and row.correction in ("none", "")
        and (pd.isna(row.r_um) or row.r_um == 25)
    }  # fmt: skip
    assert value["nearest_mean_um", "CD68+"] == pytest.approx(23.1, abs=0.05)
    assert value["nearest_mean_um", "CK+"] == pytest.approx(44.3, abs=0.05)
    macrophages = cells[cells["phenotype"] == "CD68+"]
    tumour = cells[cells["phenotype"] == "CK+"]
    assert (len(macrophages), len(tumour)) == (417, 2257)
    assert (macrophages["n_ck_pos_25um"] > 0).sum() == 274
    assert (tumour["n_cd68_pos_25um"] > 0).sum() == 664
    assert value["fraction_within", "CD68+"] == pytest.approx(274 / 417)
    assert value["fraction_within", "CK+"] == pytest.approx(664 / 2257)
    assert value["count_within", "CD68+"] == pytest.approx(3.28, abs=0.005)
    assert value["count_within", "CK+"] == pytest.approx(0.606, abs=0.0005)
    assert "CD68+" in (result.path / "report.html").read_text(encoding="utf-8")
    assert (out / "index.html").exists()
    assert macprox("export", result.path, "--to", "csv", "-o", tmp_path / "csv").code == 0


@pytest.fixture
def table(tmp_path) -> Path:
    lines = [f"{'AB'[i % 2]},{i},{7 * i % 101},{13 * i % 97},{'MTO'[i % 3]}" for i in range(240)]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["slide_id,cell_id,x_um,y_um,phenotype", *lines]))
    return path


def test_stats_makes_a_slide_of_every_value_of_the_slide_column(table, tmp_path):
    samples = tmp_path / "samples.csv"
    samples.write_text("slide_id,patient,group\nA,P1,early\nB,P2,late\n")
    with small_runs.without_reports():
        ended = macprox(
            "stats", table, "--source", "M", "--target", "T", "-o", tmp_path / "r",
            "--samples", samples,
        )  # fmt: skip
    assert ended.code == 0, ended.err
    for name, patient in (("A", "P1"), ("B", "P2")):
        result = mp.open_result(tmp_path / "r" / "slides" / name)
        assert len(result.cells()) == 120
        assert result.manifest["patient"] == patient
    ended = macprox("update", tmp_path / "r")
    assert ended.code == 1
    assert "run `macprox stats` with that table again" in ended.err


def test_stats_refuses_a_phenotype_that_no_table_names(table, tmp_path):
    for arguments in (("--source", "Mac", "--target", "T"), ("--source", "M", "--target", "X")):
        ended = macprox("stats", table, *arguments, "-o", tmp_path / "r")
        assert ended.code == 2
        assert "the tables name M, O, T" in ended.err
    assert not (tmp_path / "r").exists()


def test_simulated_tissue_can_be_analysed(tmp_path):
    made = tmp_path / "made"
    ended = macprox("simulate", made, "--size", "512", "--patients", "1", "--quiet")
    assert ended.code == 0
    (slide,) = (Path(line) for line in ended.out.splitlines())
    assert slide.exists()
    assert {"study.toml", "samples.csv", "slides", "truth"} <= {p.name for p in made.iterdir()}
    with small_runs.without_reports():
        ended = macprox("run", made / "slides", "-s", made / "study.toml", "-o", made / "r", "-q")
    assert ended.code == 0, ended.err


def test_the_demo_says_what_it_found_and_where(sample_results):
    text = (sample_results.parent / "said.txt").read_text(encoding="utf-8")
    for name in ("P01_early", "P02_late", "P03_early"):
        assert name in text
        assert (sample_results / "slides" / name / "report.html").exists()
    assert f"Open {(sample_results / 'index.html').resolve()} in a browser." in text
    assert "cells.parquet" in text


def test_a_demo_without_a_checkout_simulates_its_slides_whole(tmp_path, monkeypatch):
    from macprox import sample_data

    made = []

    def write(folder, progress=None):
        made.append(folder)
        (folder / "slides").mkdir(parents=True)
        if len(made) == 1:
            raise KeyboardInterrupt
        (folder / "study.toml").write_text("whole")

    monkeypatch.setattr(sample_data, "CHECKOUT", tmp_path / "none")
    monkeypatch.setattr("macprox.simulate.write_cohort", write)
    with pytest.raises(KeyboardInterrupt):
        sample_data.sample_folder(tmp_path)
    folder = sample_data.sample_folder(tmp_path)
    assert (folder / "study.toml").exists()
    assert sample_data.sample_folder(tmp_path) == folder
    assert len(made) == 2
