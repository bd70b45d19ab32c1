"""What napari calls when a slide or a result folder is dropped on it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import macprox as mp
from macprox.errors import MacproxError, PixelSizeError, ResultError
from macprox.io.ome_zarr import is_zarr
from macprox.io.slide_names import is_tiff
from macprox.io.slide_search import channel_files, is_channel_folder
from macprox.io.store import SlideFolder
from macprox.slide import Slide, Url, location
from napari_macprox.conversion import result_layers, slide_layers

ReaderFunction = Callable[[Any], list[Any]]
NO_LAYER = [(None,)]


def get_reader(path: str | Sequence[str]) -> ReaderFunction | None:
    """The function that reads this path, or None where it is neither a slide nor a result."""
    if not isinstance(path, str | Path):
        return None  # several files as a stack: not how slides are kept
    place = location(path)
    if isinstance(place, Url):
        return read_slide
    if not place.is_dir():
        return read_slide if is_tiff(place) else None
    if SlideFolder(place).manifest.is_file() or _slides_of(place):
        return read_result
    if is_zarr(place) or is_channel_folder(channel_files(place)):
        return read_slide
    return None


def read_slide(path: str) -> list[Any]:
    """A slide's channels.

    In a window, what is wrong with a slide is a sentence there, and a scale that the file does not
    state is asked for.

    Raises
    ------
    MacproxError
        Without a window.
    """
    viewer = open_viewer()
    if viewer is None:
        return slide_layers(mp.open_slide(path))
    from napari.utils.notifications import show_error

    try:
        layers = slide_layers(_with_scale(path))
    except MacproxError as error:
        show_error(str(error))
        return NO_LAYER
    viewer.canvas.overlays.scale_bar.visible = True
    return layers


def _with_scale(path: str) -> Slide:
    try:
        return mp.open_slide(path)
    except PixelSizeError as error:
        from napari_macprox.scale import ask_pixel_size_um

        pixel_size_um = ask_pixel_size_um(str(error))
        if pixel_size_um is None:
            raise
        return mp.open_slide(path, pixel_size_um=pixel_size_um)


def read_result(path: str) -> list[Any]:
    """One slide's result folder, or the folder of all: in a window, its review.

    Returns
    -------
    list
        Pixels, cells by phenotype, tissue and tumour border; napari's sign for "no layer" where a
        window is open, because the review brings its own.

    Raises
    ------
    ResultError
        Without a window, if the folder holds several slides.
    """
    viewer = open_viewer()
    if viewer is None:
        layers, _ = result_layers(mp.open_result(_only_slide(Path(path))))
        return layers
    from napari_macprox.desk import review_in

    review_in(viewer, path)
    return NO_LAYER


def open_viewer() -> Any:
    """The window that asks, if one does."""
    napari = sys.modules.get("napari")
    return None if napari is None else napari.current_viewer()


def _only_slide(path: Path) -> Path:
    slides = _slides_of(path) or [path]
    if len(slides) > 1:
        names = ", ".join(slide.name for slide in slides[:8]) + (" ..." if slides[8:] else "")
        raise ResultError(
            f"{path} holds the results of {len(slides)} slides; open one of the folders in "
            f"{path / 'slides'}: {names}."
        )
    return slides[0]


def _slides_of(results: Path) -> list[Path]:
    return sorted(manifest.parent for manifest in results.glob("slides/*/manifest.json"))
