"""Other people's packages, where they are installed; never a dependency of macprox."""

from __future__ import annotations

import importlib
import io
import shutil
import subprocess
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from benchmarks.statistics.registry import Method, Missing
from benchmarks.statistics.slides import MASK_UM, BenchmarkSlide

ASKED = True  # False: nobody but us, whose memory is measured
R_SCRIPT = Path(__file__).with_name("spatstat_peer.R")


@dataclass(frozen=True)
class MeasuredElsewhere:
    """An answer from another process, and what the method alone took there."""

    value: Any
    cpu_s: float
    wall_s: float


def package(name: str) -> Any | Missing:
    """An importable package, or why there is none."""
    if not ASKED:
        return Missing("not asked")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except ImportError as error:
        return Missing(f"{error}; see benchmarks/README.md")


def squidpy_table(slide: BenchmarkSlide) -> Any:
    """The slide as squidpy wants it."""
    from anndata import AnnData

    obs = pd.DataFrame({"phenotype": pd.Categorical(slide.phenotype)})
    obs.index = obs.index.astype(str)
    table = AnnData(np.zeros((len(slide.xy), 1), dtype=np.float32), obs=obs)
    table.obsm["spatial"] = slide.xy
    return table


def spatstat(what: str, slide: BenchmarkSlide) -> Method | Missing:
    """``what`` of `spatstat_peer.R` on macrophages and tumour cells, as columns by name."""
    r = shutil.which("Rscript") if ASKED else None
    if r is None:
        return Missing("no Rscript on the path")
    probe = [r, "-e", "suppressMessages(library(spatstat.explore))"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        return Missing("R has no package spatstat.explore")

    def measured() -> MeasuredElsewhere:
        with tempfile.TemporaryDirectory() as folder:
            for name, xy in (("source", slide.macrophages), ("target", slide.tumour)):
                np.asarray(xy, dtype="<f8").T.tofile(Path(folder, name))
            command = [r, str(R_SCRIPT), what, folder, str(slide.side_px), str(MASK_UM)]
            found = subprocess.run(command, capture_output=True, text=True, check=True)
            cpu_s, wall_s = (float(number) for number in found.stdout.split()[-2:])
            columns = pd.read_csv(io.StringIO(Path(folder, "answer.csv").read_text()))
        return MeasuredElsewhere(columns, cpu_s, wall_s)

    return measured
