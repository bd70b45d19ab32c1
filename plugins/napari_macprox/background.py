"""Work beside the window: a function in a thread, and how it ended, for who asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari.qt.threading import create_worker
from qtpy.compat import isalive
from qtpy.QtCore import QObject


@dataclass(frozen=True)
class Outcome:
    """What a function returned or raised: napari would show a traceback to a pathologist."""

    value: Any = None
    error: Exception | None = None

    @classmethod
    def of(cls, function: Callable[..., Any], *args: Any) -> Outcome:
        try:
            return cls(function(*args))
        except Exception as error:  # noqa: BLE001 - told in the window, every kind of it
            return cls(error=error)


def begin(
    asking: QObject, function: Callable[..., Any], *args: Any, ended: Callable[[Outcome], object]
) -> None:
    """Run a function in a thread; ``ended`` is called in the window's thread.

    Parameters
    ----------
    asking : QObject
        Who wants to know; if its window is closed before the end, nobody is told.
    """

    def tell(outcome: Outcome) -> None:
        if isalive(asking):
            ended(outcome)

    create_worker(Outcome.of, function, *args, _connect={"returned": tell}, _start_thread=True)
