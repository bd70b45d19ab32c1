"""What napari calls when a slide or a result folder is dropped on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import macprox as mp
from macprox.errors import PixelSizeError, ResultError
from macprox.io.ome_zarr import is_zarr
from macprox.io.slide_names import is_tiff
from macprox.io.slide_search import channel_files, is_channel_folder
from macprox.io.store import SlideFolder
from napari_macprox.conversion import LayerData, result_layers, slide_layers

ReaderFunction = Callable[[Any], list[LayerData]]


def get_reader(path: str | Sequence[str]) -> ReaderFunction | None:
    """The function that reads this path, or None where it is neither a slide nor a result."""
    if not isinstance(path, str | Path):
        return None  # several files as a stack: not how slides are kept
    place = Path(path)
    if not place.is_dir():
        return read_slide if is_tiff(place) else None
    if SlideFolder(place).manifest.is_file():
        return read_result
    if _slides_of(place):
        return read_results
    if is_zarr(place) or is_channel_folder(channel_files(place)):
        return read_slide
    return None


def read_slide(path: str) -> list[LayerData]:
    """A slide's channels.

    Raises
    ------
    PixelSizeError
        If the file does not state its scale: napari's reader interface has nowhere to ask.
    """
    try:
        slide = mp.open_slide(path)
    except PixelSizeError as error:
        raise PixelSizeError(
            f"{error} In napari: run `macprox run` with --pixel-size, then open "
            "results/slides/<slide_id>, which keeps it."
        ) from error
    return slide_layers(slide)


def read_result(path: str) -> list[LayerData]:
    """One slide's result folder: its pixels, cells by phenotype, tissue and tumour border."""
    layers, lacking = result_layers(mp.open_result(path))
    if lacking:
        from napari.utils.notifications import show_warning

        show_warning(lacking)
    return layers


def read_results(path: str) -> list[LayerData]:
    """The folder that `macprox run` wrote, where it holds one slide.

    Raises
    ------
    ResultError
        If it holds several.
    """
    slides = _slides_of(Path(path))
    if len(slides) > 1:
        names = ", ".join(slide.name for slide in slides[:8]) + (" ..." if slides[8:] else "")
        raise ResultError(
            f"{path} holds the results of {len(slides)} slides; open one of the folders in "
            f"{Path(path) / 'slides'}: {names}."
        )
    return read_result(str(slides[0]))


def _slides_of(results: Path) -> list[Path]:
    return sorted(manifest.parent for manifest in results.glob("slides/*/manifest.json"))
