"""A slide for measuring speed and memory: any size in bounded memory, the same tissue at all.

    python -m benchmarks.throughput.make_slide OUT.ome.tif --side 8192 [--tile 512] [--codec lzw]

Six channels uint16 at 0.5 um per pixel, tiled, with a pyramid of halves in SubIFDs: DAPI, panCK,
CD68, CD163, FOXP3 and a blank channel (AF). Cells stand on a jittered lattice, dense in tumour
nests and sparse between them, about 4,000 a square millimetre; noise is a camera's, so that codecs
find as little to compress as on real slides. Everything is drawn by counter, so that the 4k slide
is the corner of the 32k slide and no channel waits for another; what the pyramid needs passes
through a scratch file beside the slide. Speed only: `macprox simulate` makes slides with truth.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numba as nb
import numpy as np
import tifffile

from macprox.simulate.noise import normal, smooth, unit

CHANNELS = ("DAPI", "panCK", "CD68", "CD163", "FOXP3", "AF")
PIXEL_SIZE_UM = 0.5
PITCH_PX = 22  # 11 um: 8,264 places a square millimetre
NEST_LEVEL = 0.548  # about 36 % of the slide is nest
SMALLEST_LEVEL_PX = 512
SEED = 1
_STROMA, _TUMOUR, _MACROPHAGE, _SCAVENGER, _TREG = 0, 1, 2, 3, 4
_REACH = 1.9  # of the nucleus's radius: where the cell ends
CODECS = {"lzw": "lzw", "deflate": "adobe_deflate", "zstd": "zstd", "none": None}


@nb.njit(cache=True)
def _cell(i, j, seed):
    """The cell at one place: y, x, half axes a and b, angle, DAPI, kind (-1: none), expression."""
    y = (i + 0.5 + 0.55 * (unit(i, j, 110, seed) - 0.5)) * PITCH_PX
    x = (j + 0.5 + 0.55 * (unit(i, j, 111, seed) - 0.5)) * PITCH_PX
    field = 0.65 * smooth(y, x, 700.0, 101, seed) + 0.35 * smooth(y, x, 230.0, 102, seed)
    nest = field > NEST_LEVEL
    if unit(i, j, 112, seed) > (0.85 if nest else 0.28):
        return y, x, 0.0, 0.0, 0.0, 0.0, -1, 0.0
    radius = 8.0 + 2.6 * unit(i, j, 113, seed)
    longer = 1.0 + 0.28 * unit(i, j, 114, seed)
    kind = _TUMOUR
    if not nest:
        radius *= 0.93
        drawn = unit(i, j, 115, seed)
        if drawn < 0.08:
            kind = _MACROPHAGE
        elif drawn < 0.15:
            kind = _SCAVENGER
        elif drawn < 0.20:
            kind = _TREG
        else:
            kind = _STROMA
            longer *= 1.15
    dapi = 3500.0 * math.exp(0.9 * (unit(i, j, 117, seed) - 0.5))
    expression = math.exp(1.2 * (unit(i, j, 118, seed) - 0.5))
    stretch = math.sqrt(longer)
    angle = math.pi * unit(i, j, 116, seed)
    return y, x, radius * stretch, radius / stretch, angle, dapi, kind, expression


@nb.njit(cache=True)
def _light(channel, kind, dapi, expression, nucleus, body):
    """What a cell adds to a channel, given how deep the pixel lies in nucleus and body."""
    if channel == 0:
        return dapi * nucleus
    if channel == 1 and kind == _TUMOUR:
        return 2200.0 * expression * max(body - 0.6 * nucleus, 0.0)
    if channel == 2 and kind in (_MACROPHAGE, _SCAVENGER):
        return 1600.0 * expression * body
    if channel == 3 and kind == _SCAVENGER:
        return 1500.0 * expression * body
    if channel == 4 and kind == _TREG:
        return 1300.0 * expression * nucleus
    return 0.0


@nb.njit(cache=True, nogil=True)
def render(channel, y0, x0, height, width, seed):
    """(y, x) uint16: one channel from row ``y0`` and column ``x0`` of the endless slide."""
    light = np.zeros((height, width), np.float32)
    reach = 2 * PITCH_PX
    for i in range((y0 - reach) // PITCH_PX, (y0 + height + reach) // PITCH_PX + 1):
        for j in range((x0 - reach) // PITCH_PX, (x0 + width + reach) // PITCH_PX + 1):
            cy, cx, a, b, angle, dapi, kind, expression = _cell(i, j, seed)
            if kind < 0 or _light(channel, kind, 1.0, 1.0, 0.5, 1.0) == 0.0:
                continue
            cos, sin = math.cos(angle), math.sin(angle)
            room = int(a * _REACH) + 1
            for y in range(max(y0, int(cy) - room), min(y0 + height, int(cy) + room + 1)):
                for x in range(max(x0, int(cx) - room), min(x0 + width, int(cx) + room + 1)):
                    u = (cos * (x - cx) + sin * (y - cy)) / a
                    v = (cos * (y - cy) - sin * (x - cx)) / b
                    depth = math.sqrt(u * u + v * v)
                    if depth < _REACH:
                        nucleus = 1.0 / (1.0 + math.exp((depth - 1.0) * 9.0))
                        body = 1.0 / (1.0 + math.exp((depth - 1.55) * 9.0))
                        if channel == 0:
                            nucleus *= 0.8 + 0.4 * smooth(float(y), float(x), 4.0, 103, seed)
                        added = _light(channel, kind, dapi, expression, nucleus, body)
                        light[y - y0, x - x0] += added
    return _exposed(light, channel, y0, x0, seed)


@nb.njit(cache=True, nogil=True)
def _exposed(light, channel, y0, x0, seed):
    """Tissue's own glow, uneven illumination, shot and read noise."""
    own = (0.25, 0.5, 0.8, 0.5, 0.4, 1.0)[channel]
    out = np.empty(light.shape, np.uint16)
    for row in range(light.shape[0]):
        for column in range(light.shape[1]):
            y, x = y0 + row, x0 + column
            haze = smooth(float(y), float(x), 160.0, 104, seed)
            fibre = smooth(0.25 * y, float(x), 9.0, 105, seed)
            lamp = 0.85 + 0.3 * smooth(float(y), float(x), 1500.0, 107, seed)
            glow = 260.0 + 160.0 * haze + 960.0 * max(fibre - 0.75, 0.0)
            dim = 120.0 * haze if channel == 0 else 0.0
            signal = 200.0 + (dim + own * glow + light[row, column]) * lamp
            noisy = signal + normal(y, x, 150 + channel, seed) * math.sqrt(2.0 * signal + 144.0)
            out[row, column] = min(max(noisy + 0.5, 0.0), 65535.0)
    return out


