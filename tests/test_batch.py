"""A folder of slides: which are worked on, by whom, how far it is, and what ends all of it."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import macprox as mp
import small_runs
from macprox.batch import Selection
from macprox.batch.journal import LOG_FILE, read_journal
from macprox.batch.plan import plan_run
from macprox.batch.status import batch_status
from macprox.errors import MacproxError, ResultError, TableError
from macprox.io.lock import TakenError, run_in
from small_runs import macprox

NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
def slides(tmp_path_factory) -> Path:
    """Three small slides; the second is none."""
    folder = tmp_path_factory.mktemp("slides")
    for seed, name in enumerate(NAMES):
        small_runs.write_slide(folder / f"{name}.ome.tif", small_runs.tissue(256, seed))
    (folder / "b.ome.tif").write_bytes(b"not a TIFF")
    return folder


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    return small_runs.write_study(tmp_path_factory.mktemp("study") / "study.toml")


@pytest.fixture(autouse=True, scope="module")
def figures_left_out():
    with small_runs.without_reports():
        yield


def run(slides, study, out, *options):
    return macprox("run", slides, "-s", study, "-o", out, "--quiet", *options)


def states(out: Path) -> dict[str, str]:
    return {slide.slide_id: slide.state for slide in batch_status(out).slides}


def begun(out: Path) -> list[str]:
    """The slides that were ever worked on, in order."""
    return [e["slide_id"] for e in read_journal(out) if e["event"] == "slide begins"]


# --- which slides


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", "-1/2", "1/2/3", ""])
def test_a_part_that_is_none_is_refused(text):
    with pytest.raises(MacproxError, match=r"--shard expects a part of a whole such as 3/8"):
        Selection.of(text)


@given(n_slides=st.integers(1, 12), n_shards=st.integers(1, 15))
def test_the_parts_are_the_whole(tmp_path_factory, n_slides, n_shards):
    folder = tmp_path_factory.mktemp("many")
    for number in range(n_slides):
        (folder / f"{number}.tif").touch()
    parts = [
        plan_run(folder, Path("out"), Selection(shard, n_shards)).ours
        for shard in range(1, n_shards + 1)
    ]
    whole = plan_run(folder, Path("out"), Selection()).slides
    assert len(whole) == n_slides
    assert sorted(one.slide_id for part in parts for one in part) == sorted(
        one.slide_id for one in whole
    )


def test_namesakes_have_the_same_names_in_every_part(tmp_path):
    for patient in ("P1", "P2"):
        (tmp_path / patient).mkdir()
        (tmp_path / patient / "scan.tif").touch()
    names = [
        one.slide_id
        for shard in (1, 2)
        for one in plan_run(tmp_path, Path("out"), Selection(shard, 2)).ours
    ]
    assert names == ["P1_scan", "P2_scan"]


def test_a_sample_sheet_names_slides_and_patients(slides, study, tmp_path):
    sheet = tmp_path / "sheet.csv"
    (tmp_path / "near.ome.tif").symlink_to(slides / "a.ome.tif")
    sheet.write_text(
        "slide_id,path,patient\n"
        "Case 7 (left),near.ome.tif,P1\n"  # a relative path begins where the sheet lies
        f"gone,{tmp_path}/gone.tif,P2\n"
    )
    ended = run(sheet, study, tmp_path / "out")
    assert ended.code == 1
    assert "No slide at" in ended.err
    result = mp.open_result(tmp_path / "out" / "slides" / "Case_7_left")
    assert result.manifest["patient"] == "P1"
    assert states(tmp_path / "out") == {"Case_7_left": "finished", "gone": "failed"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("slide_id,patient\na,P1\n", "lacks the column path"),
        ("path,patient\na.tif,P1\n", "lacks the column slide_id"),
        ("slide_id,path\na,\n", "says no path for slide 'a'"),
        ("slide_id,path\na b,x.tif\na_b,y.tif\n", "lists slide 'a_b' twice"),
        ("slide_id,path\nall,.\n", "holds 3 slides; expected one a row"),
    ],
)
def test_a_sheet_that_does_not_say_which_slides(slides, tmp_path, text, problem):
    sheet = slides / "sheet.csv"
    sheet.write_text(text)
    with pytest.raises(TableError, match=problem):
        plan_run(sheet, tmp_path, Selection())
    sheet.unlink()


def test_a_sheet_and_a_folder_may_not_give_one_name_to_two_slides(slides, tmp_path):
    (tmp_path / "other.tif").touch()
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("slide_id,path\nA,other.tif\n")
    with pytest.raises(TableError, match=r"Two slides would be called '[aA]'; give each"):
        plan_run([sheet, slides], tmp_path, Selection())


# --- one failure, and what comes after


@pytest.fixture(scope="module")
def ran(slides, study, tmp_path_factory) -> Path:
    """The results of the three slides, one of which failed."""
    out = tmp_path_factory.mktemp("ran")
    ended = run(slides, study, out)
    assert ended.code == 1
    assert "1 of 3 slides failed:\n  b: 'b.ome.tif' is not a TIFF" in ended.err
    return out


def test_status_tells_what_failed_and_why(ran):
    ended = macprox("status", ran)
    assert ended.code == 0
    first, failed, last = ended.out.splitlines()
    assert first == "3 slides: 2 finished, 1 failed. Quality of the finished: 2 red."
    assert failed.startswith("  b: failed: 'b.ome.tif' is not a TIFF file")
    assert last == "Nobody is at work here; the same `macprox run` command goes on."
    answer = json.loads(macprox("status", ran, "--json").out)
    assert answer["counts"] | {"finished": 2, "failed": 1} == answer["counts"]
    assert [slide["slide_id"] for slide in answer["slides"]] == ["a", "b", "c"]


def test_the_log_tells_what_happened_in_order(ran):
    events = list(read_journal(ran))
    assert [e["event"] for e in events if "stage" not in e] == [
        "run begins", "slide begins", "slide ends", "slide begins", "slide fails",
        "slide begins", "slide ends", "run ends",
    ]  # fmt: skip
    assert events[0]["planned"] == ["a", "b", "c"]
    assert [e["stage"] for e in events if e.get("slide_id") == "a" and "stage" in e] == [
        "survey", "segmentation", "analysis", "report",
    ]  # fmt: skip
    assert len({e["run"] for e in events}) == 1


def test_only_what_failed_is_tried_again(slides, study, ran, tmp_path):
    mended = tmp_path / "mended"
    mended.mkdir()
    for name in NAMES:
        source = slides / f"{'a' if name == 'b' else name}.ome.tif"
        (mended / f"{name}.ome.tif").write_bytes(source.read_bytes())
    n_before = len(begun(ran))
    ended = run(mended, study, ran, "--retry-failed")
    assert ended.code == 0, ended.err
    assert begun(ran)[n_before:] == ["b"]
    assert set(states(ran).values()) == {"finished"}
    ended = run(mended, study, ran, "--retry-failed")
    assert (ended.code, ended.out) == (0, "No slide has failed.\n")


def test_parts_share_a_folder_and_the_last_lists_all(slides, study, tmp_path):
    first = run(slides, study, tmp_path, "--shard", "1/2")
    assert first.code == 0, first.err
    assert states(tmp_path) == {"a": "finished", "b": "waiting", "c": "finished"}
    assert run(slides, study, tmp_path, "--shard", "2/2").code == 1
    assert begun(tmp_path) == ["a", "c", "b"]
    index = (tmp_path / "index.html").read_text()
    assert all(f"slides/{name}/" in index or f"{name}</td>" in index for name in NAMES)


def test_a_full_disk_ends_the_run_with_its_reason(slides, study, tmp_path, monkeypatch):
    """Every slide after it would fail as well, one after the other, over a weekend."""

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("macprox.io.labels.LabelImage.write_tile", full)
    ended = run(slides, study, tmp_path / "out")
    assert ended.code == 1
    assert "a: Cannot write" in ended.err
    assert "No space left on device. Make room there" in ended.err
    assert "b: not begun, as the run ended with a" in ended.err
    assert begun(tmp_path / "out") == ["a"]
    assert states(tmp_path / "out") == {"a": "failed", "b": "waiting", "c": "waiting"}


# --- several at once

HOLD = """
import sys, time
from pathlib import Path
from macprox.io.lock import run_in

