"""Blinded verification of one slide: who is shown which cell next, and what was read.

Which cells are shown: `sample`; what readings say: `agreement`, both beside this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from macprox.edits import EditLog
from macprox.edits.applying import find_rows
from macprox.edits.events import CellEvent, CellRead, Event, SampleDrawn
from macprox.errors import MacproxError, ResultError, TableError
from macprox.io.store import SlideFolder
from macprox.review.verification.agreement import UNSURE, Readings
from macprox.review.verification.sample import Sample, answers_of
from macprox.study import Study

NO_NAME = (
    "Who are you? Enter your name at the top of the review window: every reading is saved with the "
    "name of who made it."
)


@dataclass(frozen=True)
class BlindCell:
    """A cell to be named: where it is, and nothing of what it was called.

    Parameters
    ----------
    number : int
        In its sample.
    cell_id : int
        On the slide as it is now.
    x_um, y_um : float
    """

    number: int
    cell_id: int
    x_um: float
    y_um: float


@dataclass(frozen=True)
class Progress:
    """How far a reader is; ``gone`` cells are on the slide no more and are not asked about."""

    done: int
    total: int
    gone: int


class Verification:
    """The samples of one slide and what was read, in ``verification.jsonl``; never in the edits.

    Every reading is on the disk before `say` returns; whoever opens the folder again goes on
    where they stopped.

    Raises
    ------
    ResultError
        If the file is damaged or cannot be read.
    """

    def __init__(self, folder: SlideFolder) -> None:
        self._slide_id = folder.slide_id
        self._log = EditLog(folder.verification)
        self._samples: dict[str, Sample] = {}
        self._readings: dict[str, Readings] = {}
        for event in self._log.read():
            self._take(event)

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Oldest first."""
        return tuple(self._samples.values())

    @property
    def latest(self) -> Sample | None:
        """The sample that readers are asked about."""
        return self.samples[-1] if self._samples else None

    def start(self, sample: Sample, reader: str) -> Sample:
        """Save a sample; from now on it is the latest."""
        cells = tuple(
            {"anchor_px": anchor, "x_um": x, "y_um": y, "phenotype": call}
            for anchor, (x, y), call in zip(
                sample.anchor_px, sample.xy_um, sample.calls, strict=True
            )
        )
        drawn = SampleDrawn(
            slide_id=self._slide_id, reviewer=_named(reader), sample_id=sample.sample_id,
            seed=sample.seed, sizes=sample.stratum_sizes, cells=cells,
        )  # fmt: skip
        self._append(drawn)
        return self._samples[sample.sample_id]

    def say(
        self, sample: Sample, number: int, phenotype: str | None, reader: str, study: Study
    ) -> None:
        """Save what a reader calls a cell; said again, the later one counts.

        Parameters
        ----------
        sample : Sample
        number : int
            `BlindCell.number`.
        phenotype : str or None
            One of `answers_of`; None or `UNSURE`: it cannot be told.
        reader : str
        study : Study

        Raises
        ------
        MacproxError
            Without a reader's name, for a phenotype that the study does not know, or a cell that
            is not in the sample.
        ResultError
            If it cannot be saved.
        """
        phenotype = None if phenotype == UNSURE else phenotype
        known = answers_of(study)
        if phenotype is not None and phenotype not in known:
            raise MacproxError(
                f"The study knows no phenotype {phenotype!r}; it has {', '.join(known)}. If you "
                "cannot tell, say so."
            )
        if sample.sample_id not in self._samples or not 0 <= number < len(sample):
            raise TableError(
                f"Cell {number} is in no sample of slide {self._slide_id!r}. Draw a sample first."
            )
        self._append(
            CellRead(
                slide_id=self._slide_id, reviewer=_named(reader), sample_id=sample.sample_id,
                number=int(number), phenotype=phenotype,
            )
        )  # fmt: skip

    def readings(self, sample: Sample) -> Readings:
        """By reader and number of the cell, what it was called; `UNSURE` where not told."""
        found = self._readings.get(sample.sample_id, {})
        return {reader: dict(of_reader) for reader, of_reader in found.items()}

    def cells_of(self, sample: Sample, reader: str, cells: pd.DataFrame) -> list[BlindCell]:
        """The sample in a reader's order, as its cells are now; without those that are gone.

        After a new segmentation a cell is the one at its place, within 2 um.
        """
        rows = find_rows(cells, list(_places(sample)))
        ids, xy = cells["cell_id"].to_numpy(), cells[["x_um", "y_um"]].to_numpy(float)
        return [
            BlindCell(number, int(ids[rows[number]]), *xy[rows[number]].tolist())
            for number in sample.order(reader).tolist()
            if rows[number] >= 0
        ]

    def next_cell(self, sample: Sample, reader: str, cells: pd.DataFrame) -> BlindCell | None:
        """The first cell that the reader has said nothing of; None when all are done."""
        done = self._readings.get(sample.sample_id, {}).get(reader.strip(), {})
        asked = self.cells_of(sample, reader, cells)
        return next((cell for cell in asked if cell.number not in done), None)

    def progress(self, sample: Sample, reader: str, cells: pd.DataFrame) -> Progress:
        """How far a reader is."""
        done = self._readings.get(sample.sample_id, {}).get(reader.strip(), {})
        asked = self.cells_of(sample, reader, cells)
        n_done = sum(cell.number in done for cell in asked)
        return Progress(n_done, len(asked), len(sample) - len(asked))

    def _append(self, event: Event) -> None:
        try:
            self._log.append(event)
        except OSError as error:
            raise ResultError(
                f"Cannot write {self._log.path}: {error.strerror or error}. Your last reading is "
                "not saved; make room or ask for the right to write, and repeat it."
            ) from error
        self._take(event)

    def _take(self, event: Event) -> None:
        match event:
            case SampleDrawn():
                self._samples[event.sample_id] = _sample(event)
            case CellRead() if event.sample_id in self._samples:
                of_sample = self._readings.setdefault(event.sample_id, {})
                of_reader = of_sample.setdefault(event.reviewer, {})
                of_reader[event.number] = event.phenotype or UNSURE


def _sample(event: SampleDrawn) -> Sample:
    return Sample(
        sample_id=event.sample_id,
        slide_id=event.slide_id,
        seed=event.seed,
        anchor_px=tuple(cell["anchor_px"] for cell in event.cells),
        xy_um=tuple((cell["x_um"], cell["y_um"]) for cell in event.cells),
        calls=tuple(cell["phenotype"] for cell in event.cells),
        stratum_sizes=dict(event.sizes),
    )


def _places(sample: Sample) -> Iterator[CellEvent]:
    for anchor, (x_um, y_um) in zip(sample.anchor_px, sample.xy_um, strict=True):
        yield CellEvent(
            slide_id=sample.slide_id, reviewer="", anchor_px=anchor, x_um=x_um, y_um=y_um
        )


def _named(reader: str) -> str:
    if not reader.strip():
        raise MacproxError(NO_NAME)
    return reader.strip()
