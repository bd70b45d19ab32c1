"""The command line: one verb per task. Heavy imports wait inside the commands."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from macprox import __version__
from macprox.errors import MacproxError

app = typer.Typer(
    name="macprox",
    help="Where do macrophages sit relative to the tumour, and does it matter?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

SOME_FAILED, USER_ERROR, STOPPED = 1, 2, 130

Slides = Annotated[list[str], typer.Argument(help="Slide files, folders of slides, or globs.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Result folder.")]
PixelSize = Annotated[
    float | None,
    typer.Option("--pixel-size", metavar="UM", help="µm per pixel, where the file has none."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
NWorkers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Threads; all cores by default.")
]
Scheduler = Annotated[
    str | None, typer.Option("--scheduler", metavar="ADDRESS", help="A dask scheduler's tcp://...")
]
Tile = Annotated[
    int, typer.Option("--tile", metavar="PX", min=64, help="Side of a tile; changes no result.")
]


def main() -> None:
    """Entry point: a user's mistake is one line and exit code 2, never a traceback."""
    try:
        app()
    except _Stopped:
        typer.echo("macprox: stopped; the same command goes on from here.", err=True)
        sys.exit(STOPPED)
    except MacproxError as error:
        typer.echo(f"macprox: {error}", err=True)
        sys.exit(SOME_FAILED if hasattr(error, "failures") else USER_ERROR)


class _Stopped(Exception):
    """Ctrl-C; typer would turn a KeyboardInterrupt into a mere "Aborted"."""


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"macprox {__version__}")
        raise typer.Exit


@app.command()
def demo(
    out: Annotated[Path, typer.Argument(help="Where to put the results.")] = Path("macprox-demo"),
    quiet: Quiet = False,
) -> None:
    """Analyse the sample slides from pixels to reports."""
    from macprox.batch import run as run_batch
    from macprox.pipeline import RunOptions
    from macprox.progress import percent
    from macprox.sample_data import sample_folder

    with _told(out), _watch(quiet) as watcher:
        samples = sample_folder(_writable(out), percent(watcher))
        options = RunOptions(watcher=watcher)
        results = run_batch([samples / "slides"], samples / "study.toml", out, options=options)
    _say_done(results, out)
    typer.echo(f"Tables: {out / 'slides'}/<slide>/cells.parquet and statistics.parquet")


@app.command()
def inspect(slides: Slides, as_json: AsJson = False) -> None:
    """Show format, size, pyramid, channels, pixel size and problems of slides."""
    infos, damaged = _inspected(slides)
    if as_json:
        found = [_slide_facts(info) for info in infos]
        found += [{"path": str(path), "error": reason} for path, reason in damaged]
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        for info in infos:
            for name, value in _slide_facts(info).items():
                shown = ", ".join(map(str, value)) if isinstance(value, list) else value
                typer.echo(f"{name:>18}  {shown if shown not in (None, '') else '-'}")
            typer.echo("")
    for _, reason in damaged:
        typer.echo(f"macprox: {reason}", err=True)
    if damaged:
        raise typer.Exit(SOME_FAILED if infos else USER_ERROR)


