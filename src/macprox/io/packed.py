"""Files that may be packed, as gzip or alone in a zip archive: known by their first bytes.

Whatever their names are: QuPath and portals pack by choice, and people rename.
"""

from __future__ import annotations

import gzip
import zipfile
import zlib
from pathlib import Path
from typing import IO, cast

GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"
# What a torn file raises; RuntimeError: an archive with a password, or of an unknown kind.
TORN = (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError)
MOST_UNPACKED_BYTES = 2**31  # two million outlined cells
_PIECE_BYTES = 2**24


class SeveralFilesError(ValueError):
    """An archive of which no single file is meant."""


def open_unpacked(path: Path, endings: tuple[str, ...] = ("",)) -> IO[bytes]:
    """The content of a file, as a stream.

    Parameters
    ----------
    path : Path
    endings : tuple of str
        Of the names that count in an archive, in any case.

    Raises
    ------
    SeveralFilesError
        If an archive has none or several of them.
    OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError
        If it is not there or torn, see `TORN`; reading may raise them, too.
    """
    with path.open("rb") as file:
        start = file.read(4)
    if start[:2] == GZIP:
        return cast(IO[bytes], gzip.open(path, "rb"))
    if start != ZIP:
        return path.open("rb")
    with zipfile.ZipFile(path) as archive:
        names = [
            name
            for name in archive.namelist()
            if name.lower().endswith(endings) and not name.endswith("/") and "__MACOSX" not in name
        ]
        if len(names) != 1:
            kinds = " or ".join(filter(None, endings))
            raise SeveralFilesError(f"a zip archive with {len(names)} files {kinds} in it, not one")
        return archive.open(names[0])  # it keeps the archive open


def read_unpacked(path: Path, endings: tuple[str, ...] = ("",)) -> bytes:
    """The whole content; parameters and errors as of `open_unpacked`.

    Raises
    ------
    ValueError
        Also if a packed file has more than `MOST_UNPACKED_BYTES`: a few bytes may hold any number.
    """
    most = max(MOST_UNPACKED_BYTES, path.stat().st_size)
    content = bytearray()
    with open_unpacked(path, endings) as file:
        # piece by piece: a read of n bytes asks for room for n, whatever the file has
        while piece := file.read(_PIECE_BYTES):
            content += piece
            if len(content) > most:
                raise ValueError(f"more than {MOST_UNPACKED_BYTES >> 30} GB when unpacked")
    return bytes(content)
