"""A slide's image that was moved: where it is now, if it is the same one."""

from __future__ import annotations

from pathlib import Path

from macprox.errors import SlideError
from macprox.io.images import open_slide
from macprox.io.lock import alone_in
from macprox.pipeline.stages import Ledger
from macprox.results import SlideResult


def relocate(result: SlideResult, path: str | Path) -> SlideResult:
    """The result with its image at another place, which the manifest keeps.

    Parameters
    ----------
    result : SlideResult
    path : path
        Of the file or folder that the slide is now.

    Raises
    ------
    SlideError
        If it cannot be read, or is not the image that the results were made from.
    ResultError
        If the manifest cannot be written.
    """
    source = result.manifest["source"]
    slide = open_slide(path, pixel_size_um=source["pixel_size_um"], slide_id=result.slide_id)
    if slide.fingerprint != source["fingerprint"]:
        raise SlideError(
            f"{path} is not the image that the cells of {result.slide_id!r} were found on; "
            "name or content differs. Choose the original file under its old name, or run the "
            "slide again with this one."
        )
    with alone_in(result.folder):
        ledger = Ledger.open(result.folder)
        ledger.note(source={**ledger.manifest["source"], "path": slide.place})
    return SlideResult(result.path)
