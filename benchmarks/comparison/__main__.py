"""Ask every tool the same: `python -m benchmarks.comparison FOLDER`; see benchmarks/README.md."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
from benchmarks.comparison.answers import LUNG
from benchmarks.comparison.tissue import slide

HERE = Path(__file__).parent
PUBLISHED = {  # of the lung field by phenoptr, whose tutorial gives them; see docs/tables.md
    "nearest CD68 to CK": 23.1,
    "nearest CK to CD68": 44.3,
    "CK within 25 of CD68": 3.28,
    "CD68 within 25 of CK": 0.606,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="Scratch folder for the slides.")
    parser.add_argument("--slides", type=int, default=100, help="Slides of each kind.")
    parser.add_argument("--lung", type=Path, help="inForm table of the lung field.")
    parser.add_argument("--squidpy", help="Its interpreter.")
    parser.add_argument("--scimap", help="Its interpreter.")
    asked = parser.parse_args()
    write_slides(asked.folder, asked.slides, asked.lung)
    lines = [said_by([sys.executable, "-m", "benchmarks.comparison.ask_macprox"], asked.folder)]
    for tool in ("squidpy", "scimap"):
        if interpreter := getattr(asked, tool):
            lines.append(said_by([interpreter, str(HERE / f"ask_{tool}.py")], asked.folder))
    for line in lines:
        print(json.dumps(summary(line)))
    if asked.lung:
        print(json.dumps({"tool": "phenoptr, published", "measured": PUBLISHED}))


def write_slides(folder: Path, n_slides: int, lung: Path | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for odds in (1, 2):
        for seed in range(n_slides):
            slide(seed, odds).to_csv(folder / f"odds{odds}_{seed:03d}.csv", index=False)
    if lung:
        import macprox as mp

        mp.read_cells(lung).to_csv(folder / LUNG, index=False)


def said_by(command: list[str], folder: Path) -> dict:
    variables = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    one_thread = dict.fromkeys(variables, "1")
    environment = {**os.environ, **one_thread, "PYTHONPATH": os.pathsep.join(sys.path)}
    if Path(command[0]).absolute() != Path(sys.executable).absolute():
        del environment["PYTHONPATH"]  # another tool sees its own packages only
    done = subprocess.run(
        [*command, str(folder)], capture_output=True, text=True, check=True, env=environment
    )
    return json.loads(done.stdout.splitlines()[-1])


def summary(line: dict) -> dict:
    """In how many of a hundred slides of each kind p is at most .05, by what the tool says."""
    p = pd.DataFrame(line.pop("p")).T
    kind = p.index.str.partition("_").get_level_values(0)
    found = {
        word: (100 * ((p.abs() <= 0.05) & says).groupby(kind).mean()).round(1).to_dict()
        for word, says in (("closer", p > 0), ("apart", p < 0))
    }
    return {**line, "n_slides": len(p) // 2, "p <= .05 in %": found}


if __name__ == "__main__":
    main()
