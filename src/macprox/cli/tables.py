"""Tables from and for other tools: `stats`, `export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from macprox.cli.app import app
from macprox.cli.options import AsJson, Out, PixelSize
from macprox.cli.telling import say, say_done
from macprox.errors import MacproxError


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
    say_done(done, out, as_json)


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
        say(str(path))


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise MacproxError(
            f"--radii expects numbers with commas such as 10,20,50; found {text!r}."
        ) from error
