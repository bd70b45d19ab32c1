"""What a verification found, as a pathologist reads it."""

from __future__ import annotations

from typing import Any

import numpy as np

from macprox.report.numbers import DASH
from macprox.review.verification.agreement import Kappa, ReaderAgreement

COLUMNS = ("Phenotype", "Right", "Found", "Called /mm²", "Truly /mm²")
COLUMN_TIPS = (
    "As macprox called the cells",
    "Precision: of the cells called so, how many the reader calls so, too (95 % interval)",
    "Recall: of the cells that the reader would call so, how many were called so (95 % interval)",
    "Density by the calls",
    "Density that the readings lead to: calls that are wrong are taken off, those missed are added "
    "(95 % interval)",
)
# Landis & Koch (1977, Biometrics 33:159): words for kappa, from the highest on.
WORDS = (
    (0.8, "almost perfect"),
    (0.6, "substantial"),
    (0.4, "moderate"),
    (0.2, "fair"),
    (-1.0, "slight or none"),
)


def kappa_text(kappa: Kappa) -> str:
    """Agreement beyond chance in a sentence."""
    if not np.isfinite(kappa.value):
        return f"agreement beyond chance cannot be told from {kappa.n} cells."
    word = next(word for least, word in WORDS if kappa.value > least or least == -1.0)
    return (
        f"{word} agreement beyond chance, κ {kappa.value:.2f} "
        f"({kappa.low:.2f} to {kappa.high:.2f}, {kappa.n} cells)."
    )


def table_rows(found: ReaderAgreement) -> list[tuple[str, ...]]:
    """`COLUMNS` of every phenotype; a dash where a number cannot be told."""
    return [
        (
            row["phenotype"],
            _percent(row, "precision"),
            _percent(row, "recall"),
            _density(row["called_per_mm2"]),
            _with_range(row, "per_mm2"),
        )
        for row in found.phenotypes.to_dict("records")
    ]


def _percent(row: dict[Any, Any], name: str) -> str:
    value, low, high = (100 * row[f"{name}{end}"] for end in ("", "_low", "_high"))
    return f"{value:.0f} %\n{low:.0f}–{high:.0f}" if np.isfinite(value) else DASH


def _with_range(row: dict[Any, Any], name: str) -> str:
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    if not np.isfinite(value):
        return DASH
    return f"{_density(value)}\n{_density(low)}–{_density(high)}"


def _density(per_mm2: float) -> str:
    if not np.isfinite(per_mm2):
        return DASH
    return f"{per_mm2:,.0f}" if per_mm2 >= 10 else f"{per_mm2:.1f}"
