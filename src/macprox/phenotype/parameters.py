"""What a user may set about a marker; one place for every default."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from macprox.celltable import COMPARTMENTS
from macprox.errors import StudyError


@dataclass(frozen=True)
class MarkerParameters:
    """Where a marker is measured, and from which intensity on a cell is positive.

    Parameters
    ----------
    compartment : "nucleus", "ring" or "cell"
        The part of the cell whose mean is compared with the gate.
    gate : "auto" or float
        ``"auto"`` is a proposal, unconfirmed until a person confirms it. A number is in the
        channel's own units after background and autofluorescence correction.
    """

    compartment: Literal["nucleus", "ring", "cell"] = "cell"
    gate: Literal["auto"] | float = "auto"

    def __post_init__(self) -> None:
        if self.compartment not in COMPARTMENTS:
            raise StudyError(
                f"compartment must be one of {', '.join(COMPARTMENTS)}, found {self.compartment!r}."
            )
        is_number = isinstance(self.gate, (int, float)) and not isinstance(self.gate, bool)
        if self.gate != "auto" and not (is_number and math.isfinite(float(self.gate))):
            raise StudyError(f"gate must be 'auto' or a number, found {self.gate!r}.")
