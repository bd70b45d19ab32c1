"""log.jsonl: how far each run came, one JSON object a line, for people and for `macprox status`.

Every process that works in a result folder appends to the same file; a line is one write, so that
lines of several processes do not mix.
"""

from __future__ import annotations

import json
import os
import platform
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from macprox import __version__
from macprox.pipeline.options import Watcher

LOG_FILE = "log.jsonl"

# Events.
RUN_BEGINS, RUN_ENDS = "run begins", "run ends"
SLIDE_BEGINS, SLIDE_ENDS, SLIDE_FAILS = "slide begins", "slide ends", "slide fails"
STAGE_BEGINS = "stage begins"


class Journal:
    """Appends what happens to a result folder's log.

    A log that cannot be written (a full disk) costs no result: the line is left out.

    Parameters
    ----------
    results : Path
    """

    def __init__(self, results: Path) -> None:
        self._path = results / LOG_FILE
        self._run = uuid.uuid4().hex[:12]

    def run_begins(self, command: str, slide_ids: Iterable[str], **facts: Any) -> None:
        """A command starts to work on these slides."""
        who = {"host": platform.node(), "pid": os.getpid(), "macprox": __version__}
        self.note(RUN_BEGINS, command=command, **who, **facts, slides=list(slide_ids))

    def note(self, event: str, **facts: Any) -> None:
        """Append one event."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"time": now, "run": self._run, "event": event, **facts}
        data = json.dumps(line, ensure_ascii=False).encode() + b"\n"
        with suppress(OSError):
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                os.write(file, data)
            finally:
                os.close(file)


class Watched:
    """A watcher (`macprox.pipeline.Watcher`) that writes the journal, and tells another.

    Parameters
    ----------
    journal : Journal
    watcher : Watcher
    """

    def __init__(self, journal: Journal, watcher: Watcher) -> None:
        self._journal, self._watcher = journal, watcher

    def slide(self, slide_id: str, number: int, n_slides: int) -> None:
        self._journal.note(SLIDE_BEGINS, slide_id=slide_id, number=number, of=n_slides)
        self._watcher.slide(slide_id, number, n_slides)

    def stage(self, slide_id: str, stage: str, n_tiles: int) -> Callable[[int], None]:
        self._journal.note(STAGE_BEGINS, slide_id=slide_id, stage=stage, n_tiles=n_tiles)
        return self._watcher.stage(slide_id, stage, n_tiles)


def read_journal(results: Path) -> Iterator[dict[str, Any]]:
    """Every event, oldest first; a line that is none (torn by a crash) is left out."""
    try:
        text = (results / LOG_FILE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict) and isinstance(event.get("event"), str):
            yield event
