"""First hours and how-tos: every command and every script of theirs, as the page has it."""

import json
import re
import shutil
from ast import literal_eval
from pathlib import Path

import pytest

import macprox as mp
import small_runs
from macprox.edits import EditLog, GateMoved, SignedOff, now_utc
from walks import DOCS, blocks

ROOT = DOCS.parent
pytestmark = pytest.mark.slow  # two minutes together; .ci/run runs them


@pytest.fixture
def desk(sample_results, tmp_path, monkeypatch) -> Path:
    """A folder as a reader has it: the sample data, and the demo's results."""
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    shutil.copytree(sample_results, tmp_path / "macprox-demo")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def walk(page: str, desk: Path) -> list[str]:
    """What the blocks of a page say; those that open a window or install are left out."""
    names: dict = {}
    return [block.typed_in(desk, names) for block in blocks(page) if block.runs]


def test_a_pathologist_s_first_hour_ends_with_a_signed_slide(desk):
    shutil.rmtree("macprox-demo")
    states = []
    for block in blocks("first_hour_pathologist"):
        if block.runs:
            block.typed_in(desk, {})
        elif "macprox review" in block.text:
            decide(mp.open_result("macprox-demo/slides/P01_early"))
        if "macprox-demo" in block.text or "macprox demo" in block.text:
            states.append(state_of(mp.open_result("macprox-demo/slides/P01_early")))
    demo, decided, updated = states
    assert demo == decided == (None, "auto")  # control: the update is what changes the numbers
    assert updated == ("Dr. A. Example", "reviewer")
    assert Path("my_results/index.html").exists()


def state_of(result: mp.SlideResult) -> tuple[str | None, str]:
    """Who signed, and whose the gate of MARCO is."""
    signed = result.manifest["signed_off"] or {"by": None}
    return signed["by"], result.gates().set_index("marker").loc["MARCO", "source"]


def decide(result: mp.SlideResult) -> None:
    """What the page has a reader do in the window."""
    who = {"slide_id": "P01_early", "reviewer": "Dr. A. Example", "time": now_utc()}
    gate = float(result.gates().set_index("marker").loc["MARCO", "value"])
    moved = GateMoved(**who, marker="MARCO", before=gate, after=1.3 * gate)
    EditLog(result.folder.edits).append(moved, SignedOff(**who))


def test_the_report_says_what_the_pathologist_s_page_quotes(sample_results):
    result = mp.open_result(sample_results / "slides" / "P01_early")
    found = mp.spatial.headline(result.statistics(), result.study.proximity)
    row = found.query("source == 'Tumour' and target == 'AM/TRM-like'").iloc[0]
    page = " ".join((DOCS / "first_hour_pathologist.md").read_text(encoding="utf-8").split())
    assert f"What was seen: {row['value']:.0%}".replace("%", " %") in page
    assert f"What chance gives: {row['expected']:.0%}".replace("%", " %") in page
    assert f"p = {row['p']:.3f}, on this slide" in page


def test_a_core_facility_s_first_hour_names_the_slide_that_failed(desk):
    said = walk("first_hour_batch", desk)
    assert "'P04_late.ome.tif' is truncated" in said[0]
    assert "exit code 1" in said[0]
    told = " ".join(said[1].split())
    assert "4 slides: 3 finished, 1 failed. Quality of the finished: 3 amber." in told
    assert "exit code 1" in told
    assert len(json.loads(Path("facility/summary.json").read_text("utf-8"))) == 4
    delivered = {path.name for path in Path("delivery/P04_late").iterdir()}
    assert {"cells.csv", "report.html"} <= delivered


def test_a_script_s_first_hour_prints_what_the_page_says(desk, capsys):
    walk("first_hour_scripting", desk)
    said = capsys.readouterr().out
    assert "mean 28 µm, 31% within 20 µm" in said
    near, excess = map(literal_eval, re.findall(r"^(?:near|excess) (\{.*\})$", said, re.M))
    assert near["effect"] == pytest.approx(-0.14, abs=0.005)
    assert near["p"] == pytest.approx(0.002, abs=0.0005)
    assert excess["effect"] == pytest.approx(0.02, abs=0.005)
    assert excess["p"] == pytest.approx(0.19, abs=0.005)
    relabelled = re.findall(r"value +expected +p\n +([\d.]+) +([\d.]+) +([\d.]+)", said)
    assert relabelled == [("0.149", "0.078", "0.005"), ("0.149", "0.135", "0.474")]


def test_a_panel_of_one_s_own_gives_its_phenotypes(desk):
    walk("my_panel", desk)
    assert mp.open_result("panel_results/slides/P01_early").cells()["phenotype"].nunique() > 5


def test_the_page_on_gates_runs_as_written(desk):
    assert any("gate" in said.lower() for said in walk("fixing_gates", desk))


def test_the_page_on_nulls_tells_the_nulls_apart(desk, capsys):
    walk("choosing_a_null", desk)
    said = capsys.readouterr().out
    assert "all non-Tumour cells" in said
    assert "AM/TRM-like, Mo-mac-like" in said or "AM/TRM-like or Mo-mac-like" in said


def test_a_class_and_a_region_of_qupath_come_back(desk):
    said = walk("my_qupath_project", desk)
    assert any("Relabelled: 1. Deleted: 0." in text for text in said)
    corrected = mp.open_result("macprox-demo/slides/P01_early").cells()
    assert (corrected["phenotype_source"] == "reviewer").sum() == 1
    regions = mp.open_result("macprox-demo/slides/P01_early").regions()
    assert regions.tumour_source != "auto"
    assert len(json.loads(Path("to_qupath/cells.geojson").read_text("utf-8"))["features"]) > 900


def test_label_images_of_others_are_the_cells(desk):
    walk("label_images", desk)
    given = mp.open_result("given/slides/P01_early")
    assert given.study.segmentation.method == "labels"
    assert small_runs.macprox("status", "given").code == 0
