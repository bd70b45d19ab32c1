"""Run one function over many tiles: on threads here, or on a dask.distributed cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

from macprox.image.tiles import Tile, in_bands
from macprox.io.decoded import CACHE_BYTES
from macprox.pipeline import cluster
from macprox.slide import Slide

# What tiles share with those below: two rows of the file's own tiles, mostly of 512 px.
SHARED_ROWS_PX = 1024
SHARED_CACHE_FRAC = 0.6  # the rest is for what neighbours in a row share, and for other sizes

Advance = Callable[[int], None]
Part = TypeVar("Part")  # of a slide: a tile, or what is known of one
Result = TypeVar("Result")


def _silent(n_tiles: int) -> None:
    """Nobody watches."""


def reading_together(slide: Slide, tiles: Sequence[Tile]) -> tuple[Slide, list[Tile]]:
    """The slide told which tiles will be read, and the tiles in an order that makes this pay.

    Every outer box is expected to be read once, of every channel.
    """
    width_px = max(tile.core.x1 - tile.core.x0 for tile in tiles)
    border_bytes = width_px * SHARED_ROWS_PX * len(slide.channels) * slide.dtype.itemsize
    n_columns = max(1, int(SHARED_CACHE_FRAC * CACHE_BYTES / border_bytes))
    expecting = slide.expecting([tile.outer.slices for tile in tiles])
    return expecting, in_bands(tiles, n_columns)


@dataclass(frozen=True)
class Workers:
    """Who computes.

    Parameters
    ----------
    n_workers : int
        Threads on this machine, or processes.
    scheduler : str or None
        Address of a dask.distributed scheduler (``tcp://host:8786``); its workers must see the
        slides and the result folder under the same paths.
    processes : bool
        Worker processes instead of threads, `started` for as long as they are needed.
    """

    n_workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    scheduler: str | None = None
    processes: bool = False

    def check(self) -> None:
        """Refuse a scheduler that does not answer, before a slide is begun.

        Raises
        ------
        MacproxError
        """
        if self.scheduler is not None:
            cluster.connect(self.scheduler).close()
        elif self.processes:
            cluster.require_library()

    @contextmanager
    def started(self) -> Iterator[Workers]:
        """These workers, at work until the block ends."""
        if self.processes and self.scheduler is None:
            with cluster.of_processes(self.n_workers) as address:
                yield replace(self, scheduler=address)
        else:
            yield self

    def map(
        self, function: Callable[[Part], Result], tiles: Sequence[Part], advance: Advance = _silent
    ) -> list[Result]:
        """``[function(tile) for tile in tiles]``, begun in that order; results should be small.

        ``function`` travels to the workers: a picklable callable that opens its own files and
        writes its own pixels. The first error ends the work.

        Raises
        ------
        ClusterLost
            If the scheduler is gone.
        MacproxError
            If a tile ends every worker that takes it, or a worker has another macprox.
        """
        if self.scheduler is not None:
            return cluster.mapped(self.scheduler, function, tiles, advance)
        # Not dask's threads: they begin tasks without an order in the order of random names, and
        # neighbours that follow each other share decoded tiles.
        with ThreadPoolExecutor(self.n_workers, "macprox") as pool:
            tasks = [pool.submit(function, tile) for tile in tiles]
            try:
                for task in as_completed(tasks):
                    task.result()
                    advance(1)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
            return [task.result() for task in tasks]
