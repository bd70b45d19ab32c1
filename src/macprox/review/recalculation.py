"""What follows from the log: computed from a snapshot, in any thread, as the reviewer goes on."""

from __future__ import annotations

from dataclasses import dataclass

from macprox.edits import Corrections
from macprox.pipeline.areas import Areas
from macprox.pipeline.calling import CalledCells, Caller
from macprox.pipeline.redrawing import measurements_of, redraw_cells
from macprox.results import SlideResult
from macprox.review.answer import Answer, answer
from macprox.study import GIVEN, Study


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
    caller : Caller or None
        What an earlier recalculation left to start from.
    drawn : tuple of str
        Redrawings that ``caller`` has seen.
    """

    result: SlideResult
    study: Study
    corrections: Corrections
    version: int
    caller: Caller | None
    drawn: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """What a recalculation found, and what the next one may start from."""

    version: int
    called: CalledCells
    answer: Answer
    caller: Caller | None
    drawn: tuple[str, ...]


def recalculate(snapshot: Snapshot) -> Found:
    """Cells, regions and the answer as the log has them; half a second, or two, in any thread.

    Raises
    ------
    MacproxError
        If a drawing of cells cannot be brought into the labels.
    """
    folder, drawn = snapshot.result.folder, _drawn(snapshot.corrections)
    if (
        GIVEN in snapshot.study.phenotypes.values()
    ):  # another tool named the cells: nothing is called anew
        called = saved_calls(snapshot.result)
        return Found(snapshot.version, called, answer(called, snapshot.study), None, drawn)
    caller = snapshot.caller
    if caller is None or drawn != snapshot.drawn:
        redraw_cells(snapshot.study, folder)
        source = snapshot.result.manifest["source"]
        caller = Caller(measurements_of(folder), snapshot.study, folder, source)
    called = caller.call(snapshot.corrections)
    found = answer(called, snapshot.study)
    return Found(snapshot.version, called, found, caller, drawn)


def _drawn(corrections: Corrections) -> tuple[str, ...]:
    return tuple(event.redraw_id for event in corrections.redraws)


def saved_calls(result: SlideResult) -> CalledCells:
    """What the last run or update left on the disk."""
    cells, gates = result.cells(), result.gates()
    if "in_window" not in cells:  # a table of another tool, every cell of which counts
        cells = cells.assign(in_window=True, excluded=False, phenotype_source="given")
    return CalledCells(cells, gates, Areas(result.regions()), result.artefacts(), [])
