"""One slide's gate on others: asked where, written, told what became of it."""

from __future__ import annotations

from qtpy.QtWidgets import QWidget

from macprox.review.gates.copying import GateCopy, Target, copy_gate, copy_targets
from macprox.review.session import ReviewSession
from napari_macprox.panels.copy_dialog import CopyDialog
from napari_macprox.review import Review


class GateCopying:
    """From the wish to copy a gate to what is said of it.

    Parameters
    ----------
    review : Review
    window : QWidget
        That the question belongs to.
    """

    def __init__(self, review: Review, window: QWidget) -> None:
        self._review, self._window = review, window

    def begin(self, session: ReviewSession, copied: GateCopy) -> None:
        """Look at the other slides, then ask which of them get the gate."""
        self._review.in_background(
            copy_targets, session.result.folder.results, copied, session.slide_id,
            done=lambda targets: self._ask_where(session, copied, targets),
            text="Looking at the other slides…",
        )  # fmt: skip

    def _ask_where(self, session: ReviewSession, copied: GateCopy, targets: list[Target]) -> None:
        if not targets:
            self._review.said.emit("This folder holds no other slide.", "info")
            return
        self._dialog = CopyDialog(copied, targets, self._window)

        def copy(slide_ids: list[str]) -> None:
            self._review.in_background(
                copy_gate, session.result.folder.results, copied, slide_ids, session.reviewer,
                done=lambda refused: self._tell(slide_ids, refused),
                text="Copying the gate…",
            )  # fmt: skip

        self._dialog.chosen.connect(copy)
        self._dialog.open()

    def _tell(self, slide_ids: list[str], refused: dict[str, str]) -> None:
        n = len(slide_ids) - len(refused)
        if n:
            where = "1 slide" if n == 1 else f"{n} slides"
            follow = "Its" if n == 1 else "Their"
            text = f"The gate stands on {where} now. {follow} numbers follow with the next update."
            self._review.said.emit(text, "info")
            self._review.log_changed.emit()
        for slide_id, reason in refused.items():
            self._review.said.emit(f"{slide_id} did not get the gate: {reason}", "warning")
