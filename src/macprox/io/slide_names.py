"""From file names to slide ids: what is a slide's extension, what is a label image."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from macprox.slide import Url

_TIFF_SUFFIXES = (".tif", ".tiff", ".qptiff", ".btf")
_SUFFIXES = (".ome.tif", ".ome.tiff", ".ome.btf", ".ome.zarr", ".zarr", *_TIFF_SUFFIXES)
_LABEL_NAME = re.compile(r"_truth|_labels?$|_masks?(?![a-z])|seg_maps?", re.IGNORECASE)
# Names that Windows gives to devices; a results folder should open everywhere.
_RESERVED = {"con", "prn", "aux", "nul"} | {f"{d}{n}" for d in ("com", "lpt") for n in range(10)}
_LONGEST_NAME = 1000  # no file system allows as much


def is_tiff(path: Path | Url) -> bool:
    """Whether the name ends like a TIFF's."""
    return path.name.lower().endswith(_TIFF_SUFFIXES)


def is_label_name(path: Path) -> bool:
    """Whether a name says label image, mask or truth rather than slide, or hides the file."""
    return path.name.startswith(("_", ".")) or bool(_LABEL_NAME.search(stem(path)))


def stem(path: Path | Url) -> str:
    """The file's name without any of the extensions that slides have."""
    name = path.name
    for suffix in sorted(_SUFFIXES, key=len, reverse=True):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def slide_id_of(path: Path | Url) -> str:
    """A slide's id: its file name without extension, safe as a folder name on any system.

    Examples
    --------
    >>> slide_id_of(Path("Case 7 (left).ome.tif"))
    'Case_7_left'
    """
    return safe_name(stem(path))


def safe_name(text: str) -> str:
    """A name that is safe as a folder name on any system.

    Letters and digits of any script, ``.``, ``_`` and ``-`` are kept, any run of other signs
    becomes ``_`` (and vanishes at the ends); no leading or trailing dot, never empty.

    Examples
    --------
    >>> safe_name("../Case 7")
    'Case_7'
    """
    # A table's cell may hold anything, and the patterns below take the square of its length.
    name = unicodedata.normalize("NFKC", text[:_LONGEST_NAME])
    safe = re.sub(r"^[^\w-]+|[^\w-]+$", "", name)  # \w: letters and digits of any script, and _
    safe = re.sub(r"_?[^\w.-]+_?", "_", re.sub(r"\.{2,}", ".", safe)) or "slide"
    # A file system allows 255 bytes; results add their own prefixes.
    safe = safe.encode()[:150].decode(errors="ignore")
    return f"{safe}_" if safe.lower() in _RESERVED else safe


def unique_slide_ids(paths: Iterable[Path | Url]) -> list[str]:
    """One id per path, in order; namesakes get their folder's name in front, then a number.

    Ids that differ only in case count as namesakes: some file systems cannot tell them apart.

    Examples
    --------
    >>> unique_slide_ids([Path("a/1.tif"), Path("b/1.tif"), Path("c/2.tif")])
    ['a_1', 'b_1', '2']
    """
    paths = list(paths)
    ids = [slide_id_of(path) for path in paths]
    counts = Counter(name.casefold() for name in ids)
    ids = [
        slide_id_of(Path(f"{path.absolute().parent.name}_{name}"))
        if counts[name.casefold()] > 1
        else name
        for path, name in zip(paths, ids, strict=True)
    ]
    taken: set[str] = set()
    for i, name in enumerate(ids):
        number, distinct = 1, name
        while distinct.casefold() in taken:
            number += 1
            distinct = f"{name}_{number}"
        taken.add(distinct.casefold())
        ids[i] = distinct
    return ids
