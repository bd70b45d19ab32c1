"""Where the sample slides are: beside the source, or simulated again from the same seeds."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2] / "sample_data"


def sample_folder(out: Path, progress: Callable[[str, float], Any] | None = None) -> Path:
    """A folder with ``slides/``, ``study.toml`` and ``samples.csv``.

    Parameters
    ----------
    out : Path
        An installation without a checkout has no sample slides; they are simulated here, from
        the same seeds, which takes about half a minute.
    progress : callable, optional
        Told the slide's name and its finished fraction while it is simulated.
    """
    if (CHECKOUT / "study.toml").exists():
        return CHECKOUT
    made = out / "sample_data"
    if not made.exists():
        from macprox.simulate import write_cohort

        unfinished = out / ".sample_data.tmp"  # a demo that was stopped must not run on half of it
        shutil.rmtree(unfinished, ignore_errors=True)
        write_cohort(unfinished, progress=progress)
        os.replace(unfinished, made)
    return made
