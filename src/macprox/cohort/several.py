"""More than two groups: is there any difference at all?"""

from __future__ import annotations

from math import factorial, prod
from typing import Any

import numpy as np

from macprox.cohort.arrangements import deals, share
from macprox.cohort.columns import sentences
from macprox.cohort.patients import LEAST, Groups, too_few
from macprox.cohort.shift import TIE

TEST = "studentised permutation, any difference"


def any_difference(found: Groups, seed: int) -> dict[str, Any]:
    """Welch's F over groups, permuted: one row of `TESTS` without an effect.

    F weighs each group by its own variance (Welch 1951, equations 1 to 3); p is its place among
    all, or 9,999 drawn, deals of the patients to groups of these sizes. Groups of fewer than 3
    patients take no part.
    """
    tested = [values for values in found.values if len(values) >= LEAST]
    remark = sentences(
        *(too_few(name, len(v)) for name, v in zip(found.names, found.values, strict=True)),
        found.remark,
    )
    row: dict[str, Any] = {
        "contrast": f"any of {', '.join(found.names)}",
        "n_patients": sum(map(len, tested)),
        "reason": remark,
    }
    if len(tested) < 2:
        return row | {"reason": sentences("fewer than two groups can be tested", remark)}
    values = np.concatenate(tested)
    if np.ptp(values) == 0:
        return row | {"reason": sentences("every patient has the same value", remark)}
    return row | _permuted(tested, seed)


def _permuted(tested: list[np.ndarray], seed: int) -> dict[str, Any]:
    sizes = tuple(len(values) for values in tested)
    values = np.concatenate(tested)
    observed = np.repeat(np.arange(len(sizes), dtype=np.int8), sizes)
    order = np.lexsort([observed, values])
    y = (values[order] - values.mean()) / values.std()
    dealt, exact = deals(sizes, seed)
    f = welch_f(y, observed[order][None], sizes)[0]
    return {
        "p": share(welch_f(y, dealt, sizes) >= f * (1 - TIE), exact),
        "p_min": _same_f(sizes) / len(dealt) if exact else 1 / (len(dealt) + 1),
        "n_arrangements": len(dealt),
        "exact": exact,
    }


def welch_f(y: np.ndarray, dealt: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """Welch's F of each arrangement ``(n_arrangements, n)`` of values ``y (n,)``."""
    means, weights = np.empty((2, len(sizes), len(dealt)))
    for number, n in enumerate(sizes):
        inside = (dealt == number).astype(float)
        means[number] = inside @ y / n
        variance = (inside @ (y * y) - n * means[number] ** 2) / (n - 1)
        weights[number] = n / np.maximum(variance, 1e-12)  # a group without spread decides
    total, k = weights.sum(axis=0), len(sizes)
    centre = (weights * means).sum(axis=0) / total
    between = (weights * (means - centre) ** 2).sum(axis=0) / (k - 1)
    spread = ((1 - weights / total) ** 2 / (np.array(sizes)[:, None] - 1)).sum(axis=0)
    return between / (1 + 2 * (k - 2) / (k**2 - 1) * spread)


def _same_f(sizes: tuple[int, ...]) -> int:
    """How many deals share an F because groups of one size change places."""
    return prod(factorial(sizes.count(size)) for size in set(sizes))
