"""Areas made elsewhere, whichever way: drawn (GeoJSON), painted (a mask), classed (inForm)."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from tifffile import TiffFile

from macprox.errors import ResultError, shortened
from macprox.io.drawn_areas import MEANT, Drawn, excluded_beside, read_drawn
from macprox.io.inform_maps import InformMaps, maps_in
from macprox.io.masks import is_mask_name, read_mask
from macprox.io.tifffile_log import tifffile_kept_quiet
from macprox.regions import polygons_from_mask

# Outlines cost some 40 bytes a pixel; a mask of more pixels is traced at every second, third, ...
MOST_TRACED_PX = 2**24


def read_area(
    path: Path,
    pixel_size_um: float,
    kind: str,
    shape: tuple[int, int] | None = None,
    name: str | None = None,
) -> Drawn:
    """Read an area that a person or another program made.

    Parameters
    ----------
    path : Path
        GeoJSON; or a TIFF: a mask, above 0 inside; a picture in colour, as inForm exports its
        regions; or inForm's ``*_binary_seg_maps.tif``, of which the tissue category is taken that
        is named or whose name means it.
    pixel_size_um : float
        Of the slide at full resolution.
    kind : {"tumour", "exclusion", "tissue_window"}
    shape : (int, int), optional
        ``(y, x)`` of the slide in pixels. A mask may be smaller by a whole number; without it, it
        is taken to be of full resolution.
    name : str, optional
        The class or tissue category that counts, in any case.

    Raises
    ------
    ResultError, SlideError
        If the file cannot be read, or shows no such area on this slide.
    """
    path = Path(path)
    if not is_mask_name(path):
        return read_drawn(path, pixel_size_um, kind, shape, name)
    mask, called = _mask(path, kind, name)
    mask_px = 1 if shape is None else _pixels_a_side(path, mask.shape, shape)
    step = math.ceil(math.sqrt(mask.size / MOST_TRACED_PX))
    messages = []
    if step > 1:
        mask = _coarser(mask, step)
        messages.append(f"{path.name}: outlined to {step * mask_px} pixels, for its size.")
    area = polygons_from_mask(mask, pixel_size_um * mask_px * step)
    return Drawn(area, ((called, area),), tuple(messages))


def read_exclusions_beside(
    path: Path, pixel_size_um: float, shape: tuple[int, int] | None = None
) -> Drawn | None:
    """What a file of the tumour says is to be left out ("Ignore*", "Necrosis"); None if nothing."""
    path = Path(path)
    return None if is_mask_name(path) else excluded_beside(path, pixel_size_um, shape)


def _mask(path: Path, kind: str, name: str | None) -> tuple[np.ndarray, str]:
    """The mask, and what it is called."""
    if not path.is_file():
        raise ResultError(f"There is no file {path}; expected GeoJSON or a mask TIFF.")
    maps = maps_in(path)
    if maps is not None and maps.tissue_page is not None:
        return _category(path, maps, maps.tissue_page, _chosen(path, maps, kind, name))
    if maps is not None:
        raise ResultError(
            f"{path} has pages {', '.join(maps.compartments)}, but none of tissue categories. "
            "Export the segmentation maps from inForm with the tissue segmentation."
        )
    if name is not None:
        raise ResultError(
            f"{path} is a mask without classes, so there is no {name!r} in it. Leave out "
            "the name, or give GeoJSON or inForm's maps."
        )
    return read_mask(path), path.stem


def _chosen(path: Path, maps: InformMaps, kind: str, name: str | None) -> list[int]:
    """The values on the tissue page that count."""
    if name is not None:
        chosen = [n for n, one in enumerate(maps.categories) if one.lower() == name.lower()]
    else:
        chosen = [n for n, one in enumerate(maps.categories) if MEANT[kind].search(one)]
    if not chosen:
        said = f"what says {kind}" if name is None else repr(name)
        raise ResultError(
            f"{path} has the tissue categories {_listed(maps)}; {said} is none of them. Name one "
            'in study.toml, such as tumour_class = "Tumor" under [regions].'
        )
    return chosen


def _category(path: Path, maps: InformMaps, page: int, chosen: list[int]) -> tuple[np.ndarray, str]:
    with tifffile_kept_quiet(), TiffFile(path) as tif:
        mask = np.isin(tif.pages[page].asarray(), chosen)
    names = " and ".join(maps.categories[n] for n in chosen)
    if not mask.any():
        raise ResultError(
            f"{path} has no pixel of the tissue category {names}, one of {_listed(maps)}."
        )
    return mask, names


def _listed(maps: InformMaps) -> str:
    return shortened(", ".join(maps.categories), 200)


def _pixels_a_side(path: Path, mask: tuple[int, ...], slide: tuple[int, int]) -> int:
    """How many pixels of the slide one of the mask is wide."""
    factor = max(1, round(max(slide) / max(mask)))
    # with a part of a pixel at the rim, or without
    if any(abs(n * factor - whole) >= factor for n, whole in zip(mask, slide, strict=True)):
        raise ResultError(
            f"{path} has {mask[1]} x {mask[0]} pixels, the slide {slide[1]} x {slide[0]}; expected "
            "the same, or the slide's divided by a whole number. Export it for the whole slide."
        )
    return factor


def _coarser(mask: np.ndarray, step: int) -> np.ndarray:
    """Squares of which more than half is inside."""
    height, width = (-(-n // step) * step for n in mask.shape)
    grown = np.pad(mask, ((0, height - mask.shape[0]), (0, width - mask.shape[1])), mode="edge")
    squares = grown.reshape(height // step, step, width // step, step)
    return squares.mean(axis=(1, 3), dtype=np.float32) > 0.5
