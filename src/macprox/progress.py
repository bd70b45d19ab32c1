"""How far a run is, for people: one bar a stage."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Bars:
    """A watcher (`macprox.pipeline.Watcher`) that draws rich progress bars on stderr.

    Use it as a context manager; a stage without tiles shows as a line without a bar.
    """

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[slide_id]}", style="bold"),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._running: object = None

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._finish()
        self._progress.stop()

    def stage(self, slide_id: str, stage: str, n_tiles: int) -> Callable[[int], None]:
        self._finish()
        task = self._progress.add_task(stage, total=n_tiles or 1, slide_id=slide_id)
        self._running = task
        return lambda n: self._progress.advance(task, n)

    def _finish(self) -> None:
        if self._running is not None:
            task = self._running
            self._progress.update(task, completed=self._progress.tasks[task].total)  # type: ignore[index]
            self._running = None
