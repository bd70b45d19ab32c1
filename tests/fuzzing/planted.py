"""Readers with a known bug each: the control that bugs are found."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from fuzzing import sound_results
from fuzzing.targets import Target
from macprox.errors import SlideError


def _raise(_: Path) -> None:
    raise ZeroDivisionError("by hand")


def _die(_: Path) -> None:
    os.abort()


def _grow(_: Path) -> None:
    np.ones(2**30)  # 8 GB


def _hang(_: Path) -> None:
    while True:
        pass


def _say_little(_: Path) -> None:
    raise SlideError("Something is wrong.")


def _say_too_much(path: Path) -> None:
    raise SlideError(f"{path.name} is damaged: {'x' * 5000}.")


def _planted(name: str, bug: Callable[[Path], None]) -> Target:
    sheet = sound_results.texts
    return Target(name, lambda: sheet()["samples"], lambda path: [partial(bug, path)], share=0)


PLANTED = {
    name: _planted(name, bug)
    for name, bug in {
        "raises": _raise,
        "dies": _die,
        "grows": _grow,
        "hangs": _hang,
        "says-little": _say_little,
        "says-too-much": _say_too_much,
    }.items()
}
