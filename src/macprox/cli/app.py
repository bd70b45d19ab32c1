"""The application that the commands of the modules beside this one belong to."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from macprox import __version__

# As a person meets them, not as the modules beside this one are imported.
ORDER = (
    "demo", "inspect", "init", "run", "status", "review", "corrections", "update", "sensitivity",
    "calibrate", "cohort", "stats", "export", "simulate", "doctor",
)  # fmt: skip


class _InOrder(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=ORDER.index)


app = typer.Typer(
    name="macprox",
    cls=_InOrder,
    help="Where do macrophages sit relative to the tumour, and does it matter? Begin with "
    "'macprox demo'; 'macprox COMMAND --help' says more of each.",
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
