"""From slides to patients: `cohort`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from macprox.cli.app import app
from macprox.cli.options import AsJson, Quiet
from macprox.cli.telling import say, watch

if TYPE_CHECKING:
    import pandas as pd

    from macprox.cohort_results import CohortResult

ANSWER = ("statistic", "group", "test", "effect", "ci_low", "ci_high", "p", "n_patients")

FLAGS = ("exact", "primary")
COUNTS = ("n_patients", "n_first", "n_second", "n_arrangements", "seed")


@app.command()
def cohort(
    results: Annotated[Path, typer.Argument(help="Result folder of `run` or `stats`.")],
    samples: Annotated[
        Path | None,
        typer.Option(help="CSV: slide_id, patient, group, covariates; else the study's."),
    ] = None,
    group: Annotated[str | None, typer.Option(help="Column of the groups.")] = None,
    groups: Annotated[
        str | None, typer.Option(help="Groups to compare, in order: 'early,late' is late - early.")
    ] = None,
    patient: Annotated[str | None, typer.Option(help="Column of the patients.")] = None,
    value: Annotated[
        str | None,
        typer.Option(
            metavar="STATISTIC", help="Compare this statistic of the slides' tables instead."
        ),
    ] = None,
    of: Annotated[
        str, typer.Option(help="With --value: value, excess (over what chance gives), or ratio.")
    ] = "value",
    source: Annotated[str | None, typer.Option(help="With --value: its source.")] = None,
    target: Annotated[str | None, typer.Option(help="With --value: its target.")] = None,
    radius: Annotated[
        float | None, typer.Option(metavar="UM", help="With --value: its radius.")
    ] = None,
    region: Annotated[str, typer.Option(help="With --value: core, inner_margin, ...")] = "all",
    covariate: Annotated[
        list[str] | None, typer.Option(help="Column to adjust for; may be repeated.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="Column of the survival time.")] = None,
    event: Annotated[str | None, typer.Option(help="Column of the event: 1 seen, 0 not.")] = None,
    include_red: Annotated[
        bool, typer.Option("--include-red", help="Count slides with a red light, too.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Of permutations.")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Compare patients: one value each, groups tested, every claim in one report."""
    from macprox.batch.cohort import CohortOptions, run_cohort
    from macprox.claims.named import Named

    named = Named(value, source, target, radius, region, of) if value else None
    with watch(quiet or as_json) as watcher:
        result = run_cohort(
            results, samples, CohortOptions(named, include_red, watcher),
            patient=patient, group=group, groups=_listed(groups),
            covariates=tuple(covariate) if covariate else None, time=time, event=event, seed=seed,
        )  # fmt: skip
    if as_json:
        say(json.dumps(answer_of(result), indent=2, ensure_ascii=False))
        return
    from macprox.report.cohort import cohort_answer

    for problem in result.facts["problems"]:
        say(problem)
    for sentence in cohort_answer(result):
        say(sentence)
    say(f"Open {(result.path / 'report.html').resolve()} in a browser.")


def _listed(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(part.strip() for part in text.split(","))


def answer_of(result: CohortResult) -> dict[str, Any]:
    """The primary test, and every other one of the same statistic."""
    tests = result.tests()
    primary = tests[tests["primary"].astype(bool)]
    answer: dict[str, Any] = dict.fromkeys(ANSWER)
    others = tests
    if len(primary):
        answer = _plain(primary.iloc[0])
        alike = tests["statistic"] == answer["statistic"]
        others = tests[alike & ~tests["primary"].astype(bool)]
    return {
        **answer,
        "others": [_plain(row) for _, row in others.iterrows()],
        "problems": result.facts["problems"],
        "report": str((result.path / "report.html").resolve()),
    }


def _plain(row: pd.Series) -> dict[str, Any]:
    """JSON knows neither NaN nor numpy; counts and flags come out of the saved table as floats."""
    said: dict[str, Any] = {}
    for name, value in row.items():
        known = not (isinstance(value, float) and not math.isfinite(value))
        value = value.item() if hasattr(value, "item") else value
        if name in FLAGS:
            said[str(name)] = bool(value) if known else None
        elif name in COUNTS:
            said[str(name)] = int(value) if known else None
        else:
            said[str(name)] = value if known else None
    return said
