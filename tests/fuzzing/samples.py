"""Sound slides of every dialect, as small as they can be, for the damage to begin with."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import tifffile

import slide_files as files

SHAPE = (70, 100)


@dataclass(frozen=True)
class Sample:
    """A sound input.

    Parameters
    ----------
    opened : str
        The file or folder that a reader is given, below the input's own folder.
    files : dict of str to bytes
        Everything that lies in that folder.
    """

    opened: str
    files: dict[str, bytes]


def written(opened: str, write: Callable[[Path], object]) -> Sample:
    """What ``write`` leaves in an empty folder; ``write`` is given the path to be opened."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root / opened)
        found = sorted(path for path in root.rglob("*") if path.is_file())
        return Sample(opened, {p.relative_to(root).as_posix(): _bytes(p) for p in found})


def _bytes(path: Path) -> bytes:
    """Without what differs from one writing to the next."""
    return re.sub(rb"urn:uuid:[0-9a-f-]{36}", b"urn:uuid:" + b"0" * 36, path.read_bytes())


@cache
def slides() -> tuple[Sample, ...]:
    """TIFFs of every dialect and codec, folders of them, OME-Zarr."""
    image = files.pixels(3, SHAPE)
    small = image.astype("uint8")
    tiled = {"tile": (32, 32)}
    component = [files.perkin_elmer_xml("FullResolution", n, component=True) for n in files.NAMES]

    def inform(path: Path) -> None:
        with tifffile.TiffWriter(path) as writer:
            for plane, xml in zip(image.astype("float32"), component, strict=True):
                writer.write(plane, description=xml, metadata=None, compression="lzw")

    def plain(path: Path, **options: object) -> None:
        tifffile.imwrite(path, image, metadata=None, photometric="minisblack", **options)

    writers: dict[str, Callable[[Path], object]] = {
        "strips.ome.tif": lambda p: files.write_ome(p, image, rowsperstrip=16),
        "levels.ome.tif": lambda p: files.write_ome(
            p, image, levels=3, compression="zlib", predictor=2, **tiled
        ),
        "big.ome.tif": lambda p: files.write_ome(p, image, levels=2, bigtiff=True, **tiled),
        "jpeg.ome.tif": lambda p: files.write_ome(p, small, compression="jpeg", **tiled),
        "motorola.ome.tif": lambda p: _big_endian(p, image),
        "scan.qptiff": lambda p: files.write_qptiff(p, image),
        "component.tif": inform,
        "imagej.tif": lambda p: files.write_imagej(p, image),
        "plain.tif": plain,
        "pixels.tif": lambda p: tifffile.imwrite(
            p, np.moveaxis(image, 0, -1), metadata=None, photometric="minisblack",
            planarconfig="contig", resolution=(20000, 20000), resolutionunit="CENTIMETER",
        ),
        "channels": lambda p: files.write_folder(p, image, compression="lzw"),
        "old.zarr": lambda p: files.write_ome_zarr(p, image, "0.4", levels=2, chunk=32),
        "new.zarr": lambda p: files.write_ome_zarr(p, image, "0.5", levels=2, chunk=32),
    }  # fmt: skip
    for codec in ("lzw", "zstd", "jpeg2000", "packbits", "lerc", "png", "jpegxl", "lzma"):
        writers[f"{codec}.tif"] = lambda p, codec=codec: plain(p, compression=codec, **tiled)
    return tuple(written(opened, write) for opened, write in writers.items())


def _big_endian(path: Path, image: np.ndarray) -> None:
    with tifffile.TiffWriter(path, byteorder=">", ome=True) as writer:
        names = {"axes": "CYX", "Channel": {"Name": list(files.NAMES)}}
        writer.write(image, metadata=names, photometric="minisblack", tile=(32, 32))


@cache
def masks() -> tuple[Sample, ...]:
    """One-page TIFFs, inside above 0."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[10:40, 20:60] = 255
    options = ({}, {"compression": "zlib"}, {"compression": "lzw", "tile": (32, 32)})
    return tuple(
        written("mask.tif", lambda path, more=more: tifffile.imwrite(path, mask, **more))
        for more in options
    )


@cache
def label_images() -> tuple[Sample, ...]:
    """What other programs' nuclei come in."""
    labels = np.zeros(SHAPE, np.uint32)
    labels[10:20, 20:30], labels[30:44, 60:80] = 1, 70_000
    plane = labels[None]
    return (
        written("a.tif", lambda p: tifffile.imwrite(p, labels, compression="zlib", tile=(32, 32))),
        written("a.ome.tif", lambda p: files.write_ome(p, plane, ("labels",))),
        written("a.zarr", lambda p: files.write_ome_zarr(p, plane, names=None, chunk=32)),
    )
