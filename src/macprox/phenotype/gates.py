"""Where a marker becomes positive, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from macprox.phenotype.mixture import Mixture, fit_mixture
from macprox.phenotype.parameters import MarkerParameters
from macprox.phenotype.pile import Pile, find_pile

__all__ = ["GateProposal", "MarkerParameters", "propose_gate"]

MIN_CELLS = 10  # fewer: no proposal
FEW_CELLS = 50  # fewer: a proposal that is not called bimodal
# The constants below were set on simulated mixtures and on tables with other people's gates; what
# they achieve is asserted in test_gates.py.
MAX_OVERLAP = 0.4
OVERLAP_SLACK = 0.15
MIN_NEGATIVE_FRAC = 0.1  # fewer below are background outside the tissue, not the negatives
MIN_POSITIVE_FRAC = 0.003  # fewer above are debris, not a population
MIN_POSITIVE = 8
UNIMODAL_SD = 3.0
MANY_ZEROS_FRAC = 0.5  # then any clear signal is positive, where nothing else can be said
N_GRID = 2000


@dataclass(frozen=True)
class GateProposal:
    """A proposed gate; a person confirms or moves it.

    Parameters
    ----------
    value : float
        Cells strictly above are positive. NaN: nobody can be called positive.
    bimodal : bool
        Two populations were told apart.
    reason : str
        Why the gate lies there, or why it should not be trusted.
    n : int
        Cells with a finite value.
    percent_positive : float
        Of those; NaN without cells.
    """

    value: float
    bimodal: bool
    reason: str
    n: int
    percent_positive: float


def propose_gate(values: np.ndarray, name: str = "marker") -> GateProposal:
    """Propose where a marker becomes positive.

    The intensities are described by Gaussian components on an arcsinh scale
    (`macprox.phenotype.mixture`). Every cut between neighbouring components is a candidate, with
    the share of the smaller side that lies on the wrong side as its overlap. The gate is the
    *highest* cut that separates about as well as the best: below it lie spill-over and dim
    background, which people do not call positive. Where nothing separates, the gate is an outlier
    limit of the one population, and the proposal says so.

    Parameters
    ----------
    values : (n,) float
        One mean intensity a cell, background-corrected or not; cells without one are ignored.
    name : str
        For the reason.

    Returns
    -------
    GateProposal
        Independent of the order of the cells; scales with the intensities.
    """
    values = np.sort(np.asarray(values, dtype=float))
    ordered = values[np.isfinite(values)]
    n = len(ordered)
    if n < MIN_CELLS:
        return _nobody(f"{name}: {n} cells with a value are too few to propose a gate", n)
    if ordered[0] == ordered[-1]:
        return _nobody(f"{name} is {ordered[0]:g} in every cell: nobody is positive", n)
    pile = find_pile(ordered)
    mixture = fit_mixture(pile.spread(ordered), pile.min_cofactor)
    cuts = _cuts(mixture, ordered, pile)
    if cuts:
        overlap, gate = _gate_among(cuts, mixture)
        reason = f"two populations, {100 * overlap:.0f} % of the smaller on the wrong side"
    else:
        gate = _outlier_limit(mixture, ordered, pile)
        reason = "one population: the gate is an outlier limit, not a valley; look at the image"
    if cuts and n < FEW_CELLS:
        reason = f"only {n} cells: {reason}"
    percent = float(100 * np.mean(ordered > gate))
    return GateProposal(float(gate), bool(cuts) and n >= FEW_CELLS, f"{name}: {reason}", n, percent)


def _nobody(reason: str, n: int) -> GateProposal:
    return GateProposal(float("nan"), False, reason, n, 0.0 if n else float("nan"))


@dataclass(frozen=True)
class _Cut:
    """Between components ``k - 1`` and ``k``, at ``t`` on the mixture's scale."""

    k: int
    t: float
    overlap: float


