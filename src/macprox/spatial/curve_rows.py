"""K, L and the pair correlation of two populations, as rows of the statistics table."""

from __future__ import annotations

import numpy as np

from macprox.spatial.functions.pair_correlation import cross_pcf
from macprox.spatial.functions.ripley import cross_k
from macprox.spatial.nulls.surroundings import FROM_MOVED, TO_MOVED
from macprox.spatial.pairs import Question, absent_reason, direction_labels
from macprox.spatial.pattern import Pattern
from macprox.spatial.table import Row, row
from macprox.window import Window

STATISTICS = ("k", "l", "pcf")
SEVERAL_FIELDS = "several fields, each with a window of its own: read the fields' rows"


def curve_rows(pattern: Pattern, question: Question, bandwidth_um: float) -> list[Row]:
    """K, L and the pair correlation under the translation correction, in both directions.

    The correction makes them the same both ways. Expected is complete spatial randomness: a
    yardstick, since density alone makes tissue differ from it.

    Parameters
    ----------
    pattern : Pattern
    question : Question
    bandwidth_um : float
        Of the pair correlation.
    """
    values, reason = _values(pattern, question, bandwidth_um)
    r = np.asarray(question.radii_um)
    csr = {"k": np.pi * r**2, "l": r, "pcf": np.ones(len(r))}
    return [
        row(
            **direction_labels(pattern, question, direction),
            statistic=statistic,
            r_um=radius,
            value=values[statistic][k],
            expected=np.nan if reason else csr[statistic][k],
            correction="translate",
            null="csr",
            reason=reason,
        )
        for direction in (FROM_MOVED, TO_MOVED)
        for statistic in STATISTICS
        for k, radius in enumerate(question.radii_um)
    ]


def _values(
    pattern: Pattern, question: Question, bandwidth_um: float
) -> tuple[dict[str, np.ndarray], str]:
    """By statistic ``(n_radii,)``, and why they are NaN."""
    source = pattern.xy[pattern.is_a(question.source.phenotypes)]
    target = pattern.xy[pattern.is_a(question.target.phenotypes)]
    missing = dict.fromkeys(STATISTICS, np.full(len(question.radii_um), np.nan))
    absent = absent_reason(pattern, question)
    if absent:
        return missing, absent
    window = pattern.window
    if not isinstance(window, Window):
        return missing, pattern.no_window_reason or SEVERAL_FIELDS
    r = np.asarray(question.radii_um)
    # First what reaches farther: the window keeps its set covariance for what reaches less far.
    pcf = cross_pcf(source, target, r, window, bandwidth_um)
    k = cross_k(source, target, r, window)
    return {"k": k, "l": np.sqrt(k / np.pi), "pcf": pcf}, ""
