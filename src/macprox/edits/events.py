"""What a reviewer can say, one event at a time, and each event as a line of JSON.

Undoing is one more event: a gate, phenotype or mark whose ``after`` is what it was before, a
deletion's `CellRestored`, a region whose ``after`` is None, a drawing's `RedrawWithdrawn`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, ClassVar

import numpy as np

from macprox.edits.holding import FITS, check_drawn, is_number
from macprox.errors import shortened

REGION_KINDS = ("tumour", "exclusion")


def now_utc() -> str:
    """The time as the log writes it: ISO 8601, UTC, seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, kw_only=True)
class Event:
    """What every event knows."""

    slide_id: str
    reviewer: str
    time: str = field(default_factory=now_utc)

    what: ClassVar[str] = ""


@dataclass(frozen=True, kw_only=True)
class GateMoved(Event):
    """A marker's gate, perhaps for one parent population; ``after`` None: back to automatic."""

    marker: str
    parent: str | None = None
    before: float | None
    after: float | None

    what: ClassVar[str] = "gate"


@dataclass(frozen=True, kw_only=True)
class GateConfirmed(Event):
    """The reviewer looked at image and histogram and agrees with this value."""

    marker: str
    parent: str | None = None
    value: float

    what: ClassVar[str] = "confirm_gate"


@dataclass(frozen=True, kw_only=True)
class CellEvent(Event):
    """An event about one cell, named by its anchor (where segmented here) and its place."""

    anchor_px: int | None = None
    x_um: float
    y_um: float

    def __post_init__(self) -> None:
        if not (is_number(self.x_um) and is_number(self.y_um)):
            raise ValueError(
                f"a cell's x_um and y_um must be numbers, found {self.x_um!r} and {self.y_um!r}"
            )


@dataclass(frozen=True, kw_only=True)
class PhenotypeSet(CellEvent):
    """A cell's phenotype by hand; ``after`` None: back to what the rules say."""

    before: str | None
    after: str | None

    what: ClassVar[str] = "phenotype"


@dataclass(frozen=True, kw_only=True)
class CellDeleted(CellEvent):
    """This is no cell."""

    what: ClassVar[str] = "delete"


@dataclass(frozen=True, kw_only=True)
class CellRestored(CellEvent):
    """It is a cell after all."""

    what: ClassVar[str] = "restore"


@dataclass(frozen=True, kw_only=True)
class CellMarked(CellEvent):
    """A cell that is an artefact, and why: it stays in the table and out of every statistic.

    ``after`` None: it is none after all.
    """

    before: str | None = None
    after: str | None

    what: ClassVar[str] = "artefact"


@dataclass(frozen=True, kw_only=True)
class CellsRedrawn(Event):
    """Cells added, split, merged or drawn anew: ``removed`` are gone, ``added`` stand.

    Parameters
    ----------
    redraw_id : str
        Names one drawing; `RedrawWithdrawn` takes it back.
    removed : tuple of dict
        ``anchor_px``, ``x_um``, ``y_um``, and what they covered: ``cell`` and ``nucleus``.
    added : tuple of dict
        The same, ``anchor_px`` being the first pixel of the nucleus, or of the cell without one.

    ``cell`` and ``nucleus`` are runs of full-resolution pixels, flat: row, first column, column
    after the last, and so on in raster order; no nucleus in the plane is an empty list.
    """

    redraw_id: str
    removed: tuple[dict[str, Any], ...] = ()
    added: tuple[dict[str, Any], ...] = ()

    what: ClassVar[str] = "redraw"

    def __post_init__(self) -> None:
        for name in ("removed", "added"):
            cells = tuple(getattr(self, name))
            object.__setattr__(self, name, cells)  # JSON has lists
            for cell in cells:
                check_drawn(cell)


@dataclass(frozen=True, kw_only=True)
class RedrawWithdrawn(Event):
    """A drawing of cells is taken back: what it removed is there again."""

    redraw_id: str

    what: ClassVar[str] = "withdraw_redraw"


