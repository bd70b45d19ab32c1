"""What reading a damaged zarr can raise, and pixels that say where they were to come from."""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from macprox.errors import ResultError, reason_of

# Of codecs and stores; SystemError is blosc's, of a chunk whose header announces a negative size.
DECODE_ERRORS = (RuntimeError, ValueError, OSError, EOFError, SystemError, zlib.error)
# zarr checks little of its metadata: a text where a number should be fails wherever it is used.
UNREADABLE = (
    *DECODE_ERRORS,
    *(KeyError, IndexError, TypeError, AttributeError, ArithmeticError, AssertionError),
)

_MOST_CHUNKS = 2**24  # two million pixels a side, in what we write; dask lists them all
_MOST_VALUES = 2**27  # of a chunk; what we write has 2**18, and a chunk is decoded whole


class StoredArray:
    """A zarr array of ours, to be read lazily: a chunk that does not decode is a `ResultError`.

    Raises
    ------
    ResultError
        If its metadata are damaged.
    """

    def __init__(self, path: Path):
        import zarr

        self._path = path
        try:
            self._array: Any = zarr.open_array(str(path), mode="r")
            self.attributes: dict[str, Any] = dict(self._array.attrs)
            self.shape, self.dtype, self.chunks = (
                self._array.shape,
                self._array.dtype,
                self._array.chunks,
            )
        except UNREADABLE as error:
            raise self._damage(error) from error
        n_chunks = math.prod(-(-n // c) for n, c in zip(self.shape, self.chunks, strict=True))
        if math.prod(self.chunks) > _MOST_VALUES or n_chunks > _MOST_CHUNKS:
            problem = f"its chunks are {self.chunks} of {self.shape}"
            raise self._damage(ValueError(problem))

    @property
    def n_bytes(self) -> int:
        """On disk."""
        return sum(file.stat().st_size for file in self._path.rglob("*") if file.is_file())

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __getitem__(self, index: Any) -> np.ndarray:
        try:
            return self._array[index]
        except UNREADABLE as error:
            raise self._damage(error) from error

    def _damage(self, error: Exception) -> ResultError:
        return ResultError(
            f"{self._path} is damaged ({reason_of(error)}). Delete this folder and run the slide "
            "again; corrections are kept."
        )
