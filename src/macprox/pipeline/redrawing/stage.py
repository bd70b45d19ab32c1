"""Between segmentation and what is read from it: the labels and measurements as a reviewer drew.

Drawings lie on the labels like sheets of a pile, in the order of the log. Each leaves a file that
says which pixels it changes, from what to what, *before* it changes them; a withdrawn one is
reached by taking off what lies above, which is put back. As long as the manifest does not say that
the stage is done, nobody knows how far a killed process came: then every sheet is taken off, which
leads to the labels of the segmentation from wherever it stopped.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from macprox.errors import ResultError
from macprox.io.atomic import clear_leftovers, write_parquet
from macprox.io.drawn_pixels import changed_runs
from macprox.io.label_edit import read_labels
from macprox.io.store import SlideFolder, read_table
from macprox.pipeline.redrawing.drawings import Drawing, place, reach_px, standing_drawings
from macprox.pipeline.redrawing.measuring import PLACE, DrawnCells
from macprox.pipeline.redrawing.sheets import Sheet, saved_sheets, take_off
from macprox.pipeline.stages import Ledger, fingerprint
from macprox.study import Study

STAGE = "redrawn"
LOST, FACTS = "lost_redraws", "redrawn"


def redraw_cells(study: Study, folder: SlideFolder, ledger: Ledger | None = None) -> str:
    """Bring labels and measurements to what the log's drawings say; only what changed is done.

    Reads the pixels around drawn cells, no others. Where the slide cannot be read, drawings are
    painted all the same and their cells wait to be measured (`waiting_warnings`).

    Parameters
    ----------
    study : Study
    folder : SlideFolder
        With a finished segmentation.
    ledger : Ledger, optional
        Of the folder, where one is open already.

    Returns
    -------
    str
        Fingerprint of the cells that there now are; the segmentation's where nothing is drawn.

    Raises
    ------
    ResultError
        If there are no labels to draw on.
    """
    ledger = ledger or Ledger.open(folder)
    if "segmentation" not in ledger.manifest["stages"]:
        raise ResultError(
            f"The labels of {folder.slide_id!r} are not finished, and no cell can be drawn on "
            "them. Give the slide to `macprox run` again; what was drawn follows then."
        )
    wanted = standing_drawings(folder)
    mark = cells_mark(folder, ledger, wanted)
    measuring = DrawnCells(folder, ledger.manifest["source"])
    if mark is None or (_waiting(ledger.manifest) and not measuring.why_not):
        _redraw(study, wanted, measuring, ledger)
        mark = cells_mark(folder, ledger, wanted)
    assert mark is not None
    return mark


def cells_mark(
    folder: SlideFolder, ledger: Ledger, wanted: Sequence[Drawing] | None = None
) -> str | None:
    """What `redraw_cells` returns; None if it has something to do before.

    Parameters
    ----------
    folder : SlideFolder
        With a finished segmentation.
    ledger : Ledger
        Of the folder.
    wanted : sequence of Drawing, optional
        Those that stand in the log, where they are known already.
    """
    wanted = standing_drawings(folder) if wanted is None else wanted
    stages = ledger.manifest["stages"]
    if not wanted:
        drawn = STAGE in stages or folder.drawings.exists()
        return None if drawn else stages["segmentation"]["fingerprint"]
    mark = _stage_mark(wanted, ledger)
    if not (ledger.is_done(STAGE, mark) and folder.redrawn.exists()):
        return None
    waiting = _waiting(ledger.manifest)
    return fingerprint(mark, waiting) if waiting else mark


def measurements_of(folder: SlideFolder) -> pd.DataFrame:
    """What was measured of every cell: of the segmented without those removed, and of the drawn.

    Returns
    -------
    DataFrame
        The columns of ``measurements.parquet``; drawn cells are last, numbered from the highest
        ``cell_id`` on.
    """
    cells = read_table(folder.measurements)
    if not folder.redrawn.exists():
        return cells
    drawn = read_table(folder.redrawn)
    removed, drawn.attrs = drawn.attrs["removed"], {}
    parts = [table[~table["cell_id"].isin(removed)] for table in (cells, drawn) if len(table)]
    return pd.concat(parts, ignore_index=True) if parts else cells


def drawn_in(folder: SlideFolder) -> tuple[str, ...]:
    """The ``redraw_id`` of every drawing that `measurements_of` and the labels hold, in order."""
    return tuple(read_table(folder.redrawn).attrs["drawn"]) if folder.redrawn.exists() else ()


def waiting_warnings(manifest: dict[str, Any]) -> list[str]:
    """One sentence where drawn cells could not be measured: why, and what to do."""
    if not _waiting(manifest):
        return []
    n, why = manifest[FACTS]["n_waiting"], manifest[FACTS]["why"]
    whose = "1 drawn cell is" if n == 1 else f"{n} drawn cells are"
    return [
        f"{whose} in no number yet: the slide's pixels cannot be read ({why}). Put the image back "
        "and run `macprox update`, or give it to `macprox run` from where it lies now."
    ]


def take_off_drawings(folder: SlideFolder, ledger: Ledger) -> None:
    """The labels as they were segmented; `redraw_cells` draws everything again."""
    if ledger.manifest["stages"].pop(STAGE, None) is not None:
        ledger.note()
    take_off(folder, saved_sheets(folder))


def forget_drawings(folder: SlideFolder, ledger: Ledger) -> None:
    """Drop what was drawn, and leave the labels alone: they are as segmented, or made anew."""
    if STAGE in ledger.manifest["stages"] or FACTS in ledger.manifest:
        ledger.manifest["stages"].pop(STAGE, None)
        for fact in (FACTS, LOST):
            ledger.manifest.pop(fact, None)
        ledger.note()
    shutil.rmtree(folder.drawings, ignore_errors=True)
    folder.redrawn.unlink(missing_ok=True)


def _redraw(study: Study, wanted: Sequence[Drawing], measuring: DrawnCells, ledger: Ledger) -> None:
    folder, was_whole = ledger.folder, STAGE in ledger.manifest["stages"]
    with ledger.stage(STAGE, _stage_mark(wanted, ledger)):
        clear_leftovers(folder.drawings)
        there = saved_sheets(folder)
        n_kept = _n_alike(there, wanted, measuring) if was_whole else 0
        take_off(folder, there[n_kept:], n_kept)
        sheets = there[:n_kept]
        cells = read_table(folder.measurements, PLACE)
        for number, drawing in enumerate(wanted[n_kept:], start=n_kept):
            sheets.append(_drawn(drawing, study, measuring, _known(cells, sheets)))
            sheets[-1].lie_on(folder, number)
        _write_table(sheets, [drawing.event.redraw_id for drawing in wanted], folder)
        ledger.note(**_facts(wanted, sheets, measuring))
    if not wanted:
        forget_drawings(folder, ledger)


def _n_alike(there: Sequence[Sheet], wanted: Sequence[Drawing], measuring: DrawnCells) -> int:
    """How many sheets, from the lowest, can stay."""
    n = 0
    for sheet, drawing in zip(there, wanted, strict=False):
        if sheet.key != drawing.key or (sheet.waits and not measuring.why_not):
            break
        n += 1
    return n


def _drawn(drawing: Drawing, study: Study, measuring: DrawnCells, known: pd.DataFrame) -> Sheet:
    """What a drawing changes; measured before anything is painted."""
    box = drawing.box(measuring.shape, reach_px(study.segmentation, measuring.pixel_size_um))
    before = read_labels(measuring.folder.labels, box)
    placed = place(drawing, before, box, known)
    runs = {
        name: changed_runs((old, placed.labels[name]), old != placed.labels[name], box)
        for name, old in before.items()
    }
    ids = drawing.ids[:0] if placed.lost else drawing.ids
    cells = measuring.measured(ids, placed, box)
    waits = bool(len(ids) and measuring.why_not)
    return Sheet(drawing.key, runs, placed.gone, cells, waits, placed.lost)


def _known(cells: pd.DataFrame, sheets: Sequence[Sheet]) -> pd.DataFrame:
    """Where each cell is that stands once these sheets lie."""
    added = [sheet.cells[PLACE] for sheet in sheets if len(sheet.cells)]
    gone = np.concatenate([np.empty(0, np.int64), *(sheet.gone for sheet in sheets)])
    known = pd.concat([cells, *added], ignore_index=True) if added else cells
    return known[~known["cell_id"].isin(gone)] if len(gone) else known


def _write_table(sheets: Sequence[Sheet], drawn: Sequence[str], folder: SlideFolder) -> None:
    measured = [sheet.cells for sheet in sheets if len(sheet.cells) and not sheet.waits]
    table = pd.concat(measured, ignore_index=True) if measured else pd.DataFrame({"cell_id": []})
    # Beside the rows, in the file's metadata: both change in one write, or neither.
    table.attrs["removed"] = [int(number) for sheet in sheets for number in sheet.gone]
    table.attrs["drawn"] = list(drawn)
    write_parquet(folder.redrawn, table)


def _facts(
    wanted: Sequence[Drawing], sheets: Sequence[Sheet], measuring: DrawnCells
) -> dict[str, Any]:
    gone = {int(number) for sheet in sheets for number in sheet.gone}
    waiting = {
        drawing.event.redraw_id: len(set(sheet.cells["cell_id"]) - gone)
        for drawing, sheet in zip(wanted, sheets, strict=True)
        if sheet.waits and not set(sheet.cells["cell_id"]) <= gone
    }
    facts = {
        "drawings": len(wanted),
        "added": sum(len(sheet.cells) for sheet in sheets),
        "removed": sum(len(sheet.gone) for sheet in sheets),
        "waiting": list(waiting),
        "n_waiting": sum(waiting.values()),
        "why": measuring.why_not if waiting else "",
    }
    return {FACTS: facts, LOST: [sheet.lost for sheet in sheets if sheet.lost]}


def _stage_mark(wanted: Sequence[Drawing], ledger: Ledger) -> str:
    segmented = ledger.manifest["stages"]["segmentation"]["fingerprint"]
    return fingerprint(STAGE, segmented, [drawing.key for drawing in wanted])


def _waiting(manifest: dict[str, Any]) -> list[str]:
    return manifest.get(FACTS, {}).get("waiting", [])
