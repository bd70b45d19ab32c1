"""``python -m fuzzing``: read many bad inputs, or keep the one of a seed to look at it."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from fuzzing import runner
from fuzzing.targets import TARGETS

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m fuzzing", description=__doc__)
    parser.add_argument("--inputs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--target", choices=list(TARGETS), action="append", default=[])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--keep", type=Path, help="write one target's input of --seed here, and stop"
    )
    given = parser.parse_args()
    say = sys.stdout.write
    if given.keep:
        say(f"{runner.save(given.target[0], given.seed, given.keep)}\n")
    else:
        start = time.perf_counter()
        inputs = runner.plan(given.inputs, given.seed, given.target)
        ended = runner.run(inputs, given.workers)
        seconds = time.perf_counter() - start
        say(f"{runner.summary(ended)}\n")
        say(f"{len(ended)} inputs in {seconds:.0f} s, {len(ended) / seconds:.0f} a second\n")
        sys.exit(any(one.verdict.is_finding for one in ended))
