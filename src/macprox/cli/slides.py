"""Looking at slides: `inspect`, `init`."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from macprox.cli.app import SOME_FAILED, USER_ERROR, app
from macprox.cli.options import AsJson, Slides, SlidesOrTables
from macprox.cli.telling import say
from macprox.errors import MacproxError

if TYPE_CHECKING:
    from macprox.slide import Url


@app.command()
def inspect(slides: SlidesOrTables, as_json: AsJson = False) -> None:
    """Say what is in slides or tables of cells, and what is wrong with them.

    Of a slide: format, size, pyramid, channels, pixel size, problems. Of a table: which tool's it
    is, what is recognised, and what still has to be said to `stats`.
    """
    tables, others = _tables_apart(slides)
    infos, damaged = _inspected(others) if others or not tables else ([], [])
    described, undescribed = _described(tables)
    facts = [*(_slide_facts(info) for info in infos), *described]
    damaged += undescribed
    if as_json:
        found = facts + [{"path": str(path), "error": reason} for path, reason in damaged]
        say(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        for one in facts:
            for name, value in one.items():
                shown = _joined(name, value) if isinstance(value, list) else value
                say(f"{name:>18}  {shown if shown not in (None, '') else '-'}")
            say("")
    for _, reason in damaged:
        say(f"macprox: {reason}", err=True)
    if damaged:
        raise typer.Exit(SOME_FAILED if facts else USER_ERROR)


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
        say(f"macprox: left out: {reason}", err=True)
    if not infos:
        raise typer.Exit(USER_ERROR)
    write_text(out, starter_study(infos))
    named = " ".join(shlex.quote(slide) for slide in slides)
    say(f"Wrote {out}. Read it, correct it, then:")
    say(f"  macprox run {named} --study {shlex.quote(str(out))} --out results")


def _joined(name: str, values: list[Any]) -> str:
    return (" " if name == "needs" else ", ").join(map(str, values))  # these are sentences


def _tables_apart(given: list[str]) -> tuple[list[Path], list[str]]:
    """Tables of cells, and everything else."""
    from macprox.io.tables import is_table_name

    tables = [text for text in given if is_table_name(Path(text))]
    return [Path(text) for text in tables], [text for text in given if text not in tables]


def _described(tables: list[Path]) -> tuple[list[dict[str, Any]], list[tuple[Path | Url, str]]]:
    from macprox.io.tables import describe

    described: list[dict[str, Any]] = []
    damaged: list[tuple[Path | Url, str]] = []
    for path in tables:
        try:
            described.append(describe(path))
        except MacproxError as error:
            damaged.append((path, str(error)))
    return described, damaged


def _inspected(slides: list[str]) -> tuple[list[Any], list[tuple[Path | Url, str]]]:
    """What is in the slides that can be read, and why the others cannot."""
    from macprox.io.images import find_slides, inspect_slide

    infos, damaged = [], []
    for path in find_slides(slides):
        try:
            infos.append(inspect_slide(path))
        except MacproxError as error:
            damaged.append((path, str(error)))
    return infos, damaged


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
        "megabytes": None if info.n_bytes is None else round(info.n_bytes / 1e6, 1),
        "problems": list(info.problems),
    }
