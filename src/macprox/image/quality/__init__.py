"""What a reader of the numbers should know about the pixels behind them.

`flags` speaks of whole slides and channels. `squares` measures a slide-wide grid of squares on the
full-resolution pixels and `artefacts` judges them: out of focus, saturated, without data. `blocks`
finds folds, debris and holes where many channels agree.
"""

from macprox.image.quality.artefacts import Clipping, clipping, constant, out_of_focus
from macprox.image.quality.blocks import BLOCK_UM, BlockJudge
from macprox.image.quality.flags import (
    SATURATED_FRAC,
    SMALL_TISSUE_MM2,
    QualityFlag,
    artefact_flags,
    channel_flags,
    clipping_flags,
    missing_flags,
    slide_flags,
)
from macprox.image.quality.squares import SquareGrid, SquareMeter, Squares

__all__ = [
    "BLOCK_UM",
    "SATURATED_FRAC",
    "SMALL_TISSUE_MM2",
    "BlockJudge",
    "Clipping",
    "QualityFlag",
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
    "slide_flags",
]
