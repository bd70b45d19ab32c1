"""`Review`: what the panels of one window share: the slide, its session, the selected cell."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
from qtpy.QtCore import QObject, QTimer, Signal

from macprox.errors import MacproxError
from macprox.io.store import slide_folders
from macprox.review.recalculation import Found, Prepared, prepare, recalculate
from macprox.review.session import ReviewSession
from macprox.review.slides.relocation import relocate
from napari_macprox.background import Outcome, begin
from napari_macprox.garbage import GarbageCollector
from napari_macprox.layers import ReviewLayers

SETTLE_MS = 250  # decisions that follow each other faster are answered together
CLOSE_UP_UM = 120.0  # what the canvas shows of a cell that one goes to
RECALCULATING = "Recalculating…"

logger = logging.getLogger(__name__)


class Review(QObject):
    """One window's review.

    Attributes
    ----------
    viewer : napari.Viewer
    results : Path or None
        The result folder that slides are stepped through in.
    session : ReviewSession or None
        Of the slide that is open.
    layers : ReviewLayers
    selected : int or None
        ``cell_id``.
    reviewer : str
    """

    listed = Signal()  # another result folder; whether a slide of it can be opened is not known
    opened = Signal()  # another slide, or the same one anew
    cells_changed = Signal()  # phenotypes, gates, regions
    answered = Signal()  # the numbers belong to the cells again
    unanswered = Signal()  # they could not be calculated; why, was said
    selected_changed = Signal()
    log_changed = Signal()  # a decision was saved, or taken back
    said = Signal(str, str)  # a sentence, and "info", "warning" or "error"
    noticed = Signal(object)  # a `Notice` about the folder of the slide that was opened
    busy = Signal(str)  # what is going on; empty when nothing is
    reviewer_changed = Signal(str)

    def __init__(self, viewer: napari.Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        GarbageCollector(self)
        self.viewer = viewer
        self.results: Path | None = None
        self.session: ReviewSession | None = None
        self.layers = ReviewLayers(viewer, self)
        self.selected: int | None = None
        self.reviewer = ""
        self._asked: Path | None = None  # the slide that was asked for last
        self._is_opening = False
        self._running: dict[int, str] = {}
        self._n_started = 0
        self._recalculates = False
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._settle.timeout.connect(self._recalculate)

    # Slides.

    def open_results(self, path: str | Path) -> None:
        """A result folder, or one slide of it: its first slide, or this one, is opened."""
        path = Path(path)
        try:
            folders = [path] if (path / "manifest.json").exists() else None
            slides = folders or [folder.path for folder in slide_folders(path)]
        except MacproxError as error:
            self.said.emit(str(error), "warning")
            return
        self.open_slide(slides[0])

    def open_slide(self, path: str | Path) -> None:
        """Read a slide's results in the background, then show them.

        One at a time: of those asked for while another is read, the last is read next.
        """
        self._asked = Path(os.path.abspath(path))
        if self.results != self._asked.parents[1]:
            self.results = self._asked.parents[1]
            self.listed.emit()
        if not self._is_opening:
            self._open_asked()

    def _open_asked(self) -> None:
        asked = self._asked
        assert asked is not None
        self._is_opening = True

        def ended(session: ReviewSession | None = None) -> None:
            self._is_opening = False
            if asked != self._asked:
                self._open_asked()
            elif session is not None:
                self._show_slide(session)

        self.in_background(
            ReviewSession.open, asked, self.reviewer,
            done=ended, failed=ended, text=f"Opening {asked.name}…",
        )  # fmt: skip

    def step_slide(self, step: int) -> None:
        """Open the next slide of the folder, or the one before."""
        if self.results is None or self._asked is None:
            return
        try:
            slides = [folder.path.name for folder in slide_folders(self.results)]
        except MacproxError as error:
            self.said.emit(str(error), "warning")
            return
        here = slides.index(self._asked.name) if self._asked.name in slides else 0
        there = here + step
        if 0 <= there < len(slides):
            self.open_slide(self.results / "slides" / slides[there])
        else:
            self.said.emit(f"This is the {'last' if step > 0 else 'first'} slide.", "info")

    def find_image(self, path: str | Path) -> None:
        """Say where the slide's image is now, and open the slide again with it."""
        if self.session is not None:
            found = self.session.result.path
            self.in_background(
                relocate, self.session.result, path,
                done=lambda _: self.open_slide(found), text="Looking at the image…",
            )  # fmt: skip

    def rename_reviewer(self, name: str) -> None:
        if name.strip() == self.reviewer:
            return
        self.reviewer = name.strip()
        if self.session is not None:
            self.session.reviewer = self.reviewer
        self.reviewer_changed.emit(self.reviewer)

    def _show_slide(self, session: ReviewSession) -> None:
        session.reviewer = self.reviewer
        self.session = session
        self._asked = session.result.folder.path
        self.results = self._asked.parents[1]
        self.selected = None
        self.layers.show(session)
        self.opened.emit()
        for notice in session.notices:
            self.noticed.emit(notice)
        self._recalculate()

    # Decisions.

    def do(
        self, action: Callable[[ReviewSession], object], needs_recalculation: bool = True
    ) -> bool:
        """Let the session decide something; False, and a notice, where it cannot be."""
        if self.session is None:
            return False
        error = Outcome.of(action, self.session).error
        if error is not None:
            self._explain(error)
            return False
        self.log_changed.emit()
        if needs_recalculation:
            self.layers.recolour(self.session)
            self.cells_changed.emit()
            self._settle.start()
        return True

    def undo(self) -> None:
        self._step_back_or_forth("undo", "Taken back")

    def redo(self) -> None:
        self._step_back_or_forth("redo", "Done again")

    def _step_back_or_forth(self, which: str, said: str) -> None:
        done: list[str] = []
        if self.do(lambda session: done.append(getattr(session, which)())) and done[0]:
            self.said.emit(f"{said}: {done[0]}.", "info")

    def update_slide(self) -> None:
        """Bring the slide's tables, statistics and report to what the log says."""
        session = self.session
        if session is not None:
            self.in_background(
                session.update, done=lambda _: self._updated(session),
                text="Updating tables, statistics and report…",
            )  # fmt: skip

    def _updated(self, session: ReviewSession) -> None:
        self.said.emit("Tables, statistics and report are up to date.", "info")
        if session is self.session:
            self.log_changed.emit()

    # Looking.

    def select(self, cell_id: int | None) -> None:
        self.selected = cell_id
        self.selected_changed.emit()

    def go_to(self, x_um: float, y_um: float, width_um: float | None = CLOSE_UP_UM) -> None:
        """Centre the canvas; without a width the zoom stays."""
        self.viewer.scene.camera.center = (0.0, y_um, x_um)
        if width_um is not None:
            width_px = self.viewer.canvas.size[1]
            self.viewer.scene.camera.zoom = width_px / width_um

    # Work beside the window.

    @property
    def is_busy(self) -> bool:
        """Whether anything is going on beside the window, or about to."""
        return bool(self._running) or self._settle.isActive()

    def in_background(
        self,
        function: Callable[..., Any],
        *args: Any,
        done: Callable[[Any], object] | None = None,
        failed: Callable[[], object] | None = None,
        text: str = "Working…",
    ) -> None:
        """Run a function in a thread; ``done`` gets what it returns, in the window's thread.

        A mistake that has a sentence becomes a notice. Anything else is a bug, which becomes one,
        too, with its details in the log: the window stays, and so does every saved decision.
        """
        self._n_started += 1
        number = self._n_started
        self._running[number] = text
        self.busy.emit(text)

        def ended(outcome: Outcome) -> None:
            self._running.pop(number, None)
            self.busy.emit(next(iter(self._running.values()), ""))
            if outcome.error is not None:
                self._explain(outcome.error)
                if failed is not None:
                    failed()
            elif done is not None:
                shown = Outcome.of(done, outcome.value)
                if shown.error is not None:
                    self._explain(shown.error)

        begin(self, function, *args, ended=ended)

    def _explain(self, error: Exception) -> None:
        if isinstance(error, MacproxError):
            self.said.emit(str(error), "warning")
            return
        logger.error("a bug in macprox", exc_info=error)
        self.said.emit(
            f"Something unexpected happened ({type(error).__name__}: {error}). Every decision so "
            "far is saved. Please report this with the last lines of the terminal.",
            "error",
        )

    def _recalculate(self) -> None:
        session = self.session
        if session is None or self._recalculates or not session.is_stale:
            return  # one at a time: the one under way is asked again when it ends
        self._recalculates = True
        self.in_background(
            recalculate, session.snapshot(),
            done=lambda found: self._install(session, found),
            failed=lambda: self._give_up(session), text=RECALCULATING,
        )  # fmt: skip

    def _give_up(self, session: ReviewSession) -> None:
        self._recalculates = False
        if session is not self.session:  # what failed was another slide's
            self._recalculate()
        elif session.is_stale:
            self.unanswered.emit()

    def _install(self, session: ReviewSession, found: Found) -> None:
        self._recalculates = False
        if session is not self.session:  # another slide was opened meanwhile
            self._recalculate()
        elif session.install(found):
            self.layers.recolour(session)
            self.cells_changed.emit()
            self.answered.emit()
            self._prepare(session)
        else:
            self._settle.start()

    def _prepare(self, session: ReviewSession) -> None:
        """While the slide is looked at: the first decision should not wait longer than others."""
        if session.can_prepare and not session.read_only:
            self._recalculates = True
            self.in_background(
                prepare, session.snapshot(),
                done=lambda prepared: self._take(session, prepared),
                failed=lambda: self._give_up(session), text="Getting ready for corrections…",
            )  # fmt: skip

    def _take(self, session: ReviewSession, prepared: Prepared) -> None:
        self._recalculates = False
        session.take(prepared)
        self._recalculate()
