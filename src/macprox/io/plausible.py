"""Can a file hold what it announces? Asked before room is made for it."""

from __future__ import annotations

_MOST_PER_BYTE = 2**16  # of an empty image, zstd and LZMA keep some ten thousand bytes in one
_ALWAYS_BYTES = 2**26  # and JPEG 2000 or JPEG XL a whole tile in a hundred


def could_hold(n_bytes: int, n_decoded_bytes: int) -> bool:
    """Whether ``n_bytes`` of a file can be ``n_decoded_bytes`` of pixels.

    False is damage, or a bomb: a width, a chunk or a count that no codec explains. Asking costs
    nothing; making room for it may cost all memory.
    """
    return n_decoded_bytes <= max(_ALWAYS_BYTES, n_bytes * _MOST_PER_BYTE)
