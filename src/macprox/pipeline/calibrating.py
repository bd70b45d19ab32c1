"""Whether the tests keep their level on a finished slide's own geometry."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from macprox.io.atomic import write_parquet
from macprox.io.store import SlideFolder
from macprox.pipeline.marks import is_given
from macprox.pipeline.options import RunOptions
from macprox.pipeline.run import finish_slide, refresh_report
from macprox.pipeline.stages import Ledger
from macprox.results import SlideResult
from macprox.spatial import calibrate
from macprox.spatial.counted import is_counted
from macprox.study import Study
from macprox.window import Window

N_SIMULATIONS = 1000


def calibrate_slide(
    study: Study, folder: SlideFolder, options: RunOptions, n_simulations: int = N_SIMULATIONS
) -> pd.DataFrame:
    """`macprox.spatial.calibrate` of a finished slide; written beside its statistics.

    The simulations are drawn by the study's seed.

    Parameters
    ----------
    study : Study
        The one that the results come from.
    folder : SlideFolder
    options : RunOptions
    n_simulations : int

    Returns
    -------
    DataFrame
        With ``slide_id`` in front.

    Raises
    ------
    ResultError
        If the slide's analysis cannot be finished.
    TableError, WindowError
        If the slide has no macrophages, no tumour cells or no window.
    """
    result, parameters = SlideResult(folder.path), study.proximity
    if not is_given(result.manifest["source"]):
        result = finish_slide(study, folder, options)  # current, or one sentence why it cannot be
    cells = result.cells()
    if "in_window" in cells:
        cells = cells[cells["in_window"] & ~cells["excluded"]]
        cells = cells[is_counted(cells, parameters)]
    strata = [name for name in parameters.strata if name in cells]
    observed = result.regions().observed
    options.watcher.stage(folder.slide_id, "calibration", 0)
    found = calibrate(
        cells,
        None if observed.is_empty else Window.from_polygon(observed),
        replace(parameters, strata=tuple(strata)),
        n_simulations=n_simulations,
        seed=study.proximity.seed,
        workers=options.workers.n_workers,
    )
    found.insert(0, "slide_id", folder.slide_id)
    write_parquet(folder.calibration, found)
    ledger = Ledger.open(folder)
    ledger.note(calibrated=ledger.manifest["stages"]["analysis"]["fingerprint"])
    refresh_report(folder, options.watcher)
    return found
