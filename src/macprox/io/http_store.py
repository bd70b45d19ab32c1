"""A zarr store on a web server: read only, and blind to what lies outside its root."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

from zarr.abc.store import (
    ByteRequest,
    OffsetByteRequest,
    RangeByteRequest,
    Store,
    SuffixByteRequest,
)
from zarr.core.buffer import Buffer, BufferPrototype

from macprox.io.inside import require_inside
from macprox.io.web import MAX_METADATA_BYTES, fetch
from macprox.io.zarr_chunks import METADATA_NAMES
from macprox.slide import Url

MAX_CHUNK_BYTES = 2**30  # a shard may be large; more than this is no slide's


class HttpStore(Store):
    """Chunks and metadata by HTTP; what the server does not have is absent.

    Parameters
    ----------
    root : Url
        The address of the zarr group.
    """

    supports_writes = False
    supports_deletes = False
    supports_listing = False

    def __init__(self, root: Url) -> None:
        super().__init__(read_only=True)
        self.root = root

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HttpStore) and other.root == self.root

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        require_inside(key, str(self.root))
        is_metadata = key.rsplit("/", 1)[-1] in METADATA_NAMES
        max_bytes = MAX_METADATA_BYTES if is_metadata else MAX_CHUNK_BYTES
        asked = None if byte_range is None else _as_header(byte_range)
        answer = await asyncio.to_thread(fetch, self.root / key, max_bytes, asked)
        if answer is None:
            return None
        data = answer.data
        if byte_range is not None and not answer.is_part:
            data = _part(data, byte_range)
        return prototype.buffer.from_bytes(data)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        return list(
            await asyncio.gather(*(self.get(key, prototype, part) for key, part in key_ranges))
        )

    async def exists(self, key: str) -> bool:
        require_inside(key, str(self.root))
        return await asyncio.to_thread(fetch, self.root / key, MAX_CHUNK_BYTES) is not None

    async def set(self, key: str, value: Buffer) -> None:
        self._check_writable()

    async def delete(self, key: str) -> None:
        self._check_writable()

    def list(self) -> AsyncIterator[str]:
        raise NotImplementedError("A web server does not list what it has.")

    def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        return self.list()

    def list_dir(self, prefix: str) -> AsyncIterator[str]:
        return self.list()


def _as_header(byte_range: ByteRequest) -> str:
    if isinstance(byte_range, RangeByteRequest):
        return f"{byte_range.start}-{byte_range.end - 1}"
    if isinstance(byte_range, OffsetByteRequest):
        return f"{byte_range.offset}-"
    return f"-{byte_range.suffix}"


def _part(data: bytes, byte_range: ByteRequest) -> bytes:
    """The range of a whole document, from a server that gives no parts."""
    if isinstance(byte_range, RangeByteRequest):
        return data[byte_range.start : byte_range.end]
    if isinstance(byte_range, SuffixByteRequest):
        return data[-byte_range.suffix :]
    return data[byte_range.offset :]
