"""Pages that take a reader by the hand: their fenced blocks, in order, as readers run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"
FENCE = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]*) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.S | re.M
)
OPENS_A_WINDOW = re.compile(r"macprox review ")


@dataclass(frozen=True)
class Block:
    """A fenced block: ``sh`` or ``python``, and whether a reader's machine must be left out."""

    kind: str
    text: str
    runs: bool

    def typed_in(self, desk: Path, names: dict) -> str:
        """Run it in a folder; ``names`` are those that earlier blocks of Python left."""
        if self.kind == "python":
            exec(compile(self.text, "page", "exec"), names)  # noqa: S102
            return ""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-eu", "-c", self.text],
            cwd=desk, env={**os.environ, "PATH": path}, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{self.text}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr


def blocks(page: str) -> Iterator[Block]:
    """Commands and scripts of a page, in order.

    A block that nobody can run here has a mark before it, ``<!-- not run: why -->``.
    """
    for found in FENCE.finditer((DOCS / f"{page}.md").read_text(encoding="utf-8")):
        if found["kind"] in ("sh", "python"):
            marked = (found["mark"] or "").startswith("not run: ")
            window = bool(OPENS_A_WINDOW.search(found["text"]))
            yield Block(found["kind"], found["text"], not marked and not window)
