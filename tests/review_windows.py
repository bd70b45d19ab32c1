"""A slide under review in a real viewer, without the desk around the panels."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtWidgets import QApplication

from macprox.edits import EditLog, Event


def opened(qtbot, viewer, result, reviewer: str = "A. Reviewer"):
    """The review of a result, once its numbers belong to its cells."""
    from napari_macprox.review import Review

    review = Review(viewer)
    review.rename_reviewer(reviewer)
    review.problems = []
    review.said.connect(lambda text, level: review.problems.append((level, text)))
    with qtbot.waitSignal(review.answered, timeout=60_000):
        review.open_slide(result.path)
    return review


def settled(qtbot, review, action: Callable[[], object]) -> None:
    """Do something that is decided, and wait for what follows from it."""
    with qtbot.waitSignal(review.answered, timeout=60_000):
        action()


def let_run() -> None:
    """What was put off to the next turn of the event loop."""
    for _ in range(5):
        QApplication.processEvents()


def log(review) -> list[Event]:
    """What was decided on the open slide."""
    return EditLog(review.session.result.folder.edits).read()
