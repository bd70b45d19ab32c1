"""Tables of other tools: `stats`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from macprox.cli.app import app
from macprox.cli.options import AsJson, Out, PixelSize, Quiet
from macprox.cli.telling import say, say_done, watch
from macprox.errors import MacproxError

if TYPE_CHECKING:
    from macprox.io.tables import Gate

CLASS_HELP = (
    "a phenotype, several joined by 'or', or marker logic ('CD14+ CK-'); 'Name = ...' names it. "
    "May be repeated: several macrophage classes."
)
TABLES_HELP = (
    "Cell tables made by other tools: CSV, TSV, GeoJSON, Parquet, .h5ad, zarr of AnnData or "
    "SpatialData, a steinbock folder."
)
PHENOTYPE_HELP = "Column of the phenotype; repeated: columns of positivity (CD8+/CD8-, 1/0 ...)."
FACT = "a fact of a slide, in the tables or in --samples."
AREA = "GeoJSON or a mask TIFF; {slide_id} in its name is replaced."
SAMPLES_HELP = (
    "Sheet of slides, or of patients whom the tables name; its columns may be called as in "
    "--slide-column, --patient-column and --group-column."
)
GATE_HELP = (
    "Above which intensity a marker is positive: 'CD68=1200', 'CD68=auto' (a proposal for each "
    "slide) or 'CD68 = COLUMN > 1200'; may be repeated."
)
GATES_HELP = (
    "Table of gates: marker, gate (and slide_id); or marker and a column a slide, as scimap's."
)
SLIDES_A_PROCESS = 8  # fewer do not repay the seconds that a process takes to start


@app.command()
def stats(
    tables: Annotated[list[Path], typer.Argument(help=TABLES_HELP)],
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
    patient_column: Annotated[
        str | None, typer.Option(help=f"Column of the patient; {FACT}")
    ] = None,
    group_column: Annotated[str | None, typer.Option(help=f"Column of the group; {FACT}")] = None,
    sample_column: Annotated[
        list[str] | None, typer.Option(help="Column of a covariate, likewise; may be repeated.")
    ] = None,
    gate: Annotated[list[str] | None, typer.Option(help=GATE_HELP)] = None,
    gates: Annotated[Path | None, typer.Option(help=GATES_HELP)] = None,
    gate_scale: Annotated[
        str, typer.Option(help="'table', or 'log1p': gates of log(1 + intensity), as scimap's.")
    ] = "table",
    table: Annotated[
        str | None, typer.Option(help="Which table, where SpatialData has several.")
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
    """Analyse tables of cells that other tools found: the statistics of `run`, without pixels."""
    from macprox.io.tables import ColumnMapping
    from macprox.pipeline.given import TableRequest, prepare_tables, write_tables

    columns = ColumnMapping(
        slide=slide_column, x=x, y=y, phenotype=tuple(phenotype or ()), roi=roi_column,
        tissue_category=tissue_column, patient=patient_column, group=group_column,
        samples=tuple(sample_column or ()), gates=_gates(gate, gates, gate_scale), table=table,
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


def _gates(gate: list[str] | None, file: Path | None, scale: str) -> tuple[Gate, ...]:
    from macprox.io.tables import gate_of_text, on_scale, read_gates

    given = [gate_of_text(text) for text in gate or ()]
    return on_scale([*given, *(read_gates(file) if file else ())], scale)


def _n_processes(n_slides: int) -> int:
    return max(1, min(os.cpu_count() or 1, n_slides // SLIDES_A_PROCESS))


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise MacproxError(
            f"--radii expects numbers with commas such as 10,20,50; found {text!r}."
        ) from error
