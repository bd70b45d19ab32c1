"""Run one function over many tiles: on threads here, or on a dask.distributed cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import dask
from dask.callbacks import Callback

from macprox.errors import MacproxError
from macprox.image.tiles import Tile

Advance = Callable[[int], None]


def _silent(n_tiles: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True)
class Workers:
    """Who computes.

    Parameters
    ----------
    n_workers : int
        Threads on this machine.
    scheduler : str or None
        Address of a dask.distributed scheduler (``tcp://host:8786``); its workers must see the
        slides and the result folder under the same paths.
    """

    n_workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    scheduler: str | None = None

    def check(self) -> None:
        """Refuse a scheduler that does not answer, before a slide is begun.

        Raises
        ------
        MacproxError
        """
        if self.scheduler is not None:
            self._connect().close()

    def map(
        self, function: Callable[[Tile], Any], tiles: Sequence[Tile], advance: Advance = _silent
    ) -> list[Any]:
        """``[function(tile) for tile in tiles]``, in that order; results should be small.

        ``function`` travels to the workers: a picklable callable that opens its own files and
        writes its own pixels.
        """
        if self.scheduler is not None:
            return self._map_on_cluster(function, tiles, advance)
        tasks = [dask.delayed(function, pure=False)(tile) for tile in tiles]
        with _Watch(advance):
            return list(dask.compute(*tasks, scheduler="threads", num_workers=self.n_workers))

    def _map_on_cluster(
        self, function: Callable[[Tile], Any], tiles: Sequence[Tile], advance: Advance
    ) -> list[Any]:
        client = self._connect()
        from distributed import as_completed

        with client:
            futures = client.map(function, list(tiles), pure=False)
            for _ in as_completed(futures):
                advance(1)
            return list(client.gather(futures))

    def _connect(self):
        try:
            from distributed import Client
        except ImportError as error:
            raise MacproxError(
                "--scheduler needs dask.distributed; install it with: pip install macprox[cluster]"
            ) from error
        try:
            return Client(self.scheduler, timeout="10s")
        except (OSError, ValueError) as error:
            raise MacproxError(
                f"No dask scheduler answers at {self.scheduler!r} ({error}); start one with "
                "`dask scheduler` and give its address."
            ) from error


class _Watch(Callback):
    """Counts finished tiles; dask calls it in the scheduling thread."""

    def __init__(self, advance: Advance):
        super().__init__(posttask=lambda *_: advance(1))