def _cuts(mixture: Mixture, ordered: np.ndarray, pile: Pile) -> list[_Cut]:
    """Acceptable cuts, lowest first."""
    t = np.linspace(mixture.low, mixture.high, N_GRID)
    density = mixture.density(t)
    n = len(ordered)
    cuts = []
    for k in range(1, len(mixture.mean)):
        below, above = mixture.weight[:k].sum(), mixture.weight[k:].sum()
        if below < MIN_NEGATIVE_FRAC or above < max(MIN_POSITIVE_FRAC, MIN_POSITIVE / n):
            continue
        negative, positive = density[:, :k].sum(axis=1), density[:, k:].sum(axis=1)
        between = (t > mixture.mean[k - 1]) & (t < mixture.mean[-1]) & (positive > negative)
        overlap = np.minimum(negative, positive).sum() * (t[1] - t[0]) / min(below, above)
        if overlap < MAX_OVERLAP and between.any():
            at = float(t[np.argmax(between)])
            if not _is_artefact(mixture.to_values(at), ordered, pile):
                cuts.append(_Cut(k, at, float(overlap)))
    return cuts


def _is_artefact(gate: float, ordered: np.ndarray, pile: Pile) -> bool:
    """A cut that only separates the pile at the minimum, or the saturated cells."""
    n_positive = int(np.sum(ordered > gate))
    n_negative = len(ordered) - n_positive
    saturated = np.sum(ordered == ordered[-1]) > n_positive / 2
    only_pile = pile.frac and not pile.apart and n_negative - pile.n < 0.2 * n_negative
    return n_positive == 0 or bool(saturated) or bool(only_pile)


def _gate_among(cuts: list[_Cut], mixture: Mixture) -> tuple[float, float]:
    """Overlap and gate of the highest good cut, or of the middle of a bridge beside it.

    A component that is broader than both its neighbours, and rarer than the cells on either side,
    is no population: it is the cells that share pixels with a neighbour of the other kind, and
    about half belong on either side. Where positives are rarer than the bridge it is instead the
    tail of the negatives, and the highest cut stays.
    """
    best = min(cut.overlap for cut in cuts)
    chosen = max((c for c in cuts if c.overlap <= best + OVERLAP_SLACK), key=lambda cut: cut.t)
    by_place = {cut.k: cut for cut in cuts}
    for k, other in ((chosen.k, chosen.k + 1), (chosen.k - 1, chosen.k - 1)):
        if other in by_place and _is_bridge(mixture, k):
            middle = (chosen.t + by_place[other].t) / 2
            return max(chosen.overlap, by_place[other].overlap), mixture.to_values(middle)
    return chosen.overlap, mixture.to_values(chosen.t)


def _is_bridge(mixture: Mixture, k: int) -> bool:
    sd, weight = mixture.sd, mixture.weight
    if not 0 < k < len(sd) - 1:
        return False
    broader = sd[k] > max(sd[k - 1], sd[k + 1])
    return bool(broader and weight[k] < min(weight[:k].sum(), weight[k + 1 :].sum()))


def _outlier_limit(mixture: Mixture, ordered: np.ndarray, pile: Pile) -> float:
    """Where one population ends: its centre and three standard deviations, robustly."""
    if pile.frac > MANY_ZEROS_FRAC or (pile.frac and pile.apart):
        return pile.low + pile.half / 2  # most cells are exactly zero: any clear signal
    # No more logarithmic than this: on a log scale noise around zero has no upper end.
    cofactor = max(mixture.cofactor, np.quantile(np.abs(ordered), 0.995) / 8)
    lower, median, upper = np.quantile(np.arcsinh(ordered / cofactor), (0.25, 0.5, 0.75))
    sd = max(upper - median, (upper - lower) / 2) / 0.6745
    limit = cofactor * np.sinh(median + UNIMODAL_SD * sd)
    main = int(np.argmax(mixture.weight))
    of_main = mixture.to_values(mixture.mean[main] + UNIMODAL_SD * mixture.sd[main])
    return max(limit, of_main)
