"""All the ways in which patients could have been dealt to the groups, or some drawn at random.

Up to 200,000 ways are counted out, and p is a share of them; beyond, 9,999 are drawn, and the one
that was observed counts among them: p = (b + 1) / (B + 1) (Phipson & Smyth 2010).
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain, combinations, permutations
from math import comb, factorial, prod

import numpy as np

N_EXACT = 200_000
N_RANDOM = 9_999


def members(n: int, k: int, seed: int = 0, most: int = N_EXACT) -> tuple[np.ndarray, bool]:
    """Who could have been in a group of k of n patients.

    Parameters
    ----------
    n, k : int
    seed : int
        Of the draw, where there are too many to count out.
    most : int
        Up to so many are counted out.

    Returns
    -------
    (n_arrangements, k) int
        Rows of places; the observed arrangement is one of them where all are counted out.
    exact : bool
        Whether these are all.
    """
    exact = comb(n, k) <= most
    return (_every_group(n, k) if exact else _drawn_groups(n, k, seed)), exact


@lru_cache(maxsize=4)  # a cohort asks for the same design once a statistic
def _every_group(n: int, k: int) -> np.ndarray:
    places = chain.from_iterable(combinations(range(n), k))
    every = np.fromiter(places, dtype=np.intp, count=comb(n, k) * k).reshape(-1, k)
    every.flags.writeable = False
    return every


@lru_cache(maxsize=4)
def _drawn_groups(n: int, k: int, seed: int) -> np.ndarray:
    drawn = orders(n, seed, most=0)[0][:, :k].copy()
    drawn.flags.writeable = False
    return drawn


def orders(n: int, seed: int = 0, most: int = N_EXACT) -> tuple[np.ndarray, bool]:
    """Orders of n patients ``(n_arrangements, n)``, and whether they are all."""
    if n <= 20 and factorial(n) <= most:
        return np.array(list(permutations(range(n))), dtype=np.intp), True
    draw = np.random.default_rng(seed)
    return draw.permuted(np.tile(np.arange(n), (N_RANDOM, 1)), axis=1), False


def signs(n: int, seed: int = 0) -> tuple[np.ndarray, bool]:
    """Signs of n differences ``(n_arrangements, n)``, -1.0 or 1.0, and whether they are all."""
    if n < 60 and 2**n <= N_EXACT:
        return 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1), True
    draw = np.random.default_rng(seed)
    return draw.choice([-1.0, 1.0], size=(N_RANDOM, n)), False


def deals(sizes: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, bool]:
    """Which of several groups each patient could have been in.

    Parameters
    ----------
    sizes : tuple of int
        Of the groups.
    seed : int

    Returns
    -------
    (n_arrangements, n) int8
        Numbers of groups.
    exact : bool
    """
    n = sum(sizes)
    which = np.repeat(np.arange(len(sizes), dtype=np.int8), sizes)
    if n_deals(sizes) > N_EXACT:
        return which[orders(n, seed, most=0)[0]], False
    dealt = np.zeros((1, n), dtype=np.int8)
    free = np.arange(n)[None]
    for number, size in enumerate(sizes):
        chosen = _every_group(free.shape[1], size)
        rest = np.array([np.setdiff1d(np.arange(free.shape[1]), row) for row in chosen], dtype=int)
        taken = free[:, chosen].reshape(-1, size)
        dealt = np.repeat(dealt, len(chosen), axis=0)
        np.put_along_axis(dealt, taken, np.int8(number), axis=1)
        free = free[:, rest].reshape(len(dealt), -1)
    return dealt, True


def n_deals(sizes: tuple[int, ...]) -> int:
    """How many ways there are to deal patients to groups of these sizes."""
    return factorial(sum(sizes)) // prod(factorial(size) for size in sizes)


def share(as_extreme: np.ndarray, exact: bool) -> float:
    """p: the share of arrangements that are as extreme as the observed one, itself among them."""
    n_as_extreme = int(np.count_nonzero(as_extreme))
    return n_as_extreme / len(as_extreme) if exact else (n_as_extreme + 1) / (len(as_extreme) + 1)
