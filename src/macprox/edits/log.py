"""The reviewer's log: lines are added, never changed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from macprox.edits.events import Event, LineTorn, from_line, to_line
from macprox.edits.replay import Corrections, replay
from macprox.errors import ResultError, reason_of


@dataclass(frozen=True)
class EditLog:
    """The file ``edits.jsonl`` of one slide.

    Parameters
    ----------
    path : Path
        It need not exist; nothing is created before the first event.
    """

    path: Path

    def append(self, *events: Event) -> int:
        """Add events; when this returns they are on the disk.

        Returns
        -------
        int
            By how many bytes the file has grown.
        """
        if not events:
            return 0
        path = Path(self.path)
        is_new = not path.exists()
        lines = [to_line(event) for event in events]
        tail = b"" if is_new else _unfinished(path)
        if tail:
            if not _is_event(tail):
                lines.insert(0, to_line(LineTorn(slide_id=events[0].slide_id, reviewer="macprox")))
            lines.insert(0, "")  # ends the unfinished line
        written = ("\n".join(lines) + "\n").encode()
        with path.open("ab") as file:
            file.write(written)
            file.flush()
            os.fsync(file.fileno())
        if is_new and os.name == "posix":  # the new name, too, must survive a power cut
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        return len(written)

    def corrections(self) -> Corrections:
        """Where the log leads, as it is on the disk now."""
        return replay(self.read())

    def read(self) -> list[Event]:
        """Every event, oldest first; an unfinished last line (a crash) is left out.

        Raises
        ------
        ResultError
            Naming the first line that is damaged; or if the file cannot be read.
        """
        path = Path(self.path)
        if not path.exists():
            return []
        try:
            lines = path.read_bytes().split(b"\n")
        except OSError as error:
            raise ResultError(f"Cannot read {path}: {error.strerror or error}.") from error
        events: list[Event] = []
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                event = from_line(line.decode())
            except ValueError as error:
                if number == len(lines) or _is_torn_mark(lines[number]):
                    continue
                raise ResultError(
                    f"{path}, line {number}: expected one event of the reviewer's log, but "
                    f"{reason_of(error)}. Restore the file from a copy, or remove that line "
                    "knowingly."
                ) from None
            if not isinstance(event, LineTorn):
                events.append(event)
        return events

    @property
    def is_torn(self) -> bool:
        """Whether the last line is half an event: somebody was stopped while it was written."""
        path = Path(self.path)
        tail = _unfinished(path) if path.exists() else b""
        return bool(tail.strip()) and not _is_event(tail)


def _unfinished(path: Path) -> bytes:
    """What follows the last line's end."""
    return path.read_bytes().rpartition(b"\n")[2]


def _is_event(line: bytes) -> bool:
    try:
        from_line(line.decode())
    except ValueError:
        return False
    return True


def _is_torn_mark(line: bytes) -> bool:
    return _is_event(line) and isinstance(from_line(line.decode()), LineTorn)
