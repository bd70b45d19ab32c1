"""A review without a viewer: what the panels ask of the layers is written down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QAbstractButton, QWidget

from macprox.edits import EditLog, Event
from macprox.results import SlideResult
from macprox.review.session import ReviewSession
from napari_macprox.review import Review


class WrittenDown:
    """Stands for the layers: every call is kept, by its name."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **_: self.calls.append((name, args))

    def last(self, name: str) -> Any:
        """What the newest call of this name was given."""
        return next(args[0] for called, args in reversed(self.calls) if called == name)


class BenchReview(Review):
    """The real `Review`, but what runs beside the window runs at once."""

    def __init__(self) -> None:
        super().__init__(None)
        self.layers: Any = WrittenDown()
        self.sentences: list[str] = []
        self.opened_paths: list[Any] = []
        self.said.connect(lambda text, _: self.sentences.append(text))

    def in_background(self, function, *args, done=None, failed=None, text="") -> None:
        try:
            outcome = function(*args)
        except Exception as error:  # noqa: BLE001 - as the real one
            self._explain(error)
            if failed is not None:
                failed()
            return
        if done is not None:
            done(outcome)

    def show(self, result: SlideResult, reviewer: str = "A. Reviewer") -> ReviewSession:
        """Open a slide and wait for its answer."""
        self.rename_reviewer(reviewer)
        self._show_slide(ReviewSession.open(result.path, reviewer))
        assert self.session is not None
        return self.session


def on_bench(
    qtbot, panel: Callable[[Review], Any], result: SlideResult, size: tuple[int, int] | None = None
):
    """A panel that is shown, with a slide under review; ``panel.review`` is its review."""
    review = BenchReview()
    shown = panel(review)
    qtbot.addWidget(shown)
    if size is not None:
        shown.resize(*size)
    shown.show()
    qtbot.waitExposed(shown)
    review.show(result)
    shown.review = review
    return shown


def button(panel: QWidget, text: str) -> QAbstractButton:
    """The one whose text begins so."""
    (found,) = (b for b in panel.findChildren(QAbstractButton) if b.text().startswith(text))
    return found


def logged(panel) -> list[Event]:
    """What was decided on the slide of a panel on the bench."""
    return EditLog(panel.review.session.result.folder.edits).read()
