"""How far calls and readers agree, and how many cells of each kind there are once that is known.

The cells that were read are a stratified sample: h is what a cell was called, k what a reader
calls it, N_h the cells so called, n_h those of them that were read and could be told, n_hk the
cells of h that are k, p_hk = n_hk / n_h. A share among the *called* (precision) is seen in one
stratum; whatever concerns the truly k (recall, their number) needs every stratum with its weight.

=================  ===============================================================================
precision of k     p_kk; interval of Wilson (1927)
number of true k   sum_h N_h p_hk: the misclassification matrix by double sampling, Tenenbein
                   (1970, J Am Stat Assoc 65:1350); standard error of a stratified sample with
                   finite populations, Cochran (1977, Sampling Techniques, section 5.5)
recall of k        N_k p_kk / sum_h N_h p_hk
kappa              Cohen (1960, Educ Psychol Meas 20:37), its standard error by Fleiss, Cohen &
                   Everitt (1969, Psychol Bull 72:323); of the cells as sampled, where every
                   called phenotype is equally frequent, not as they are on the slide
=================  ===============================================================================

Intervals of recall and of numbers are simulated: each p_hk is drawn from its distribution after
the readings with Jeffreys' prior, Beta(n_hk + 1/2, n_h - n_hk + 1/2), and the cells that nobody
read from that. A bootstrap would say that what was seen in none of 25 cells does not exist
(Brown, Cai & DasGupta 2001, Stat Sci 16:101).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from macprox.review.verification.sample import Sample

UNSURE = "Cannot tell"
Z = 1.959963984540054  # of a central 95 %
N_SIMULATED = 4000

# By reader, then number of the cell in its sample: what it is called.
Readings = dict[str, dict[int, str]]


@dataclass(frozen=True)
class Kappa:
    """Agreement beyond chance: 1 is complete, 0 what chance gives. NaN where nothing varies."""

    value: float
    se: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, eq=False)
class ReaderAgreement:
    """One reader against the call.

    Parameters
    ----------
    phenotypes : DataFrame
        One row a phenotype: ``phenotype, n_called`` (on the slide), ``n_read`` (told by the
        reader, of those called so), ``n_unsure``; ``precision``, ``recall`` and ``kappa`` each
        with ``_low, _high``; ``count`` (the slide's, corrected) with ``count_se, count_low,
        count_high``; ``called_per_mm2, per_mm2, per_mm2_low, per_mm2_high``; ``reason`` why
        numbers are NaN.
    confusion : DataFrame
        Cells by call (rows) and reading (columns, the last `UNSURE`).
    kappa : Kappa
        Over all phenotypes.
    n_unsure, n_unread : int
    """

    phenotypes: pd.DataFrame = field(repr=False)
    confusion: pd.DataFrame = field(repr=False)
    kappa: Kappa
    n_unsure: int
    n_unread: int


@dataclass(frozen=True, eq=False)
class Agreement:
    """Every reader against the call, and every two readers against each other."""

    readers: dict[str, ReaderAgreement]
    between: dict[tuple[str, str], Kappa]


def agreement(sample: Sample, readings: Readings, area_mm2: float = float("nan")) -> Agreement:
    """What the readings say of the calls; readings so far, too.

    Parameters
    ----------
    sample : Sample
    readings : dict
        `Verification.readings`. A reading of `UNSURE` is counted and left out of the rest.
    area_mm2 : float
        Of the observed tissue; without one there are no densities.

    Returns
    -------
    Agreement
        Bit for bit the same for the same sample and readings.
    """
    readers = {name: _of_reader(sample, said, area_mm2) for name, said in readings.items()}
    return Agreement(
        readers, {pair: _between(readings, pair) for pair in combinations(readings, 2)}
    )


def _of_reader(sample: Sample, said: Mapping[int, str], area_mm2: float) -> ReaderAgreement:
    names = list(dict.fromkeys([*sample.stratum_sizes, *(k for k in said.values() if k != UNSURE)]))
    columns = [*names, UNSURE]
    counts = np.zeros((len(names), len(columns)), dtype=np.int64)
    for number, name in said.items():
        counts[names.index(sample.calls[number]), columns.index(name)] += 1
    table = pd.DataFrame(counts, index=names, columns=columns)
    told = table[names].to_numpy(dtype=float)
    sizes = np.array([sample.stratum_sizes.get(name, 0) for name in names], dtype=float)
    rows = _phenotype_rows(names, told, sizes, sample.seed)
    found = pd.DataFrame(rows).assign(n_unsure=table[UNSURE].to_numpy())
    found["called_per_mm2"] = found["n_called"] / area_mm2
    for name in ("", "_low", "_high"):
        found[f"per_mm2{name}"] = found[f"count{name}"] / area_mm2
    n_unsure = int(table[UNSURE].sum())
    is_called = [name in sample.stratum_sizes for name in names]
    return ReaderAgreement(
        found, table[is_called], cohen_kappa(told), n_unsure, len(sample) - len(said)
    )


def _phenotype_rows(
    names: list[str], told: np.ndarray, sizes: np.ndarray, seed: int
) -> list[dict[str, Any]]:
    n_read = told.sum(axis=1)
    unread = [name for name, n, size in zip(names, n_read, sizes, strict=True) if size and not n]
    rng = np.random.default_rng(seed)
    rows = []
    for k, name in enumerate(names):
        precision = told[k, k] / n_read[k] if n_read[k] else np.nan
        low, high = wilson(told[k, k], n_read[k])
        row: dict[str, Any] = {
            "phenotype": name,
            "n_called": int(sizes[k]),
            "n_read": int(n_read[k]),
            "precision": precision,
            "precision_low": low,
            "precision_high": high,
            "reason": "" if sizes[k] else "no cell is called so",
        }
        if unread:
            reason = f"nobody has told a cell called {' or '.join(unread)} yet"
            row |= dict.fromkeys(_WEIGHTED, np.nan) | {"reason": reason}
        else:
            row |= _weighted(k, told, sizes, rng)
        rows.append(row | _kappa_columns(told, k))
    return rows


_WEIGHTED = (
    "recall", "recall_low", "recall_high", "count", "count_se", "count_low", "count_high"
)  # fmt: skip


def _weighted(
    k: int, told: np.ndarray, sizes: np.ndarray, rng: np.random.Generator
) -> dict[str, float]:
    """Recall and number of the true k, from every stratum with its weight."""
    drawn = np.flatnonzero(sizes)
    n, hits, size = told[drawn].sum(axis=1), told[drawn, k], sizes[drawn]
    share = hits / n
    of_stratum = size * share
    count = float(of_stratum.sum())
    # One cell of a stratum says nothing of its variance, unless it is all of the stratum.
    variance = np.where(n > 1, share * (1 - share) / np.maximum(n - 1, 1), np.nan)
    left = size - n
    se = float(np.sqrt(np.where(left > 0, size * left * variance, 0.0).sum()))
    truth = hits + rng.binomial(
        left.astype(np.int64), rng.beta(hits + 0.5, n - hits + 0.5, (N_SIMULATED, len(n)))
    )
    here = drawn == k
    counts, found = truth.sum(axis=1), truth[:, here].sum(axis=1)
    recall = float(of_stratum[here].sum() / count) if count else np.nan
    low, high = _range_around(count, counts)
    recalls = found[counts > 0] / counts[counts > 0]
    recall_low, recall_high = _range_around(recall, recalls)
    values = (recall, recall_low, recall_high, count, se, low, high)
    return dict(zip(_WEIGHTED, values, strict=True))


def _range_around(value: float, simulated: np.ndarray) -> tuple[float, float]:
    """The central 95 %, made to hold the estimate, which may lie at an end."""
    if not np.isfinite(value) or len(simulated) == 0:
        return np.nan, np.nan
    low, high = np.quantile(simulated, [0.025, 0.975])
    return float(min(low, value)), float(max(high, value))


def _kappa_columns(told: np.ndarray, k: int) -> dict[str, float]:
    """Kappa of one phenotype against all others."""
    whole, row, column = told.sum(), told[k].sum(), told[:, k].sum()
    both = told[k, k]
    found = cohen_kappa(
        np.array([[both, row - both], [column - both, whole - row - column + both]])
    )
    return {"kappa": found.value, "kappa_low": found.low, "kappa_high": found.high}


def _between(readings: Readings, pair: tuple[str, str]) -> Kappa:
    """Two readers on the cells that both could tell."""
    first, second = (readings[name] for name in pair)
    both = [
        (first[number], second[number])
        for number in sorted(first.keys() & second.keys())
        if UNSURE not in (first[number], second[number])
    ]
    names = sorted({name for told in both for name in told})
    table = np.zeros((len(names), len(names)))
    for one, other in both:
        table[names.index(one), names.index(other)] += 1
    return cohen_kappa(table)


def wilson(hits: float, n: float) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927); NaN without a cell.

    Examples
    --------
    >>> low, high = wilson(25, 25)
    >>> round(low, 3), high
    (0.867, 1.0)
    """
    if not n:
        return np.nan, np.nan
    share = hits / n
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
    low, high = (float(np.clip(end, 0, 1)) for end in (middle - half, middle + half))
    return (0.0 if hits == 0 else low), (1.0 if hits == n else high)


def cohen_kappa(table: np.ndarray) -> Kappa:
    """Cohen's kappa of a square table of counts, with the standard error of Fleiss et al.

    Parameters
    ----------
    table : (k, k) float
        Cells by the first (rows) and the second (columns) judgement.

    Returns
    -------
    Kappa
        NaN without cells, and where both call every cell the same: there is no chance to beat.

    Examples
    --------
    >>> round(cohen_kappa(np.array([[20, 5], [10, 15]])).value, 3)
    0.4
    """
    table = np.asarray(table, dtype=float)
    n = int(table.sum())
    p = table / max(n, 1)
    row, column = p.sum(axis=1), p.sum(axis=0)
    observed, chance = float(np.trace(p)), float(row @ column)
    if n == 0 or chance >= 1:
        return Kappa(np.nan, np.nan, np.nan, np.nan, n)
    value = (observed - chance) / (1 - chance)
    on = np.diag(p) @ ((1 - chance) - (row + column) * (1 - observed)) ** 2
    weight = (column[:, None] + row[None, :]) ** 2
    off = (1 - observed) ** 2 * (p * weight)[~np.eye(len(p), dtype=bool)].sum()
    variance = on + off - (observed * chance - 2 * chance + observed) ** 2
    se = float(np.sqrt(max(variance, 0.0) / n) / (1 - chance) ** 2)
    return Kappa(value, se, max(-1.0, value - Z * se), min(1.0, value + Z * se), n)
