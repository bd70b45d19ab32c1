"""A window that survives a day's work on Python 3.11.

PySide6 (6.12, seen with Python 3.11) gives back `None`, `True` and `False` more often than it takes
them: `None` 2,000 times a napari layer that is added and removed, 20,000 times a slide that is
opened and left; `True` four times a piece of work in a thread. Python 3.11 counts the references
even to these, begins with some ten or hundred thousand, and aborts the process when none is left.
From 3.12 on they are immortal.
"""

from __future__ import annotations

import ctypes
import sys

CONSTANTS = (None, True, False)
ENOUGH = 1 << 40  # ten million slides


def spare_constants() -> None:
    """Let them outlive the error; does nothing where Python does so itself."""
    if sys.implementation.name != "cpython" or sys.version_info >= (3, 12):
        return
    for constant in CONSTANTS:
        if sys.getrefcount(constant) < ENOUGH // 2:
            ctypes.c_ssize_t.from_address(id(constant)).value += ENOUGH
