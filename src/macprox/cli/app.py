"""The application that the commands of the modules beside this one belong to."""

from __future__ import annotations

from typing import Annotated

import typer

from macprox import __version__

app = typer.Typer(
    name="macprox",
    help="Where do macrophages sit relative to the tumour, and does it matter?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

SOME_FAILED, USER_ERROR, STOPPED = 1, 2, 130


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"macprox {__version__}")
        raise typer.Exit
