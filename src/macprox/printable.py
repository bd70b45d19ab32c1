"""Names and sentences out of files, which anybody may have written, before a person reads them.

Pages and tables escape for themselves. What they do not know are the signs that a terminal obeys or
that turn the order of letters round: those stand here.
"""

from __future__ import annotations

import re

# C0, DEL and C1 (escape sequences begin with ESC or U+009B), line separators, and the marks that
# reorder what follows (U+202E makes "gpj.exe" of "exe.jpg").
_COMMANDS = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
_COMMAND = re.compile(f"[{_COMMANDS}]")
_COMMAND_IN_LINES = re.compile(f"(?![\n\t])[{_COMMANDS}]")

MAX_NAME_LENGTH = 100  # longer than any marker or phenotype; figures and tables break far beyond


def printable(name: str) -> str:
    """A name without such signs, at most `MAX_NAME_LENGTH` long.

    Examples
    --------
    >>> printable("CD68\\x1b[31m")
    'CD68[31m'
    """
    plain = _COMMAND.sub("", name)
    return plain if len(plain) <= MAX_NAME_LENGTH else plain[: MAX_NAME_LENGTH - 1] + "…"


def name_problem(name: str) -> str:
    """What is wrong with a name that somebody chose, and the remedy; empty for nothing."""
    if len(name) > MAX_NAME_LENGTH:
        return (
            f"the name {name[:20]!r}... has {len(name):,} letters; expected {MAX_NAME_LENGTH} at "
            "most, rename it."
        )
    if printable(name) != name:
        return f"the name {name!r} holds signs that cannot be printed; rename it."
    return ""


def visible(text: str) -> str:
    r"""Text for a terminal: such signs as escapes, lines and tabs kept; JSON stays the same JSON.

    Examples
    --------
    >>> visible("red\x1b[31m")
    'red\\u001b[31m'
    """
    return _COMMAND_IN_LINES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
