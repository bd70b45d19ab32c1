"""What a reader of the numbers should know about the pixels behind them.

`flags` speaks of whole slides and channels. `squares` measures a slide-wide grid of squares on the
full-resolution pixels, `artefacts` judges them: out of focus, saturated, folded, debris, empty.
"""

from macprox.image.quality.flags import (
    SATURATED_FRAC,
    SMALL_TISSUE_MM2,
    QualityFlag,
    channel_flags,
    slide_flags,
)

__all__ = ["SATURATED_FRAC", "SMALL_TISSUE_MM2", "QualityFlag", "channel_flags", "slide_flags"]
