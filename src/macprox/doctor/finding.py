"""`Finding`: one thing that was looked at, and what to do where it is not as it should be."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OK, NOTE, PROBLEM = "ok", "note", "problem"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's table.

    Parameters
    ----------
    about : str
        What was looked at, in a word or two.
    found : str
        What is so, in a line that holds no path of a home folder.
    verdict : "ok", "note" or "problem"
        A note leaves everything working; a problem stops something.
    remedy : str
        One thing to do; a problem has one, always.
    stops : bool
        Whether no analysis can be made before the problem is solved.
    facts : dict
        The same in parts, for ``--json``.
    """

    about: str
    found: str
    verdict: str = OK
    remedy: str = ""
    stops: bool = False
    facts: dict[str, Any] = field(default_factory=dict)


def problem(about: str, found: str, remedy: str, stops: bool = True) -> Finding:
    return Finding(about, found, PROBLEM, remedy, stops)


def private(text: str) -> str:
    """Text that goes to others: the home folder, which holds a name, is ``~``.

    Examples
    --------
    >>> private(str(Path.home() / "slides"))
    '~/slides'
    """
    home = os.path.normpath(Path.home())
    if home == os.path.sep:
        return text
    return re.sub(re.escape(home) + r"(?![\w.-])", "~", text)
