"""Imports point down, the core knows no napari, and importing macprox is free."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[1] / "src" / "macprox"
PLUGIN = SRC.parents[1] / "plugins" / "napari_macprox"

LAYERS = (
    {"errors"},
    {"slide", "celltable", "window", "extreme_ranks", "edits", "printable", "quality"},
    {"image"},
    {"segment", "measure", "phenotype", "regions", "spatial", "cohort", "simulate"},
    {"study", "study_toml", "starter_study", "io", "train"},
    {"results", "cohort_results"},
    {"claims", "exports"},
    {"report"},
    {"pipeline"},
    {"batch", "progress", "review", "sample_data"},
    {"doctor"},
    {"cli"},
)
LEVEL = {name: level for level, layer in enumerate(LAYERS) for name in layer}

# Rooms on one floor that share a wall on purpose: the model and the file that it is read from.
NEIGHBOURS = {("study", "study_toml"), ("starter_study", "study"), ("starter_study", "io")}


def rooms_imported(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            parts = node.module.split(".")
            if parts[0] == "macprox":
                rooms |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            rooms |= {a.name.split(".")[1] for a in node.names if a.name.startswith("macprox.")}
    return rooms & set(LEVEL)


def modules() -> list[Path]:
    return sorted(SRC.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(SRC).parts[0].removesuffix(".py")


def test_every_room_has_a_floor():
    rooms = {room_of(path) for path in modules()} - {"__init__"}
    assert rooms == set(LEVEL)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(SRC)))
def test_imports_point_down(path):
    here = room_of(path)
    if here == "__init__":
        return
    climbing = {
        room
        for room in rooms_imported(path)
        if room != here and LEVEL[room] >= LEVEL[here] and (here, room) not in NEIGHBOURS
    }
    assert not climbing, f"{here} imports {', '.join(sorted(climbing))}, which is not below it"


def test_the_core_imports_neither_napari_nor_qt():
    for path in modules():
        text = path.read_text(encoding="utf-8")
        for name in ("napari", "qtpy", "PySide6", "magicgui"):
            assert f"import {name}" not in text, path
            assert f"from {name}" not in text, path


def test_no_room_is_a_drawer():
    drawers = {"utils", "helpers", "common", "misc", "manager"}
    assert not [path for path in modules() if path.stem in drawers]


def test_importing_macprox_imports_nothing_heavy():
    heavy = [
        "numpy",
        "scipy",
        "pandas",
        "dask",
        "numba",
        "skimage",
        "zarr",
        "shapely",
        "matplotlib",
        "pydantic",
    ]
    code = f"import sys, macprox; print([m for m in {heavy!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_public_names_resolve():
    import macprox

    for name in macprox.__all__:
        assert getattr(macprox, name) is not None
    assert set(macprox.__all__) - {"__version__"} <= set(dir(macprox))
    with pytest.raises(AttributeError, match="attribute nothing"):
        macprox.nothing  # noqa: B018
