"""What a command says: progress while it works, what is done at its end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from macprox.printable import visible
from macprox.quality import FAILED, RED, light_of, light_reasons


def say(text: str, err: bool = False) -> None:
    """Print a line; what a name from a file tells the terminal to do is shown, not done."""
    typer.echo(visible(text), err=err)


class Stopped(Exception):
    """Ctrl-C; typer would turn a KeyboardInterrupt into a mere "Aborted"."""


@contextmanager
def watch(quiet: bool) -> Iterator[Any]:
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
        raise Stopped from None


@contextmanager
def told(out: Path, as_json: bool = False) -> Iterator[None]:
    """When some slides fail, say first what was done of the others."""
    from macprox.batch import BatchError

    try:
        yield
    except BatchError as error:
        say_done(error.results, out, as_json, error.failures)
        raise


def say_done(results: list[Any], out: Path, as_json: bool = False, failures: Any = ()) -> None:
    if as_json:
        answer: list[dict[str, Any]] = [
            {
                "slide_id": result.slide_id,
                "path": str(result.path),
                "light": light_of(result.manifest),
                "light_reasons": light_reasons(result.manifest),
                **result.manifest["counts"],
                "warnings": result.manifest["warnings"],
                "seam_check": result.manifest.get("seam_check"),
            }
            for result in results
        ]
        answer += [
            {
                "slide_id": failed.slide_id,
                "light": RED,
                "light_reasons": [FAILED],
                "failure": failed.reason,
            }
            for failed in failures
        ]
        say(json.dumps(answer, indent=2, ensure_ascii=False))
        return
    from macprox.progress import show_results

    if results:
        show_results(results)
    say(f"Open {(out / 'index.html').resolve()} in a browser.")


def writable(folder: Path) -> Path:
    """The folder, made where it is not there."""
    from macprox.io.atomic import make_folder

    make_folder(folder)
    return folder
