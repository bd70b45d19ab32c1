"""Tiles on a dask.distributed cluster: somebody's, or processes on this machine.

Workers write pixels and labels themselves; what travels is a tile's place on the way out and a path
or a few numbers on the way back.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from macprox import __version__
from macprox.errors import MacproxError

PATIENCE = "10s"  # for a scheduler to answer

_NEVER = logging.CRITICAL + 1
_TALKATIVE = ("distributed", "distributed.client")  # each with a level of its own

Part = TypeVar("Part")
Result = TypeVar("Result")


class ClusterLost(MacproxError):
    """The scheduler is gone, and with it all work under way."""


def require_library() -> None:
    """Refuse work on a cluster where dask.distributed is not installed.

    Raises
    ------
    MacproxError
    """
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise MacproxError(
            "--scheduler and --processes need dask.distributed; install it with: "
            "pip install macprox[cluster]"
        ) from error


def connect(address: str) -> Any:
    """A client of a scheduler.

    Raises
    ------
    MacproxError
        If dask.distributed is not installed, or nobody answers.
    """
    require_library()
    from distributed import Client

    try:
        with _kept_quiet():
            return Client(address, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise MacproxError(
            f"No dask scheduler answers at {address!r} ({error}); start one with "
            "`dask scheduler` and give its address."
        ) from error


@contextmanager
def of_processes(n_workers: int) -> Iterator[str]:
    """The address of a scheduler with so many worker processes on this machine."""
    require_library()
    from distributed import LocalCluster

    with (
        _kept_quiet(),
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",  # any free port, for nobody else
            silence_logs=_NEVER,  # in the workers, which complain when they are ended
        ) as cluster,
    ):
        yield cluster.scheduler_address


def mapped(
    address: str,
    function: Callable[[Part], Result],
    tiles: Sequence[Part],
    advance: Callable[[int], None],
) -> list[Result]:
    """``[function(tile) for tile in tiles]`` on the workers of a scheduler.

    A worker that is lost costs the tiles it was at, which others do again. The first error ends
    the work.

    Raises
    ------
    ClusterLost
        If the scheduler is gone.
    MacproxError
        If a tile ends every worker that takes it, or a worker has another macprox.
    """
    with _kept_quiet(), connect(address) as client:
        from distributed import KilledWorker, as_completed

        futures = client.map(_SameVersion(function), list(tiles), pure=False)
        try:
            for future in as_completed(futures):
                future.result()
                advance(1)
            return list(client.gather(futures))
        except KilledWorker as error:
            raise MacproxError(
                f"A tile ended {error.allowed_failures + 1} workers, one after the other: perhaps "
                "they have too little memory. Give a smaller --tile, or workers with more."
            ) from error
        except (CancelledError, OSError) as error:
            if isinstance(error, OSError) and client.status == "running":
                raise  # a tile's own, of the disk
            raise ClusterLost(
                f"The dask scheduler at {address} is gone; start it again, and the same command "
                "goes on from here."
            ) from error
        finally:
            client.cancel(futures, force=True)


@dataclass(frozen=True)
class _SameVersion(Generic[Part, Result]):
    """Refuses to compute with another macprox than the one that asked: numbers may differ."""

    function: Callable[[Part], Result]
    version: str = __version__

    def __call__(self, tile: Part) -> Result:
        if self.version != __version__:
            raise MacproxError(
                f"The worker on {platform.node()} has macprox {__version__}, this is "
                f"{self.version}; install the same on both."
            )
        return self.function(tile)


@contextmanager
def _kept_quiet() -> Iterator[None]:
    """Keep dask's own account of lost connections from stderr: what matters is in our sentence."""
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(_NEVER)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
