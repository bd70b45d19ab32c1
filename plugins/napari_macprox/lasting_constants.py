"""A window that survives a day's work on Python 3.11.

PySide6 (6.12, seen with Python 3.11) gives back `None` more often than it takes it: three times a
widget that is destroyed, about 2,000 times a napari layer that is added and removed, 20,000 times a
slide that is opened and left. Python 3.11 counts the references to None, begins with some 170,000,
and aborts the process when none is left: after eight slides. From 3.12 on None is immortal.
"""

from __future__ import annotations

import ctypes
import sys

ENOUGH = 1 << 40  # ten million slides


def spare_none() -> None:
    """Let None outlive the error; does nothing where Python does so itself."""
    is_counted = sys.implementation.name == "cpython" and sys.version_info < (3, 12)
    if is_counted and sys.getrefcount(None) < ENOUGH // 2:
        ctypes.c_ssize_t.from_address(id(None)).value += ENOUGH
