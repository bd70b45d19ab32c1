"""Documents from a web server, with the standard library alone.

A slide needs nothing but "this address, these bytes, or there is none". fsspec's HTTP file system
was the alternative: it adds aiohttp and its dependencies to every installation, follows redirects
wherever they lead, and gives an absent chunk and a refused one the same error.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from macprox.errors import SlideError
from macprox.slide import Url

TIMEOUT_S = 20.0
MAX_METADATA_BYTES = 16 * 2**20
PAUSES_S = (0.5, 2.0)  # before it is tried again
_ABSENT = {404, 410}
_LATER = {429, 500, 502, 503, 504}  # a server that is busy or being restarted


@dataclass(frozen=True)
class Answer:
    """What a server sent.

    Parameters
    ----------
    data : bytes
    is_part : bool
        Whether it is the range that was asked for; not every server gives parts.
    state : tuple of str
        ``ETag``, ``Last-Modified`` and ``Content-Length``, empty where not given.
    """

    data: bytes
    is_part: bool
    state: tuple[str, ...]


def fetch(url: Url, max_bytes: int, byte_range: str | None = None) -> Answer | None:
    """A document, or None where the server has none.

    Parameters
    ----------
    url : Url
    max_bytes : int
        More is refused, not read.
    byte_range : str, optional
        As HTTP writes it: ``0-99``, ``100-``, ``-16``.

    Raises
    ------
    SlideError
        If the server cannot be reached (tried three times), refuses, points elsewhere or sends
        more than ``max_bytes``.
    """
    for pause_s in PAUSES_S:
        try:
            return _answer(url, max_bytes, byte_range)
        except (OSError, HTTPException):
            time.sleep(pause_s)
    try:
        return _answer(url, max_bytes, byte_range)
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise SlideError(
            f"{str(url)!r} cannot be reached ({reason or type(error).__name__}). Check the "
            f"address, the network and the server, then try again."
        ) from error


def _answer(url: Url, max_bytes: int, byte_range: str | None) -> Answer | None:
    asked = {} if byte_range is None else {"Range": f"bytes={byte_range}"}
    try:
        with _opener.open(Request(str(url), headers=asked), timeout=TIMEOUT_S) as response:
            data = response.read(max_bytes + 1)
            headers, status = response.headers, response.status
    except HTTPError as error:
        error.close()
        if error.code in _ABSENT:
            return None
        if error.code in _LATER:
            raise URLError(f"HTTP {error.code}: {error.reason}") from error
        raise SlideError(_refused(url, error)) from error
    if len(data) > max_bytes:
        raise SlideError(
            f"{str(url)!r} is longer than {max_bytes} bytes, which no part of a slide should be. "
            f"Check the address."
        )
    n_announced = headers.get("Content-Length")
    if n_announced is not None and n_announced.isdigit() and len(data) < int(n_announced):
        raise URLError(f"the connection ended after {len(data)} of {n_announced} bytes")
    state = (headers.get(name) or "" for name in ("ETag", "Last-Modified", "Content-Length"))
    return Answer(data, status == 206, tuple(state))


def _refused(url: Url, error: HTTPError) -> str:
    if 300 <= error.code < 400:
        return (
            f"{str(url)!r} has moved to {error.headers.get('Location')!r}; give that slide's own "
            f"address."
        )
    return (
        f"{str(url)!r} cannot be read: its server answers HTTP {error.code} ({error.reason}). "
        f"Only addresses that anyone may read can be used; else copy the slide here."
    )


class _NoRedirects(HTTPRedirectHandler):
    """An address is read where it points, or not at all: no server sends us elsewhere."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


_opener: OpenerDirector = build_opener(_NoRedirects)