def _halved(pixels: np.ndarray) -> np.ndarray:
    """Means of 2 x 2, rounded; an odd last row or column is left out, as scanners do."""
    height, width = (n // 2 for n in pixels.shape)
    squares = pixels[: 2 * height, : 2 * width].reshape(height, 2, width, 2)
    return ((squares.sum(axis=(1, 3), dtype=np.uint32) + 2) // 4).astype(np.uint16)


def _boxes(side: int, tile: int) -> Iterator[tuple[int, int]]:
    return ((y, x) for y in range(0, side, tile) for x in range(0, side, tile))


def _rendered(side: int, tile: int, half: np.ndarray) -> Iterator[np.ndarray]:
    """Full-resolution tiles in the order of the file; their halves go to ``half`` on the way."""
    for channel in range(len(CHANNELS)):
        for y, x in _boxes(side, tile):
            pixels = render(channel, y, x, min(tile, side - y), min(tile, side - x), SEED)
            smaller = _halved(pixels)
            half[channel, y // 2 :, x // 2 :][: smaller.shape[0], : smaller.shape[1]] = smaller
            yield pixels


def _reduced(level: np.ndarray, tile: int, half: np.ndarray | None) -> Iterator[np.ndarray]:
    for channel, plane in enumerate(level):
        for y, x in _boxes(len(plane), tile):
            pixels = np.ascontiguousarray(plane[y : y + tile, x : x + tile])
            if half is not None:
                smaller = _halved(pixels)
                half[channel, y // 2 :, x // 2 :][: smaller.shape[0], : smaller.shape[1]] = smaller
            yield pixels


def make_slide(path: Path, side: int, tile: int = 512, codec: str = "lzw") -> None:
    """Write a slide of ``side`` x ``side`` pixels."""
    sides = [side]
    while sides[-1] > SMALLEST_LEVEL_PX:
        sides.append(sides[-1] // 2)
    with (
        tempfile.TemporaryDirectory(dir=path.parent, prefix=".scratch-") as scratch,
        tifffile.TiffWriter(path, bigtiff=True, ome=True) as tiff,
    ):
        levels = [
            np.memmap(f"{scratch}/{n}", np.uint16, "w+", shape=(len(CHANNELS), n, n))
            for n in sides[1:]
        ]
        for number, n in enumerate(sides):
            below = levels[number] if number < len(levels) else None
            if number:
                tiles = _reduced(levels[number - 1], tile, below)
            else:
                tiles = _rendered(side, tile, below)
            tiff.write(
                tiles,
                shape=(len(CHANNELS), n, n),
                dtype=np.uint16,
                tile=(tile, tile),
                compression=CODECS[codec],
                predictor=CODECS[codec] is not None,
                photometric="minisblack",
                maxworkers=1,
                subifds=0 if number else len(sides) - 1,
                subfiletype=1 if number else 0,
                metadata=None if number else _metadata(),
            )


def _metadata() -> dict:
    return {
        "axes": "CYX",
        "PhysicalSizeX": PIXEL_SIZE_UM,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": PIXEL_SIZE_UM,
        "PhysicalSizeYUnit": "µm",
        "Channel": {"Name": list(CHANNELS)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--side", type=int, default=8192)
    parser.add_argument("--tile", type=int, default=512)
    parser.add_argument("--codec", choices=sorted(CODECS), default="lzw")
    chosen = parser.parse_args()
    make_slide(chosen.out, chosen.side, chosen.tile, chosen.codec)


if __name__ == "__main__":
    main()
