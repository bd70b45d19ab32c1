"""Work in fixed chunks on as many threads as there are cores: the answer knows of no threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

CHUNK = 16384  # queries; smaller ones are done before a thread has started


def over_chunks(
    n: int, work: Callable[[int, int], T], chunk: int = CHUNK, n_threads: int | None = None
) -> list[T]:
    """``work(first, last)`` for every chunk of ``range(n)``, in order.

    Parameters
    ----------
    n : int
    work : callable
        Of numba kernels that release the GIL. Writes to its own rows, or returns what the caller
        reduces in the order of the chunks; then no number depends on the number of threads.
    chunk : int
        Fixed: it may be seen in the last digit of a sum of floats.
    n_threads : int, optional
        By default as many as there are cores.
    """
    firsts = range(0, n, chunk)
    n_threads = min(len(firsts), n_threads or os.cpu_count() or 1)
    if n_threads <= 1:
        return [work(first, min(first + chunk, n)) for first in firsts]
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(lambda first: work(first, min(first + chunk, n)), firsts))