with run_in(Path(sys.argv[1]), is_part="part" in sys.argv):
    sys.stdout.write("mine\\n")
    sys.stdout.flush()
    time.sleep(60)
"""


@pytest.fixture
def another(tmp_path):
    """Another process that is at work in a result folder."""
    running = []

    def start(*arguments: str) -> None:
        command = [sys.executable, "-c", HOLD, str(tmp_path), *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "mine\n"

    yield start
    for process in running:
        process.kill()
        process.communicate()


def test_two_runs_in_one_folder_are_one_too_many(slides, study, tmp_path, another):
    another()
    ended = run(slides, study, tmp_path)
    assert ended.code == 2
    assert "Another macprox is at work in" in ended.err
    assert not (tmp_path / LOG_FILE).exists()


def test_parts_of_a_run_work_side_by_side_and_keep_others_out(tmp_path, another):
    another("part")
    another("part")
    with run_in(tmp_path, is_part=True) as is_first:
        assert not is_first
    with pytest.raises(TakenError, match="give each its --shard"), run_in(tmp_path):
        pytest.fail("a run among parts of another")


def test_a_part_waits_for_no_whole_run(tmp_path, another, monkeypatch):
    monkeypatch.setattr("macprox.io.lock.MOMENT_S", 0.1)
    another()
    with pytest.raises(TakenError, match="Another macprox"), run_in(tmp_path, is_part=True):
        pytest.fail("a part beside a whole run")


def test_parts_have_one_study(slides, study, tmp_path, another):
    another("part")
    (tmp_path / "study.toml").write_text("another")
    ended = run(slides, study, tmp_path, "--shard", "1/3")
    assert ended.code == 2
    assert "The other parts of this run work with another study" in ended.err


# --- how far it is


def test_status_of_a_folder_without_a_run(tmp_path):
    with pytest.raises(ResultError, match=r"No run in .*Give the folder that `macprox run` writes"):
        batch_status(tmp_path)


def test_a_stopped_slide_is_told_from_one_that_waits(ran, tmp_path):
    import shutil

    shutil.copytree(ran, tmp_path / "out")
    manifest = tmp_path / "out" / "slides" / "a" / "manifest.json"
    facts = json.loads(manifest.read_text())
    facts["stages"].pop("analysis")
    manifest.write_text(json.dumps(facts))
    (tmp_path / "out" / "slides" / "c" / "manifest.json").unlink()
    assert states(tmp_path / "out") | {"a": "stopped", "c": "waiting"} == states(tmp_path / "out")
    assert "  a: stopped (report)" in macprox("status", tmp_path / "out").out


def test_what_is_left_is_told_at_the_pace_so_far(tmp_path, slides, study):
    from macprox.io.lock import alone_in
    from macprox.io.store import slide_folder
    from macprox.study import Study

    (tmp_path / "study.toml").write_text(Study.from_toml(study).to_toml())
    lines = [
        {"event": "run begins", "run": "1", "planned": ["a", "b", "c", "d"]},
        {"event": "slide begins", "run": "1", "slide_id": "a"},
        {"event": "slide ends", "run": "1", "slide_id": "a", "seconds": 600},
        {"event": "slide begins", "run": "1", "slide_id": "b"},
        {"event": "stage begins", "run": "1", "slide_id": "b", "stage": "survey", "n_tiles": 4},
    ]
    torn = '\n{"event": "slide be'
    (tmp_path / LOG_FILE).write_text("\n".join(map(json.dumps, lines)) + torn)
    folder = slide_folder(tmp_path, "b")
    folder.path.mkdir(parents=True)
    with alone_in(folder):
        found = batch_status(tmp_path)
        said = macprox("status", tmp_path).out
    assert found.n_at_work == 1
    assert found.seconds_left == 4 * 600  # a has no results any more, b is under way
    assert "  b: running (survey, 0 of 4 tiles)\nAbout 40 min left, at the pace so far.\n" in said
    assert states(tmp_path)["b"] == "waiting"  # nobody holds it any more, nothing was kept


def test_a_sample_sheet_of_the_study_is_found_by_the_names_of_files(slides, tmp_path, study):
    pd.DataFrame({"slide_id": ["a.ome.tif"], "patient": ["P9"]}).to_csv(tmp_path / "s.csv")
    text = study.read_text() + f'\n[cohort]\nsamples = "{tmp_path}/s.csv"\n'
    (tmp_path / "study.toml").write_text(text)
    assert run(slides / "a.ome.tif", tmp_path / "study.toml", tmp_path / "out").code == 0
    assert mp.open_result(tmp_path / "out" / "slides" / "a").manifest["patient"] == "P9"
