"""tifffile tells of damage in its log and in errors of many kinds; ours is one sentence."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from tifffile import TiffFileError

# What reading a damaged TIFF can raise: imagecodecs RuntimeError, tifffile ValueError or whatever
# a wrong tag leads to; a codec that is not installed is an ImportError.
UNREADABLE = (
    TiffFileError,  # a ValueError only since 2025
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    ImportError,
    OSError,
    struct.error,
)


class _Swallow(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        pass


@contextmanager
def tifffile_kept_quiet() -> Iterator[None]:
    """Keep tifffile's messages from stderr, where Python prints what no handler takes.

    Handlers that the application has set up still get them. Safe in threads: every use adds and
    removes a handler of its own.
    """
    handler = _Swallow(logging.WARNING)
    logger = logging.getLogger("tifffile")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
