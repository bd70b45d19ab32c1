"""What may come of a bad input: it is read after all, or refused in one clear sentence."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path

from fuzzing.samples import Sample
from fuzzing.targets import Target, broken
from macprox.errors import MacproxError

MOST_CHARACTERS = 600
NAMELESS = ("rule",)  # a rule stands in a study, which says its line


@dataclass(frozen=True)
class Verdict:
    """How an input ended.

    Parameters
    ----------
    kind : str
        ``"read"``, ``"refused"``; anything else is a finding.
    text : str
        What a refusal or a finding says.
    """

    kind: str
    text: str = ""

    @property
    def is_finding(self) -> bool:
        return self.kind not in ("read", "refused")


def judged(target: Target, seed: int, folder: Path) -> Verdict:
    """Write the input of a seed into an empty folder, read it, and say how that ended."""
    sample = broken(target, seed)
    for name, data in sample.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    path = folder / sample.opened
    refusals = []
    steps = iter(target.steps(path))
    while True:
        try:
            step = next(steps, None)
            if step is None:
                break
            step()
        except MacproxError as error:
            refusals.append(str(error))
            if complaint := _unclear(str(error), target, sample):
                return Verdict(complaint, str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
            return Verdict(f"{type(error).__name__} in {_culprit(error)}", traceback.format_exc())
    return Verdict("refused", refusals[0]) if refusals else Verdict("read")


def _unclear(text: str, target: Target, sample: Sample) -> str:
    """What is wrong with a refusal's text; empty if nothing is."""
    lines = text.split("\n")
    if not text.strip() or "Traceback" in text:
        return "refusal without a sentence"
    if len(lines) > 1 and target.name != "study" and "study.toml" not in text:
        return "refusal of several lines"
    if max(map(len, lines)) > MOST_CHARACTERS:
        return "long refusal"
    if not all(line.isprintable() for line in lines):
        return "refusal that is not printable"
    if not text.endswith((".", "?", ")", "…")):
        return "refusal without an end"
    names = {part for name in (sample.opened, *sample.files) for part in Path(name).parts}
    if target.name not in NAMELESS and not all(any(n in line for n in names) for line in lines):
        return "refusal that names no file"
    return ""


def _culprit(error: Exception) -> str:
    """The innermost line of macprox that the error came through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "/macprox/" in Path(f.filename).as_posix()] or frames
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno} {ours[-1].name}"
