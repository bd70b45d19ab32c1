"""Files beside a table that say more of its cells: CellProfiler's images, steinbock's folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from macprox.errors import TableError
from macprox.io.tables.opened import Opened, of_frame
from macprox.io.tables.text import IMAGE_NUMBER, Header, read_columns, read_header, table_stem

_IMAGES = ("Image.csv", "Image.csv.gz", "Image.txt")
_SOURCES = ("source_file", "source")  # the second in older versions
REGIONPROPS, INTENSITIES = "regionprops", "intensities"


def with_images(opened: Opened) -> Opened:
    """CellProfiler's objects with file names and metadata of the images, from Image.csv beside."""
    header = opened.header
    beside = None if "ObjectNumber" not in header.columns else _image_file(header.path)
    if beside is None or IMAGE_NUMBER not in header.columns:
        return opened
    images = read_header(beside)
    names = [
        name
        for name in images.columns
        if name.startswith(("FileName_", "Metadata_")) and name not in header.columns
    ]
    if IMAGE_NUMBER not in images.columns or not names:
        return opened
    table = read_columns(images, [IMAGE_NUMBER, *names])
    if table[IMAGE_NUMBER].duplicated().any():
        raise TableError(f"{beside} has an {IMAGE_NUMBER} twice; expected a row an image.")
    return _joined(opened, IMAGE_NUMBER, table.set_index(IMAGE_NUMBER)[names])


def with_sources(opened: Opened) -> Opened:
    """steinbock's export of all images, with the file that each was acquired from."""
    header = opened.header
    if not {"Image", "Object", "centroid-0"} <= set(header.columns):
        return opened
    known = _sources(header.path.with_name("images.csv"))
    if known.empty or "source_file" in header.columns:
        return opened
    images = opened.columns(["Image"])["Image"].dropna().unique()
    of_image = pd.Series(images, index=images).map(lambda name: Path(str(name)).stem).map(known)
    if of_image.isna().any():  # of another experiment
        return opened
    return _joined(opened, "Image", of_image.to_frame("source_file"))


def _joined(opened: Opened, key: str, known: pd.DataFrame) -> Opened:
    """A table with what is known of each of its keys."""
    header, names = opened.header, list(known.columns)

    def columns(asked: Sequence[str]) -> pd.DataFrame:
        wanted = list(dict.fromkeys(asked))
        own = opened.columns([key, *(name for name in wanted if name not in names)])
        found = known.reindex(own[key]).set_axis(own.index)
        return pd.concat([own, found], axis="columns")[wanted].astype(object)

    return Opened(Header(header.path, (*header.columns, *names), "", ""), columns)


def _image_file(path: Path) -> Path | None:
    """Image.csv of the same export: MyExpt_Image.csv beside MyExpt_Nuclei.csv."""
    folder = path.parent
    found = [
        other
        for other in folder.glob("*Image.*")
        for end in _IMAGES
        if other.name.endswith(end) and path.name.startswith(other.name.removesuffix(end))
    ]
    return max(found, key=lambda other: len(other.name), default=None)


def is_steinbock(folder: Path) -> bool:
    """Whether a folder has steinbock's tables of objects."""
    return (folder / REGIONPROPS).is_dir()


def open_steinbock(folder: Path) -> Opened:
    """All images of a steinbock folder as one table.

    Raises
    ------
    TableError
        If it has no table of objects.
    """
    files = sorted((folder / REGIONPROPS).glob("*.csv"))
    if not files:
        raise TableError(f"{folder / REGIONPROPS} holds no .csv of objects.")
    frame = pd.concat([_image(path) for path in files], ignore_index=True)
    return of_frame(frame, folder)


def open_regionprops(path: Path) -> Opened:
    """One image of a steinbock folder."""
    return of_frame(_image(path), path)


def is_regionprops(path: Path) -> bool:
    """Whether a table lies where steinbock puts it."""
    return path.parent.name == REGIONPROPS and path.parent.with_name(INTENSITIES).is_dir()


def _image(path: Path) -> pd.DataFrame:
    """Objects of one image, with its intensities and the acquisition that it came from."""
    objects = _whole(path)
    if "Object" not in objects:
        raise TableError(f"{path} has no column Object; expected steinbock's regionprops.")
    beside = path.parent.with_name(INTENSITIES) / path.name
    if beside.is_file():
        measured = _whole(beside)
        if "Object" not in measured or measured["Object"].duplicated().any():
            raise TableError(f"{beside} is no table of one row an Object.")
        new = [name for name in measured.columns if name not in objects or name == "Object"]
        objects = objects.merge(measured[new], on="Object", how="left")
    image = table_stem(path)
    objects = objects.assign(Image=image)
    source = _sources(path.parent.parent / "images.csv").get(image)
    return objects.assign(source_file=source) if source else objects


def _whole(path: Path) -> pd.DataFrame:
    header = read_header(path)
    return read_columns(header, [name for name in header.columns if name])


def _sources(images: Path) -> pd.Series:
    """By image, the slide's file that steinbock notes it was acquired from."""
    if not images.is_file():
        return pd.Series(dtype=object)
    table = _whole(images)
    source = next((name for name in _SOURCES if name in table.columns), None)
    if "image" not in table.columns or source is None:
        return pd.Series(dtype=object)
    known = table.dropna(subset=["image", source]).drop_duplicates("image")
    stems = [Path(str(name)).stem for name in known[source]]
    return pd.Series(stems, index=[Path(str(name)).stem for name in known["image"]], dtype=object)
