"""Has a slide changed since it was analysed?"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from macprox.io.web import MAX_METADATA_BYTES, fetch
from macprox.io.zarr_chunks import METADATA_NAMES
from macprox.slide import Url

_END_BYTES = 64 * 1024
_BLOCK_BYTES = 4 * 1024
_N_BLOCKS = 16


def content_fingerprint(files: tuple[Path | Url, ...]) -> str:
    """A digest of names, sizes and a sample of the bytes; costs milliseconds for any size.

    Of every file: its size, its first and last 64 KiB and 16 evenly spaced blocks of 4 KiB. Of an
    OME-Zarr folder: its metadata files whole, and the name and size of every chunk file. Times of
    modification do not count, so a copy has the fingerprint of its original. Of a document on a web
    server: its content, with its length, ETag and time of modification where the server says them.

    What it can miss: a change of the same size that falls between the sampled blocks (a few tiles
    of a large *uncompressed* TIFF overwritten in place), or an uncompressed zarr chunk rewritten.
    Compressed data practically always change in size. Labels stored inside an image's OME-Zarr
    are left out on purpose: adding them does not change the pixels. The chunks of a remote store
    are not looked at.
    """
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0")
        if isinstance(file, Url):
            _add_document(digest, file)
        elif file.is_dir():
            _add_store(digest, file)
        else:
            _add_file(digest, file)
    return digest.hexdigest()


def _add_file(digest: hashlib._Hash, path: Path) -> None:
    n_bytes = path.stat().st_size
    digest.update(n_bytes.to_bytes(8, "little"))
    with path.open("rb") as file:
        digest.update(file.read(_END_BYTES))
        spacing = max(n_bytes - _BLOCK_BYTES, 0) / _N_BLOCKS
        for block in range(1, _N_BLOCKS):
            file.seek(int(block * spacing))
            digest.update(file.read(_BLOCK_BYTES))
        file.seek(max(n_bytes - _END_BYTES, 0))
        digest.update(file.read(_END_BYTES))


def _add_document(digest: hashlib._Hash, url: Url) -> None:
    answer = fetch(url, MAX_METADATA_BYTES)
    if answer is not None:
        digest.update("\0".join((*answer.state, "")).encode() + answer.data)


def _add_store(digest: hashlib._Hash, store: Path) -> None:
    for folder, folders, names in os.walk(store):
        folders[:] = sorted(name for name in folders if name != "labels")
        for name in sorted(names):
            path = Path(folder, name)
            relative = path.relative_to(store).as_posix()
            digest.update(f"{relative}\0{path.stat().st_size}\0".encode())
            if name in METADATA_NAMES:
                digest.update(path.read_bytes())