@app.command()
def init(
    slides: Slides,
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")] = Path("study.toml"),
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Write a commented starter study with channels guessed from their names."""
    from macprox.io.atomic import write_text
    from macprox.starter_study import starter_study

    if out.exists() and not force:
        raise MacproxError(f"{out} exists; give another name with -o, or --force to replace it.")
    infos, damaged = _inspected(slides)
    for _, reason in damaged:
        typer.echo(f"macprox: left out: {reason}", err=True)
    if not infos:
        raise typer.Exit(USER_ERROR)
    write_text(out, starter_study(infos))
    named = " ".join(shlex.quote(slide) for slide in slides)
    typer.echo(f"Wrote {out}. Read it, correct it, then:")
    typer.echo(f"  macprox run {named} --study {shlex.quote(str(out))} --out results")


@app.command()
def run(
    slides: Slides,
    study: Annotated[Path, typer.Option("--study", "-s", help="study.toml")],
    out: Out = Path("results"),
    workers: NWorkers = None,
    scheduler: Scheduler = None,
    tile: Tile = 2048,
    pixel_size: PixelSize = None,
    check_seams: Annotated[
        bool, typer.Option("--check-seams", help="Segment windows across seams again; compare.")
    ] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Take slides from pixels to reports; the same command again does only what is missing."""
    from macprox.batch import run as run_batch
    from macprox.pipeline import RunOptions, Workers
    from macprox.report.seams import seams_hold

    who = Workers(scheduler=scheduler) if workers is None else Workers(workers, scheduler)
    with _told(out, as_json), _watch(quiet or as_json) as watcher:
        options = RunOptions(tile, who, watcher, check_seams)
        results = run_batch(slides, study, out, pixel_size_um=pixel_size, options=options)
    _say_done(results, out, as_json)
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
    """Replay edits and gates: phenotypes, regions, statistics, reports; reads no pixel."""
    from macprox.batch import update as update_results
    from macprox.pipeline import RunOptions

    with _told(results, as_json), _watch(quiet or as_json) as watcher:
        done = update_results(results, study, RunOptions(watcher=watcher))
    _say_done(done, results, as_json)


@app.command()
def stats(
    tables: Annotated[list[Path], typer.Argument(help="Cell tables made by other tools.")],
    source: Annotated[str, typer.Option(help="Phenotype that looks for neighbours.")],
    target: Annotated[str, typer.Option(help="Phenotype that is looked for.")],
    out: Out = Path("results"),
    slide_column: Annotated[str | None, typer.Option(help="Column that names the slide.")] = None,
    x: Annotated[str | None, typer.Option(help="Column of x.")] = None,
    y: Annotated[str | None, typer.Option(help="Column of y.")] = None,
    phenotype: Annotated[str | None, typer.Option(help="Column of the phenotype.")] = None,
    roi_column: Annotated[str | None, typer.Option(help="Column of the field or core.")] = None,
    window: Annotated[
        Path | None, typer.Option(help="Observed area: GeoJSON, or a mask TIFF.")
    ] = None,
    pixel_size: PixelSize = None,
    radii: Annotated[str, typer.Option(help="Radii in µm.")] = "10,20,25,30,50,100",
    seed: Annotated[int, typer.Option(help="For permutations.")] = 0,
    samples: Annotated[Path | None, typer.Option(help="slide_id, patient, group.")] = None,
    as_json: AsJson = False,
) -> None:
    """Give the proximity statistics of tables made by other tools."""
    from macprox.io.tables import ColumnMapping
    from macprox.pipeline.given import TableRequest, run_tables

    columns = ColumnMapping(slide=slide_column, x=x, y=y, phenotype=phenotype, roi=roi_column)
    request = TableRequest(
        source, target, _numbers(radii), seed=seed, window_file=window, samples=samples
    )
    done = run_tables(tables, columns, request, out, pixel_size_um=pixel_size)
    _say_done(done, out, as_json)


@app.command()
def export(
    slide: Annotated[Path, typer.Argument(help="results/slides/<slide_id>")],
    to: Annotated[str, typer.Option("--to", help="csv or geojson")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder to write into.")] = None,
) -> None:
    """Write a slide's tables for other tools."""
    from macprox.io.export import export_csv, export_geojson
    from macprox.results import open_result

    result = open_result(slide)
    folder = out or slide / "export"
    match to:
        case "csv":
            written = export_csv(result.cells(), result.statistics(), folder)
        case "geojson":
            target = folder / "cells.geojson"
            written = [export_geojson(result.cells(), result.pixel_size_um, target)]
        case _:
            raise MacproxError(f"--to expects csv or geojson, found {to!r}.")
    for path in written:
        typer.echo(str(path))


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
    """Make tissue with known truth, of any size: slides, truth tables, study.toml, samples.csv.

    Pixels are 0.5 um wide. Memory grows with the cells and not with the pixels; a slide of 8 mm
    takes about a quarter of an hour of one core and writes 0.7 GB.
    """
    from macprox.progress import percent
    from macprox.simulate import side_px, write_cohort

    side = side_px(size, size_mm)
    with _watch(quiet) as watcher:
        paths = write_cohort(
            _writable(out), seed, (side, side), patients, progress=percent(watcher)
        )
    for path in paths:
        typer.echo(str(path))


def _inspected(slides: list[str]) -> tuple[list[Any], list[tuple[Path, str]]]:
    """What is in the slides that can be read, and why the others cannot."""
    from macprox.io.images import find_slides, inspect_slide

    infos, damaged = [], []
    for path in find_slides(slides):
        try:
            infos.append(inspect_slide(path))
        except MacproxError as error:
            damaged.append((path, str(error)))
    return infos, damaged


@contextmanager
def _watch(quiet: bool) -> Iterator[Any]:
    """Who is told how far the work is; Ctrl-C ends it with a sentence."""
    try:
        if quiet:
            from macprox.pipeline import Silent

            yield Silent()
        else:
            from macprox.progress import Bars

            with Bars() as bars:
                yield bars
    except KeyboardInterrupt:
        raise _Stopped from None


@contextmanager
def _told(out: Path, as_json: bool = False) -> Iterator[None]:
    """When some slides fail, say first what was done of the others."""
    from macprox.batch import BatchError

    try:
        yield
    except BatchError as error:
        _say_done(error.results, out, as_json, error.failures)
        raise


def _say_done(results: list[Any], out: Path, as_json: bool = False, failures: Any = ()) -> None:
    if as_json:
        answer: list[dict[str, Any]] = [
            {
                "slide_id": result.slide_id,
                "path": str(result.path),
                **result.manifest["counts"],
                "warnings": result.manifest["warnings"],
                "seam_check": result.manifest.get("seam_check"),
            }
            for result in results
        ]
        answer += [{"slide_id": failed.slide_id, "failure": failed.reason} for failed in failures]
        typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
        return
    from macprox.progress import show_results

    if results:
        show_results(results)
    typer.echo(f"Open {(out / 'index.html').resolve()} in a browser.")


def _writable(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MacproxError(f"Cannot write to {folder}: {error.strerror}.") from error
    return folder


def _slide_facts(info: Any) -> dict[str, Any]:
    return {
        "slide_id": info.slide_id,
        "path": str(info.path),
        "format": info.format,
        "size_px": f"{info.shape[1]} x {info.shape[0]}",
        "levels": [f"{width} x {height}" for height, width in info.level_shapes],
        "channels": list(info.channels),
        "dtype": str(info.dtype),
        "pixel_size_um": info.pixel_size_um,
        "pixel_size_from": info.pixel_size_source,
        "tile_px": f"{info.tile[1]} x {info.tile[0]}",
        "compression": info.compression,
        "megabytes": round(info.n_bytes / 1e6, 1),
        "problems": list(info.problems),
    }


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise MacproxError(
            f"--radii expects numbers with commas such as 10,20,50; found {text!r}."
        ) from error
