"""What each drawing changed on the labels: a pile of sheets, one file a drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from macprox.io.arrays import read_arrays, write_arrays
from macprox.io.atomic import make_folder
from macprox.io.label_edit import paint
from macprox.io.store import LABEL_NAMES, SlideFolder

_BEFORE, _AFTER = [0, 1, 2, 3], [0, 1, 2, 4]  # columns of a sheet's runs
_TEXT = "U255"  # numpy writes text of fixed length without a pickle; a file's name is no longer


@dataclass(frozen=True)
class Sheet:
    """What one drawing changed: the file ``work/drawings/<n>.npz``.

    Parameters
    ----------
    key : str
        `Drawing.key`.
    runs : dict of str to (n, 5) int64
        By label image: row, first column, column after the last, value before and after.
    gone : (n,) int64
        Ids of removed cells.
    cells : DataFrame
        Added cells, measured; where the slide could not be read, only their places and shapes.
    waits : bool
        The slide could not be read.
    lost : str
        Why nothing was drawn.
    """

    key: str
    runs: dict[str, np.ndarray]
    gone: np.ndarray
    cells: pd.DataFrame
    waits: bool
    lost: str

    def lie_on(self, folder: SlideFolder, number: int) -> None:
        """Write what is changed, then change it."""
        columns = {name: _TEXT for name in self.cells.columns.intersection(["slide_id", "roi_id"])}
        arrays = {
            "key": np.array(self.key),
            "gone": self.gone,
            "cells": self.cells.to_records(index=False, column_dtypes=columns),
            "waits": np.array(self.waits),
            "lost": np.array(self.lost),
        }
        runs = {f"{name}_px": self.runs[name] for name in LABEL_NAMES}
        make_folder(folder.drawings)
        write_arrays(_path(folder, number), {**arrays, **runs})
        for name in LABEL_NAMES:
            paint(folder.labels / name, self.runs[name][:, _AFTER])

    @classmethod
    def read(cls, path: Path) -> Sheet:
        saved = read_arrays(path)
        return cls(
            key=str(saved["key"]),
            runs={name: saved[f"{name}_px"] for name in LABEL_NAMES},
            gone=saved["gone"],
            cells=pd.DataFrame.from_records(saved["cells"]),
            waits=bool(saved["waits"]),
            lost=str(saved["lost"]),
        )


def saved_sheets(folder: SlideFolder) -> list[Sheet]:
    """All that were written, the lowest first."""
    return [Sheet.read(path) for path in sorted(folder.drawings.glob("[0-9]*.npz"))]


def take_off(folder: SlideFolder, sheets: Sequence[Sheet], first: int = 0) -> None:
    """Off with the upper sheets, the uppermost first; leaves what lay under them.

    However far an earlier call came: the lowest sheet of a pixel says what it was before all.

    Parameters
    ----------
    folder : SlideFolder
    sheets : sequence of Sheet
        Up to the uppermost of the pile.
    first : int
        Number of the lowest of them.
    """
    for number in reversed(range(len(sheets))):
        for name in LABEL_NAMES:
            paint(folder.labels / name, sheets[number].runs[name][:, _BEFORE])
        _path(folder, first + number).unlink()


def _path(folder: SlideFolder, number: int) -> Path:
    return folder.drawings / f"{number:06d}.npz"
