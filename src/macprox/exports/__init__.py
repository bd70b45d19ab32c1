"""A slide's results in the files of other programs: one module a family of formats."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from macprox.errors import MacproxError
from macprox.results import SlideResult

# Where each format's writer is; nothing is imported before it is asked for.
_WRITERS = {
    "csv": "text:export_csv",
    "geojson": "geojson:export_geojson",
    "parquet": "parquet:export_parquet",
    "fcs": "fcs:export_fcs",
}
FORMATS = tuple(_WRITERS)


def export(result: SlideResult, to: str, folder: str | Path | None = None) -> list[Path]:
    """Write a slide's results for another program.

    Parameters
    ----------
    result : SlideResult
    to : str
        One of `FORMATS`.
    folder : path, optional
        Where to write; ``export`` in the slide's own folder by default.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    MacproxError
        If there is no such format, a library that it needs is not installed, or the slide is not
        finished.
    """
    if to not in _WRITERS:
        raise MacproxError(f"Expected a format, one of {', '.join(FORMATS)}; found {to!r}.")
    module, name = _WRITERS[to].split(":")
    write: Callable[[SlideResult, Path], list[Path]] = getattr(
        import_module(f"{__name__}.{module}"), name
    )
    return write(result, Path(folder) if folder is not None else result.path / "export")
