"""Who writes: one at a time in a slide's folder, one run at a time in a result folder.

A lock is the operating system's: it ends with the process that holds it, however that ends. The
file stays and means nothing by itself. Where no file can be written nothing else can, and a
network folder that knows no locks is written without.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from macprox.errors import ResultError
from macprox.io.store import SlideFolder

LOCK_FILE = ".lock"
LISTING_LOCK_FILE = ".index.lock"
PATIENCE_S = 60.0  # an update of a large slide; then a sentence is better than a window that waits
POLL_S = 0.05
MOMENT_S = 5.0  # in which other parts look whether they are the first

if sys.platform == "win32":
    import msvcrt

    def _take(file: IO[bytes], shared: bool = False) -> None:
        # Windows' byte locks are never shared: parts of one run are not kept from other runs.
        if not shared:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(file: IO[bytes], shared: bool = False) -> None:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


class TakenError(ResultError):
    """Somebody else is writing there."""


@contextmanager
def alone_in(folder: SlideFolder, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Change labels, tables and manifest of a slide while nobody else does. Not to be nested.

    Parameters
    ----------
    folder : SlideFolder
    patience_s : float
        How long to wait for somebody else.

    Raises
    ------
    TakenError
        If somebody else is still at it then.
    """
    with _held(folder.path, patience_s) as is_ours:
        if not is_ours:
            raise TakenError(
                f"Slide {folder.slide_id!r} is being written by another macprox (a run, an update "
                "or another window). Your corrections are saved; try again when it has ended."
            )
        yield


def is_taken(folder: SlideFolder) -> bool:
    """Whether somebody writes into a slide's folder just now; creates nothing."""
    try:
        with (folder.path / LOCK_FILE).open("rb") as file:
            _take(file)
    except (BlockingIOError, PermissionError):
        return True
    except OSError:
        return False
    return False


@contextmanager
def run_in(results: Path, is_part: bool = False) -> Iterator[bool]:
    """Run in a result folder while no other run does, but parts of the same one.

    Parameters
    ----------
    results : Path
    is_part : bool
        Whether other processes may work on other slides meanwhile (``--shard``).

    Yields
    ------
    bool
        Whether nobody else was at it when this one came: the first part, or the only one.

    Raises
    ------
    TakenError
        If another run is at work there.
    """
    sentence = (
        f"Another macprox is at work in {results}. Wait until it has ended, or give another --out; "
        "to share one folder of slides between processes, give each its --shard."
    )
    with _held(results, 0.0) as is_first:
        if is_first and not is_part:
            yield True
            return
    if not is_part:
        raise TakenError(sentence)
    with _held(results, MOMENT_S, shared=True) as is_ours:
        if not is_ours:
            raise TakenError(sentence)
        yield is_first


@contextmanager
def listing(results: Path) -> Iterator[None]:
    """List a result folder in turns, so that the last list has what all others found.

    Whoever takes too long is not waited for: a list can be made again.
    """
    with _held(results, PATIENCE_S, name=LISTING_LOCK_FILE):
        yield


@contextmanager
def _held(
    place: Path, patience_s: float, shared: bool = False, name: str = LOCK_FILE
) -> Iterator[bool]:
    """Whether the lock of a folder could be had in time; True where there are no locks."""
    try:
        file = (place / name).open("ab")
    except OSError:
        yield True
        return
    with file:
        yield _wait_for(file, time.monotonic() + patience_s, shared)


def _wait_for(file: IO[bytes], end: float, shared: bool) -> bool:
    while True:
        try:
            _take(file, shared)
            return True
        except (BlockingIOError, PermissionError):  # taken, as Unix and Windows say it
            pass
        except OSError:  # a network folder that knows no locks
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(POLL_S)
