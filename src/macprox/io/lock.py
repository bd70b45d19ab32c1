"""One writer at a time in a slide's folder, whichever thread or process it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from macprox.errors import ResultError
from macprox.io.store import SlideFolder

LOCK_FILE = ".lock"
PATIENCE_S = 60.0  # an update of a large slide; then a sentence is better than a window that waits
POLL_S = 0.05

if sys.platform == "win32":
    import msvcrt

    def _take(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def alone_in(folder: SlideFolder, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Change labels, tables and manifest of a slide while nobody else does.

    The lock is the operating system's: it ends with the process that holds it, however that ends.
    The file in the folder stays and means nothing by itself. Where no file can be
    written nothing else can, and there is nothing to wait for. Not to be nested.

    Parameters
    ----------
    folder : SlideFolder
    patience_s : float
        How long to wait for somebody else.

    Raises
    ------
    ResultError
        If somebody else is still at it then.
    """
    try:
        file = (folder.path / LOCK_FILE).open("ab")
    except OSError:
        yield
        return
    with file:
        _wait_for(file, folder, time.monotonic() + patience_s)
        yield


def _wait_for(file: IO[bytes], folder: SlideFolder, end: float) -> None:
    while True:
        try:
            return _take(file)
        except (BlockingIOError, PermissionError):  # taken, as Unix and Windows say it
            pass
        except OSError:  # a network folder that knows no locks
            return None
        if time.monotonic() > end:
            raise ResultError(
                f"Slide {folder.slide_id!r} is being written by another macprox (a run, an update "
                "or another window). Your corrections are saved; try again when it has ended."
            )
        time.sleep(POLL_S)
