"""A table of any kind, opened: its columns' names, and their values when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pandas as pd

from macprox.io.tables.layout import Layout
from macprox.io.tables.text import Header


@dataclass(frozen=True, eq=False)
class Opened:
    """What can be read of one file.

    Attributes
    ----------
    header : Header
    columns : callable
        Takes names of the header; gives a table of text, missing values as NaN.
    own : callable or None
        Takes the columns that are to stay text; gives the whole table, where it is macprox's own.
    layout : Layout or None
        Where the file itself says where positions are, beside its columns.
    """

    header: Header
    columns: Callable[[Sequence[str]], pd.DataFrame] = field(repr=False)
    own: Callable[[tuple[str, ...]], pd.DataFrame] | None = field(default=None, repr=False)
    layout: Layout | None = None


def of_frame(
    frame: pd.DataFrame, path: Path, layout: Layout | None = None, is_own: bool = False
) -> Opened:
    """A table that is in memory already, as if its columns had been read from text."""
    named = frame.set_axis(list(map(str, frame.columns)), axis="columns")
    header = Header(path, tuple(named.columns), "", "")
    own = (lambda _: named) if is_own else None
    return Opened(header, partial(as_text, named), own, layout)


def as_text(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Columns of a table as a CSV would have held them."""
    chosen = frame[list(dict.fromkeys(columns))]
    return chosen.astype("string").astype(object).reset_index(drop=True)
