"""What every reader says about an image before a pixel is read."""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from macprox.printable import printable
from macprox.slide import PixelSource, Url

# Spellings met in OME-XML, NGFF axes and ImageJ; micrometres each. ImageJ escapes the micro sign.
_LENGTHS_UM = {
    "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0,
    "micrometer": 1.0, "micrometers": 1.0, "micrometre": 1.0, "micrometres": 1.0,
    "pm": 1e-6, "picometer": 1e-6, "å": 1e-4, "angstrom": 1e-4,
    "nm": 1e-3, "nanometer": 1e-3, "nanometers": 1e-3, "nanometre": 1e-3,
    "mm": 1e3, "millimeter": 1e3, "millimeters": 1e3, "millimetre": 1e3,
    "cm": 1e4, "centimeter": 1e4, "centimetre": 1e4,
    "m": 1e6, "meter": 1e6, "metre": 1e6,
    "in": 25400.0, "inch": 25400.0, "inches": 25400.0,
}  # fmt: skip


@dataclass(frozen=True)
class FoundPixelSize:
    """Micrometres per pixel as the file states them.

    Parameters
    ----------
    x_um, y_um : float or None
        ``None`` where the file does not say, or does not say it credibly.
    origin : str
        Where it was found, or why it was not: ``"OME-XML PhysicalSize"``.
    """

    x_um: float | None
    y_um: float | None
    origin: str

    @classmethod
    def absent(cls, why: str) -> FoundPixelSize:
        return cls(None, None, why)


@dataclass(frozen=True)
class ImageDescription:
    """An image as its reader found it: nothing guessed, nothing refused yet.

    Parameters
    ----------
    path : Path or Url
    format : str
        For people: ``"OME-TIFF"``.
    channels : tuple of str
        As in the file; an empty string where it has no name.
    level_shapes : tuple of (int, int)
        ``(y, x)`` of each pyramid level, full resolution first.
    dtype : numpy.dtype
        Native byte order.
    source : PixelSource
    pixel_size : FoundPixelSize
    tile : (int, int)
        ``(y, x)`` of one compressed unit at full resolution: tile, strip or chunk.
    compression : str
    files : tuple of Path or Url
        Every file (or, for a store, its folder) that holds the content; the metadata documents of
        a store on a web server.
    problems : tuple of str
        What a person should know and that does not prevent reading.
    """

    path: Path | Url
    format: str
    channels: tuple[str, ...]
    level_shapes: tuple[tuple[int, int], ...]
    dtype: np.dtype
    source: PixelSource
    pixel_size: FoundPixelSize
    tile: tuple[int, int]
    compression: str
    files: tuple[Path | Url, ...]
    problems: tuple[str, ...] = ()


def length_um(value: float, unit: str) -> float | None:
    """A length in micrometres; ``None`` if the unit is not a length or the value not positive.

    Examples
    --------
    >>> length_um(325, "nm")
    0.325
    >>> length_um(0.5, "pixel") is None
    True
    """
    unit = unicodedata.normalize("NFKC", unit.replace("\\u00B5", "µ").replace("\\u00b5", "µ"))
    unit = unit.strip()
    # Short symbols are case-sensitive (Mm is not mm), words are not.
    factor = _LENGTHS_UM.get(unit if len(unit) <= 2 and unit != "Å" else unit.casefold())
    if factor is None or not np.isfinite(value) or value <= 0:
        return None
    # Division keeps 325 nm at 0.325, not 0.32500000000000001 times a rounded 0.001.
    return value / round(1 / factor) if factor < 1 else value * factor


def distinct_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Channel names, stripped, none empty, none twice, and all `printable`.

    Examples
    --------
    >>> distinct_names(("DAPI", "", "DAPI"))
    ('DAPI', 'Channel 1', 'DAPI (2)')
    """
    filled = [printable(" ".join(name.split())) or f"Channel {i}" for i, name in enumerate(names)]
    taken = set(filled)
    seen: Counter[str] = Counter()
    result = []
    for name in filled:
        seen[name] += 1
        distinct = name
        while seen[name] > 1 and distinct in taken:
            distinct = f"{name} ({seen[name]})"
            if distinct in taken:
                seen[name] += 1
        taken.add(distinct)
        result.append(distinct)
    return tuple(result)


def is_intensity(dtype: np.dtype) -> bool:
    """Whether pixels of this type can be intensities: integers and floats, not bits or colours."""
    return dtype.kind in "uif"
