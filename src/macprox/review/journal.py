"""The log of one slide while it is reviewed: where it leads, and what can be taken back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from macprox.edits import Corrections, EditLog, Event, replay
from macprox.errors import ResultError
from macprox.io.store import SlideFolder
from macprox.review.history import History, step
from macprox.review.slides.notices import read_only_reason


class Journal:
    """Events as they are on the disk, and the steps of this session.

    Attributes
    ----------
    corrections : Corrections
        Where the log leads.
    version : int
        Grows with every step, forward or back.
    saved_at : str
        When this session last wrote to the disk: hours, minutes, seconds here; empty before.
    """

    def __init__(self, folder: SlideFolder) -> None:
        self.version = 0
        self.saved_at = ""
        self._folder = folder
        self._log = EditLog(folder.edits)
        self._history = History()
        self._events: list[Event] = []
        self._seen_bytes = 0
        self.corrections = Corrections()
        self._read()

    @property
    def read_only(self) -> str:
        """Why nothing can be saved here; empty if it can."""
        return read_only_reason(self._folder)

    @property
    def undo_text(self) -> str:
        return self._history.undo_text

    @property
    def redo_text(self) -> str:
        return self._history.redo_text

    def add(self, text: str, events: Sequence[Event]) -> None:
        """Append the events of one decision; when this returns they are on the disk.

        Raises
        ------
        ResultError
            If they cannot be saved; then nothing has changed.
        """
        self._catch_up()
        decided = step(text, events, self.corrections)
        self._append(events)
        self._history.add(decided)

    def undo(self) -> str:
        """Take the last step back; what it was, in words, empty if there is none."""
        if not self.undo_text:
            return ""
        self._append(self._history.undo())
        return self._history.undid()

    def redo(self) -> str:
        """Take the step again that was taken back last; what it was."""
        if not self.redo_text:
            return ""
        self._append(self._history.redo())
        return self._history.redid()

    def _append(self, events: Sequence[Event]) -> None:
        if self.read_only:
            raise ResultError(self.read_only)
        self._catch_up()
        try:
            n_written = self._log.append(*events)
        except OSError as error:
            raise ResultError(
                f"Cannot write {self._log.path}: {error.strerror or error}. Your last decision is "
                "not saved; make room or ask for the right to write, and repeat it."
            ) from error
        self.saved_at = f"{datetime.now():%H:%M:%S}"
        self._events.extend(events)
        self._seen_bytes += n_written
        self.corrections = replay(self._events)
        self._catch_up()
        self.version += 1

    def _catch_up(self) -> None:
        """Somebody else may review this slide, too, in another window."""
        if self._n_bytes() != self._seen_bytes:
            self._read()

    def _read(self) -> None:
        self._events = self._log.read()
        self._seen_bytes = self._n_bytes()
        self.corrections = replay(self._events)

    def _n_bytes(self) -> int:
        return self._log.path.stat().st_size if self._log.path.exists() else 0
