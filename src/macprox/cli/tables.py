"""Tables of other tools: `stats`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from macprox.cli.app import app
from macprox.cli.options import AsJson, Out, PixelSize, Quiet
from macprox.cli.telling import say, say_done, watch
from macprox.errors import MacproxError

CLASS_HELP = (
    "a phenotype, several joined by 'or', or marker logic ('CD14+ CK-'); 'Name = ...' names it. "
    "May be repeated: several macrophage classes."
)
PHENOTYPE_HELP = "Column of the phenotype; repeated: columns of positivity (CD8+/CD8-, 1/0 ...)."
FACT = "a fact of a slide, in the tables or in --samples."
AREA = "GeoJSON or a mask TIFF; {slide_id} in its name is replaced."
SAMPLES_HELP = (
    "Sheet of slides, or of patients whom the tables name; its columns may be called as in "
    "--slide-column, --patient-column and --group-column."
)
SLIDES_A_PROCESS = 8  # fewer do not repay the seconds that a process takes to start


@app.command()
def stats(
    tables: Annotated[list[Path], typer.Argument(help="Cell tables made by other tools.")],
    source: Annotated[list[str], typer.Option(help=f"Who looks for neighbours; {CLASS_HELP}")],
    target: Annotated[str, typer.Option(help="Who is looked for, likewise.")],
    out: Out = Path("results"),
    slide_column: Annotated[str | None, typer.Option(help="Column that names the slide.")] = None,
    x: Annotated[str | None, typer.Option(help="Column of x.")] = None,
    y: Annotated[str | None, typer.Option(help="Column of y.")] = None,
    phenotype: Annotated[list[str] | None, typer.Option(help=PHENOTYPE_HELP)] = None,
    roi_column: Annotated[str | None, typer.Option(help="Column of the field or core.")] = None,
    tissue_column: Annotated[
        str | None, typer.Option(help="Column of tumour, stroma ...: labels move within it.")
    ] = None,
    patient_column: Annotated[str | None, typer.Option(help=f"Of the patient; {FACT}")] = None,
    group_column: Annotated[str | None, typer.Option(help=f"Of the group; {FACT}")] = None,
    sample_column: Annotated[
        list[str] | None, typer.Option(help="A covariate, likewise; may be repeated.")
    ] = None,
    also: Annotated[
        list[str] | None, typer.Option(help="Another class to name: 'Treg = FOXP3+ CD4+'.")
    ] = None,
    window: Annotated[Path | None, typer.Option(help=f"Observed area; {AREA}")] = None,
    tumour: Annotated[Path | None, typer.Option(help=f"Tumour region; {AREA}")] = None,
    pixel_size: PixelSize = None,
    radii: Annotated[str, typer.Option(help="Radii in µm.")] = "10,20,25,30,50,100",
    seed: Annotated[int, typer.Option(help="For permutations.")] = 0,
    samples: Annotated[Path | None, typer.Option(help=SAMPLES_HELP)] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Give the proximity statistics of tables made by other tools."""
    from macprox.io.tables import ColumnMapping
    from macprox.pipeline.given import TableRequest, prepare_tables, write_tables

    columns = ColumnMapping(
        slide=slide_column, x=x, y=y, phenotype=tuple(phenotype or ()), roi=roi_column,
        tissue_category=tissue_column, patient=patient_column, group=group_column,
        samples=tuple(sample_column or ()),
    )  # fmt: skip
    request = TableRequest(
        tuple(source), target, _numbers(radii), seed=seed, window_file=window, samples=samples,
        tumour_file=tumour, also=tuple(also or ()),
    )  # fmt: skip
    given = prepare_tables(tables, columns, request, pixel_size_um=pixel_size)
    for notice in given.notices:
        say(notice, err=True)
    with watch(quiet) as watcher:
        done = write_tables(given, out, watcher, n_processes=_n_processes(len(given.slides)))
    say_done(done, out, as_json)


def _n_processes(n_slides: int) -> int:
    return max(1, min(os.cpu_count() or 1, n_slides // SLIDES_A_PROCESS))


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise MacproxError(
            f"--radii expects numbers with commas such as 10,20,50; found {text!r}."
        ) from error
