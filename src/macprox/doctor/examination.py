"""Everything the doctor looks at, in order: what is quick first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from macprox.doctor.finding import Finding
from macprox.doctor.machine import machine
from macprox.doctor.screen import screen
from macprox.doctor.trial import self_test
from macprox.doctor.versions import versions


def examine(folder: Path, with_self_test: bool = True) -> Iterator[Finding]:
    """Look at versions, machine and screen, and let a tiny slide go through the analysis.

    Parameters
    ----------
    folder : Path
        Where results shall be written; its space and rights are looked at, nothing stays there.
    with_self_test : bool
        Ten seconds; a minute where nothing has been compiled yet.

    Yields
    ------
    Finding
        As soon as it is known. No finding raises: a check that fails is a finding.
    """
    yield from versions()
    yield from machine(folder)
    yield from screen()
    if with_self_test:
        yield self_test()