@dataclass(frozen=True, kw_only=True)
class RegionDrawn(Event):
    """A region by hand. The drawn tumour is the union of its regions that are not withdrawn.

    ``region_id`` names one drawing: a later event with the same name replaces it, and
    ``after`` None withdraws it. Geometries are GeoJSON, full-resolution pixels, corners.
    """

    kind: str
    region_id: str
    before: dict | None = None
    after: dict | None
    reason: str = ""

    what: ClassVar[str] = "region"

    def __post_init__(self) -> None:
        if self.kind not in REGION_KINDS:
            raise ValueError(
                f"a drawn region is one of {', '.join(REGION_KINDS)}, found {self.kind!r}"
            )


@dataclass(frozen=True, kw_only=True)
class SignedOff(Event):
    """The reviewer stands by the slide as it is at this point of the log."""

    comment: str = ""

    what: ClassVar[str] = "sign_off"


@dataclass(frozen=True, kw_only=True)
class SignOffWithdrawn(Event):
    """The reviewer no longer stands by the slide."""

    what: ClassVar[str] = "withdraw_sign_off"


@dataclass(frozen=True, kw_only=True)
class SampleDrawn(Event):
    """Cells that readers name without seeing the call; in ``verification.jsonl``, never replayed.

    Parameters
    ----------
    sample_id : str
    seed : int
    sizes : dict of str to int
        How many cells of the slide were called what; those that could be drawn.
    cells : tuple of dict
        ``anchor_px``, ``x_um``, ``y_um`` and ``phenotype``, which is the call.
    """

    sample_id: str
    seed: int
    sizes: dict[str, int]
    cells: tuple[dict[str, Any], ...]

    what: ClassVar[str] = "sample"

    def __post_init__(self) -> None:
        object.__setattr__(self, "cells", tuple(self.cells))  # JSON has lists
        expected = {"anchor_px", "x_um", "y_um", "phenotype"}
        for cell in self.cells:
            if not isinstance(cell, dict) or set(cell) != expected:
                raise ValueError(f"a drawn cell has {', '.join(sorted(expected))}, found {cell!r}")
            if cell["phenotype"] not in self.sizes:
                raise ValueError(f"its sizes lack {cell['phenotype']!r}")


@dataclass(frozen=True, kw_only=True)
class CellRead(Event):
    """What a reader calls one cell of a sample; ``phenotype`` None: cannot be told."""

    sample_id: str
    number: int
    phenotype: str | None

    what: ClassVar[str] = "reading"


@dataclass(frozen=True, kw_only=True)
class LineTorn(Event):
    """Written by the log itself after a crash: the line before it is half an event."""

    what: ClassVar[str] = "torn"


_KINDS: dict[str, type[Event]] = {
    kind.what: kind
    for kind in (
        GateMoved,
        GateConfirmed,
        PhenotypeSet,
        CellDeleted,
        CellRestored,
        CellMarked,
        CellsRedrawn,
        RedrawWithdrawn,
        RegionDrawn,
        SignedOff,
        SignOffWithdrawn,
        SampleDrawn,
        CellRead,
        LineTorn,
    )
}


def to_line(event: Event) -> str:
    """One event as one line of JSON, without the line's end."""
    values = {item.name: getattr(event, item.name) for item in fields(event)}
    return json.dumps(
        {"what": event.what, **values}, ensure_ascii=False, allow_nan=False, default=_plain
    )


def from_line(line: str) -> Event:
    """The event of a line.

    Raises
    ------
    ValueError
        Saying what is wrong with the line.
    """
    try:
        values: Any = json.loads(line)
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None
    if not isinstance(values, dict):
        raise ValueError("it is not a JSON object")
    what = values.pop("what", None)
    kind = _KINDS.get(what) if isinstance(what, str) else None
    if kind is None:
        raise ValueError("its 'what' is none of " + ", ".join(_KINDS))
    for item in fields(kind):
        expected, fits = FITS[str(item.type)]
        if item.name in values and not fits(values[item.name]):
            found = shortened(repr(values[item.name]))
            raise ValueError(f"its {item.name} must be {expected}, found {found}")
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(str(error).replace("__init__() ", "")) from None


def _plain(value: Any) -> Any:
    """numpy's numbers as Python's; everything else is a programming error."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be written to the log")
