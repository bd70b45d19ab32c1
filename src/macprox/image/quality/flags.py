"""What a reader of the numbers should know about the pixels behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from macprox.image.stain import StainStatistics
from macprox.quality import (
    ARTEFACT_FRAC,
    INFO,
    MAX_OUT_OF_FOCUS_FRAC,
    PIXEL_SIZE_RANGE_UM,
    SATURATED_FRAC,
    STOP,
    WARNING,
    QualityFlag,
)

OUT_OF_FOCUS = "out of focus"


def channel_flags(
    sample: Mapping[str, np.ndarray], stains: Mapping[str, StainStatistics]
) -> list[QualityFlag]:
    """Channels that hold one value only.

    Parameters
    ----------
    sample : mapping of str to (n,) float
        Pixels of each channel, in tissue.
    stains : mapping of str to StainStatistics
    """
    flags = []
    for name, pixels in sample.items():
        if stains[name].constant:
            level = float(pixels[0]) if pixels.size else 0.0
            message = f"Channel {name} is {level:g} everywhere in tissue."
            flags.append(QualityFlag("constant_channel", level, message))
    return flags


def missing_flags(missing_frac: Mapping[str, float]) -> list[QualityFlag]:
    """Channels with pixels that hold no number.

    Parameters
    ----------
    missing_frac : mapping of str to float
        Share of such pixels, by channel (`macprox.image.missing.missing_frac`).
    """
    return [
        QualityFlag(
            "missing_pixels",
            share,
            f"Channel {name} holds no number (NaN or infinity) in {share:.2%} of its pixels; "
            "they count as 0, no signal.",
        )
        for name, share in missing_frac.items()
        if share > 0
    ]


def clipping_flags(tissue_frac: Mapping[str, float], blank: str | None) -> list[QualityFlag]:
    """Channels that are cut off at their highest value.

    Parameters
    ----------
    tissue_frac : mapping of str to float
        Share of the tissue's pixels that are, by channel.
    blank : str or None
        The autofluorescence channel, whose pixels at the highest value spoil all others.
    """
    flags = []
    for name, share in tissue_frac.items():
        if share > SATURATED_FRAC:
            what = "its brightest cells cannot be told apart"
            if name == blank:
                what = "too little autofluorescence is taken off every other channel there"
            elif blank is not None:
                what += ", and autofluorescence taken off them makes them too dark"
            message = (
                f"Channel {name} is at its highest value in {share:.1%} of the tissue: {what}."
            )
            flags.append(QualityFlag("saturated_channel", share, message))
    return flags


def artefact_flags(artefacts: Sequence[Mapping[str, Any]]) -> list[QualityFlag]:
    """One for each kind of artefact; its level follows from its share of the tissue that counts.

    Parameters
    ----------
    artefacts : sequence of mappings
        ``reason``, ``area_mm2``, ``tissue_frac``, ``counted_frac`` and ``cells``, as the manifest
        has them.
    """
    flags = []
    for found in artefacts:
        share, n = found["tissue_frac"], found["cells"]
        reason = found["reason"]
        message = (
            f"{reason[:1].upper()}{reason[1:]}: {share:.1%} of the tissue "
            f"({found['area_mm2']:.3g} mm²) with {n} cell{'' if n == 1 else 's'}."
        )
        level = _artefact_level(reason, found["counted_frac"])
        flags.append(QualityFlag(reason.replace(" ", "_"), share, message, level))
    return flags


def _artefact_level(reason: str, counted_frac: float) -> str:
    if reason == OUT_OF_FOCUS and counted_frac > MAX_OUT_OF_FOCUS_FRAC:
        return STOP
    return WARNING if counted_frac >= ARTEFACT_FRAC else INFO


def scale_flags(pixel_size_um: float) -> list[QualityFlag]:
    """A pixel size that is hard to believe: nothing in micrometres can be trusted."""
    low, high = PIXEL_SIZE_RANGE_UM
    if low <= pixel_size_um <= high:
        return []
    message = f"{pixel_size_um:g} µm per pixel is outside {low:g}-{high:g}: check the scale."
    return [QualityFlag("implausible_pixel_size", pixel_size_um, message, STOP)]
