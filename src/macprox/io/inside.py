"""Names by which a container calls its own parts: none may lead out of it.

Anybody may have written a slide's metadata; a path in it must not show what else lies on the disk.
"""

from __future__ import annotations

import re

from macprox.errors import SlideError

_PART = re.compile(r"[^\\/\x00-\x1f]+")
_DRIVE = re.compile(r"[A-Za-z]:")


def leads_out(path: str) -> bool:
    """Whether a relative path is none, or could leave its folder on some system.

    Examples
    --------
    >>> [leads_out(path) for path in ("0/c/1", "../a.tif", "/a.tif", "C:a.tif")]
    [False, True, True, True]
    """
    named = all(_PART.fullmatch(part) and part not in (".", "..") for part in path.split("/"))
    return not named or _DRIVE.match(path) is not None


def require_inside(path: str, container: str) -> str:
    """The path, if it does not lead out of the container that calls it its part.

    Raises
    ------
    SlideError
    """
    if leads_out(path):
        raise SlideError(
            f"{container!r} calls {path!r} a part of itself; expected the path of something "
            f"inside. Correct its metadata, and be wary of it if you do not know who made it."
        )
    return path
