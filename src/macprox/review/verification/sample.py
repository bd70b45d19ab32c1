"""Which cells a blinded reader is shown, and in what order.

The sample is stratified by the call (Cochran 1977, chapter 5): as many cells of each called
phenotype, so that rare ones are judged too, each standing for its share of the slide.
"""

from __future__ import annotations

import uuid
import zlib
from dataclasses import dataclass, field

import numpy as np

from macprox.celltable import AMBIGUOUS, OTHER
from macprox.errors import MacproxError, ResultError
from macprox.pipeline.calling import CalledCells
from macprox.study import Study

PER_PHENOTYPE = 25


@dataclass(frozen=True)
class Sample:
    """Cells that readers are asked about.

    Parameters
    ----------
    sample_id, slide_id : str
    seed : int
    anchor_px : tuple of (int or None)
    xy_um : tuple of (float, float)
    calls : tuple of str
        What each was called when the sample was drawn; not for readers' eyes.
    stratum_sizes : dict of str to int
        Cells of the slide so called, those that were not drawn included.
    """

    sample_id: str
    slide_id: str
    seed: int
    anchor_px: tuple[int | None, ...] = field(repr=False)
    xy_um: tuple[tuple[float, float], ...] = field(repr=False)
    calls: tuple[str, ...] = field(repr=False)
    stratum_sizes: dict[str, int] = field(repr=False)

    def __len__(self) -> int:
        return len(self.calls)

    @property
    def weights(self) -> np.ndarray:
        """How many cells of the slide each stands for: ``(n,)``, N_h / n_h of its stratum."""
        drawn = {name: self.calls.count(name) for name in self.stratum_sizes}
        return np.array([self.stratum_sizes[name] / drawn[name] for name in self.calls])

    def order(self, reader: str) -> np.ndarray:
        """In which order a reader sees the cells: ``(n,)`` numbers, the same every time.

        Another reader sees them in another order, so that what tires or teaches one reader on the
        way does not do the same to both.
        """
        name = zlib.crc32(reader.strip().encode())
        return np.random.default_rng([self.seed, name]).permutation(len(self))


def answers_of(study: Study) -> tuple[str, ...]:
    """What a reader can say a cell is, beside `UNSURE`; nobody sees "Ambiguous" in an image."""
    return (*(name for name in study.phenotypes if name != AMBIGUOUS), OTHER)


def draw_sample(
    called: CalledCells, study: Study, per_phenotype: int = PER_PHENOTYPE, seed: int | None = None
) -> Sample:
    """As many cells of every called phenotype, at random; all of those that have fewer.

    Parameters
    ----------
    called : CalledCells
        Drawn are cells that count in statistics.
    study : Study
    per_phenotype : int
    seed : int, optional
        Of the draw and of the orders; the study's where none is given.

    Raises
    ------
    MacproxError
        If nothing is asked for, or the slide has no cells to draw from.
    """
    if per_phenotype < 1:
        raise MacproxError(f"At least one cell a phenotype must be drawn, found {per_phenotype}.")
    cells = called.counted(study)
    if cells.empty:
        raise ResultError("There is no cell to verify on this slide: none counts in its numbers.")
    seed = study.proximity.seed if seed is None else seed
    rng = np.random.default_rng(seed)
    calls = cells["phenotype"].astype(str).to_numpy(object)
    rows: list[int] = []
    for name in sorted(set(calls)):
        of_name = np.flatnonzero(calls == name)
        rows += rng.choice(of_name, min(per_phenotype, len(of_name)), replace=False).tolist()
    drawn = cells.iloc[sorted(rows)]
    anchors = drawn["anchor_px"].tolist() if "anchor_px" in drawn else [None] * len(drawn)
    return Sample(
        sample_id=uuid.uuid4().hex[:8],
        slide_id=str(drawn["slide_id"].iloc[0]),
        seed=seed,
        anchor_px=tuple(anchors),
        xy_um=tuple(zip(drawn["x_um"].tolist(), drawn["y_um"].tolist(), strict=True)),
        calls=tuple(drawn["phenotype"].astype(str)),
        stratum_sizes={name: int((calls == name).sum()) for name in sorted(set(calls))},
    )
