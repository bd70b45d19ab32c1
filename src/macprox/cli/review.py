"""`review`: the window, which an installed plugin brings; `corrections` made in QuPath."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import typer

from macprox.cli.app import app
from macprox.cli.telling import say
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


@app.command()
def corrections(
    slide: Annotated[
        Path, typer.Argument(help="One slide of the results: results/slides/<slide_id>.")
    ],
    cells: Annotated[
        Path, typer.Argument(help="Exported cells (--to geojson), corrected in QuPath.")
    ],
    reviewer: Annotated[str, typer.Option("--reviewer", help="Who corrected them.")],
    delete_missing: Annotated[
        bool, typer.Option("--delete-missing", help="Delete cells that the file lacks.")
    ] = False,
) -> None:
    """Take classes that were changed in QuPath into a slide's log; then `update`."""
    from macprox.results import open_result
    from macprox.review.returned import take_back

    result = open_result(slide)
    found = take_back(result, cells, reviewer, delete_missing)
    say(f"Relabelled: {found.n_relabelled}. Deleted: {found.n_deleted}. By {reviewer}.")
    if found.n_unclassed:
        say(f"{found.n_unclassed} cells have no class any more; they keep their phenotype.")
    if found.n_lost:
        say(f"{found.n_lost} changed cells are not where they were, and are left as they are.")
    if found.n_relabelled or found.n_deleted:
        say(f"To have the results with them: macprox update {result.folder.results}")
