"""TIFF in the dialects that multiplex slides come in: OME, PerkinElmer, ImageJ and plain.

Each dialect says in its own way which pages are the channels of which pyramid level, how channels
are called and how large a pixel is; `macprox.io.tiff_tiles` then reads them all alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import tifffile
from tifffile import TiffFile, TiffPage, TiffPageSeries

from macprox.errors import SlideError, reason_of
from macprox.io import inform, ome_xml, safe_xml
from macprox.io.image_description import (
    FoundPixelSize,
    ImageDescription,
    distinct_names,
    is_intensity,
    length_um,
)
from macprox.io.plausible import could_hold
from macprox.io.tiff_levels import (
    Level,
    inform_levels,
    intensity_series,
    levels_of,
    says_rgb_but_holds_channels,
    unread_series,
    whole_page,
)
from macprox.io.tiff_structure import require_whole_tiff
from macprox.io.tiff_tiles import TiffSource
from macprox.io.tifffile_log import UNREADABLE, tifffile_kept_quiet

_PALETTE = 3
# Plain resolution tags are often a printer's or a screen's (72 or 96 dots per inch are 353 and
# 265 um per pixel), so only a microscope's scale is believed.
_CREDIBLE_TAG_UM = (0.05, 5.0)
_SLOW_TILE_PX = 4096 * 4096


def describe_tiff(path: Path) -> ImageDescription:
    """What a TIFF holds, whatever its dialect.

    Pixel size is taken from OME-XML or ImageJ's unit where they state a length; else from the
    resolution tags, provided that their unit is centimetre or inch and the scale is credible for
    a microscope (0.05 to 5 um per pixel).

    Raises
    ------
    SlideError
        Empty, not a TIFF, truncated, damaged or unsafe XML, a colour (brightfield) image, more
        than one focal plane or time point, or pixels that are not integers or floats.
    """
    require_whole_tiff(path)
    with tifffile_kept_quiet():
        try:
            with TiffFile(path) as tif:
                return _describe(tif, path)
        except SlideError:
            raise
        except UNREADABLE as error:
            raise SlideError(
                f"{path.name!r} cannot be read as TIFF ({reason_of(error)}). Export it again."
            ) from error


def _describe(tif: TiffFile, path: Path) -> ImageDescription:
    text = tif.pages.first.description
    safe_xml.refuse_declarations(text, path.name, "description")
    if ome_xml.looks_like_ome(text):
        return _describe_ome(tif, path, text)
    if inform.looks_like_inform(text):
        return _describe_inform(tif, path)
    if tif.is_imagej:
        return _describe_imagej(tif, path)
    return _describe_plain(tif, path)


def _describe_ome(tif: TiffFile, path: Path, text: str) -> ImageDescription:
    images = ome_xml.parse_ome_xml(text, path.name)
    n_pixels = max(image.n_planes * math.prod(image.shape) for image in images)
    if not could_hold(path.stat().st_size, n_pixels):  # tifffile would list as many planes
        raise SlideError(
            f"{path.name!r}: its OME-XML announces {n_pixels} pixels, more than the file can hold. "
            f"Export it again."
        )
    series = intensity_series(tif.series, path)
    if any(one.kind != "ome" for one in series):
        raise SlideError(
            f"{path.name!r}: its OME-XML does not fit the pages in the file. Export it again."
        )
    main = series[0]
    image = _matching_image(
        images, tif.series.index(main), (main.keyframe.imagelength, main.keyframe.imagewidth)
    )
    levels = levels_of(main, series, path)
    size = image.pixel_size
    if size.x_um is None:
        tags = _tag_pixel_size(main.keyframe)
        size = tags if tags.x_um is not None else size
    facts = _Facts(main.keyframe, image.channels, size, unread_series(series))
    return _description(path, "OME-TIFF", levels, facts)


def _matching_image(
    images: tuple[ome_xml.OmeImage, ...], index: int, shape: tuple[int, int]
) -> ome_xml.OmeImage:
    if index < len(images) and images[index].shape == shape:
        return images[index]
    return next((image for image in images if image.shape == shape), images[0])


def _describe_inform(tif: TiffFile, path: Path) -> ImageDescription:
    pages = [whole_page(page) for page in tif.pages]
    said = [
        inform.parse_page(page.description, path.name)
        if inform.looks_like_inform(page.description)
        else inform.InformPage("", "", False)
        for page in pages
    ]
    full, levels = inform_levels(pages, [page.image_type for page in said], path)
    main = pages[full[0]]
    kind = "inForm component TIFF" if said[full[0]].is_component else "QPTIFF"
    names = tuple(said[i].name for i in full)
    return _description(path, kind, levels, _Facts(main, names, _tag_pixel_size(main)))


def _describe_imagej(tif: TiffFile, path: Path) -> ImageDescription:
    series = intensity_series(tif.series, path)
    main, meta = series[0], tif.imagej_metadata or {}
    if main.kind != "imagej":  # tifffile falls back when fewer planes are there than announced
        raise SlideError(
            f"{path.name!r} is truncated: ImageJ's header announces {meta.get('images', 'more')} "
            f"planes, and they do not fit into the file. Copy or export it again."
        )
    labels = meta.get("Labels") or ()
    levels = levels_of(main, series, path)
    names = tuple(map(str, labels)) if len(labels) == len(levels[0].planes) else ()
    size = _imagej_pixel_size(main.keyframe, str(meta.get("unit", "")))
    return _description(path, "ImageJ TIFF", levels, _Facts(main.keyframe, names, size))


def _imagej_pixel_size(page: TiffPage, unit: str) -> FoundPixelSize:
    """ImageJ keeps pixels per unit in the tags and the unit in its own header."""
    per_unit = [_per_unit(page, tag) for tag in ("XResolution", "YResolution")]
    if unit and all(per_unit):
        x_um, y_um = (length_um(1 / n, unit) for n in per_unit if n)
        if x_um is not None and y_um is not None:
            return FoundPixelSize(x_um, y_um, f"ImageJ resolution in {_plain_unit(unit)}")
    return _tag_pixel_size(page)


def _plain_unit(unit: str) -> str:
    return unit.replace("\\u00B5", "µ").replace("\\u00b5", "µ")


def _describe_plain(tif: TiffFile, path: Path) -> ImageDescription:
    series = intensity_series(tif.series, path)
    main = series[0]
    levels = levels_of(main, series, path)
    kind = "TIFF" if main.kind in {"generic", "uniform", "shaped"} else f"TIFF ({main.kind})"
    facts = _Facts(
        main.keyframe,
        _page_names(main, len(levels[0].planes)),
        _tag_pixel_size(main.keyframe),
        unread_series(series),
    )
    return _description(path, kind, levels, facts)


def _page_names(series: TiffPageSeries, n_channels: int) -> tuple[str, ...]:
    """The PageName tags, where every page has its own (MIBI and others write channels so)."""
    if len(series.pages) != n_channels:
        return ()
    names = [whole_page(page).tags.valueof("PageName", "") for page in series.pages if page]
    texts = tuple(name if isinstance(name, str) else "" for name in names)
    return texts if len(set(texts)) == len(texts) and all(texts) else ()


def _tag_pixel_size(page: TiffPage) -> FoundPixelSize:
    """The TIFF resolution tags, where they are credible as a microscope's."""
    unit = page.tags.valueof("ResolutionUnit")
    unit_um = {2: 25400.0, 3: 1e4}.get(int(unit)) if unit is not None else None
    per_unit = [_per_unit(page, tag) for tag in ("XResolution", "YResolution")]
    if unit_um is None or not all(per_unit):
        return FoundPixelSize.absent("no resolution in centimetres or inches in the TIFF tags")
    x_um, y_um = (unit_um / n for n in per_unit if n)
    if not all(_CREDIBLE_TAG_UM[0] <= um <= _CREDIBLE_TAG_UM[1] for um in (x_um, y_um)):
        return FoundPixelSize.absent(
            f"the TIFF resolution tags say {x_um:.4g} um per pixel, a printer's or screen's value"
        )
    return FoundPixelSize(x_um, y_um, "TIFF resolution tags")


