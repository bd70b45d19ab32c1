"""OME-XML: which images a file holds, their channel names and scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from macprox.errors import SlideError
from macprox.io import safe_xml
from macprox.io.image_description import FoundPixelSize, length_um
from macprox.io.inside import leads_out

_MOST_PLANES = 1_000_000  # a damaged count asks for all memory


@dataclass(frozen=True)
class OmeImage:
    """One ``Image`` element.

    Parameters
    ----------
    name : str
    shape : (int, int)
        ``(y, x)`` in pixels.
    channels : tuple of str
        One per ``Channel`` element; an empty string where it has no name.
    pixel_size : FoundPixelSize
    n_planes : int
        Channels times focal planes times time points.
    """

    name: str
    shape: tuple[int, int]
    channels: tuple[str, ...]
    pixel_size: FoundPixelSize
    n_planes: int = 1


def looks_like_ome(description: str) -> bool:
    """Whether an image description is meant to be OME-XML, even if it is cut short."""
    begins = "<OME" in description[:4096] or "<ome:OME" in description[:4096]
    return begins or description[-10:].strip().endswith("OME>")  # as tifffile tells


def parse_ome_xml(text: str, file_name: str) -> tuple[OmeImage, ...]:
    """Every image that an OME-XML block describes, in order.

    Raises
    ------
    SlideError
        If the XML is damaged, unsafe, only points at another file, calls a file its part that does
        not lie beside it, or describes no image.
    """
    root = safe_xml.parse(text, file_name, "OME-XML")
    for element in root:
        if safe_xml.local_name(element) == "BinaryOnly":
            other = element.get("MetadataFile", "another file")
            raise SlideError(
                f"{file_name!r} holds pixels only; its description is in {other!r}. "
                f"Open that file, or export one self-contained OME-TIFF."
            )
    _require_files_beside(root, file_name)
    images = []
    for image in root:
        if safe_xml.local_name(image) != "Image":
            continue
        pixels = next((e for e in image if safe_xml.local_name(e) == "Pixels"), None)
        if pixels is not None:
            images.append(_image(image.get("Name", ""), pixels, file_name))
    if not images:
        raise SlideError(f"{file_name!r}: its OME-XML describes no image. Export it again.")
    return tuple(images)


def _require_files_beside(root: Element, file_name: str) -> None:
    """tifffile opens whatever file a plane is said to be in."""
    for element in root.iter():
        if safe_xml.local_name(element) != "UUID" or element.text == root.get("UUID"):
            continue  # a file may call itself as it was called where it was made
        other = element.get("FileName")
        if other is not None and leads_out(other):
            raise SlideError(
                f"{file_name!r}: its OME-XML says that planes are in {other!r}; expected the name "
                f"of a file beside it. Put the files into one folder and export them again."
            )


def _image(name: str, pixels: Element, file_name: str) -> OmeImage:
    try:
        shape = (int(pixels.get("SizeY", "")), int(pixels.get("SizeX", "")))
    except ValueError as error:
        raise SlideError(
            f"{file_name!r}: its OME-XML gives no valid SizeX and SizeY. Export it again."
        ) from error
    if _n_planes(pixels) > _MOST_PLANES:
        raise SlideError(
            f"{file_name!r}: its OME-XML announces more than {_MOST_PLANES} planes, which no slide "
            f"has: it is damaged. Export it again."
        )
    channels = tuple(
        element.get("Name") or element.get("Fluor") or ""
        for element in pixels
        if safe_xml.local_name(element) == "Channel"
    )
    n_planes = math.prod(_count(pixels, f"Size{axis}") for axis in "CZT")
    return OmeImage(name, shape, channels, _pixel_size(pixels), n_planes)


def _n_planes(pixels: Element) -> int:
    """The most planes that any of its counts speaks of; tifffile makes room for as many."""
    sizes = [_count(pixels, f"Size{axis}") for axis in "CZT"]
    data = [element for element in pixels if safe_xml.local_name(element) == "TiffData"]
    names = ("IFD", "PlaneCount", "FirstC", "FirstZ", "FirstT")
    return max(math.prod(sizes), *(_count(one, name) for one in (pixels, *data) for name in names))


def _count(element: Element, name: str) -> int:
    """What an attribute counts; 1 where it is missing or no number, which tifffile refuses."""
    text = element.get(name, "").strip()
    return int(text[:20]) if text.isdecimal() else 1


def _pixel_size(pixels: Element) -> FoundPixelSize:
    values = pixels.get("PhysicalSizeX"), pixels.get("PhysicalSizeY")
    if values == (None, None):
        return FoundPixelSize.absent("the OME-XML has no PhysicalSizeX and PhysicalSizeY")
    sizes_um: list[float] = []
    for axis, value in zip("XY", values, strict=True):
        unit = pixels.get(f"PhysicalSize{axis}Unit", "µm")  # the schema's default
        size_um = _size_um(value, unit)
        if size_um is None:
            return FoundPixelSize.absent(
                f"the OME-XML's PhysicalSize{axis} is {value or 'missing'} "
                f"({unit}), which is not a length"
            )
        sizes_um.append(size_um)
    return FoundPixelSize(sizes_um[0], sizes_um[1], "OME-XML PhysicalSize")


def _size_um(value: str | None, unit: str) -> float | None:
    try:
        return length_um(float(value or ""), unit)
    except ValueError:
        return None
