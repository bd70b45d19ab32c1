"""What follows from the log: computed from a snapshot, in any thread, as the reviewer goes on."""

from __future__ import annotations

from dataclasses import dataclass

from macprox.edits import Corrections
from macprox.io.lock import alone_in
from macprox.pipeline.areas import Areas
from macprox.pipeline.calling import CalledCells, Caller
from macprox.pipeline.redrawing.stage import drawn_in, measurements_of, redraw_cells
from macprox.results import SlideResult
from macprox.review.question.answer import Answer, answer
from macprox.study import Study

PATIENCE_S = 20.0  # for an update that holds the slide


@dataclass(frozen=True)
class Prepared:
    """What recalculations start from.

    Parameters
    ----------
    caller : Caller
    drawn : tuple of str
        The redrawings that its measurements hold.
    """

    caller: Caller
    drawn: tuple[str, ...]


@dataclass(frozen=True)
class Snapshot:
    """What a recalculation needs; taken where the session lives, used in any thread.

    Parameters
    ----------
    result : SlideResult
    study : Study
    corrections : Corrections
    version : int
        Of the session; a newer one makes the outcome old.
    prepared : Prepared or None
        By an earlier recalculation.
    saved : CalledCells or None
        What the last run or update left, where nothing was decided since: nothing is called anew.
    """

    result: SlideResult
    study: Study
    corrections: Corrections
    version: int
    prepared: Prepared | None = None
    saved: CalledCells | None = None


@dataclass(frozen=True)
class Found:
    """What a recalculation found, and what the next one may start from."""

    version: int
    called: CalledCells
    answer: Answer
    prepared: Prepared | None


def recalculate(snapshot: Snapshot) -> Found:
    """Cells, regions and the answer as the log has them; half a second, or two, in any thread.

    Raises
    ------
    MacproxError
        If a drawing of cells cannot be brought into the labels.
    """
    prepared, called = snapshot.prepared, snapshot.saved
    if called is None:
        prepared = _prepared(snapshot)
        called = prepared.caller.call(snapshot.corrections)
    return Found(snapshot.version, called, answer(called, snapshot.study), prepared)


def prepare(snapshot: Snapshot) -> Prepared:
    """Make the first decision as quick as the later ones: propose gates and find the tumour now."""
    prepared = _prepared(snapshot)
    prepared.caller.call(snapshot.corrections)
    return prepared


def _prepared(snapshot: Snapshot) -> Prepared:
    drawn = tuple(event.redraw_id for event in snapshot.corrections.redraws)
    if snapshot.prepared is not None and snapshot.prepared.drawn == drawn:
        return snapshot.prepared
    folder, source = snapshot.result.folder, snapshot.result.manifest["source"]
    with alone_in(folder, PATIENCE_S):
        redraw_cells(snapshot.study, folder)
        # What the log says now, which may be more than the snapshot's: it is the labels that count.
        measurements, drawn = measurements_of(folder), drawn_in(folder)
    return Prepared(Caller(measurements, snapshot.study, folder, source), drawn)


def saved_calls(result: SlideResult) -> CalledCells:
    """What the last run or update left on the disk."""
    cells, gates = result.cells(), result.gates()
    if "in_window" not in cells:  # a table of another tool, every cell of which counts
        cells = cells.assign(in_window=True, excluded=False, phenotype_source="given")
    return CalledCells(cells, gates, Areas(result.regions()), result.artefacts(), [])
