"""Results for other programs: `export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from macprox.cli.app import app
from macprox.cli.telling import say


@app.command()
def export(
    slide: Annotated[Path, typer.Argument(help="results/slides/<slide_id>")],
    to: Annotated[str, typer.Option("--to", help="csv, geojson, parquet or fcs")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder to write into.")] = None,
) -> None:
    """Write a slide's results for other programs."""
    import macprox as mp

    for path in mp.export(mp.open_result(slide), to, out):
        say(str(path))
