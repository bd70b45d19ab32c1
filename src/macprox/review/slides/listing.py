"""The list of slides as it is read: a sign and a word for each, and how far the cohort has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from macprox.report.lights import light_text, severity
from macprox.report.numbers import DASH, count_text
from macprox.review.clock import told
from macprox.review.slides import table as slides

if TYPE_CHECKING:
    import pandas as pd

STATUS_SIGNS = {
    slides.NOT_STARTED: "·",
    slides.FAILED: "✖",
    slides.UNFINISHED: "…",
    slides.READY: "○",
    slides.IN_REVIEW: "◐",
    slides.SIGNED_OFF: "✓",
    slides.CHANGED: "⚠",
    slides.NEEDS_UPDATE: "↻",
}
TO_UPDATE = "Its saved numbers are older than the review, the study or this version of macprox."


@dataclass(frozen=True)
class Entry:
    """One field of the list: what is read, what it sorts by, and what it says when pointed at."""

    text: str
    order: float | str
    tip: str = ""


TITLES = ("Slide", "Status", "Light", "Gates", "Cells", "Patient", "Group", "Reviewer")


def entries(row: Mapping[Any, Any]) -> list[Entry]:
    """The fields of a slide, of its row of `slides_table`, in the order of `TITLES`."""
    status, _, reason = str(row["status"]).partition(": ")
    is_there = row["n_cells"] > 0
    tip = reason or _signed(row)
    if row["needs_update"]:
        tip = f"{tip} {TO_UPDATE}".strip()
    light = row["light"] or None
    n_open = int(row["gates_to_confirm"])
    gates = f"{n_open} open" if n_open else "✓"
    shown = f"{STATUS_SIGNS[status]} {status}" + (
        " ↻" if row["needs_update"] and status != slides.NEEDS_UPDATE else ""
    )
    return [
        Entry(row["slide_id"], row["slide_id"], "Double-click to open it"),
        Entry(shown, status, tip),
        Entry(light_text(light), severity(light), row["quality_text"]),
        Entry(gates if is_there else DASH, n_open, "Gates that nobody has confirmed yet"),
        Entry(count_text(row["n_cells"]) if is_there else DASH, float(row["n_cells"])),
        Entry(row["patient"], row["patient"]),
        Entry(row["group"], row["group"]),
        Entry(row["reviewer"], row["reviewer"], _signed(row)),
    ]


def progress(table: pd.DataFrame) -> str:
    """How many slides there are, and how far they have come, in one line."""
    n = len(table)
    words = table["status"].str.partition(": ")[0]
    counts = [(word, int((words == word).sum())) for word in STATUS_SIGNS]
    parts = [f"{word} {count}" for word, count in counts if count]
    return f"{n} slide{'' if n == 1 else 's'}: {', '.join(parts)}"


def _signed(row: Mapping[Any, Any]) -> str:
    if not row["signed_off_at"]:
        return ""
    text = f"Signed off by {row['reviewer']}, {told(row['signed_off_at'])}."
    return f"{text} Changed since." if row["changed_since"] else text
