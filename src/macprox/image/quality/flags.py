"""What a reader of the numbers should know about the pixels behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from macprox.image.stain import StainStatistics
from macprox.slide import PLAUSIBLE_PIXEL_SIZE_UM

SATURATED_FRAC = 0.001
MUCH_FRAC = 0.01  # of the tissue: from here on an artefact is a warning
SMALL_TISSUE_MM2 = 1.0  # below, one slide says little about a tumour (PMC8363080, table 2)


@dataclass(frozen=True)
class QualityFlag:
    """One finding: a word for tables, the number behind it, a sentence for people."""

    flag: str
    value: float
    message: str
    level: str = "warning"

    def to_dict(self) -> dict:
        return asdict(self)


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
    """One for each kind of artefact, a warning where it takes a hundredth of the tissue.

    Parameters
    ----------
    artefacts : sequence of mappings
        ``reason``, ``area_mm2``, ``tissue_frac`` and ``cells``, as the manifest has them.
    """
    flags = []
    for found in artefacts:
        share, n = found["tissue_frac"], found["cells"]
        reason = found["reason"]
        message = (
            f"{reason[:1].upper()}{reason[1:]}: {share:.1%} of the tissue "
            f"({found['area_mm2']:.3g} mm²) with {n} cell{'' if n == 1 else 's'}."
        )
        level = "warning" if share >= MUCH_FRAC else "info"
        flags.append(QualityFlag(reason.replace(" ", "_"), share, message, level))
    return flags


def slide_flags(tissue_mm2: float, pixel_size_um: float) -> list[QualityFlag]:
    """Little tissue, or a pixel size that is hard to believe."""
    flags = []
    if tissue_mm2 == 0:
        flags.append(QualityFlag("no_tissue", 0.0, "No nuclei were found, hence no tissue."))
    elif tissue_mm2 < SMALL_TISSUE_MM2:
        flags.append(
            QualityFlag(
                "small_tissue",
                tissue_mm2,
                f"Only {tissue_mm2:.2f} mm² of tissue; below 1 mm² a slide says little.",
            )
        )
    low, high = PLAUSIBLE_PIXEL_SIZE_UM
    if not low <= pixel_size_um <= high:
        flags.append(
            QualityFlag(
                "implausible_pixel_size",
                pixel_size_um,
                f"{pixel_size_um:g} µm per pixel is outside {low}-{high}: check the scale.",
            )
        )
    return flags
