"""Memory that is free but still ours, given back to the machine."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any

from macprox.segment.unet import forget_network


def give_back_freed() -> None:
    """Give back what threads have freed: the C library of Linux keeps it, 100 MB a tile and more.

    Elsewhere memory goes back by itself, and nothing is done.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


def give_back_models() -> None:
    """Forget the built-in network and what it worked in, some 300 MB; it loads again in no time."""
    forget_network()
    give_back_freed()


@lru_cache(maxsize=1)
def _trim() -> Any:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library, another system
        return None
