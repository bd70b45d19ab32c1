"""The self-test: a tiny slide whose truth is known goes through the whole analysis."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from macprox.doctor.child import ask
from macprox.doctor.finding import Finding, problem

if TYPE_CHECKING:
    import pandas as pd

    from macprox.results import SlideResult

TIMEOUT_S = 600.0  # compiling everything on a slow, busy machine
NEAR_UM = 2.0
RADIUS_UM = 20.0
# Where it was made, 99 % of the nuclei were found and 92 % of the macrophages called right.
LEAST_FOUND, LEAST_RIGHT = 0.9, 0.8
_SIDE_PX, _SEED = 448, 7
_CLASS = "AM/TRM-like"
_REMEDY = (
    "install macprox into a fresh environment with the versions of constraints.txt; if it is wrong "
    "there, too, open an issue with `macprox doctor --json`"
)


@dataclass(frozen=True)
class Trial:
    """What came out, beside what is true.

    Parameters
    ----------
    n_cells : int
    found_frac : float
        Share of the true nuclei that have one of ours within `NEAR_UM`.
    right_frac : float
        Share of the true macrophages of one class that were called so, of those found.
    within_frac, by_hand_frac : float
        Share of those cells with a tumour cell within `RADIUS_UM`: the table's, and counted by
        pairs.
    seconds : float
    """

    n_cells: int
    found_frac: float
    right_frac: float
    within_frac: float
    by_hand_frac: float
    seconds: float


def self_test() -> Finding:
    """The analysis of the tiny slide in a process of its own, and whether its answer is right."""
    answer = ask(__name__, "tell", os.environ, TIMEOUT_S)
    told = answer.steps.get("trial")
    if told is None:
        said = f": {answer.last_words}" if answer.last_words else ""
        return problem("self-test", f"the analysis broke off ({answer.end}){said}", _REMEDY)
    return judged(Trial(**{name: told[name] for name in told if name != "step"}))


def judged(trial: Trial) -> Finding:
    """Whether an answer is the known one."""
    wrong = []
    if not trial.found_frac >= LEAST_FOUND:
        wrong.append(f"{trial.found_frac:.0%} of the nuclei were found, {LEAST_FOUND:.0%} expected")
    if not trial.right_frac >= LEAST_RIGHT:
        wrong.append(
            f"{trial.right_frac:.0%} of the macrophages were called right, "
            f"{LEAST_RIGHT:.0%} expected"
        )
    if not abs(trial.within_frac - trial.by_hand_frac) < 1e-9:
        wrong.append(
            f"the share near the tumour is {trial.within_frac:.6f} in the table and "
            f"{trial.by_hand_frac:.6f} counted by hand"
        )
    if wrong:
        return problem("self-test", "; ".join(wrong), _REMEDY)
    words = (
        f"a simulated slide of {trial.n_cells} cells in {trial.seconds:.0f} s: "
        f"{trial.found_frac:.0%} of its nuclei found, {trial.right_frac:.0%} of the macrophages "
        "called right, distances as counted by hand"
    )
    return Finding("self-test", words, facts=asdict(trial))


def tell() -> None:
    """Make the trial, and write it as a line of JSON: what the child process does."""
    with tempfile.TemporaryDirectory(prefix="macprox-doctor-") as folder:
        trial = analyse(Path(folder))
    sys.stdout.write(json.dumps({"step": "trial", **asdict(trial)}) + "\n")
    sys.stdout.flush()


def analyse(folder: Path) -> Trial:
    """Simulate, run, compare; ``folder`` is left full."""
    import pandas as pd

    import macprox as mp
    from macprox.cohort.parameters import CohortParameters
    from macprox.simulate.cohort import scene
    from macprox.simulate.parameters import TissueParameters
    from macprox.simulate.write import write_slide

    began = time.monotonic()
    lesion = TissueParameters(lesions_frac=((0.4, 0.45, 75.0),))
    small = scene("early", "self_test", _SEED, (_SIDE_PX, _SIDE_PX))
    slide = write_slide(folder, replace(small, tissue=lesion))
    written = folder / "study.toml"
    text = resources.files("macprox.simulate").joinpath("study.toml").read_text(encoding="utf-8")
    written.write_text(text, encoding="utf-8")
    study = replace(mp.Study.from_toml(written), cohort=CohortParameters())
    (result,) = mp.run([slide], study, folder / "results")
    truth = pd.read_csv(folder / "truth" / "self_test_truth.csv")
    return compared(result, truth, time.monotonic() - began)


def compared(result: SlideResult, truth: pd.DataFrame, seconds: float) -> Trial:
    """A result beside the truth of its slide; distances by all pairs, without our own search."""
    import numpy as np

    cells = result.cells()
    seen, true = cells[cells["has_nucleus"]], truth[truth["has_nucleus"]]
    apart = _distances(true, seen)
    near = apart.min(axis=1) <= NEAR_UM
    called = seen["phenotype"].to_numpy()[apart.argmin(axis=1)]
    of_class = near & (true["phenotype"] == _CLASS).to_numpy()
    used = cells[cells["in_window"] & ~cells["excluded"]]
    source, target = used[used["phenotype"] == _CLASS], used[used["phenotype"] == "Tumour"]
    by_hand = (_distances(source, target) <= RADIUS_UM).any(axis=1)
    rows = result.statistics().query(
        "statistic == 'fraction_within' and source == @_CLASS and target == 'Tumour' "
        "and region == 'all' and correction == 'none' and r_um == @RADIUS_UM",
        local_dict={"_CLASS": _CLASS, "RADIUS_UM": RADIUS_UM},
    )
    return Trial(
        n_cells=len(cells),
        found_frac=float(near.mean()),
        right_frac=float(np.mean(called[of_class] == _CLASS)) if of_class.any() else 0.0,
        within_frac=float(rows["value"].iloc[0]) if len(rows) else float("nan"),
        by_hand_frac=float(by_hand.mean()) if len(by_hand) else float("nan"),
        seconds=round(seconds, 1),
    )


def _distances(a: pd.DataFrame, b: pd.DataFrame):
    import numpy as np

    from macprox.celltable import centroids_um

    if not len(b):
        return np.full((len(a), 1), np.inf)
    return np.linalg.norm(centroids_um(a)[:, None] - centroids_um(b)[None], axis=2)
