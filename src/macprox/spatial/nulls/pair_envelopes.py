"""Curves of two populations of a cell table, with envelopes: g, k, l, pcf, count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from macprox.errors import WindowError
from macprox.spatial.nulls.envelopes import LEVEL, Envelope, Summary, envelope
from macprox.spatial.nulls.shift import SHIFT_FRAC, RandomShift
from macprox.spatial.nulls.simulated import Csr, Null, Relabel
from macprox.spatial.pairs import Question, absent_reason, eligible_cells
from macprox.spatial.parameters import ProximityParameters
from macprox.spatial.pattern import Group, Pattern, Population, Windows, pattern_of
from macprox.spatial.search.neighbours import checked_radii, count_within
from macprox.window import Window

STATISTICS = ("g", "k", "l", "pcf", "count_within")
NULLS = ("relabel", "shift", "csr")
RADII_UM = tuple(float(r) for r in range(5, 105, 5))
COLUMNS = (
    *("slide_id", "roi_id", "statistic", "source", "target", "r_um", "value", "expected", "sd"),
    *("low", "high", "global_low", "global_high", "p_global", "method", "level"),
    *("n_simulations", "n_source", "n_target", "correction", "null", "eligible", "seed", "reason"),
)
ONE_LABEL = "no test: every eligible cell is a source, there is nothing to relabel"


@dataclass(frozen=True)
class Curve:
    """Which summary function, how corrected, against which null."""

    statistic: str = "g"
    null: str = "relabel"
    r_um: tuple[float, ...] = RADII_UM
    correction: str | None = None  # None: what suits the null
    bandwidth_um: float | None = None  # of a pcf
    max_shift_um: float | None = None

    def __post_init__(self) -> None:
        checked_radii(self.r_um)
        for name, value, known in (
            ("statistic", self.statistic, STATISTICS),
            ("null", self.null, NULLS),
        ):
            if value not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, found {value!r}.")
        if self.statistic == "pcf" and self.bandwidth_um is None:
            raise ValueError("A pcf needs its bandwidth_um: give one, chosen before looking.")
        if self.statistic == "count_within" and self.null == "shift":
            raise ValueError(
                "A mean count has no edge correction, and each shift leaves another window; ask "
                "for k."
            )

    @property
    def corrected(self) -> str:
        """The edge correction in use."""
        if self.correction is not None:
            return self.correction
        if self.statistic in ("g", "count_within"):
            # Raw beside raw: the edge is the same in every draw, but for a shift.
            return "km" if self.null == "shift" else "none"
        return "translate"

    @property
    def needs_window(self) -> bool:
        return self.null != "relabel" or self.statistic in ("k", "l", "pcf")

    def summary(self, window: Window | None) -> Summary:
        """The function of two populations and, where that changes, their window."""
        r, correction = np.asarray(self.r_um), self.corrected
        # Bound late: K and the pair correlation bring kernels that G does without.
        from macprox.spatial import cross_g, cross_k, cross_l, cross_pcf

        if self.statistic == "count_within":
            return lambda source, target: count_within(source, target, r).mean(axis=0)
        if self.statistic == "pcf":
            width = float(self.bandwidth_um or 0)  # checked when the curve was asked for
            return lambda source, target, window=window: cross_pcf(
                source, target, r, window, width, correction
            )
        function = {"g": cross_g, "k": cross_k, "l": cross_l}[self.statistic]
        return lambda source, target, window=window: function(source, target, r, window, correction)


def proximity_envelope(
    cells: Any,
    source: Population,
    target: Population,
    window: Windows = None,
    *,
    statistic: str = "g",
    r_um: ArrayLike = RADII_UM,
    null: str = "relabel",
    strata: Sequence[str] = (),
    eligible: Population | None = None,
    correction: str | None = None,
    bandwidth_um: float | None = None,
    max_shift_um: float | None = None,
    n_simulations: int = 999,
    seed: int = ProximityParameters.seed,
    method: str = "rank",
    level: float = LEVEL,
    workers: int = 2,
) -> pd.DataFrame:
    """A curve from source to target, field by field, with pointwise and global envelopes.

    Parameters
    ----------
    cells : DataFrame, AnnData or SpatialData
        As for `proximity`.
    source, target : str or sequence of str
        Phenotypes. The null moves the sources and holds the targets.
    window : Window, mapping of roi_id to Window, or None
        None only for g and count_within under relabelling.
    statistic : "g", "k", "l", "pcf" or "count_within"
    r_um : (n_r,) float
        Increasing, positive. The p value is that of the whole range: choose it before looking.
    null : "relabel", "shift" or "csr"
        Labels dealt out anew within ``strata`` among ``eligible`` (by default every cell that is
        no target); sources shifted by at most ``max_shift_um`` (a quarter of the square root of
        the window's area); sources uniform in the window.
    correction : str, optional
        By default none for g under relabel and csr, km under shift, translate for k, l and pcf.
    bandwidth_um : float
        Of a pcf.
    n_simulations, seed, method, level, workers
        As for `envelope`.

    Returns
    -------
    DataFrame
        ``COLUMNS``, one row a field and radius; fields without one of the two populations are NaN
        with the reason.

    Raises
    ------
    TableError, WindowError
        For a table or window that cannot be used.
    ValueError
        For an unknown statistic, null or correction, or radii that do not increase.
    """
    curve = Curve(
        statistic, null, tuple(checked_radii(r_um).tolist()), correction, bandwidth_um, max_shift_um
    )
    question = Question(
        source=Group.of(source),
        target=Group.of(target),
        radii_um=curve.r_um,
        eligible=None if eligible is None else Group.of(eligible),
    )
    pattern = pattern_of(cells, window, strata)
    run = partial(
        envelope, n_simulations=n_simulations, seed=seed, method=method, level=level,
        workers=workers,
    )  # fmt: skip
    found = [
        _of_field(field, question, curve, run).assign(roi_id=roi_id, seed=seed)
        for roi_id, field in _fields(pattern)
    ]
    table = pd.concat(found, ignore_index=True).assign(slide_id=pattern.slide_id)
    return table[list(COLUMNS)]


def _fields(pattern: Pattern) -> Iterator[tuple[str, Pattern]]:
    roi_ids = pattern.roi_ids
    for roi_id in roi_ids:
        yield roi_id, pattern.of_roi(roi_id) if len(roi_ids) > 1 else pattern


def _of_field(
    field: Pattern, question: Question, curve: Curve, run: Callable[..., Envelope]
) -> pd.DataFrame:
    is_source = field.is_a(question.source.phenotypes)
    is_target = field.is_a(question.target.phenotypes)
    is_eligible = eligible_cells(field, question)
    source, other = np.flatnonzero(is_source), np.flatnonzero(is_eligible & ~is_source)
    window = _window(field, curve)
    reason = absent_reason(field, question)
    if not reason and curve.null == "relabel" and len(other) == 0:
        reason = ONE_LABEL
    if reason:
        found = Envelope.nothing(np.asarray(curve.r_um), reason)
    else:
        null = _null(curve, window, field, source, other)
        found = run(curve.summary(window), field.xy[source], field.xy[is_target], curve.r_um, null)
    return found.to_frame().assign(
        statistic=curve.statistic,
        source=question.source.name,
        target=question.target.name,
        n_source=len(source),
        n_target=int(is_target.sum()),
        correction=curve.corrected,
        null=curve.null,
        eligible=question.eligible_name if curve.null == "relabel" else "",
    )


def _window(field: Pattern, curve: Curve) -> Window | None:
    """The window of one field."""
    window = field.window
    if isinstance(window, Mapping):
        window = window[field.roi_ids[0]]
    if window is None and curve.needs_window:
        raise WindowError(
            f"{curve.statistic} under {curve.null} needs a window: {field.no_window_reason}."
        )
    return window


def _null(
    curve: Curve, window: Window | None, field: Pattern, source: np.ndarray, other: np.ndarray
) -> Null:
    if curve.null == "relabel" or window is None:
        return Relabel(field.xy[other], field.stratum[np.concatenate([source, other])])
    if curve.null == "csr":
        return Csr(window)
    by_default = SHIFT_FRAC * float(np.sqrt(window.area_um2))
    return RandomShift(window, by_default if curve.max_shift_um is None else curve.max_shift_um)
