"""Writes third_party.md: what macprox stands on, and under which licences.

    python docs/third_party.py     # in an environment with the extras that shall be listed

Licences are those that the installed packages state; nothing is asked of a network.
"""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE / "third_party.md"
# Extras of those who use macprox; those of who works on it bring nothing into a result.
EXTRAS = ("napari", "cluster", "anndata", "fcs")
HEAD = """# What macprox stands on

Made by `docs/third_party.py` from what the installed packages say of themselves. macprox is
BSD-3-Clause ([LICENSE](../LICENSE)). It contains no code, data or weights of others: each package
below is installed beside it, under its own licence, and a wheel of it may bundle libraries whose
notices it carries.

## In the package
* `segment/weights/nuclei.onnx`: trained on synthetic images alone (`macprox.train`; the model card
  lies beside it). BSD-3-Clause.
* `simulate`, and `sample_data/` in the repository: no patient and no real pixel. BSD-3-Clause.
* Report templates: written for macprox; no script, no font. BSD-3-Clause.

## Brought by you
StarDist, Cellpose and InstanSeg (extras of these names) and their frameworks are installed only
where you ask for them, and macprox downloads no weights. Weights have licences of their own, some
for research only: read them. PySide6 (Qt) is LGPL: it is used as it is installed, and can be
exchanged. The extras `spatialdata` and `jobqueue` bring further packages; `pip show NAME` tells
their licences.
"""
TABLE = "| package | needed by | tested | licence |\n|---|---|---|---|\n"


def main() -> None:
    """Write the page."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    needed = dict.fromkeys(map(name_of, project["dependencies"]), "every analysis")
    for extra in EXTRAS:
        for name in map(name_of, extras[extra]):
            needed.setdefault(name, f"`macprox[{extra}]`")
    rows = [f"| {name} | {why} | {' | '.join(stated(name))} |" for name, why in needed.items()]
    PAGE.write_text(f"{HEAD}\n## Installed beside it\n{TABLE}" + "\n".join(rows) + "\n", "utf-8")


def name_of(requirement: str) -> str:
    """The package's name alone: ``"dask[array]>=2025.1"`` is ``"dask"``."""
    found = re.match(r"[\w.-]+", requirement)
    assert found, requirement
    return found[0]


def stated(name: str) -> tuple[str, str]:
    """Version and licence as installed: the expression, else the classifiers, else the field."""
    try:
        said = metadata(name)
    except PackageNotFoundError as error:
        raise SystemExit(f"{name} is not installed here; install the extras {EXTRAS}.") from error
    classified = [
        line.rpartition(" :: ")[2]
        for line in said.get_all("Classifier") or []
        if line.startswith("License ::")
    ]
    field = (said.get("License") or "").strip().splitlines()[:1]
    return said["Version"], said.get("License-Expression") or ", ".join(classified or field)


if __name__ == "__main__":
    main()
