"""One process that reads bad inputs, with a limit on memory and on each input's time.

Asked by lines ``TARGET SEED`` on its input, it answers each with a line of JSON.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from fuzzing.planted import PLANTED
from fuzzing.targets import TARGETS
from fuzzing.verdict import judged
from macprox.errors import MacproxError

MEMORY_BYTES = 2 * 2**30  # beyond what a worker needs for sound inputs
CPU_S = 10
READY = "ready\n"


def main() -> None:
    known = TARGETS | PLANTED
    answers = sys.stdout
    sys.stdout = sys.stderr  # whoever prints does not answer
    _limit_memory()
    answers.write(READY)
    answers.flush()
    for line in sys.stdin:
        name, seed = line.split()
        _limit_time()
        with tempfile.TemporaryDirectory() as folder:
            verdict = judged(known[name], int(seed), Path(folder))
        answers.write(json.dumps([verdict.kind, verdict.text]) + "\n")
        answers.flush()


def _limit_memory() -> None:
    """Count from what the process has once it has read something of every kind."""
    for target in TARGETS.values():
        for sample in target.samples():
            with tempfile.TemporaryDirectory() as folder:
                for name, data in sample.files.items():
                    path = Path(folder, name)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(data)
                for step in target.steps(Path(folder, sample.opened)):
                    with suppress(MacproxError):  # not every reader wants every sound input
                        step()
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _limit_time() -> None:
    """A signal ends the process when one input has taken too much of the processor."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime) + CPU_S
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
