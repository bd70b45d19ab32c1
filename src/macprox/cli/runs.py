"""From pixels to reports: `demo`, `run`, `update`, and `simulate`, which makes the pixels."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from macprox.cli.app import SOME_FAILED, app
from macprox.cli.options import (
    AsJson,
    NWorkers,
    Out,
    PixelSize,
    Processes,
    Quiet,
    Scheduler,
    Shard,
    SlidesOrSheet,
    Tile,
)
from macprox.cli.telling import say, say_done, told, watch, writable


@app.command()
def demo(
    out: Annotated[Path, typer.Argument(help="Where to put the results.")] = Path("macprox-demo"),
    quiet: Quiet = False,
) -> None:
    """Analyse three sample slides, from pixels to reports: begin here."""
    from macprox.batch import run as run_batch
    from macprox.pipeline import RunOptions
    from macprox.progress import percent
    from macprox.sample_data import sample_folder

    with told(out), watch(quiet) as watcher:
        samples = sample_folder(writable(out), percent(watcher))
        options = RunOptions(watcher=watcher)
        results = run_batch([samples / "slides"], samples / "study.toml", out, options=options)
    say_done(results, out)
    say(f"Tables: {out / 'slides'}/<slide>/cells.parquet and statistics.parquet")
    say(f"Look closer, correct, sign: macprox review {shlex.quote(str(out))}")


@app.command()
def run(
    slides: SlidesOrSheet,
    study: Annotated[
        Path,
        typer.Option("--study", "-s", help="The study: channels, markers, rules (a study.toml)."),
    ],
    out: Out = Path("results"),
    workers: NWorkers = None,
    processes: Processes = False,
    scheduler: Scheduler = None,
    shard: Shard = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Only slides whose last run failed.")
    ] = False,
    tile: Tile = 2048,
    pixel_size: PixelSize = None,
    check_seams: Annotated[
        bool,
        typer.Option(
            "--check-seams", help="Segment some places again and compare: do tiles matter?"
        ),
    ] = False,
    allow_damaged: Annotated[
        bool,
        typer.Option(
            "--allow-damaged",
            help="Leave out places that do not decode; a TIFF that is cut off is refused all the "
            "same.",
        ),
    ] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Take slides from pixels to reports; the same command again does only what is missing."""
    from macprox.batch import Selection
    from macprox.batch import run as run_batch
    from macprox.pipeline import RunOptions, Workers
    from macprox.report.seams import seams_hold

    who = Workers(workers or Workers().n_workers, scheduler, processes)
    selection = Selection.of(shard, retry_failed)
    with told(out, as_json), watch(quiet or as_json) as watcher:
        options = RunOptions(tile, who, watcher, check_seams, allow_damaged)
        results = run_batch(
            slides, study, out, pixel_size_um=pixel_size, options=options, selection=selection
        )
    if retry_failed and not (results or as_json):
        say("No slide has failed.")
        return
    say_done(results, out, as_json)
    if not all(seams_hold(result.manifest) for result in results):
        raise typer.Exit(SOME_FAILED)


@app.command()
def update(
    results: Annotated[Path, typer.Argument(help="Result folder.")],
    study: Annotated[
        Path | None, typer.Option("--study", "-s", help="Use these gates, rules and radii instead.")
    ] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Bring results in line with edits, gates and rules that changed; reads no pixel."""
    from macprox.batch import update as update_results
    from macprox.pipeline import RunOptions

    with told(results, as_json), watch(quiet or as_json) as watcher:
        done = update_results(results, study, RunOptions(watcher=watcher))
    say_done(done, results, as_json)


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to write into.")],
    size: Annotated[
        int | None, typer.Option("--size", metavar="PX", min=256, help="Side; 2048 by default.")
    ] = None,
    size_mm: Annotated[
        float | None, typer.Option("--size-mm", metavar="MM", help="Side, instead of --size.")
    ] = None,
    patients: Annotated[int, typer.Option(min=1, help="One slide each.")] = 3,
    seed: Annotated[int, typer.Option(help="The same seed makes the same tissue.")] = 1,
    quiet: Quiet = False,
) -> None:
    """Make slides of tissue whose truth is known, of any size, with tables, study and samples.

    Pixels are 0.5 um wide. Memory grows with the cells and not with the pixels; a slide of 8 mm
    takes about a quarter of an hour of one core and writes 0.7 GB.
    """
    from macprox.progress import percent
    from macprox.simulate import side_px, write_cohort

    side = side_px(size, size_mm)
    with watch(quiet) as watcher:
        paths = write_cohort(writable(out), seed, (side, side), patients, progress=percent(watcher))
    for path in paths:
        say(str(path))
