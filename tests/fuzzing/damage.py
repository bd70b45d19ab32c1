"""What disks, networks and other programs do to a file, whatever is in it."""

from __future__ import annotations

import random
from collections.abc import Callable

# Values at which arithmetic goes wrong: signs, widths, products that overflow.
EDGES = (
    0,
    1,
    2,
    3,
    255,
    256,
    2**15,
    2**16 - 1,
    2**16,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63,
    2**64 - 1,
)


def damaged(data: bytes, rng: random.Random, other: bytes = b"") -> bytes:
    """The bytes with one to three things wrong; ``other`` is a file that pieces may come from."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = rng.choice(_KINDS)(data, rng, other)
    return data


def _flipped(data: bytes, rng: random.Random, _: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 4, 64)) if data else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _overwritten(data: bytes, rng: random.Random, _: bytes) -> bytes:
    start, stop = _span(data, rng)
    fill = rng.choice((b"\x00", b"\xff", b" ", None))
    piece = rng.randbytes(stop - start) if fill is None else fill * (stop - start)
    return data[:start] + piece + data[stop:]


def _edge(data: bytes, rng: random.Random, _: bytes) -> bytes:
    n_bytes = rng.choice((1, 2, 4, 8))
    value = rng.choice(EDGES) % 256**n_bytes
    at = rng.randrange(max(1, len(data) - n_bytes))
    return data[:at] + value.to_bytes(n_bytes, rng.choice(("little", "big"))) + data[at + n_bytes :]


def _truncated(data: bytes, rng: random.Random, _: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _inserted(data: bytes, rng: random.Random, _: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.choice((1, 2, 16, 512))) + data[at:]


def _doubled(data: bytes, rng: random.Random, _: bytes) -> bytes:
    start, stop = _span(data, rng)
    return data[:stop] + data[start:stop] * rng.choice((1, 1, 3)) + data[stop:]


def _removed(data: bytes, rng: random.Random, _: bytes) -> bytes:
    start, stop = _span(data, rng)
    return data[:start] + data[stop:]


def _spliced(data: bytes, rng: random.Random, other: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + other[rng.randrange(len(other) + 1) :]


def _noise(_: bytes, rng: random.Random, other: bytes) -> bytes:
    return rng.randbytes(rng.choice((0, 1, 3, 64, 4096)))


def _span(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 2, 8, 64, 1024)))


Damage = Callable[[bytes, random.Random, bytes], bytes]
_KINDS: tuple[Damage, ...] = (
    *(_flipped, _flipped, _overwritten, _edge, _edge, _truncated, _inserted, _doubled),
    *(_removed, _spliced, _noise),
)
