"""How far to trust the numbers of a result folder: `sensitivity`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from macprox.cli.app import app
from macprox.cli.options import AsJson, NWorkers, Quiet
from macprox.cli.telling import told, watch

Results = Annotated[Path, typer.Argument(help="Result folder.")]


@app.command()
def sensitivity(
    results: Results,
    no_pixels: Annotated[
        bool, typer.Option("--no-pixels", help="Leave out the expansion; reads no slide.")
    ] = False,
    workers: NWorkers = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Show how the headline changes with gates ±10 %, expansion ±1 µm, and the radius."""
    from macprox.batch import sensitivity as vary
    from macprox.pipeline import RunOptions, Workers
    from macprox.report.doubt import widest_changes

    who = Workers() if workers is None else Workers(workers)
    with told(results, as_json), watch(quiet or as_json) as watcher:
        table = vary(results, RunOptions(workers=who, watcher=watcher), not no_pixels)
    if as_json:
        typer.echo(table.to_json(orient="records", indent=2))
        return
    for sentence in widest_changes(table):
        typer.echo(sentence)
    typer.echo(f"Figure: {results / 'sensitivity.svg'}; table: {results / 'sensitivity.csv'}")
