"""How a number is shown: rounded as far as it means something, a dash where there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

DASH = "–"
NBSP = "\u00a0"  # a number and its unit stay on one line
NO_REASON = "not computed for this slide"


@dataclass(frozen=True)
class Shown:
    """One cell of a printed table: its text and, where it is a dash, why."""

    text: str
    reason: str = ""
    note: int = 0  # number of the footnote that holds the reason; 0 is none
    colour: str = ""  # a phenotype's swatch
    marker: str = ""


@dataclass
class Table:
    """A printed table. ``columns`` are (title, is_number)."""

    columns: list[tuple[str, bool]]
    rows: list[list[Shown]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, *cells: Shown | str) -> None:
        """Append a row; the reason of every dash becomes a numbered footnote."""
        self.rows.append([self._noted(Shown(c) if isinstance(c, str) else c) for c in cells])

    def _noted(self, cell: Shown) -> Shown:
        if not cell.reason:
            return cell
        if cell.reason not in self.notes:
            self.notes.append(cell.reason)
        return Shown(cell.text, cell.reason, self.notes.index(cell.reason) + 1)


def missing(reason: object = "") -> Shown:
    """A dash and its reason."""
    text = "" if reason is None or reason != reason else str(reason).strip()
    return Shown(DASH, text or NO_REASON)


def is_number(value: object) -> bool:
    """True for a finite number; None, NaN, NA, infinities and text are not."""
    try:
        return math.isfinite(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False


def percent_text(frac: float) -> str:
    """``0.314`` as ``"31 %"``; one decimal below 10 and above 99, where it matters."""
    percent = 100 * float(frac)
    if percent and (percent < 0.1):
        return f"<{NBSP}0.1{NBSP}%"
    if 99.95 <= percent < 100:
        return f">{NBSP}99.9{NBSP}%"
    decimals = 1 if (0 < percent < 9.95 or 99 < percent < 100) else 0
    return f"{percent:.{decimals}f}{NBSP}%"


def count_text(value: float) -> str:
    """``12345`` as ``"12,345"``."""
    return f"{round(float(value)):,}"


def significant_text(value: float, digits: int = 3) -> str:
    """A measured quantity to three significant digits, never in exponents."""
    value = float(value)
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(decimals, 6)}f}".replace("-", "−")


def ratio_text(value: float) -> str:
    """``1.418`` as ``"1.42 ×"``; one decimal from 10 on."""
    value = float(value)
    return f"0{NBSP}×" if value == 0 else f"{value:.{1 if value >= 9.995 else 2}f}{NBSP}×"


def p_text(p: float, n_permutations: object = None) -> str:
    """A p-value as far as it is known.

    A permutation p cannot fall below 1 / (permutations + 1); at that floor it is printed as an
    upper bound. Any other p below 0.001 is "< 0.001".
    """
    p = float(p)
    if is_number(n_permutations) and float(n_permutations) > 0:  # type: ignore[arg-type]
        floor = 1 / (float(n_permutations) + 1)  # type: ignore[arg-type]
        if p <= floor * (1 + 1e-9):
            return f"≤{NBSP}{floor:.2g}"
    if p < 0.001:
        return f"<{NBSP}0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def shown(value: object, text, reason: object = "") -> Shown:
    """``text(value)`` where there is a number, else a dash with its reason."""
    return Shown(text(value)) if is_number(value) else missing(reason)
