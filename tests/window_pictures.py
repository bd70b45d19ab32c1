"""What a viewer shows, as pixels."""

from __future__ import annotations

import numpy as np


def frame(viewer) -> np.ndarray:
    """``(y, x, 3)``; a pyramid changes level while it is drawn, so the third frame counts."""
    from qtpy.QtWidgets import QApplication

    for _ in range(3):
        QApplication.processEvents()
        picture = viewer.screenshot(canvas_only=True, flash=False)
    return picture[..., :3]


def n_coloured(picture: np.ndarray, colour: str, tolerance: int = 6) -> int:
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return int((np.abs(picture.astype(int) - wanted).max(axis=-1) <= tolerance).sum())
