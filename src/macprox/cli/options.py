"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Slides = Annotated[
    list[str],
    typer.Argument(help="Slide files, folders of slides, globs, or http(s) addresses of OME-Zarr."),
]
SlidesOrSheet = Annotated[
    list[str],
    typer.Argument(
        metavar="SLIDES...",
        help="Slide files, folders, globs, http(s) addresses of OME-Zarr, or a sample sheet "
        "(.csv: slide_id, path).",
    ),
]
SlidesOrTables = Annotated[
    list[str],
    typer.Argument(
        metavar="SLIDES_OR_TABLES...",
        help="Slide files, folders of slides, globs, http(s) addresses of OME-Zarr, or tables of "
        "cells made by other tools.",
    ),
]
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
Processes = Annotated[
    bool, typer.Option("--processes", help="Worker processes on this machine instead of threads.")
]
Shard = Annotated[
    str | None,
    typer.Option(
        "--shard", metavar="I/N", help="Every N-th slide from the I-th on, for job arrays."
    ),
]
Scheduler = Annotated[
    str | None, typer.Option("--scheduler", metavar="ADDRESS", help="A dask scheduler's tcp://...")
]
Tile = Annotated[
    int,
    typer.Option(
        "--tile",
        metavar="PX",
        min=64,
        help="Side of a tile; changes no result of a built-in method.",
    ),
]
