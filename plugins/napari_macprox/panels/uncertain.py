"""From one uncertain cell to the next, the most uncertain first."""

from __future__ import annotations

import pandas as pd
from qtpy.QtWidgets import QLabel

from macprox.review.cells.queue import review_queue
from napari_macprox.review import Review

N_QUEUE = 500
N_RINGED = 30  # of the queue, on the image: what comes next


class UncertainCells:
    """The walk through the uncertain cells of the open slide; none is visited twice.

    Parameters
    ----------
    review : Review
    progress : QLabel
        Where it is said how many are left.
    """

    def __init__(self, review: Review, progress: QLabel) -> None:
        self._review, self._progress = review, progress
        self._queue: pd.DataFrame | None = None
        self._visited: set[int] = set()

    def begin_anew(self) -> None:
        """For another slide."""
        self._queue, self._visited = None, set()
        self._progress.setText("")

    def forget_order(self) -> None:
        """What is uncertain hangs on the cuts."""
        self._queue = None

    def next(self) -> None:
        """Go on to the cell that is most uncertain of those not yet visited."""
        session = self._review.session
        if session is None:
            return
        if self._queue is None:
            self._review.in_background(
                review_queue, session.called, session.study, N_QUEUE,
                done=self._take, text="Looking for uncertain cells…",
            )  # fmt: skip
        else:
            self._step()

    def _take(self, queue: pd.DataFrame) -> None:
        self._queue = queue
        self._step()

    def _step(self) -> None:
        queue, session = self._queue, self._review.session
        if queue is None or session is None:
            return
        left = queue[~queue["cell_id"].isin(self._visited)]
        there = left[left["cell_id"].isin(session.called.cells["cell_id"])]
        self._review.layers.queue(there.iloc[:N_RINGED])
        if not len(there):
            self._progress.setText("No uncertain cell is left to look at.")
            return
        cell = there.iloc[0]
        self._visited.add(int(cell.cell_id))
        hangs_on = f" on {cell.marker}" if str(cell.get("marker", "")) else ""
        self._progress.setText(
            f"{len(there) - 1} more uncertain cells after this one, which hangs{hangs_on}."
        )
        self._review.go_to(float(cell.x_um), float(cell.y_um))
        self._review.select(int(cell.cell_id))
