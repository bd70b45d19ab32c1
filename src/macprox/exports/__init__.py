"""A slide's results in the files of other programs: one module a family of formats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from macprox.errors import MacproxError

if TYPE_CHECKING:
    from macprox.results import SlideResult

# Where each format's writer is; nothing is imported before it is asked for.
_WRITERS = {
    "csv": "text:export_csv",
    "geojson": "geojson:export_geojson",
    "parquet": "parquet:export_parquet",
    "fcs": "fcs:export_fcs",
    "anndata": "anndata:export_h5ad",
    "anndata-zarr": "anndata:export_anndata_zarr",
    "spatialdata": "spatialdata:export_spatialdata",
}
FORMATS = tuple(_WRITERS)
# These writers take a list of slides and put them into one file; the others take one slide.
_OF_SEVERAL = ("anndata", "anndata-zarr")


def export(
    result: SlideResult | Sequence[SlideResult], to: str, folder: str | Path | None = None
) -> list[Path]:
    """Write results for another program.

    Parameters
    ----------
    result : SlideResult or sequence of SlideResult
        Of several slides of one result folder, AnnData is one file; every other format is written
        slide by slide.
    to : str
        One of `FORMATS`.
    folder : path, optional
        Where to write; ``export`` in the slide's own folder by default, or in the result folder
        for a file of several slides. Of several slides, each has a folder of its name in it.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    MacproxError
        If there is no such format, a library that it needs is not installed, no slide is given,
        or a slide is not finished.
    """
    from macprox.exports.slides import slides_of  # here, so that a list of formats costs nothing

    if to not in _WRITERS:
        raise MacproxError(f"Expected a format, one of {', '.join(FORMATS)}; found {to!r}.")
    module, name = _WRITERS[to].split(":")
    write: Callable[[Any, Path], list[Path]] = getattr(import_module(f"{__name__}.{module}"), name)
    slides, one = slides_of(result), not isinstance(result, Iterable)
    if to in _OF_SEVERAL:
        beside = slides[0].path if one else slides[0].folder.results
        return write(slides, Path(folder) if folder is not None else beside / "export")
    written = []
    for slide in slides:
        place = slide.path / "export"
        if folder is not None:
            place = Path(folder) if one else Path(folder) / slide.slide_id
        written += write(slide, place)
    return written
