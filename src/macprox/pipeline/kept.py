"""The last answer to a question, for as long as the same is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

Answer = TypeVar("Answer")


class Kept(Generic[Answer]):
    """One answer and what it depended on; a reviewer's next step changes little of that.

    Question and answer are exchanged together: another thread sees both or neither.
    """

    def __init__(self) -> None:
        self._last: tuple[Any, Answer] | None = None

    def get(self, question: Any, answer: Callable[[], Answer]) -> Answer:
        """The answer kept, if ``question`` equals that of last time; else a new one."""
        last = self._last
        if last is None or last[0] != question:
            last = (question, answer())
            self._last = last
        return last[1]
