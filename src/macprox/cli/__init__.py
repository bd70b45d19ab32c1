"""The command line: one verb per task. Heavy imports wait inside the commands."""

from __future__ import annotations

import sys

from macprox.cli import (  # noqa: F401  (each adds its commands)
    cohort,
    doctor,
    doubts,
    exporting,
    review,
    runs,
    slides,
    status,
    tables,
)
from macprox.cli.app import SOME_FAILED, STOPPED, USER_ERROR, app
from macprox.cli.telling import Stopped, say
from macprox.errors import MacproxError

__all__ = ["SOME_FAILED", "STOPPED", "USER_ERROR", "app", "main"]


def main() -> None:
    """Entry point: a user's mistake is one line and exit code 2, never a traceback."""
    try:
        app()
    except Stopped:
        say("macprox: stopped; the same command goes on from here.", err=True)
        sys.exit(STOPPED)
    except MacproxError as error:
        say(f"macprox: {error}", err=True)
        sys.exit(SOME_FAILED if hasattr(error, "failures") else USER_ERROR)
