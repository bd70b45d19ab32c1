"""From what a person names on the command line to the slides meant."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from pathlib import Path

from tifffile import TiffFile

from macprox.errors import SlideError
from macprox.io.channel_folder import channel_files
from macprox.io.ome_zarr import is_zarr
from macprox.io.slide_names import is_label_name, is_tiff
from macprox.io.tifffile_log import UNREADABLE, tifffile_kept_quiet
from macprox.slide import Url, location

_DEPTH = 3  # project / batch / slide folder; deeper trees are searched by naming their folders
_GLOB_SIGNS = set("*?[")
_LABEL_FOLDERS = {"labels", "masks", "truth"}


def find_slides(paths: str | Path | Url | Iterable[str | Path | Url]) -> list[Path | Url]:
    """Every slide under the given paths, sorted, each once.

    A path may be a slide file, an OME-Zarr folder, a folder of single-channel TIFFs (one slide), a
    folder of any of these (searched three levels deep), a glob pattern, or the address of one
    OME-Zarr on a web server, which is not looked at here.

    A folder is *one* slide when its TIFFs, at least two, are all single 2-D pages of one shape; a
    folder of single-channel images of different slides that happen to share a shape is taken for
    one too, so give those as files. Files that cannot be opened do not count against that: one
    damaged channel does not turn a slide into twelve.

    Never taken for slides: names that begin with ``_`` or ``.``, that contain ``_truth``,
    ``_mask`` or ``seg_maps``, or end in ``_label`` or ``_labels``; folders called ``labels``,
    ``masks`` or ``truth``; OME-Zarr without an image (labels, results). A folder
    named explicitly is searched whatever its name.

    Raises
    ------
    SlideError
        If a path does not exist, or nothing is found; says what was looked for.
    """
    given = [paths] if isinstance(paths, str | Path | Url) else list(paths)
    found: set[Path] = set()
    remote: set[Url] = set()
    for path in given:
        place = location(path)
        if isinstance(place, Url):
            remote.add(place)
            continue
        for one in _expanded(place):
            found.update(_slides_in(one, _DEPTH))
    if not found and not remote:
        named = ", ".join(repr(str(path)) for path in given) or "no path"
        raise SlideError(
            f"No slides found in {named}. Expected TIFF files, folders of single-channel TIFFs, "
            f"or OME-Zarr; names like *_truth, *_labels, *_mask are left out as label images."
        )
    return [*sorted(found), *sorted(remote)]


def _expanded(path: Path) -> Sequence[Path]:
    literal = path.expanduser()
    if literal.is_file() and not is_tiff(literal):
        raise SlideError(
            f"{literal.name!r} is not a slide that can be read. Expected .tif, .tiff, .qptiff or "
            f".btf, a folder of single-channel TIFFs, or an OME-Zarr folder."
        )
    if literal.exists():  # before the glob: scanners write brackets into names
        return [literal]
    if _GLOB_SIGNS & set(str(path)):
        return [Path(match) for match in sorted(glob.glob(str(literal), recursive=True))]
    raise SlideError(f"No slide at {str(path)!r}: there is no such file or folder.")


def _slides_in(path: Path, depth: int) -> list[Path]:
    if path.is_file():
        return [path] if is_tiff(path) and not is_label_name(path) else []
    if is_zarr(path):
        return [path] if _holds_an_image(path) else []
    tiffs = channel_files(path)
    if is_channel_folder(tiffs):
        return [path]
    slides = list(tiffs)
    if depth > 0:
        for child in sorted(path.iterdir()):
            if child.is_dir() and not is_label_name(child) and child.name not in _LABEL_FOLDERS:
                slides += _slides_in(child, depth - 1)
    return slides


def _holds_an_image(path: Path) -> bool:
    """Whether an OME-Zarr says so itself; metadata that cannot be read is left to the opener."""
    texts = []
    for name in ("zarr.json", ".zattrs"):
        if (path / name).is_file():
            texts.append((path / name).read_text(encoding="utf-8", errors="replace"))
    text = "".join(texts)
    images = '"multiscales"' in text or '"bioformats2raw.layout"' in text
    return images and '"image-label"' not in text


def is_channel_folder(tiffs: Sequence[Path]) -> bool:
    """Whether these TIFFs are the channels of one slide: single 2-D pages of one shape, two up."""
    shapes: list[tuple[int, int]] = []
    for tiff in tiffs:
        try:
            shape = _single_page_shape(tiff)
        except UNREADABLE:
            continue
        if shape is None or (shapes and shape != shapes[0]):
            return False
        shapes.append(shape)
    return len(shapes) >= 2


def _single_page_shape(path: Path) -> tuple[int, int] | None:
    with tifffile_kept_quiet(), TiffFile(path) as tif:
        page = tif.pages.first
        if page.samplesperpixel > 1 or tif.pages.is_multipage:
            return None
        return page.imagelength, page.imagewidth
