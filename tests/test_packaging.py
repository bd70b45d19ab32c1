"""What is installed, cited, licensed and asked for is what the repository says."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

import macprox
from macprox import cohort, spatial

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = [
    ROOT / path for path in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
]


def names(requirements: list[str]) -> set[str]:
    return {re.match(r"[\w.-]+", one)[0] for one in requirements}


# --- types


def test_both_packages_say_that_they_are_typed():
    assert [path.name for path in PACKAGES] == ["macprox", "napari_macprox"]
    assert all((path / "py.typed").is_file() for path in PACKAGES)
    assert "Typing :: Typed" in PROJECT["project"]["classifiers"]


def test_a_wheel_holds_what_is_no_python(tmp_path):
    pytest.importorskip("hatchling", reason="hatchling is not installed here")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "macprox/py.typed",
        "macprox/segment/weights/nuclei.onnx",
        "macprox/simulate/study.toml",
        "macprox/report/templates/slide.html.j2",
        "napari_macprox/py.typed",
        "napari_macprox/napari.yaml",
    } <= held
    assert not [name for name in held if name.startswith(("tests", "docs", "benchmarks"))]


USER = """
import macprox as mp
from macprox import cohort, spatial

result = mp.open_result("results/slides/a")
reveal_type(result.cells())
reveal_type(result.window())
reveal_type(mp.run(["slides"], "study.toml"))
reveal_type(spatial.nearest_distance([[0, 0]], [[3, 4]]))
"""


def test_a_user_s_mypy_sees_types(tmp_path, pytestconfig):
    """The names of the public modules, too; and what does not exist is an error."""
    pytest.importorskip("mypy", reason="mypy is not installed here")
    public = [f"mp.{name}" for name in macprox.__all__]
    public += [f"spatial.{name}" for name in spatial.__all__]
    public += [f"cohort.{name}" for name in cohort.__all__]
    script = tmp_path / "user.py"
    asked = "".join(f"reveal_type({name})\n" for name in public)
    script.write_text(f"{USER}{asked}mp.no_such_name\n", encoding="utf-8")
    (tmp_path / "mypy.ini").write_text(f"[mypy]\nmypy_path = {ROOT / 'src'}\n")
    cache = pytestconfig.cache.mkdir("mypy")
    command = [sys.executable, "-m", "mypy", "--follow-imports", "silent", "--cache-dir", cache]
    # As installed packages are: what their own imports lack is not told.
    command += ["--config-file", "mypy.ini", "--ignore-missing-imports", "user.py"]
    ended = subprocess.run(
        list(map(str, command)), cwd=tmp_path, capture_output=True, text=True, timeout=280
    )
    errors = [line for line in ended.stdout.splitlines() if ": error: " in line]
    assert len(errors) == 1, ended.stdout + ended.stderr
    assert 'Module has no attribute "no_such_name"' in errors[0]
    types = re.findall(r'Revealed type is "(.*)"', ended.stdout)
    assert len(types) == 4 + len(public)
    assert types[0].endswith("frame.DataFrame")
    assert types[1:3] == ["macprox.window.Window", "list[macprox.results.SlideResult]"]
    assert types[3].startswith("numpy.ndarray")
    assert not [name for name, of in zip(public, types[4:], strict=True) if of == "Any"]


# --- citation, changelog, licences


def test_the_citation_is_of_this_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["cff-version"] == "1.2.0"
    assert cited["version"] == macprox.__version__
    assert cited["authors"] == PROJECT["project"]["authors"]
    assert cited["license"] == PROJECT["project"]["license"]


def test_the_changelog_tells_of_this_version_newest_first():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    told = re.findall(r"^## .*?(\d+\.\d+\.\d+)", text, re.M)
    assert macprox.__version__ in told
    assert told == sorted(told, key=Version, reverse=True)


def test_every_dependency_is_on_the_page_of_licences():
    page = (ROOT / "docs" / "third_party.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| ([\w.-]+) \|.*\| (.+?) \|$", page, re.M))
    extras = PROJECT["project"]["optional-dependencies"]
    needed = names(PROJECT["project"]["dependencies"])
    for extra in ("napari", "cluster", "anndata", "fcs"):
        needed |= names(extras[extra])
    assert needed <= set(listed), "run docs/third_party.py"
    assert all(listed[name].strip() for name in needed)
    assert "LGPL" in listed["PySide6-Essentials"]


# --- forms and hooks


def forms() -> list[Path]:
    return sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[0-9]-*.yml"))


@pytest.mark.parametrize("path", forms(), ids=lambda path: path.stem)
def test_a_form_is_one_that_github_shows(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= set(form)
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids)) > 1
    for field in form["body"]:
        assert field["type"] in {"textarea", "input"}
        assert field["attributes"]["label"]


def test_who_reports_a_fault_is_asked_for_the_doctor():
    asked = [path for path in forms() if "macprox doctor --json" in path.read_text("utf-8")]
    assert [path.name[0] for path in asked] == ["1", "2"]
    assert len(forms()) == 4


def test_hooks_take_nothing_from_elsewhere():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repository["repo"] for repository in hooks["repos"]] == ["local"]
    used = [hook for repository in hooks["repos"] for hook in repository["hooks"]]
    assert {"ruff-check", "ruff-format", "mypy"} < {hook["id"] for hook in used}
    assert {hook["language"] for hook in used} == {"system"}
