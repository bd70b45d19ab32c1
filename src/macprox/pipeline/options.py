"""How to compute and who is told: nothing here changes a result, but what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from macprox.pipeline.tiles import Workers

DEFAULT_TILE_PX = 2048


class Watcher(Protocol):
    """Who is told how far a run is."""

    def slide(self, slide_id: str, number: int, n_slides: int) -> None:
        """A slide begins, the ``number``-th (from 1) of so many."""
        ...

    def stage(self, slide_id: str, stage: str, n_tiles: int) -> Callable[[int], None]:
        """A stage of so many tiles begins; call what is returned with the number just finished."""
        ...


class Silent:
    """Tells nobody."""

    def slide(self, slide_id: str, number: int, n_slides: int) -> None:
        pass

    def stage(self, slide_id: str, stage: str, n_tiles: int) -> Callable[[int], None]:
        return lambda n_tiles: None


@dataclass(frozen=True)
class RunOptions:
    """How to compute.

    Parameters
    ----------
    tile_px : int
        Side of a tile; rounded to whole label chunks.
    workers : Workers
    watcher : Watcher
    check_seams : bool
        Whether windows across seams are segmented again and compared with the labels on disk.
    allow_damaged : bool
        Whether a slide is analysed without its places that do not decode, or refused for them.
    """

    tile_px: int = DEFAULT_TILE_PX
    workers: Workers = field(default_factory=Workers)
    watcher: Watcher = field(default_factory=Silent)
    check_seams: bool = False
    allow_damaged: bool = False
