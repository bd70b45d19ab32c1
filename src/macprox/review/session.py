"""`ReviewSession`: one slide under review. Every decision is on the disk before it is shown."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from macprox.edits import Corrections, SignedOff, SignOffWithdrawn
from macprox.errors import MacproxError
from macprox.pipeline.marks import is_current, is_given
from macprox.pipeline.run import finish_slide
from macprox.results import SlideResult, open_result
from macprox.review.cells import decisions as cells
from macprox.review.decision import Decision, Standing
from macprox.review.gates import decisions as gates
from macprox.review.journal import Journal
from macprox.review.outlines import decisions as outlines
from macprox.review.question.answer import Answer
from macprox.review.recalculation import Found, Prepared, Snapshot, saved_calls
from macprox.review.regions import decisions as regions
from macprox.review.slides.notices import Notice, folder_notices

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from macprox.pipeline.options import RunOptions
    from macprox.review.outlines.crop import CropEdit

CellIds = Iterable[int]


class ReviewSession:
    """One slide, its log, and what follows from it.

    Attributes
    ----------
    result : SlideResult
    study : Study
    reviewer : str
        Who decides; nothing is written without a name.
    notices : tuple of Notice
        What is wrong with the folder, and what to do about it.
    called : CalledCells
        Of the last recalculation. Cells relabelled, deleted or marked since are changed at once;
        everything else waits for `install`.
    answer : Answer or None
        The question's numbers; None before the first recalculation.
    """

    def __init__(self, result: SlideResult, reviewer: str = "") -> None:
        self.result, self.study, self.reviewer = result, result.study, reviewer.strip()
        self.notices: tuple[Notice, ...] = tuple(folder_notices(result.path))
        self._saved = self.called = saved_calls(result)
        self.answer: Answer | None = None
        self._journal = Journal(result.folder)
        self._prepared: Prepared | None = None
        self._found_version = -1

    @classmethod
    def open(cls, path: str | Path, reviewer: str = "") -> ReviewSession:
        """The slide of ``results/slides/<slide_id>``.

        Raises
        ------
        ResultError
            If the folder holds nothing to look at, or its log is damaged.
        """
        return cls(open_result(path), reviewer)

    @property
    def slide_id(self) -> str:
        return self.result.slide_id

    @property
    def corrections(self) -> Corrections:
        """Where the log leads."""
        return self._journal.corrections

    @property
    def version(self) -> int:
        """Grows with every decision."""
        return self._journal.version

    @property
    def read_only(self) -> str:
        """Why nothing can be saved here; empty if it can."""
        return self._journal.read_only

    @property
    def is_given(self) -> bool:
        """Whether another tool found and named the cells."""
        return is_given(self.result.manifest.get("source"))

    @property
    def saved_at(self) -> str:
        """When the last decision was written, as the clock on the wall says; empty before one."""
        return self._journal.saved_at

    @property
    def is_stale(self) -> bool:
        """Whether the cells and the answer are older than the log."""
        return self._found_version != self.version

    @property
    def is_saved(self) -> bool:
        """Whether tables and statistics on the disk say what the log says."""
        return is_current(self.study, self.result.folder)

    @property
    def undo_text(self) -> str:
        return self._journal.undo_text

    @property
    def redo_text(self) -> str:
        return self._journal.redo_text

    # Decisions.

    def move_gate(self, marker: str, value: float, parent: str | None = None) -> None:
        """Set a marker's gate: cells strictly above are positive.

        Parameters
        ----------
        marker : str
        value : float
            In the marker's units, background-corrected.
        parent : str, optional
            Another marker: the gate holds among its positive cells only.
        """
        self._decide(gates.moved(self._standing(), marker, value, parent))

    def reset_gate(self, marker: str, parent: str | None = None) -> None:
        """Back to the study's gate or the automatic one; a parent's gate goes."""
        self._decide(gates.reset(self._standing(), marker, parent))

    def confirm_gate(self, marker: str, parent: str | None = None) -> None:
        """Agree with the gate as it is."""
        self._decide(gates.confirmed(self._standing(), marker, parent))

    def set_phenotype(self, cell_ids: CellIds, phenotype: str | None) -> None:
        """Say what cells are; None leaves it to the rules again."""
        rows = cells.rows_of(self.called, cell_ids)
        decided = self._decide(cells.relabelled(self._standing(), rows, phenotype))
        if decided and phenotype is not None:
            shown = {"phenotype": phenotype, "phenotype_source": "reviewer"}
            self.called = cells.changed(self.called, rows, **shown)

    def delete(self, cell_ids: CellIds) -> None:
        """Say that these are no cells."""
        rows = cells.rows_of(self.called, cell_ids)
        if self._decide(cells.deleted(self._standing(), rows)):
            self.called = cells.without(self.called, rows)

    def mark_artefact(self, cell_ids: CellIds, reason: str | None) -> None:
        """Leave cells out of every statistic, and why; None takes the mark back."""
        rows = cells.rows_of(self.called, cell_ids)
        if self._decide(cells.marked(self._standing(), rows, reason)) and reason:
            self.called = cells.changed(self.called, rows, excluded=True)

    def draw_region(
        self,
        kind: str,
        area_um: BaseGeometry,
        reason: str = "",
        region_id: str | None = None,
        instead_of: Sequence[str] = (),
    ) -> str:
        """Draw tumour or an exclusion, or draw one anew.

        Parameters
        ----------
        kind : "tumour" or "exclusion"
        area_um : Polygon or MultiPolygon
        reason : str
            Why an area is left out.
        region_id : str, optional
            Of the drawing that this one replaces.
        instead_of : sequence of str
            Ids of other drawings of this kind that go with it, in the same decision.

        Returns
        -------
        str
            The drawing's id.
        """
        region_id = region_id or uuid.uuid4().hex[:8]
        pixel_size_um = self.result.pixel_size_um
        key = (kind, region_id)
        drawn = regions.drawn(self._standing(), key, area_um, reason, pixel_size_um, *instead_of)
        self._decide(drawn)
        return region_id

    def withdraw_region(self, kind: str, *region_ids: str) -> None:
        """Take drawings of a kind back, as one decision."""
        self._decide(regions.withdrawn(self._standing(), kind, *region_ids))

    def redraw(self, edit: CropEdit) -> None:
        """Put hand-drawn outlines in the place of cells; labels follow with the recalculation."""
        self._decide(outlines.redrawn(self._standing(), edit, self.result.pixel_size_um))

    def sign_off(self, comment: str = "") -> None:
        """Stand by the slide as it is now."""
        signed = SignedOff(**self._standing().who(), comment=comment.strip())
        self._decide(Decision("sign off", [signed]))

    def withdraw_sign_off(self) -> None:
        """Stand by it no longer."""
        if self.corrections.signed_off is None:
            raise MacproxError("This slide is not signed off.")
        withdrawn = SignOffWithdrawn(**self._standing().who())
        self._decide(Decision("withdraw the sign-off", [withdrawn]))

    def undo(self) -> str:
        """Take the last decision back; what it was, in words, empty if there is none."""
        return self._journal.undo()

    def redo(self) -> str:
        """Make the decision again that was taken back last; what it was."""
        return self._journal.redo()

    # What follows from them.

    @property
    def phenotypes(self) -> tuple[str, ...]:
        """What a cell can be called, in the study's order."""
        return cells.phenotypes_of(self.called.cells, self.study)

    def snapshot(self) -> Snapshot:
        """What `recalculate` needs, as of now."""
        is_saved = self.is_given or (self._found_version < 0 and self.is_saved)
        return Snapshot(
            self.result, self.study, self.corrections, self.version, self._prepared,
            saved=self._saved if is_saved else None,
        )  # fmt: skip

    @property
    def can_prepare(self) -> bool:
        """Whether the first decision would wait for what can be prepared now."""
        return self._prepared is None and not self.is_given

    def take(self, prepared: Prepared) -> None:
        """Take over what `macprox.review.recalculation.prepare` made ready."""
        self._prepared = self._prepared or prepared

    def install(self, found: Found) -> bool:
        """Take over what a recalculation found; False if the log has grown since."""
        self._prepared = found.prepared
        if found.version != self.version:
            return False
        self.called, self.answer = found.called, found.answer
        self._found_version = found.version
        return True

    def update(self, options: RunOptions | None = None) -> None:
        """Bring this slide's tables, statistics and report to what the log says."""
        finish_slide(self.study, self.result.folder, options)
        self.result = SlideResult(self.result.path)
        self.notices = tuple(folder_notices(self.result.path))

    def _standing(self) -> Standing:
        """What a decision starts from; a mistake where nothing can be decided."""
        if self.is_given:
            raise MacproxError(
                "These cells came as a table of another tool, with their phenotypes: there is "
                "nothing here to decide anew. Correct them there and run `macprox stats` again."
            )
        return Standing(self.slide_id, self.reviewer, self.study, self.called, self.corrections)

    def _decide(self, decision: Decision) -> bool:
        """Write it down; False if there was nothing to decide."""
        if not decision.events:
            return False
        self._journal.add(decision.text, decision.events)
        return True
