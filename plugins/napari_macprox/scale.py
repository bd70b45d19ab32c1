"""Asks for the scale of a slide whose file does not state it: it is never guessed."""

from __future__ import annotations

from qtpy.QtWidgets import QInputDialog

LOWEST_UM, HIGHEST_UM = 0.01, 100.0
DECIMALS = 4


def ask_pixel_size_um(reason: str) -> float | None:
    """Micrometres per pixel as a person gives them; None where nobody does.

    Parameters
    ----------
    reason : str
        Why one has to ask.
    """
    question = f"{reason}\n\nHow many µm is one pixel wide?"
    value, is_given = QInputDialog.getDouble(
        None, "Scale of the slide", question, LOWEST_UM, 0.0, HIGHEST_UM, DECIMALS
    )
    return value if is_given and value > 0 else None
