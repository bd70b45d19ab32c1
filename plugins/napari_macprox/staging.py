"""What a window shows later than its first picture, a step at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from qtpy.QtCore import QObject, QTimer

FIRST_MS = 50  # the first picture is drawn by then


class Later(QObject):
    """Steps that are taken one by one as soon as the window has nothing else to do."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._steps: deque[Callable[[], object]] = deque()
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._step)

    def begin(self, steps: Iterable[Callable[[], object]]) -> None:
        """These steps, in this order, and none of those that were to come."""
        self._steps = deque(steps)
        self._timer.start(FIRST_MS)

    def cancel(self) -> None:
        self._timer.stop()
        self._steps.clear()

    def finish(self) -> None:
        """Take all that is left now."""
        self._timer.stop()
        while self._steps:
            self._steps.popleft()()

    @property
    def is_under_way(self) -> bool:
        return bool(self._steps)

    def _step(self) -> None:
        if self._steps:
            self._steps.popleft()()
        if self._steps:
            self._timer.start(0)
