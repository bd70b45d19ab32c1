"""CPU and wall time of methods in turn, and the peak memory of one alone."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

SLOW_S = 20.0  # a method that takes longer is run once: it loses by more than chance


class Spent(NamedTuple):
    """Medians over the repeats, seconds."""

    cpu_s: float
    wall_s: float
    repeats: int


def in_turn(
    methods: Mapping[str, Callable[[], Any]], first: Mapping[str, Spent], repeats: int
) -> dict[str, Spent]:
    """Every method once in each round, so that a busy machine is busy for all of them.

    ``first`` says what each took when its answer was checked; nothing is compiled any more.
    """
    spent: dict[str, list[Spent]] = {name: [] for name in methods}
    for _ in range(repeats):
        for name, method in methods.items():
            if first[name].cpu_s < SLOW_S:
                spent[name].append(once(method)[1])
    return {
        name: Spent(*np.median(rounds, axis=0)[:2], len(rounds)) if rounds else first[name]
        for name, rounds in spent.items()
    }


def once(method: Callable[[], Any]) -> tuple[Any, Spent]:
    """The answer, and the time of all threads and of children that have ended.

    A method that runs in another process may measure itself: an answer with ``cpu_s``.
    """
    cpu, wall = time.process_time(), time.perf_counter()
    answer = method()
    cpu_s, wall_s = time.process_time() - cpu, time.perf_counter() - wall
    if hasattr(answer, "cpu_s"):
        return answer.value, Spent(answer.cpu_s, answer.wall_s, 1)
    return answer, Spent(cpu_s, wall_s, 1)


def added_mb(method: Callable[[], Any]) -> float:
    """What a method adds to the resident memory of this process; NaN where nobody can tell."""
    reset, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    if not reset.exists():
        return float("nan")
    reset.write_text("5")  # the peak starts anew: making the slide took memory too
    before = _kilobytes(status, "VmRSS")
    method()
    return (_kilobytes(status, "VmHWM") - before) / 1e3


def _kilobytes(status: Path, name: str) -> float:
    return float(status.read_text().split(f"{name}:")[1].split()[0])


def added_mb_alone(name: str, n_cells: int, kind: str) -> float:
    """`added_mb` of our method in a process of its own, where nothing has been freed for reuse."""
    command = [sys.executable, "-m", "benchmarks.statistics", "--peak-of", name]
    command += ["--cells", str(n_cells), "--kind", kind]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(found.stdout.split()[-1])
