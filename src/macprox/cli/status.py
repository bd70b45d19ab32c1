"""How far a folder of slides is: `status`."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from macprox.cli.app import app
from macprox.cli.options import AsJson
from macprox.cli.telling import say
from macprox.quality import LIGHTS

if TYPE_CHECKING:
    from macprox.batch.status import BatchStatus, SlideStatus


@app.command()
def status(
    results: Annotated[Path, typer.Argument(help="Result folder, also while a run is at work.")],
    as_json: AsJson = False,
) -> None:
    """Show which slides are finished, running, waiting or failed, and why."""
    from macprox.batch.status import batch_status

    found = batch_status(results)
    if as_json:
        say(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
        return
    counts = [f"{n} {state}" for state, n in found.counts.items() if n]
    n = len(found.slides)
    say(f"{n} slide{'' if n == 1 else 's'}: {', '.join(counts)}.{_lights(found)}")
    for slide in found.slides:
        if slide.state not in ("finished", "waiting"):
            say(f"  {slide.slide_id}: {_in_words(slide)}")
    say(_what_comes(found))


def _lights(found: BatchStatus) -> str:
    lights = Counter(slide.light for slide in found.slides if slide.light)
    counts = [f"{lights[light]} {light}" for light in reversed(LIGHTS) if lights[light]]
    return f" Quality of the finished: {', '.join(counts)}." if counts else ""


def _in_words(slide: SlideStatus) -> str:
    if slide.state == "failed":
        return f"failed: {slide.reason}"
    if slide.state == "outdated":
        return "outdated: of another study, or from before the last edits"
    tiles = f"{slide.tiles_done} of {slide.n_tiles} tiles" if slide.n_tiles else ""
    where = ", ".join(filter(None, [slide.stage, tiles]))
    return f"{slide.state} ({where})" if where else slide.state


def _what_comes(found: BatchStatus) -> str:
    from macprox.progress import duration_text

    if found.seconds_left is not None:
        return f"{duration_text(found.seconds_left).capitalize()} left, at the pace so far."
    if found.n_at_work:
        return "At work; no slide is through yet, so there is no estimate."
    if found.counts["finished"] == len(found.slides):
        return "All slides are finished."
    return "Nobody is at work here; the same `macprox run` command goes on."
