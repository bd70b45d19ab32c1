"""`doctor`: is this computer fit for an analysis, and for a window?"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from macprox.cli.app import SOME_FAILED, app
from macprox.cli.options import AsJson
from macprox.cli.telling import say

if TYPE_CHECKING:
    from macprox.doctor import Finding


@app.command()
def doctor(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Where results shall go: can it be written?")
    ] = Path("."),
    self_test: Annotated[
        bool,
        typer.Option(
            "--self-test/--no-self-test",
            help="Analyse a tiny simulated slide: ten seconds, a minute the first time.",
        ),
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Check whether macprox works on this computer, and say what to do where it does not."""
    from macprox.doctor import PROBLEM, examine, private

    findings = []
    for finding in examine(out, self_test):
        findings.append(finding)
        if not as_json:
            _show(finding)
    stopped = [finding for finding in findings if finding.stops]
    if as_json:
        facts = {"fit": not stopped, "findings": [asdict(finding) for finding in findings]}
        say(private(json.dumps(facts, indent=2, ensure_ascii=False, default=str)))
    else:
        others = sum(one.verdict == PROBLEM for one in findings) - len(stopped)
        say(_conclusion(len(stopped), others))
    if stopped:
        raise typer.Exit(SOME_FAILED)


def _show(finding: Finding) -> None:
    from macprox.doctor import private

    say(private(f"{finding.verdict:<8} {finding.about:<17} {finding.found}"))
    if finding.remedy:
        say(f"{'':<26} -> {finding.remedy}")


def _conclusion(n_stopping: int, n_others: int) -> str:
    if n_stopping:
        return f"No analysis can be made here yet: {n_stopping} to solve, marked `problem` above."
    if n_others:
        return "Analyses can be made here; the review window needs what is marked `problem` above."
    return "Analyses can be made here."
