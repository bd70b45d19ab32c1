"""A small slide with tumour and macrophages, and the study that reads it: one run takes seconds."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
from scipy import ndimage as ndi

import scenes
import slide_files
from macprox import cli
from macprox.results import SlideResult, open_result

CHANNELS = ("DAPI", "panCK", "CD68")
STUDY = """
[image]
nucleus = "DAPI"
[segmentation.macrophages]
channels = ["CD68"]
[markers.panCK]
gate = 300
[markers.CD68]
gate = 300
[phenotypes]
"Tumour" = "panCK+ CD68- in:tumour"
"Normal epithelium" = "panCK+ CD68- not in:tumour"
"Macrophage" = "CD68+ panCK-"
[proximity]
macrophages = ["Macrophage"]
n_permutations = 49
"""


def tissue(side_px: int = 640, seed: int = 3) -> np.ndarray:
    """``(c, y, x)`` uint16: a crowd whose left half is tumour; macrophages everywhere."""
    scene = scenes.crowd(side_px, seed)
    left = np.arange(side_px)[None, :] < side_px // 2
    keratin = ndi.binary_dilation(scene.truth > 0, iterations=4) & left & (scene.truth % 9 != 1)
    return np.stack([scene.nuclear, scenes.exposed(keratin, seed + 2), scene.marker])


def write_slide(path: Path, image: np.ndarray | None = None, names=CHANNELS, **options) -> Path:
    """An OME-TIFF of 0.5 um per pixel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return slide_files.write_ome(path, tissue() if image is None else image, names, **options)


def write_study(path: Path, *changes: tuple[str, str], text: str = STUDY) -> Path:
    """The study with pieces of its text replaced."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return path


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


def macprox(*arguments: object) -> Ended:
    """The command line in this process, through its entry point; a traceback fails the test."""
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with (
        redirect_stdout(out),
        redirect_stderr(err),
        patch.object(sys, "argv", ["macprox", *map(str, arguments)]),
    ):
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code
    return Ended(int(code or 0), out.getvalue(), err.getvalue())


@contextmanager
def without_reports() -> Iterator[None]:
    """Leave out the figures, which have tests of their own and take most of a small run's time."""

    def write(_: object, path: Path) -> None:
        path.write_text("left out")

    with patch("macprox.report.write_slide_report", write):
        yield


def finished_slide(folder: Path) -> SlideResult:
    """The small slide, analysed into ``folder / "out"``, without a report."""
    slide, study = write_slide(folder / "a.ome.tif"), write_study(folder / "study.toml")
    with without_reports():
        ended = macprox("run", slide, "--study", study, "--out", folder / "out", "-q")
    assert ended.code == 0, ended.err
    return open_result(folder / "out" / "slides" / "a")


def type_in(desk: Path, *command: str) -> str:
    """What a command says when it is typed in a folder; it must end well."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=desk, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def stages(result_folder: Path) -> dict[str, str]:
    """When each stage of a slide was finished, with what fingerprint."""
    manifest = json.loads((result_folder / "manifest.json").read_text(encoding="utf-8"))
    return manifest["stages"]


@contextmanager
def no_pixels() -> Iterator[None]:
    """Nobody may read a pixel here."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a pixel was read")

    with patch("macprox.slide.Slide.read", refuse):
        yield


def assert_explained(result: SlideResult) -> None:
    """No number about macrophages and tumour, and a reason in each row instead."""
    statistics = result.statistics()
    unexplained = statistics["value"].isna() & (statistics["reason"].fillna("") == "")
    assert not unexplained.any()
    pairs = statistics.query("statistic in ('nearest_mean_um', 'g')")
    assert len(pairs) > 0
    assert pairs[["value", "expected", "p"]].isna().all(axis=None)
