"""Pixels that hold no number: floating-point images may hold NaN and infinity."""

from __future__ import annotations

import numpy as np

from macprox.slide import Slide

BLOCK_PX = 2048


def missing_frac(slide: Slide) -> dict[str, float]:
    """Share of each channel's pixels that are NaN or infinite.

    Counted on the smallest level of the file's pyramid, where it has one. Only floating-point
    slides are read, whose pixels `Slide.read` gives as 0 there.

    Parameters
    ----------
    slide : Slide

    Returns
    -------
    dict of str to float
    """
    if not np.issubdtype(slide.dtype, np.floating):
        return dict.fromkeys(slide.channels, 0.0)
    level = len(slide.level_shapes) - 1
    height, width = slide.level_shapes[level]
    blocks = [
        (slice(y, min(y + BLOCK_PX, height)), slice(x, min(x + BLOCK_PX, width)))
        for y in range(0, height, BLOCK_PX)
        for x in range(0, width, BLOCK_PX)
    ]
    shares = {}
    for channel, name in enumerate(slide.channels):
        finite = (np.isfinite(slide.source.read(level, channel, *block)) for block in blocks)
        shares[name] = 1 - sum(int(good.sum()) for good in finite) / (height * width)
    return shares