def _per_unit(page: TiffPage, tag: str) -> float | None:
    value = page.tags.valueof(tag)
    if isinstance(value, tuple) and len(value) == 2 and value[0] and value[1]:
        return float(value[0]) / float(value[1])
    return None


@dataclass(frozen=True)
class _Facts:
    """What a dialect says beyond the pages: a page of full resolution, names, scale, problems."""

    page: TiffPage
    names: tuple[str, ...]
    pixel_size: FoundPixelSize
    problems: tuple[str, ...] = ()


def _description(path: Path, kind: str, levels: list[Level], facts: _Facts) -> ImageDescription:
    page = facts.page
    if page.dtype is None or not is_intensity(page.dtype) or page.imagedepth > 1:
        raise SlideError(
            f"{path.name!r} holds pixels of type {page.dtype}; expected 2-D planes of integers or "
            f"floats. Export it as 8- or 16-bit greyscale channels."
        )
    n_channels = len(levels[0].planes)
    channels = (facts.names + ("",) * n_channels)[:n_channels]
    planes = tuple(level.planes for level in levels)
    dtype = page.dtype.newbyteorder("=")
    return ImageDescription(
        path=path,
        format=kind,
        channels=channels,
        level_shapes=tuple(level.shape for level in levels),
        dtype=dtype,
        source=TiffSource(planes, distinct_names(channels), dtype),
        pixel_size=facts.pixel_size,
        tile=(int(page.chunks[0]), int(page.chunks[1])),
        compression=tifffile.COMPRESSION(page.compression).name.lower().replace("_", " "),
        files=tuple(sorted({Path(plane.path) for level in planes for plane in level})),
        problems=facts.problems + _storage_problems(page),
    )


def _storage_problems(page: TiffPage) -> tuple[str, ...]:
    problems = []
    if page.photometric == _PALETTE:
        problems.append("pixels are indices into a colour table; they are read as intensities")
    if says_rgb_but_holds_channels(page):
        problems.append(
            "called RGB, but its planes are separate and not 8-bit: read as fluorescence channels"
        )
    height, width = page.chunks[:2]
    if page.compression != 1 and height * width > _SLOW_TILE_PX:
        problems.append(
            f"compressed in pieces of {height} x {width} px, each decoded whole for every region "
            f"that touches it: slow; save it tiled to read it faster"
        )
    return tuple(problems)
