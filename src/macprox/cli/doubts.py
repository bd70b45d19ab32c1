"""How far to trust the numbers of a result folder: `sensitivity`, `calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from macprox.cli.app import app
from macprox.cli.options import AsJson, NWorkers, Quiet
from macprox.cli.telling import say, told, watch

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
        say(table.to_json(orient="records", indent=2))
        return
    for sentence in widest_changes(table):
        say(sentence)
    say(f"Figure: {results / 'sensitivity.svg'}; table: {results / 'sensitivity.csv'}")


@app.command()
def calibrate(
    results: Results,
    simulations: Annotated[
        int, typer.Option(min=20, help="Simulated slides for each slide and null.")
    ] = 1000,
    workers: NWorkers = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Show how often each test rejects where there is nothing to find, slide by slide."""
    from macprox.batch import calibrate as try_tests
    from macprox.pipeline import RunOptions, Workers
    from macprox.report.calibration import calibration_sentences

    who = Workers() if workers is None else Workers(workers)
    with told(results, as_json), watch(quiet or as_json) as watcher:
        table = try_tests(results, simulations, RunOptions(workers=who, watcher=watcher))
    if as_json:
        say(table.to_json(orient="records", indent=2))
        return
    for sentence in calibration_sentences(table):
        say(sentence)
    say(f"Figure: {results / 'calibration.svg'}; table: {results / 'calibration.csv'}")
