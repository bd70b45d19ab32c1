"""`../scores.jsonl`: what each released model scored, once, one line a method and subset."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from benchmarks.nuclei.methods import model_sha256
from benchmarks.nuclei.scores import intervals, pooled

import macprox

SCORES = Path(__file__).parents[1] / "scores.jsonl"


def append(release: str, part: str, counted: dict[str, pd.DataFrame], to: Path = SCORES) -> None:
    """Add the scores of each method's images: all, tissue-like and the others.

    Parameters
    ----------
    release : str
    part : str
        "tune", "held_out" or "all".
    counted : dict of DataFrame
        By method, as `scores.count_images` returns.
    """
    with to.open("a", encoding="utf-8") as file:
        for method, of in counted.items():
            about = {
                "release": release,
                "version": macprox.__version__,
                "date": datetime.now(UTC).date().isoformat(),
                "method": method,
                "model_sha256": model_sha256(method),
                "set": of["set"].iloc[0],
                "part": part,
            }
            for subset, chosen in _subsets(of):
                file.write(json.dumps(about | {"subset": subset} | _scored(chosen)) + "\n")


def _subsets(counted: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Everything, and where there is tissue the tissue and the rest."""
    yield "all", counted
    tissue = counted["tissue_like"].astype(bool)
    if tissue.any():
        yield "tissue_like", counted[tissue]
        yield "not_tissue_like", counted[~tissue]


def _scored(counted: pd.DataFrame) -> dict[str, object]:
    ends = intervals(counted)
    return {
        "n_images": len(counted),
        "n_nuclei": int(counted["true"].sum()),
        "scores": {
            name: [round(float(number), 4) for number in (value, *ends[name])]
            for name, value in pooled(counted).items()
        },
    }
