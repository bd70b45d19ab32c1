"""What the README tells people to type works, and the pages it points to are complete."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

import macprox as mp
from macprox.study import ImageParameters, Study
from macprox.study_toml import plain
from small_runs import type_in

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(mark: str) -> str:
    """The fenced block under ``<!-- mark -->``."""
    found = re.search(rf"<!-- {mark} -->\n```\w+\n(.*?)```", README, re.S)
    assert found, f"README.md has no block after <!-- {mark} -->"
    return found[1]


@pytest.fixture(scope="module")
def desk(sample_results, tmp_path_factory) -> Path:
    """A folder as a reader of the README has it, with the demo's results in ``batch``."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "sample_data").symlink_to(ROOT / "sample_data")
    shutil.copytree(sample_results, folder / "batch")
    return folder


def test_both_commands_do_all_their_own_set_up():
    demo, test = block("command: demo").split(" && "), block("command: test").split(" && ")
    assert demo[:2] == test[:2] == [
        "python3 -m venv .venv",
        '.venv/bin/pip install -q -c constraints.txt -e ".[all]"',
    ]  # fmt: skip
    assert demo[2:] == [".venv/bin/macprox demo\n"]
    assert test[2:] == [".venv/bin/pytest -n 2\n"]


def test_the_pathologist_s_lines_work(desk):
    said = type_in(desk, "bash", "-eu", "-c", block("example: pathologist"))
    assert "0.5" in said
    assert (desk / "results" / "slides" / "P01_early" / "report.html").exists()


def test_the_batch_s_lines_work(desk):
    type_in(desk, "bash", "-eu", "-c", block("example: batch"))
    assert '"slide_id": "P03_early"' in (desk / "batch" / "summary.json").read_text("utf-8")


def test_the_lines_about_patients_work(desk):
    type_in(desk, "bash", "-eu", "-c", block("example: cohort"))
    assert (desk / "batch" / "cohort" / "report.html").exists()
    answer = json.loads((desk / "batch" / "nearest.json").read_text("utf-8"))
    assert (answer["n_first"], answer["n_second"], answer["p"]) == (2, 1, None)
    assert "3 are the least for a test" in answer["reason"]


def test_the_lines_about_other_programs_work(desk):
    said = type_in(desk, "bash", "-eu", "-c", block("example: others"))
    assert "Relabelled: 0. Deleted: 0." in said  # nobody changed a class in between
    cells = mp.read_cells(desk / "batch" / "export" / "cells.h5ad")
    assert cells["slide_id"].nunique() == 3
    given = mp.open_result(desk / "from_table" / "slides" / "P01_early")
    assert (given.statistics()["statistic"] == "g").any()


def test_the_script_works(desk):
    said = type_in(desk, sys.executable, "-c", block("example: script"))
    assert re.search(r"^\d+\.\d+ µm$", said, re.M)
    assert "Mo-mac-like" in said


def test_the_folder_shown_is_the_folder_made(sample_results):
    made = {path.name for path in sample_results.iterdir()}
    made |= {path.name for path in (sample_results / "slides" / "P01_early").iterdir()}
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^ +([\w.]+\.\w+) {2,}", page.partition("What lies in")[0], re.M))
    by_others = {"edits.jsonl", "verification.jsonl", "sensitivity.parquet", "calibration.parquet"}
    assert shown - by_others == {name for name in made if "." in name[1:] and name[0] != "."}


def test_pictures_and_pages_that_are_linked_exist():
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    assert len(pages) > 3
    for page in pages:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"
    assert (ROOT / "docs" / "images" / "report.png").stat().st_size < 400_000


@pytest.mark.parametrize(
    "name",
    ["constraints.txt", "tests/peers/constraints.txt", "tests/peers/viewer-constraints.txt"],
)
def test_constraints_hold_names_and_versions_only(name):
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert len(pins) > 100
    for pin in pins:
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*==[0-9][\w.]*( ; [\w .'<>=!*]+)?", pin), pin


def keys(table: dict, place: str = "") -> list[str]:
    """``["image.nucleus", ...]``, without names that a user invents."""
    found = []
    for name, value in table.items():
        if isinstance(value, dict) and name not in ("markers", "phenotypes"):
            found += keys(value, f"{place}{name}.")
        elif not isinstance(value, dict):
            found.append(f"{place}{name}")
    return found


def test_every_key_of_a_study_is_in_its_reference():
    reference = (ROOT / "docs" / "study.md").read_text(encoding="utf-8")
    known = keys(plain(Study(ImageParameters("DAPI"))))
    assert "regions.margin_um" in known
    missing = [key for key in known if f"`{key.rpartition('.')[2]}`" not in reference]
    assert not missing


def test_every_statistic_and_column_is_defined(sample_results):
    result = mp.open_result(sample_results / "slides" / "P01_early")
    statistics = result.statistics()
    defined = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
    for name in [*statistics["statistic"].unique(), *statistics.columns]:
        assert f"`{name}`" in defined, name

    described = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    measured = re.compile(r"(mean|nearest|n)_.*|.*_positive")
    for name in result.cells().columns:
        assert measured.fullmatch(name) or f"`{name}`" in described, name
    for name in result.gates().columns:
        assert f"`{name}`" in described, name
