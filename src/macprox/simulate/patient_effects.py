"""How the patients of a simulated cohort differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from macprox.simulate.cohort_scene import MAX_MACROPHAGE_FRAC, MIN_RADIUS_UM, Arm, CohortScene


@dataclass(frozen=True, eq=False)
class Effects:
    """How each of ``n`` patients of an arm is.

    Parameters
    ----------
    radius_um, density : (n,) float
        Of the lesion; the factor of all densities.
    trm_frac, mdm_frac : (n, 4) float
        By `cohort_scene.RINGS`.
    trm_pull, mdm_pull : (n,) float
    """

    radius_um: np.ndarray
    density: np.ndarray
    trm_frac: np.ndarray
    mdm_frac: np.ndarray
    trm_pull: np.ndarray
    mdm_pull: np.ndarray


def draw_effects(scene: CohortScene, arm: Arm, rng: np.random.Generator, n: int) -> Effects:
    """Draw ``n`` patients of an arm; the arm changes no draw, so that arms can be compared."""
    z = rng.standard_normal((n, 7))
    total = np.add(arm.trm_frac, arm.mdm_frac)
    factor = _lognormal(z[:, 2], scene.macrophage_cv)[:, None]
    mixing = np.exp(0.5 * scene.mixing_sd * z[:, 3, None] * np.array([1, 1, -1, -1]))
    total_frac = np.minimum(total * factor * mixing, MAX_MACROPHAGE_FRAC)
    share = np.divide(arm.trm_frac, total)
    share = share + np.clip(scene.lineage_sd * z[:, 4], -1, 1)[:, None] * share * (1 - share)
    radius_um = scene.lesion_radius_um + scene.lesion_radius_sd_um * z[:, 0]
    return Effects(
        radius_um=np.clip(radius_um, MIN_RADIUS_UM, scene.max_radius_um),
        density=_lognormal(z[:, 1], scene.density_cv),
        trm_frac=total_frac * share,
        mdm_frac=total_frac * (1 - share),
        trm_pull=_pull(arm.trm_pull, scene.pull_sd, z[:, 5]),
        mdm_pull=_pull(arm.mdm_pull, scene.pull_sd, z[:, 6]),
    )


def _pull(mean: float, sd: float, z: np.ndarray) -> np.ndarray:
    """Normal, cut symmetrically so that the mean stays where it is."""
    room = 1 - abs(mean)
    return mean + np.clip(sd * z, -room, room)


def _lognormal(z: np.ndarray, cv: float) -> np.ndarray:
    """With mean 1 and this coefficient of variation."""
    sigma = np.sqrt(np.log1p(cv**2))
    return np.exp(sigma * z - sigma**2 / 2)
