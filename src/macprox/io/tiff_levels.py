"""Which pages of a TIFF are the channels of which pyramid level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tifffile import TiffFrame, TiffPage, TiffPageSeries

from macprox.errors import ColourError, SlideError
from macprox.io.tiff_tiles import Plane

_MIN_IS_WHITE = 0
_COLOUR = {2, 5, 6, 8, 9, 10}  # RGB, CMYK, YCbCr and the three CIE L*a*b* kinds
_MOST_CHANNELS = 10_000  # panels have a hundred; a damaged count would list planes for ever
_CHANNEL_AXES = "CSIQ"  # I and Q: pages in a row that nobody named


@dataclass(frozen=True)
class Level:
    """One pyramid level: its ``(y, x)`` shape and where each channel's plane lies."""

    shape: tuple[int, int]
    planes: tuple[Plane, ...]


def whole_page(page: TiffPage | TiffFrame) -> TiffPage:
    """A page with all its tags; tifffile keeps only offsets of pages like the first."""
    return page if isinstance(page, TiffPage) else page.aspage()


def intensity_series(series: Sequence[TiffPageSeries], path: Path) -> list[TiffPageSeries]:
    """The image series that are not colour pictures, the largest first.

    Raises
    ------
    SlideError
        If there is none: a brightfield slide, or one whose intensities are inverted.
    """
    grey = [one for one in series if not _is_colour(one.keyframe)]
    if not grey:
        _refuse_colour(path)
    grey.sort(key=lambda one: -one.keyframe.imagelength * one.keyframe.imagewidth)
    _refuse_inverted(grey[0].keyframe, path)
    return grey


def says_rgb_but_holds_channels(page: TiffPage) -> bool:
    """tifffile's default for three or four arrays in a row; no camera writes colour so."""
    separate = page.planarconfig == 2 and page.samplesperpixel > 1
    return page.photometric in _COLOUR and separate and page.bitspersample != 8


def _is_colour(page: TiffPage) -> bool:
    return page.photometric in _COLOUR and not says_rgb_but_holds_channels(page)


def _refuse_colour(path: Path) -> None:
    raise ColourError(
        f"{path.name!r} is a colour (RGB, brightfield) image, not multiplex fluorescence. "
        f"Expected one greyscale plane per channel; export the unmixed channels instead."
    )


def _refuse_inverted(page: TiffPage, path: Path) -> None:
    if page.photometric == _MIN_IS_WHITE:
        raise SlideError(
            f"{path.name!r} stores bright as low numbers (MinIsWhite), so intensities would be "
            f"inverted. Save it with black as 0 (in ImageJ: Image > Lookup Tables > Invert LUT)."
        )


def levels_of(main: TiffPageSeries, series: Sequence[TiffPageSeries], path: Path) -> list[Level]:
    """Pyramid levels of a series: its SubIFDs, else other series that are the same, smaller.

    Raises
    ------
    SlideError
        If the planes are not simply channels, or some are not in the file.
    """
    found = main.levels
    if len(found) == 1:
        found = [main, *(one for one in series if one is not main and one.dtype == main.dtype)]
    levels = [_level(main, path)]
    for one in found[1:]:
        shape = _shape_of(one.keyframe)
        if _is_reduced(levels[0].shape, shape) and shape[0] * shape[1] < _area(levels[-1]):
            level = _level(one, path)
            if len(level.planes) == len(levels[0].planes):
                levels.append(level)
    return levels


def unread_series(series: Sequence[TiffPageSeries]) -> tuple[str, ...]:
    """A sentence on further images as large as the first, which nobody reads; levels are not."""
    area = series[0].keyframe.imagelength * series[0].keyframe.imagewidth
    names = [
        one.name or f"image {number}"
        for number, one in enumerate(series)
        if number and 2 * one.keyframe.imagelength * one.keyframe.imagewidth >= area
    ]
    if not names:
        return ()
    return (f"only the first of its images is read, not {', '.join(map(repr, names))}",)


