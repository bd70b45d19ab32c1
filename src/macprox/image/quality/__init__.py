"""What a reader of the numbers should know about the pixels behind them.

`flags` holds slides and channels against the limits of `macprox.quality`. `squares` measures a
slide-wide grid of squares on the full-resolution pixels and `artefacts` judges them: out of focus,
saturated, without data. `blocks` finds folds, debris and holes where many channels agree.
"""

from macprox.image.quality.artefacts import Clipping, clipping, constant, out_of_focus
from macprox.image.quality.blocks import BLOCK_UM, BlockJudge
from macprox.image.quality.flags import (
    OUT_OF_FOCUS,
    artefact_flags,
    channel_flags,
    clipping_flags,
    missing_flags,
    scale_flags,
)
from macprox.image.quality.squares import SquareGrid, SquareMeter, Squares

__all__ = [
    "BLOCK_UM",
    "OUT_OF_FOCUS",
    "BlockJudge",
    "Clipping",
    "SquareGrid",
    "SquareMeter",
    "Squares",
    "artefact_flags",
    "channel_flags",
    "clipping",
    "clipping_flags",
    "constant",
    "missing_flags",
    "out_of_focus",
    "scale_flags",
]
