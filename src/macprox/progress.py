"""How far a run is, and what came of it, for people at a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from macprox.printable import visible
from macprox.quality import AMBER, GREEN, RED, STOP, light_of, worth_a_look

if TYPE_CHECKING:
    from macprox.pipeline import Watcher
    from macprox.results import SlideResult


_STYLES = {GREEN: "green", AMBER: "yellow", RED: "bold red"}


class Bars:
    """A watcher (`macprox.pipeline.Watcher`) that draws a rich progress bar on stderr.

    Use it as a context manager. One bar, because a cohort of hundreds of slides would scroll
    the bar in work off the screen; a stage without tiles pulses. A file instead of a terminal
    gets a line a slide.
    """

    def __init__(self, console: Console | None = None) -> None:
        console = console or Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[place]}"),
            TextColumn("{task.fields[slide_id]}", style="bold"),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._place = ""
        self._task: TaskID | None = None
        self._begun: float | None = None

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def slide(self, slide_id: str, number: int, n_slides: int) -> None:
        now = time.monotonic()
        self._begun = now if self._begun is None else self._begun
        place, left = f"{number}/{n_slides}" if n_slides > 1 else "", ""
        if number > 1:  # slides that were done already make it too short, never for long
            seconds = (now - self._begun) / (number - 1) * (n_slides - number + 1)
            left = f"{duration_text(seconds)} left"
        self._place = ", ".join(filter(None, [place, left]))
        if self._progress.disable and place:
            line = f"{place} {slide_id}" + (f" ({left})" if left else "")
            self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def stage(self, slide_id: str, stage: str, n_tiles: int) -> Callable[[int], None]:
        if self._task is not None:
            self._progress.remove_task(self._task)
        done = 0
        task = self._task = self._progress.add_task(
            stage, total=n_tiles or None, slide_id=slide_id, place=self._place, count=""
        )

        def advance(n: int) -> None:
            nonlocal done
            done += n
            self._progress.update(task, completed=done, count=f"{done}/{n_tiles}")

        return advance


def percent(watcher: Watcher) -> Callable[[str, float], None]:
    """Tell a watcher, which counts tiles, of work whose progress is a fraction."""
    done: dict[str, int] = {}
    advance: dict[str, Callable[[int], None]] = {}

    def told(slide_id: str, fraction: float) -> None:
        if slide_id not in advance:
            advance[slide_id] = watcher.stage(slide_id, "simulate", 100)
        now = int(100 * fraction)
        advance[slide_id](now - done.get(slide_id, 0))
        done[slide_id] = now

    return told


def show_results(results: Sequence[SlideResult], console: Console | None = None) -> None:
    """One line a slide: its light, cells, and how often a tumour cell has a macrophage beside it.

    Parameters
    ----------
    results : sequence of SlideResult
        Finished, of one study.
    console : rich.console.Console, optional
        Default: stdout.
    """
    from macprox.report.lights import light_text, tally
    from macprox.report.numbers import count_text
    from macprox.report.rows import POSITION, SavedNumbers
    from macprox.report.seams import seam_sentences
    from macprox.report.sentences import answers, strata_text, with_a

    console = console or Console(highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("slide", overflow="fold")
    table.add_column("light", no_wrap=True)
    for title in ("cells", "observed", "expected", "p", "warnings"):
        table.add_column(title, justify="right", no_wrap=True)
    legend = ""
    for result in results:
        study, manifest = result.study, result.manifest
        lead = next(iter(answers(SavedNumbers(result.statistics()), study, POSITION)), None)
        numbers = ["–", "–", "–"]
        if lead is not None:
            numbers = [lead.observed.text, lead.expected.text, lead.p.text]
            legend = (
                f"observed: share of {with_a(lead.direction, study)} within "
                f"{study.proximity.primary_radius_um:g} µm; expected: if they were placed at "
                f"random among the non-tumour cells{strata_text(study)}."
            )
        cells = manifest["counts"].get("cells_observed", manifest["counts"]["cells"])
        light = light_of(manifest)
        shown = Text(light_text(light), style=_STYLES.get(light or "", ""))
        warnings = str(n_warnings(manifest) or "")
        table.add_row(result.slide_id, shown, count_text(cells), *numbers, warnings)
    console.print(table, markup=False)
    if legend:
        console.print(visible(legend), markup=False)
    lights = tally([result.manifest for result in results])
    console.print(visible(f"{lights}."), markup=False)
    for result in results:
        stops = [flag["message"] for flag in worth_a_look(result.manifest) if flag["level"] == STOP]
        for sentence in [*stops, *seam_sentences(result.manifest)]:
            line = visible(f"{result.slide_id}: {sentence}")
            console.print(line, markup=False, soft_wrap=True)


def duration_text(seconds: float) -> str:
    """A duration as people say it.

    Examples
    --------
    >>> duration_text(50), duration_text(3000), duration_text(20_000)
    ('about 1 min', 'about 50 min', 'about 5 h 33 min')
    """
    minutes = max(1, round(seconds / 60))
    hours, rest = divmod(minutes, 60)
    return f"about {hours} h {rest} min" if hours else f"about {minutes} min"


def n_warnings(manifest: dict) -> int:
    """What a person should look at before believing the numbers."""
    return len(worth_a_look(manifest)) + len(manifest.get("warnings", []))
