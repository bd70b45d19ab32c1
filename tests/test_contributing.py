"""The examples of docs/CONTRIBUTING.md, applied to a copy of the code, do what the page says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^<!-- (adds|changes|check): (\S+) -->\n```\w+\n(.*?)^```$", re.S | re.M)
BLOCKS = [found.groups() for found in BLOCK.finditer(PAGE)]
CHECKS = {name: code for kind, name, code in BLOCKS if kind == "check"}


def applied(text: str, change: str) -> str:
    """The text with each hunk's old lines replaced by its new ones; they must be there, once."""
    for hunk in change.split("@@\n"):
        lines = hunk.splitlines()
        old = "\n".join(line[1:] for line in lines if line[:1] != "+")
        new = "\n".join(line[1:] for line in lines if line[:1] != "-")
        assert text.count(old) == 1, f"the page shows other code than there is:\n{old}"
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> Path:
    """A copy of the code with every example of the page in it."""
    copy = tmp_path_factory.mktemp("house")
    for folder in ("src", "plugins"):
        shutil.copytree(ROOT / folder, copy / folder)  # what numba has compiled, too
    for kind, name, text in BLOCKS:
        path = copy / name
        if kind == "adds":
            path.parent.mkdir(parents=True, exist_ok=True)
            assert not path.exists(), f"{name} is there already"
            path.write_text(text, encoding="utf-8")
        elif kind == "changes":
            path.write_text(applied(path.read_text(encoding="utf-8"), text), encoding="utf-8")
    return copy


def run(house: Path, code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    places = [house / "src", house / "plugins", house / "site"]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, places)),
        "QT_QPA_PLATFORM": "offscreen",
    }
    code = f"from pathlib import Path\nfolder = Path({str(folder)!r})\n{code}"
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=environment, capture_output=True, text=True, timeout=280,
    )  # fmt: skip


@pytest.mark.parametrize("name", CHECKS)
def test_an_example_of_the_page_works(house, name, tmp_path):
    if name == "panel":
        pytest.importorskip("napari", reason="needs the napari extra")
    ended = run(house, CHECKS[name], tmp_path)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("name", ["table", "export", "segmenter"])
def test_without_the_example_it_does_not(name, tmp_path):
    """Control: the check asks for what was added."""
    assert run(ROOT, CHECKS[name], tmp_path).returncode == 1


def test_there_is_an_example_for_each_thing_that_people_add():
    assert set(CHECKS) == {"table", "slide", "segmenter", "statistic", "claim", "export", "panel"}


def test_a_change_that_does_not_fit_is_told():
    assert applied("a\nb\n", " a\n+x\n b\n") == "a\nx\nb\n"
    with pytest.raises(AssertionError, match="other code than there is"):
        applied("a\nb\n", "-c\n+x\n")


def test_the_map_names_every_room():
    rooms = {path.stem for path in (ROOT / "src" / "macprox").iterdir() if path.stem[0] != "_"}
    rooms -= {"py"}  # py.typed
    assert len(rooms) > 20
    missing = [room for room in sorted(rooms) if f"`{room}`" not in PAGE]
    assert not missing