def inform_levels(
    pages: Sequence[TiffPage], image_types: Sequence[str], path: Path
) -> tuple[list[int], list[Level]]:
    """The full-resolution pages of an inForm file and its levels; thumbnail and label left out."""
    full = [i for i, kind in enumerate(image_types) if kind == "FullResolution"]
    if not full:  # some writers leave the type out: channels come first, in one shape
        full = [i for i, page in enumerate(pages) if page.shape == pages[0].shape]
    main = pages[full[0]]
    if _is_colour(main):
        _refuse_colour(path)
    _refuse_inverted(main, path)
    if any(pages[i].shape != main.shape for i in full):
        raise SlideError(
            f"{path.name!r}: its full-resolution pages differ in shape, so they are not channels "
            f"of one image. Export it again."
        )
    reduced: dict[tuple[int, ...], list[TiffPage]] = {}
    for page, kind in zip(pages, image_types, strict=True):
        if kind in {"ReducedResolution", ""} and page.dtype == main.dtype:
            reduced.setdefault(page.shape, []).append(page)
    levels = [_level_of_pages([pages[i] for i in full])]
    for group in sorted(reduced.values(), key=lambda pages: -pages[0].imagelength):
        level = _level_of_pages(group)
        if len(group) == len(full) and _is_reduced(levels[0].shape, level.shape):
            levels.append(level)
    return full, levels


def _level_of_pages(pages: Sequence[TiffPage]) -> Level:
    shape = _shape_of(pages[0])
    return Level(shape, tuple(Plane(_path_of(page), page.offset, shape) for page in pages))


def _level(series: TiffPageSeries, path: Path) -> Level:
    axes, page = series.axes, series.keyframe
    longer = [(a, n) for a, n in zip(axes, series.shape, strict=True) if a not in "YX" and n > 1]
    if {"Y", "X"} - set(axes) or len(longer) > 1 or any(a not in _CHANNEL_AXES for a, _ in longer):
        raise SlideError(
            f"{path.name!r} has axes {axes} of {' x '.join(map(str, series.shape))}; expected "
            f"channels of one plane (CYX). Project or select one focal plane and time point; in "
            f"ImageJ, Image > Properties tells channels from slices."
        )
    axis, n_channels = longer[0] if longer else ("C", 1)
    if n_channels > _MOST_CHANNELS:
        raise SlideError(
            f"{path.name!r} announces {n_channels} channels, more than the {_MOST_CHANNELS} that a "
            f"slide can have: it is damaged. Copy or export it again."
        )
    shape = _shape_of(page)
    if axis == "S":
        path_of = _path_of(page)
        planes = [Plane(path_of, page.offset, shape, sample=k) for k in range(n_channels)]
    elif len(series.pages) < n_channels:
        planes = _planes_behind_the_first(series, n_channels, path)
    else:
        pages = list(series.pages)[:n_channels]
        missing = [k for k, one in enumerate(pages) if one is None]
        if missing:
            raise SlideError(
                f"{path.name!r} announces {n_channels} planes, but {len(missing)} of them are not "
                f"there (the first: {missing[0]}, counted from 0). An OME-TIFF of several files "
                f"needs them all side by side; otherwise export it again."
            )
        planes = [Plane(_path_of(one), one.offset, shape) for one in pages if one is not None]
    return Level(shape, tuple(planes))


def _planes_behind_the_first(series: TiffPageSeries, n_channels: int, path: Path) -> list[Plane]:
    """ImageJ and tifffile leave out all directories but one beyond 4 GB."""
    page = series.keyframe
    start = series.dataoffset or page.dataoffsets[0]
    end, n_bytes = start + n_channels * page.nbytes, path.stat().st_size
    if end > n_bytes:
        raise SlideError(
            f"{path.name!r} is truncated: its {n_channels} planes end at byte {end}, but the file "
            f"ends at byte {n_bytes}. Copy or export it again."
        )
    shape = _shape_of(page)
    return [
        Plane(_path_of(page), page.offset, shape, data_offset=start + k * page.nbytes)
        for k in range(n_channels)
    ]


def _shape_of(page: TiffPage) -> tuple[int, int]:
    """``(y, x)``; a damaged tag may hold a fraction or a list."""
    shape = (page.imagelength, page.imagewidth)
    if not all(isinstance(side, int) and side > 0 for side in shape):
        raise SlideError(
            f"{Path(_path_of(page)).name!r} is damaged: it says that a page has "
            f"{shape[0]} x {shape[1]} pixels. Copy or export it again."
        )
    return shape


def _path_of(page: TiffPage | TiffFrame) -> str:
    """Pages of one OME-TIFF may lie in several files."""
    return str(page.parent.filehandle.path)


def _area(level: Level) -> int:
    return level.shape[0] * level.shape[1]


def _is_reduced(full: tuple[int, int], small: tuple[int, int]) -> bool:
    """Whether a shape is the full one divided by a whole number, give or take rounding."""
    factor = round(max(full) / max(small))
    return factor >= 2 and all(
        abs(n_small - n_full / factor) <= 1.5 for n_small, n_full in zip(small, full, strict=True)
    )
