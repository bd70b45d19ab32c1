"""`macprox review`: a napari window of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from macprox.errors import MacproxError

WINDOW_TITLE = "macprox"
WINDOW_PX = (1500, 950)


def review_in_new_window(results: Path) -> None:
    """Open a result folder in a new window, and stay until it is closed.

    Raises
    ------
    MacproxError
        Where there is no screen: Qt would end the interpreter without a word of ours.
    """
    if sys.platform.startswith("linux") and not _has_screen():
        raise MacproxError(
            "There is no screen here to open a window on. Run `macprox review` on the computer in "
            "front of you; the result folder can be copied or mounted there."
        )
    import napari

    from napari_macprox.desk import review_in

    viewer = napari.Viewer(title=WINDOW_TITLE)
    viewer.window.resize(*WINDOW_PX)
    review_in(viewer, results)
    napari.run()


def _has_screen() -> bool:
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
