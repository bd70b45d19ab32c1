"""`review`: the window, which an installed plugin brings."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import typer

from macprox.cli.app import app
from macprox.errors import MacproxError
from macprox.io.store import slide_folders

WINDOWS = "macprox.review"  # entry points: functions that open a result folder in a window


@app.command()
def review(
    results: Annotated[
        Path, typer.Argument(help="Result folder, or one slide of it: results/slides/<slide>.")
    ],
) -> None:
    """Look at results in napari: move gates, correct cells, draw regions, sign off."""
    if not (results / "manifest.json").is_file():
        slide_folders(results)  # one sentence here, before a window opens for nothing
    for found in entry_points(group=WINDOWS):
        try:
            open_window = found.load()
        except ImportError:
            continue
        open_window(results)
        return
    raise MacproxError(
        "The review window needs napari, which is not installed. Install macprox with it: pip "
        'install "macprox[napari]".'
    )
