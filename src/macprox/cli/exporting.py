"""Results for other programs: `export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from macprox.cli.app import app
from macprox.cli.telling import say
from macprox.exports import FORMATS


@app.command()
def export(
    results: Annotated[
        Path, typer.Argument(help="results/slides/<slide_id>, or results for every slide.")
    ],
    to: Annotated[str, typer.Option("--to", help=f"One of {', '.join(FORMATS)}.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Folder to write into; 'export' beside the results by default."
        ),
    ] = None,
) -> None:
    """Write results for QuPath, R, scanpy, spreadsheets or flow cytometry programs.

    Of a folder of results, AnnData is one file with every slide; other formats are written slide
    by slide. Slides that are not finished are left out, and said so.
    """
    import macprox as mp
    from macprox.io.store import slide_folders

    if (results / "manifest.json").exists() or not (results / "slides").is_dir():
        written = mp.export(mp.open_result(results), to, out)
    else:
        slides = [mp.open_result(folder.path) for folder in slide_folders(results)]
        finished = [slide for slide in slides if "analysis" in slide.manifest["stages"]]
        for slide in slides:
            if slide not in finished:
                say(f"{slide.slide_id} is not finished, and left out.", err=True)
        written = mp.export(finished, to, out)
    for path in written:
        say(str(path))
