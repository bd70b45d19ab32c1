"""Questions that may crash or hang who asks them, put to a process of their own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from macprox.doctor.finding import private
from macprox.errors import shortened


@dataclass(frozen=True)
class Answer:
    """What a child said before it ended.

    Parameters
    ----------
    steps : dict of str to dict
        Its lines of JSON by their ``"step"``, in order.
    end : str
        How it ended, in words; empty if it ended well.
    last_words : str
        What it said on standard error of the reason.
    hangs : bool
        Whether it had to be ended.
    """

    steps: dict[str, dict[str, Any]]
    end: str = ""
    last_words: str = ""
    hangs: bool = False


def ask(module: str, function: str, environment: Mapping[str, str], timeout_s: float) -> Answer:
    """Call a function without arguments in a new interpreter, and read what it prints.

    Parameters
    ----------
    module, function : str
        It writes lines of JSON, each with a ``"step"``, and flushes each.
    environment : mapping
    timeout_s : float
        Then it is ended.

    Returns
    -------
    Answer
        Whatever happens: an abort, a hang or other output is an answer, too.
    """
    code = f"from {module} import {function} as asked; asked()"
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=dict(environment),
    )
    hangs = False
    try:
        out, err = child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        hangs = True
        child.kill()
        out, err = child.communicate()
    end = f"no answer within {timeout_s:g} s" if hangs else _end(child.returncode)
    return Answer(_steps(out), end, _last_words(err), hangs)


def _steps(out: str) -> dict[str, dict[str, Any]]:
    steps = {}
    for line in out.splitlines():
        try:
            said = json.loads(line)
        except ValueError:  # a library's own chatter, or a line cut short by the end
            continue
        if isinstance(said, dict) and isinstance(said.get("step"), str):
            steps[said["step"]] = said
    return steps


def _end(code: int) -> str:
    if code == 0:
        return ""
    if code > 0:
        return f"exit code {code}"
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended by signal {-code}"


def _last_words(err: str) -> str:
    """Python gives its reason in the last line, Qt in its first ones."""
    lines = [line.strip() for line in err.splitlines() if line.strip()]
    of_qt = [line for line in lines if line.startswith("qt.qpa")]
    return shortened(private(" ".join(of_qt[:2] or lines[-1:])), most=300)
