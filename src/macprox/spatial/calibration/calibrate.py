"""How often each test rejects when there is nothing to find, on the user's own slide.

A test at the 5 % level should reject 5 % of slides that follow its null. Whether it does hangs on
the geometry: window, strata, how many cells of which class. So each test's own null is simulated
on that geometry, the test is run on every simulated slide, and its rejections are counted:

========  ========================================================================================
test of   simulated
========  ========================================================================================
relabel   positions, targets and strata as they are; the source label dealt within strata
shift     two clustered populations of the observed sizes, independent, in the same window
csr       two uniform populations of the observed sizes in the same window
========  ========================================================================================

Controls stand beside them: tests of a null that these slides do not follow, although there is
nothing to find in them either (relabelling without strata and CSR, on labels dealt within
strata), and the power of each relabelling test at a stated attraction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from macprox.errors import WindowError
from macprox.spatial.calibration.geometry import Geometry, geometry_of
from macprox.spatial.calibration.on_trial import CSR_TESTS, RELABEL_TESTS, RelabelTests, csr_tests
from macprox.spatial.nulls.relabel import Relabelling
from macprox.spatial.nulls.shift import ShiftTest
from macprox.spatial.nulls.simulated import clustered_in, deal, stream, uniform_in
from macprox.spatial.parameters import ProximityParameters
from macprox.spatial.pattern import Windows
from macprox.window import Window

SHIFT_TESTS = ("shift: k",)
TESTS = (*RELABEL_TESTS, *SHIFT_TESTS, *CSR_TESTS)
OWN, WRONG, POWER = "own null", "wrong null", "power"
LEVEL = 0.05
CALIBRATED_FRAC = (0.04, 0.06)
QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9)
NOT_ESTABLISHED = " (not established: the interval reaches 4 to 6 %)"
CLUSTER_UM = 40.0  # standard deviation of the simulated clusters of both populations
CELLS_PER_CLUSTER = 15
ATTRACTION = 2.0

COLUMNS = (
    *("test", "control", "simulated", "source", "target", "r_um", "n_source", "n_target"),
    *("n_strata", "n_simulations", "n_permutations", "n_rejected", "rejected_frac"),
    *("ci_low", "ci_high", "verdict", *(f"p_q{round(100 * q):02d}" for q in QUANTILES)),
    *("seed", "reason"),
)
DEALT = "labels dealt within strata"
CLUSTERS = f"independent clusters, sigma {CLUSTER_UM:g} um, {CELLS_PER_CLUSTER} cells each"
UNIFORM = "both populations uniform"

PValues = dict[str, float]


@dataclass(frozen=True, eq=False)
class Experiment:
    """Tests of slides simulated one way."""

    control: str
    simulated: str
    tests: tuple[str, ...]
    p_values: Callable[[int], PValues] = field(repr=False)  # of simulation b
    reason: str = ""  # why it is not run

    def run(self, n_simulations: int, workers: int) -> dict[str, np.ndarray]:
        """p of every test in every simulation."""
        if self.reason or not self.tests:
            return {name: np.empty(0) for name in self.tests}
        with ThreadPoolExecutor(workers) as pool:
            found = list(pool.map(self.p_values, range(n_simulations)))
        return {name: np.array([p[name] for p in found]) for name in self.tests}


def calibrate(
    cells: Any,
    window: Windows,
    parameters: ProximityParameters,
    tests: Sequence[str] = TESTS,
    n_simulations: int = 1000,
    seed: int = 0,
    *,
    n_permutations: int = 99,
    controls: bool = True,
    attraction: float = ATTRACTION,
    max_shift_um: float | None = None,
    workers: int = 2,
) -> pd.DataFrame:
    """The type-I error of each test at 5 %, on the geometry of one slide.

    Parameters
    ----------
    cells : DataFrame, AnnData or SpatialData
        As for `slide_statistics`.
    window : Window, mapping of roi_id to Window, or None
        Without one, or with several fields, tests of shift and CSR are not run, and say so.
    parameters : ProximityParameters
        Macrophages (all classes together are the sources), tumour (targets), radii, strata.
    tests : sequence of str
        Of `TESTS`.
    n_simulations : int
        1,000 tell 5 % from 3.5 or 6.5 %; the time is proportional to it.
    seed : int
        Simulation b is a function of the seed and b alone.
    n_permutations : int
        B of each simulated test. The level of a permutation test does not depend on it where
        0.05 (B + 1) is whole, so 99 say what 999 would. Power rises with it.
    controls : bool
        Whether wrong nulls and power are simulated too; more than as much time again.
    attraction : float
        Odds of carrying the source label within the primary radius of a target, against beyond.
    max_shift_um : float, optional
        As in `ShiftTest.of`.
    workers : int
        Threads; changes no number.

    Returns
    -------
    DataFrame
        ``COLUMNS``, one row a test and control. ``rejected_frac`` is the share with p <= 0.05,
        with its Clopper-Pearson 95 % interval. ``verdict``: calibrated (4 to 6 %), conservative
        or liberal, with "not established" where the interval reaches inside; empty for
        controls. ``p_q05`` is the 5 % quantile of p, and so on: 0.05 for a p that is uniform.

    Raises
    ------
    ValueError
        For an unknown test, or fewer than one simulation.
    TableError, WindowError
        For a table or window that cannot be used, or without sources or targets.
    """
    unknown = [name for name in tests if name not in TESTS]
    if unknown:
        raise ValueError(
            f"tests must be among {', '.join(TESTS)}; found {', '.join(map(repr, unknown))}."
        )
    if n_simulations < 1:
        raise ValueError(f"n_simulations must be 1 or more, found {n_simulations}.")
    here = geometry_of(cells, window, parameters)
    setting = _Setting(here, tuple(tests), n_permutations, attraction, max_shift_um, seed)
    rows = [
        _row(here, experiment, name, p, n_permutations, seed)
        for experiment in setting.experiments(controls)
        for name, p in experiment.run(n_simulations, workers).items()
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


@dataclass(frozen=True, eq=False)
class _Setting:
    """What is put on trial, and how each slide is simulated."""

    here: Geometry
    tests: tuple[str, ...]
    n_permutations: int
    attraction: float
    max_shift_um: float | None
    seed: int

    def experiments(self, controls: bool) -> list[Experiment]:
        relabel, shift, csr = (self._asked(of) for of in (RELABEL_TESTS, SHIFT_TESTS, CSR_TESTS))
        found = []
        if relabel:
            found.append(self._relabelled(OWN, DEALT, relabel, stratified=True))
        if shift:
            found.append(self._shifted(shift))
        if csr:
            found.append(self._uniform(csr))
        if controls and relabel:
            attracted = f"{DEALT}, odds {self.attraction:g} times within {self.here.radius_um:g} um"
            if self.here.n_strata > 1:
                found.append(self._relabelled(WRONG, DEALT, relabel, stratified=False))
            found.append(self._relabelled(POWER, attracted, relabel, stratified=True))
        if controls and csr:
            found.append(self._csr_of_dealt(csr))
        return found

    def _asked(self, names: Sequence[str]) -> tuple[str, ...]:
        return tuple(name for name in names if name in self.tests)

    def _stream(self, experiment: int, number: int) -> np.random.Generator:
        return stream(self.seed, 8 * number + experiment)

    def _dealt(self, rng: np.random.Generator, odds: np.ndarray | None = None) -> np.ndarray:
        return deal(self.here.labels, rng, odds)

    def _relabelled(
        self, control: str, simulated: str, tests: tuple[str, ...], stratified: bool
    ) -> Experiment:
        here, labels = self.here, self.here.labels
        stratum = labels.stratum if stratified else np.zeros_like(labels.stratum)
        exact = here.surroundings.exact(Relabelling(labels.moved, stratum))
        on_trial = RelabelTests(here.surroundings, exact, here.radius_um, self.n_permutations)
        odds = np.where(here.is_near, self.attraction, 1.0) if control == POWER else None
        experiment = [OWN, WRONG, POWER].index(control)

        def p_values(number: int) -> PValues:
            rng = self._stream(experiment, number)
            moved = Relabelling(self._dealt(rng, odds), stratum)
            return on_trial(moved, int(rng.integers(2**62)), tests)

        return Experiment(control, simulated, tests, p_values, here.nothing_to_deal)

    def _shifted(self, tests: tuple[str, ...]) -> Experiment:
        here, window = self.here, self.here.window
        if window is None:
            return Experiment(OWN, CLUSTERS, tests, _never, here.no_window_reason)
        try:
            shift = ShiftTest.of(window, here.radius_um, self.max_shift_um)
        except WindowError as error:
            return Experiment(OWN, CLUSTERS, tests, _never, str(error))

        def p_values(number: int) -> PValues:
            rng = self._stream(3, number)
            source, target = (_clusters(window, n, rng) for n in (here.n_source, here.n_target))
            null = shift(source, target, self.n_permutations, int(rng.integers(2**62)))[1]
            return dict.fromkeys(tests, null.p)

        return Experiment(OWN, CLUSTERS, tests, p_values)

    def _uniform(self, tests: tuple[str, ...]) -> Experiment:
        here, window = self.here, self.here.window
        if window is None:
            return Experiment(OWN, UNIFORM, tests, _never, here.no_window_reason)

        def p_values(number: int) -> PValues:
            rng = self._stream(4, number)
            source, target = (uniform_in(window, n, rng) for n in (here.n_source, here.n_target))
            return csr_tests(source, target, window, here.radius_um, self.n_permutations, rng)

        return Experiment(OWN, UNIFORM, tests, p_values)

    def _csr_of_dealt(self, tests: tuple[str, ...]) -> Experiment:
        here, window = self.here, self.here.window
        reason = here.no_window_reason or here.nothing_to_deal
        if window is None:
            return Experiment(WRONG, DEALT, tests, _never, reason)

        def p_values(number: int) -> PValues:
            rng = self._stream(5, number)
            source = here.surroundings.eligible_xy[self._dealt(rng)]
            target = here.surroundings.fixed_xy
            return csr_tests(source, target, window, here.radius_um, self.n_permutations, rng)

        return Experiment(WRONG, DEALT, tests, p_values, reason)


def _never(number: int) -> PValues:
    raise RuntimeError(f"simulation {number} of an experiment that has a reason not to be run")


def _clusters(window: Window, n: int, rng: np.random.Generator) -> np.ndarray:
    return clustered_in(window, n, max(1, round(n / CELLS_PER_CLUSTER)), CLUSTER_UM, rng)


def verdict(n_rejected: int, n: int) -> tuple[float, float, str]:
    """Clopper-Pearson 95 % interval of a rejection rate, and what to call it."""
    from scipy.stats import beta

    low = float(beta.ppf(0.025, n_rejected, n - n_rejected + 1)) if n_rejected else 0.0
    high = float(beta.ppf(0.975, n_rejected + 1, n - n_rejected)) if n_rejected < n else 1.0
    least, most = CALIBRATED_FRAC
    if least <= n_rejected / n <= most:
        return low, high, "calibrated"
    word = "conservative" if n_rejected / n < least else "liberal"
    return low, high, word if high < least or low > most else word + NOT_ESTABLISHED


def _row(
    here: Geometry, experiment: Experiment, name: str, p: np.ndarray, n_permutations: int, seed: int
) -> dict[str, Any]:
    p = p[np.isfinite(p)]
    row: dict[str, Any] = {
        "test": name,
        "control": experiment.control,
        "simulated": experiment.simulated,
        "source": here.source,
        "target": here.target,
        "r_um": here.radius_um,
        "n_source": here.n_source,
        "n_target": here.n_target,
        "n_strata": here.n_strata,
        "n_simulations": len(p),
        "n_permutations": n_permutations,
        "n_rejected": int((p <= LEVEL).sum()),
        "seed": seed,
        "reason": experiment.reason,
        "verdict": "",
    }
    if len(p) == 0:
        return {**row, "reason": experiment.reason or "the statistic is not defined here"}
    low, high, word = verdict(row["n_rejected"], len(p))
    quantiles = zip(QUANTILES, np.quantile(p, QUANTILES), strict=True)
    return {
        **row,
        "rejected_frac": row["n_rejected"] / len(p),
        "ci_low": low,
        "ci_high": high,
        "verdict": word if experiment.control == OWN else "",
        **{f"p_q{round(100 * q):02d}": float(value) for q, value in quantiles},
    }
