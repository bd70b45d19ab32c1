"""Many bad inputs over a few workers; what crashes, hangs or grows a worker is a finding too."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from fuzzing.targets import TARGETS, broken
from fuzzing.verdict import Verdict
from fuzzing.worker import READY

WALL_S = 60  # an input that takes no time of the processor may wait for ever


@dataclass(frozen=True)
class Ended:
    """One input, and how it ended."""

    target: str
    seed: int
    verdict: Verdict
    seconds: float


def plan(n_inputs: int, first_seed: int = 0, names: Sequence[str] = ()) -> list[tuple[str, int]]:
    """Targets and seeds of about ``n_inputs`` inputs, every target by its share."""
    chosen = [TARGETS[name] for name in names] or list(TARGETS.values())
    total = sum(target.share for target in chosen)
    return [
        (target.name, first_seed + number)
        for target in chosen
        for number in range(-(-n_inputs * target.share // total))
    ]


def run(inputs: Sequence[tuple[str, int]], n_workers: int = 1) -> list[Ended]:
    """Read every input in a worker; the order of the answers is that of the inputs."""
    with ThreadPoolExecutor(n_workers) as threads:
        parts = threads.map(_worked_off, (inputs[i::n_workers] for i in range(n_workers)))
        ended = [one for part in parts for one in part]
    place = {given: number for number, given in enumerate(inputs)}
    return sorted(ended, key=lambda one: place[one.target, one.seed])


def save(target: str, seed: int, folder: Path) -> Path:
    """Write the input of a seed into a folder; the path that a reader is given."""
    sample = broken(TARGETS[target], seed)
    root = folder / f"{target}-{seed}"
    for name, data in sample.files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root / sample.opened


def summary(ended: Sequence[Ended]) -> str:
    """Inputs per target with how they ended, and findings by kind with a seed each."""
    lines = []
    for target in TARGETS:
        ours = [one for one in ended if one.target == target]
        if not ours:
            continue
        kinds = Counter("finding" if o.verdict.is_finding else o.verdict.kind for o in ours)
        seconds = sum(one.seconds for one in ours)
        said = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common())
        slowest = max(ours, key=lambda one: one.seconds)
        lines.append(
            f"{target}: {len(ours)} inputs ({said}), {len(ours) / max(seconds, 1e-9):.0f} a "
            f"second, the slowest {slowest.seconds:.1f} s (seed {slowest.seed})"
        )
    found = [one for one in ended if one.verdict.is_finding]
    for (target, kind), n in Counter((o.target, o.verdict.kind) for o in found).most_common():
        first = next(o for o in found if (o.target, o.verdict.kind) == (target, kind))
        last_line = (first.verdict.text.strip().splitlines() or [""])[-1]
        lines.append(f"{n} x {target} seed {first.seed}: {kind}: {last_line[:300]!r}")
    return "\n".join(lines)


def _worked_off(inputs: Iterable[tuple[str, int]]) -> list[Ended]:
    worker, ended = _Worker(), []
    try:
        for target, seed in inputs:
            start = time.perf_counter()
            verdict = worker.ask(target, seed)
            ended.append(Ended(target, seed, verdict, time.perf_counter() - start))
    finally:
        worker.stop()
    return ended


class _Worker:
    """A process that is started when asked, and again after an input that it did not survive."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def ask(self, target: str, seed: int) -> Verdict:
        process = self._process = self._process or self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{target} {seed}\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], WALL_S)
        answer = process.stdout.readline() if ready else ""
        if answer:
            return Verdict(*json.loads(answer))
        self.stop()
        if not ready:
            return Verdict("hang", f"no answer within {WALL_S} s")
        died_of = signal.Signals(-process.returncode).name if process.returncode < 0 else "exit"
        return Verdict("hang" if died_of == "SIGXCPU" else "crash", f"the worker died: {died_of}")

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.close()
            process.wait(timeout=1)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            process.kill()
            process.wait()
        process.stdout.close()

    @staticmethod
    def _started() -> subprocess.Popen[str]:
        paths = os.pathsep.join(path for path in sys.path if path)
        process = subprocess.Popen(
            [sys.executable, "-m", "fuzzing.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
        )
        assert process.stdout is not None
        if process.stdout.readline() != READY:
            raise RuntimeError("A worker does not start: python -m fuzzing.worker says why.")
        return process
