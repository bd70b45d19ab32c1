"""What is true of simulated patients: expected values in closed form, not estimates from cells.

Cells are Poisson in rings around a disk and labels are dealt independently, so every estimand is an
integral over circles. Where a pull couples macrophages to tumour cells there is no such form for
"nearby", and the truth is NaN.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from macprox.simulate.cohort_scene import Arm, CohortScene
from macprox.simulate.disk import CORNERS
from macprox.simulate.patient_effects import Effects, draw_effects
from macprox.simulate.patients import SimulatedCohort

ESTIMANDS = (
    "tumour_near_trm",
    "tumour_near_mdm",
    "log2_periphery_core_trm",
    "trm_share",
    "trm_share_tumour",
    "trm_excess",
)
TRUTH_SEED = 20_260_000
_NODES = 48  # of the integral over tumour cells; 24 change the fourth digit


def true_values(cohort: SimulatedCohort) -> pd.DataFrame:
    """The true value of every estimand in every patient.

    Parameters
    ----------
    cohort : SimulatedCohort

    Returns
    -------
    DataFrame
        ``patient, group`` and a column each of `ESTIMANDS`:

        - ``tumour_near_trm``, ``tumour_near_mdm``: probability that a tumour cell has a macrophage
          of the class within ``reach_um``; NaN where that class has a pull in this patient.
        - ``log2_periphery_core_trm``: log2 of the TRM's density in the periphery (within the half
          width of the border, both sides) over that in the core.
        - ``trm_share``, ``trm_share_tumour``: TRM / (TRM + MDM) within the half width around the
          lesion and in it, and in the lesion alone; numbers expected, not a mean of ratios.
        - ``trm_excess``: share of TRM with a tumour cell within ``reach_um`` minus that expected
          under relabelling within region and compartment: 0 where TRM are dealt evenly within the
          lesion and without, and no pull is there; else NaN.
    """
    patients = cohort.patients
    names = [column for column in patients.columns if column not in ("patient", "group")]
    columns = {name: patients[name].to_numpy(float) for name in names}
    by_ring = {
        name: np.stack([columns.pop(c) for c in names if c.startswith(name)], axis=1)
        for name in ("trm_frac", "mdm_frac")
    }
    values = _values(cohort.scene, Effects(**columns, **by_ring))
    return pd.concat([patients[["patient", "group"]], pd.DataFrame(values)], axis=1)


def true_difference(scene: CohortScene, n: int = 4000) -> pd.DataFrame:
    """The true difference between the arms: means over all patients there could be.

    Parameters
    ----------
    scene : CohortScene
    n : int
        Patients drawn from each arm, with the same deviations from their arm's mean, so that the
        difference is known far better than either mean.

    Returns
    -------
    DataFrame
        One row each of `ESTIMANDS`: ``estimand``, the mean of each arm under its name,
        ``difference`` (second minus first) and ``se``, its Monte Carlo standard error. NaN where
        patients have no truth, but not where it follows: two arms that differ in name alone have
        no difference, and of patients whose pulls are 0 on average the mean excess is 0.
    """
    first, second = scene.arms
    alike = replace(first, name=second.name) == second
    of_first, of_second = (
        _values(scene, draw_effects(scene, arm, np.random.default_rng(TRUTH_SEED), n))
        for arm in (first, second)
    )
    rows = []
    for name in ESTIMANDS:
        a, b = of_first[name], of_second[name]
        if name == "trm_excess":
            a, b = (np.full(n, _mean_excess(arm)) for arm in scene.arms)
        rows.append(
            {
                "estimand": name,
                first.name: a.mean(),
                second.name: b.mean(),
                "difference": 0.0 if alike else (b - a).mean(),
                "se": 0.0 if alike else (b - a).std(ddof=1) / np.sqrt(n),
            }
        )
    return pd.DataFrame(rows)


def _mean_excess(arm: Arm) -> float:
    """0 where the excess, which is linear in the pull, is 0 on average; else not known."""
    core, inner, outer, distant = arm.trm_frac
    return 0.0 if arm.trm_pull == 0 and core == inner and outer == distant else np.nan


def _values(scene: CohortScene, effects: Effects) -> dict[str, np.ndarray]:
    """`ESTIMANDS` of ``n`` patients, each ``(n,)``."""
    circles = _circles_um(scene, effects)
    area = np.pi * np.diff(circles**2, axis=1, prepend=0.0)  # core, inner rim, outer rim
    others = np.array([1 - scene.tumour_frac] * 2 + [1.0, 1.0])
    cells = np.array([scene.nest_per_mm2] * 2 + [scene.stroma_per_mm2] * 2) / 1e6
    eligible = effects.density[:, None] * cells * others
    trm, mdm = eligible * effects.trm_frac, eligible * effects.mdm_frac
    n_trm, n_mdm = trm[:, :3] * area, mdm[:, :3] * area
    periphery = n_trm[:, 1:].sum(axis=1) / area[:, 1:].sum(axis=1)
    even = (trm[:, 0] == trm[:, 1]) & (trm[:, 2] == trm[:, 3])
    still = effects.trm_pull == 0
    near_trm, near_mdm = _share_near(scene, circles, trm), _share_near(scene, circles, mdm)
    return {
        "tumour_near_trm": np.where(still, near_trm, np.nan),
        "tumour_near_mdm": np.where(effects.mdm_pull == 0, near_mdm, np.nan),
        "log2_periphery_core_trm": np.log2(periphery / trm[:, 0]),
        "trm_share": n_trm.sum(axis=1) / (n_trm + n_mdm).sum(axis=1),
        "trm_share_tumour": n_trm[:, :2].sum(axis=1) / (n_trm + n_mdm)[:, :2].sum(axis=1),
        "trm_excess": np.where(even & still, 0.0, np.nan),
    }


def _circles_um(scene: CohortScene, effects: Effects) -> np.ndarray:
    """``(n, 3)``: outer radius of core, inner rim and outer rim."""
    # of the circle with the polygon's area, and of its parallels
    turn = np.pi / CORNERS
    radius = effects.radius_um * np.sqrt(np.sin(2 * turn) / (2 * turn))
    reach = np.minimum(scene.margin_um, effects.radius_um * np.cos(turn) / 2)
    return np.stack([radius - reach, radius, radius + reach], axis=1)


def _share_near(scene: CohortScene, circles: np.ndarray, per_um2: np.ndarray) -> np.ndarray:
    """Probability that a place in the disk has a cell within reach: ``(n,)``.

    A Poisson process leaves a disk around the place empty with probability exp(-expected number);
    places are uniform in the lesion, which the midpoints of equal areas stand for.
    """
    lesion = circles[:, 1, None]
    away = lesion * np.sqrt((np.arange(_NODES) + 0.5) / _NODES)
    overlap = np.stack([_lens_um2(away, scene.reach_um, r[:, None]) for r in circles.T], axis=-1)
    whole = np.full((*away.shape, 1), np.pi * scene.reach_um**2)
    in_ring = np.diff(np.concatenate([overlap, whole], axis=-1), axis=-1, prepend=0.0)
    return (1 - np.exp(-(in_ring * per_um2[:, None]).sum(axis=-1))).mean(axis=1)


def _lens_um2(away: np.ndarray, r: float, radius: np.ndarray) -> np.ndarray:
    """Area that two disks share, of radii ``r`` and ``radius``, their centres ``away`` apart."""
    away = np.maximum(away, 1e-9)
    a = np.clip((away**2 + r**2 - radius**2) / (2 * away * r), -1, 1)
    b = np.clip((away**2 + radius**2 - r**2) / (2 * away * radius), -1, 1)
    kite = (r + radius - away) * (away + r - radius) * (away - r + radius) * (away + r + radius)
    return r**2 * np.arccos(a) + radius**2 * np.arccos(b) - 0.5 * np.sqrt(np.maximum(kite, 0))
