"""What every tool is asked: the same files, one line of JSON back. Needs pandas alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

Answer = Callable[[pd.DataFrame], dict[str, float]]
LUNG = "lung.csv"


def signed(p: float, closer: bool) -> float:
    """p, negative where the tool says "apart"; a p of 0, which some tools give, keeps its sign."""
    return float(max(p, 1e-300) if closer else -max(p, 1e-300))


def answer_all(tool: str, folder: str, tested: Answer, measured: Answer) -> None:
    """Ask about each slide of a folder, and about the lung field where it is there."""
    tested(pd.read_csv(next(Path(folder).glob("odds*.csv"))))  # compiles, is not counted
    cpu_s = time.process_time()
    p_values = {
        path.stem: tested(pd.read_csv(path)) for path in sorted(Path(folder).glob("odds*.csv"))
    }
    cpu_s = time.process_time() - cpu_s
    lung = Path(folder) / LUNG
    of_lung = measured(pd.read_csv(lung)) if lung.exists() else {}
    line = {
        "tool": tool,
        "cpu_s_per_slide": cpu_s / len(p_values),
        "measured": {name: float(value) for name, value in of_lung.items()},
        "p": p_values,
    }
    print(json.dumps(line))
