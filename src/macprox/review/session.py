"""`ReviewSession`: one slide under review. Every decision is on the disk before it is shown."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from macprox.edits import (
    CellDeleted,
    CellMarked,
    CellsRedrawn,
    Corrections,
    GateConfirmed,
    GateMoved,
    PhenotypeSet,
    RegionDrawn,
    SignedOff,
    SignOffWithdrawn,
)
from macprox.edits.events import Event
from macprox.errors import MacproxError
from macprox.io.geojson import geometry_from_um
from macprox.phenotype.gate_table import gate_of
from macprox.pipeline.run import GIVEN_FORMAT, finish_slide, is_current
from macprox.results import SlideResult, open_result
from macprox.review.journal import Journal
from macprox.review.outlines.carried import carried_over
from macprox.review.question.answer import Answer
from macprox.review.recalculation import Found, Prepared, Snapshot, saved_calls
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
        return self.result.manifest.get("source", {}).get("format") == GIVEN_FORMAT

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
        self._check_marker(marker, parent)
        if not np.isfinite(value):
            raise MacproxError(f"The gate of {marker} must be a number, found {value!r}.")
        moved = GateMoved(
            **self._who(), marker=marker, parent=parent,
            before=self._gate(marker, parent), after=float(value),
        )  # fmt: skip
        self._decide(f"move the gate of {_gate_name(marker, parent)}", [moved])

    def reset_gate(self, marker: str, parent: str | None = None) -> None:
        """Back to the study's gate or the automatic one; a parent's gate goes."""
        self._check_marker(marker, parent)
        before = self._gate(marker, parent)
        reset = GateMoved(**self._who(), marker=marker, parent=parent, before=before, after=None)
        self._decide(f"reset the gate of {_gate_name(marker, parent)}", [reset])

    def confirm_gate(self, marker: str, parent: str | None = None) -> None:
        """Agree with the gate as it is."""
        self._check_marker(marker, parent)
        value = self._gate(marker, parent)
        if value is None:
            raise MacproxError(
                f"{_gate_name(marker, parent)} has no gate to confirm; draw one in the histogram."
            )
        confirmed = GateConfirmed(**self._who(), marker=marker, parent=parent, value=value)
        self._decide(f"confirm the gate of {_gate_name(marker, parent)}", [confirmed])

    def set_phenotype(self, cell_ids: CellIds, phenotype: str | None) -> None:
        """Say what cells are; None leaves it to the rules again."""
        if phenotype is not None and phenotype not in self.phenotypes:
            raise MacproxError(
                f"The study knows no phenotype {phenotype!r}; it has {', '.join(self.phenotypes)}."
            )
        rows = self._rows(cell_ids)
        now = self.called.cells["phenotype"].to_numpy(object)[rows]
        events = [
            PhenotypeSet(**place, before=str(before), after=phenotype)
            for place, before in zip(self._places(rows), now, strict=True)
        ]
        what = "give back to the rules" if phenotype is None else f"relabel as {phenotype}"
        if self._decide(f"{what}: {_n_cells(rows)}", events) and phenotype is not None:
            self._show(phenotype=(rows, phenotype), phenotype_source=(rows, "reviewer"))

    def delete(self, cell_ids: CellIds) -> None:
        """Say that these are no cells."""
        rows = self._rows(cell_ids)
        events = [CellDeleted(**place) for place in self._places(rows)]
        if self._decide(f"delete {_n_cells(rows)}", events):
            kept = np.ones(len(self.called.cells), bool)
            kept[rows] = False
            cells = self.called.cells[kept].reset_index(drop=True)
            self.called = replace(self.called, cells=cells)

    def mark_artefact(self, cell_ids: CellIds, reason: str | None) -> None:
        """Leave cells out of every statistic, and why; None takes the mark back."""
        rows = self._rows(cell_ids)
        standing = {(m.anchor_px, m.x_um, m.y_um): m.after for m in self.corrections.marked}
        events = [
            CellMarked(
                **place,
                before=standing.get((place["anchor_px"], place["x_um"], place["y_um"])),
                after=reason,
            )
            for place in self._places(rows)
        ]
        text = f"mark {_n_cells(rows)} as {reason}" if reason else f"unmark {_n_cells(rows)}"
        if self._decide(text, events) and reason:
            self._show(excluded=(rows, True))

    def draw_region(
        self, kind: str, area_um: BaseGeometry, reason: str = "", region_id: str | None = None
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

        Returns
        -------
        str
            The drawing's id.
        """
        region_id = region_id or uuid.uuid4().hex[:8]
        standing = self.corrections.regions.get((kind, region_id))
        drawn = RegionDrawn(
            **self._who(), kind=kind, region_id=region_id, reason=reason,
            before=None if standing is None else standing.after,
            after=geometry_from_um(area_um, self.result.pixel_size_um),
        )  # fmt: skip
        self._decide(f"draw {'tumour' if kind == 'tumour' else reason or 'an exclusion'}", [drawn])
        return region_id

    def withdraw_region(self, kind: str, region_id: str) -> None:
        """Take a drawing back."""
        standing = self.corrections.regions.get((kind, region_id))
        if standing is None:
            raise MacproxError(f"There is no drawn {kind} {region_id!r} on this slide.")
        gone = replace(standing, **self._who(), before=standing.after, after=None)
        self._decide(f"remove {standing.reason or kind}", [gone])

    def redraw(self, edit: CropEdit) -> None:
        """Put hand-drawn outlines in the place of cells; labels follow with the recalculation."""
        drawn = CellsRedrawn(
            **self._who(), redraw_id=uuid.uuid4().hex[:8],
            removed=tuple(edit.removed), added=tuple(edit.added),
        )  # fmt: skip
        said = carried_over(drawn, self.corrections, self.result.pixel_size_um)
        text = f"draw {len(drawn.added)} for {len(drawn.removed)} cells"
        self._decide(text, [drawn, *said])

    def sign_off(self, comment: str = "") -> None:
        """Stand by the slide as it is now."""
        self._decide("sign off", [SignedOff(**self._who(), comment=comment.strip())])

    def withdraw_sign_off(self) -> None:
        """Stand by it no longer."""
        if self.corrections.signed_off is None:
            raise MacproxError("This slide is not signed off.")
        self._decide("withdraw the sign-off", [SignOffWithdrawn(**self._who())])

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
        named = self.called.cells["phenotype"].astype(str).unique()
        return tuple(dict.fromkeys([*self.study.phenotypes, *sorted(named)]))

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

    # Cells and gates.

    def _who(self) -> dict[str, str]:
        if not self.reviewer:
            raise MacproxError(
                "Who are you? Enter your name at the top of the review window: every decision is "
                "saved with the name of who made it."
            )
        return {"slide_id": self.slide_id, "reviewer": self.reviewer}

    def _decide(self, text: str, events: Sequence[Event]) -> bool:
        if not events:
            return False
        if self.is_given:
            raise MacproxError(
                "These cells came as a table of another tool, with their phenotypes: there is "
                "nothing here to decide anew. Correct them there and run `macprox stats` again."
            )
        self._journal.add(text, events)
        return True

    def _gate(self, marker: str, parent: str | None) -> float | None:
        """The gate as the log has it now, else the last one that was found."""
        standing = self.corrections.gates.get((marker, parent))
        if standing is not None and standing.value is not None:
            return standing.value
        row = gate_of(self.called.gates, marker, parent)
        value = float("nan") if row is None else float(row["value"])
        return value if np.isfinite(value) else None

    def _check_marker(self, marker: str, parent: str | None) -> None:
        known = self.study.markers
        for name in (marker, marker if parent is None else parent):
            if name not in known:
                raise MacproxError(f"The study gates no {name!r}; it gates {', '.join(known)}.")
        if parent == marker:
            raise MacproxError(f"{marker} cannot be gated among its own positive cells.")

    def _rows(self, cell_ids: CellIds) -> np.ndarray:
        """Rows of cells that are there; a cell that is gone needs no decision."""
        ids = self.called.cells["cell_id"].to_numpy()
        return np.flatnonzero(np.isin(ids, np.fromiter(cell_ids, np.int64)))

    def _places(self, rows: np.ndarray) -> list[dict[str, Any]]:
        who, cells = self._who(), self.called.cells.iloc[rows]
        columns = (cells[name].tolist() for name in ("anchor_px", "x_um", "y_um"))
        return [
            {**who, "anchor_px": int(anchor), "x_um": x, "y_um": y}
            for anchor, x, y in zip(*columns, strict=True)
        ]

    def _show(self, **changes: tuple[np.ndarray, Any]) -> None:
        """Change some cells' columns until the next recalculation says the same."""
        columns = {}
        for name, (rows, value) in changes.items():
            column = self.called.cells[name].to_numpy(copy=True)
            column[rows] = value
            columns[name] = column
        self.called = replace(self.called, cells=self.called.cells.assign(**columns))


def _gate_name(marker: str, parent: str | None) -> str:
    return marker if parent is None else f"{marker} among {parent}+"


def _n_cells(rows: np.ndarray) -> str:
    return "1 cell" if len(rows) == 1 else f"{len(rows)} cells"
