"""Other people's methods, where their packages are installed; never a dependency of macprox.

Their pins contradict ours (CellProfiler asks for numpy 1), so each runs in an interpreter of its
own: ``$MACPROX_PEERS_PYTHON``, an environment made as `benchmarks/README.md` says. That process
measures the CPU time of the method alone, the pipe between the two is not counted.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Collection

import numpy as np
from benchmarks.nuclei import peer_worker

PYTHON_VARIABLE = "MACPROX_PEERS_PYTHON"
WEIGHTS = "its package holds no weights, and none are downloaded here"
WITHOUT_WEIGHTS = ("stardist", "cellpose", "instanseg")


class Peer:
    """A method in another interpreter: called like any other, ``clock`` tells its CPU seconds."""

    def __init__(self, name: str, python: str) -> None:
        self._command = [python, peer_worker.__file__, name]
        self._worker: subprocess.Popen[bytes] | None = None
        self._cpu_s = 0.0

    def __call__(self, stain: np.ndarray, pixel_size_um: float) -> np.ndarray:
        """Labels of one image."""
        if self._worker is None:
            pipe = subprocess.PIPE
            self._worker = subprocess.Popen(self._command, stdin=pipe, stdout=pipe)
        try:
            peer_worker.send(self._worker.stdin, stain)
            peer_worker.send(self._worker.stdin, np.float64(pixel_size_um))
            labels = peer_worker.receive(self._worker.stdout)
        except BrokenPipeError:
            labels = None
        if labels is None:
            self.close()
            raise RuntimeError(f"Peer {self._command[-1]!r} ended; its own error is printed above.")
        self._cpu_s += float(peer_worker.receive(self._worker.stdout))
        return labels

    def close(self) -> None:
        """End the worker."""
        if self._worker is not None:
            with contextlib.suppress(BrokenPipeError):
                self._worker.communicate()
            self._worker = None

    def clock(self) -> float:
        """CPU seconds of all calls so far."""
        return self._cpu_s


def present() -> dict[str, Peer]:
    """The peers whose package is installed."""
    python = os.environ.get(PYTHON_VARIABLE, sys.executable)
    listed = subprocess.run(
        [python, peer_worker.__file__, "--list"], capture_output=True, text=True, check=True
    )
    return {name: Peer(name, python) for name in listed.stdout.split()}


def absent(present: Collection[str]) -> dict[str, str]:
    """Why each of the other peers is not compared."""
    missing = {
        name: f"not installed in ${PYTHON_VARIABLE}"
        for name in peer_worker.PEERS
        if name not in present
    }
    return missing | dict.fromkeys(WITHOUT_WEIGHTS, WEIGHTS)
