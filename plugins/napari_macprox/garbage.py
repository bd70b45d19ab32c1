"""Python looks for garbage in the window's thread only.

Otherwise it does so in whichever thread happens to have made the last object of some hundred: one
that reads a chunk of a slide, or recalculates. What it finds may be a widget whose layer is gone,
and Qt's widgets may be destroyed in the window's thread alone: elsewhere it ends the process, at
once or when the next widget is made.
"""

from __future__ import annotations

import gc

from qtpy.QtCore import QObject, QTimer

PAUSE_MS = 1000
_at_work: set[int] = set()


class GarbageCollector(QObject):
    """Collects what Python would have, once a second; Python itself does so again with its end."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        number = id(self)
        _at_work.add(number)
        gc.disable()
        self.destroyed.connect(lambda: _leave(number))
        self._timer = QTimer(self)
        self._timer.setInterval(PAUSE_MS)
        self._timer.timeout.connect(self.collect)
        self._timer.start()

    def collect(self) -> None:
        """The oldest generation that is due, and with it the younger ones."""
        due = [
            generation
            for generation, (n, limit) in enumerate(
                zip(gc.get_count(), gc.get_threshold(), strict=True)
            )
            if n > limit > 0
        ]
        if due:
            gc.collect(due[-1])


def _leave(number: int) -> None:
    _at_work.discard(number)
    if not _at_work:
        gc.enable()
