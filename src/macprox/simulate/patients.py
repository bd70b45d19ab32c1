"""Cohorts of patients at the level of cell tables: no pixels, so that thousands are affordable."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import shapely

from macprox.simulate.alveoli import Alveoli
from macprox.simulate.cohort_scene import RINGS, CohortScene
from macprox.simulate.disk import Disk
from macprox.simulate.panel import AM, MO, OTHER, TREG, TUMOUR
from macprox.simulate.patient_effects import Effects, draw_effects
from macprox.window import Window
from macprox.window.border import zone_of

PHENOTYPES = np.array([OTHER, TUMOUR, AM, MO, TREG], dtype=object)
_OTHER, _TUMOUR, _TRM, _MDM, _TREG = range(len(PHENOTYPES))
COMPARTMENTS = np.array(["epithelium", "stroma", "tissue", "airspace"], dtype=object)
_EPITHELIUM, _STROMA, _TISSUE, _AIRSPACE = range(len(COMPARTMENTS))
AIRSPACE_TRM_FRAC = 0.9  # of the cells in airspaces


@dataclass(frozen=True, eq=False)
class SimulatedCohort:
    """Cells of all slides, and what is true of their patients.

    Parameters
    ----------
    scene : CohortScene
    seed : int
    cells : DataFrame
        As macprox has them, one row a cell: ``slide_id, roi_id, cell_id, x_um, y_um, has_nucleus,
        in_window, excluded, lesion_id, compartment, tumour_border_distance_um, nearest_lesion_id,
        relative_depth, region, phenotype``. All are in the window, each slide's rows together.
    samples : DataFrame
        ``slide_id, patient, group``.
    patients : DataFrame
        ``patient, group`` and every parameter of the patient: the columns of `Effects`, those by
        ring with the ring's name behind.
    """

    scene: CohortScene
    seed: int
    cells: pd.DataFrame
    samples: pd.DataFrame
    patients: pd.DataFrame
    _first_row: np.ndarray = field(repr=False)
    _disks: tuple[Disk, ...] = field(repr=False)
    _alveoli: tuple[Alveoli | None, ...] = field(repr=False)

    @property
    def slide_ids(self) -> list[str]:
        return self.samples["slide_id"].tolist()

    @property
    def window(self) -> Window:
        """The same for every slide."""
        return Window.from_rectangle(0, 0, self.scene.side_um, self.scene.side_um)

    def slide_cells(self, slide_id: str) -> pd.DataFrame:
        """The cells of one slide."""
        at = self._at(slide_id)
        return self.cells.iloc[self._first_row[at] : self._first_row[at + 1]]

    def tumour(self, slide_id: str) -> shapely.Polygon:
        """The lesion of a slide, micrometres."""
        return self._disks[self._at(slide_id)].polygon()

    def airspace(self, slide_id: str) -> shapely.MultiPolygon:
        """The airspaces of a slide, micrometres; empty in a scene without alveoli."""
        alveoli = self._alveoli[self._at(slide_id)]
        return shapely.MultiPolygon() if alveoli is None else alveoli.polygons()

    def _at(self, slide_id: str) -> int:
        return self.slide_ids.index(slide_id)


def simulate_cohort(scene: CohortScene, seed: int = 0) -> SimulatedCohort:
    """Draw patients and their slides.

    Parameters
    ----------
    scene : CohortScene
    seed : int
        The same scene and seed give the same cohort. Patients have seeds of their own: more
        patients or slides leave those there were as they were.

    Returns
    -------
    SimulatedCohort
        Its truth: `patient_truth.true_values` and `patient_truth.true_difference`.
    """
    samples, patients, slides = [], [], []
    of_arms = np.random.SeedSequence(seed).spawn(2)
    for arm, n_patients, of_arm in zip(scene.arms, scene.n_patients, of_arms, strict=True):
        for number, of_patient in enumerate(of_arm.spawn(n_patients), start=1):
            patient = f"{arm.name}{number:03d}"
            effects = draw_effects(scene, arm, np.random.default_rng(of_patient), 1)
            patients.append((patient, arm.name, effects))
            for k, of_slide in enumerate(of_patient.spawn(scene.slides_per_patient), start=1):
                samples.append((f"{patient}_{k}", patient, arm.name))
                slides.append(_slide(scene, effects, np.random.default_rng(of_slide)))
    names = [slide_id for slide_id, _, _ in samples]
    sizes = [len(columns["x_um"]) for columns, _, _ in slides]
    return SimulatedCohort(
        scene=scene,
        seed=seed,
        cells=_cell_table(names, sizes, [columns for columns, _, _ in slides], scene),
        samples=pd.DataFrame(samples, columns=["slide_id", "patient", "group"]),
        patients=_patient_table(patients),
        _first_row=np.concatenate([[0], np.cumsum(sizes)]),
        _disks=tuple(disk for _, disk, _ in slides),
        _alveoli=tuple(alveoli for _, _, alveoli in slides),
    )


def _slide(
    scene: CohortScene, effects: Effects, rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], Disk, Alveoli | None]:
    """Numeric columns of one slide of the one patient in ``effects``, and its geometry."""
    centre = scene.side_um / 2 + rng.uniform(-10, 10, 2)
    disk = Disk(float(centre[0]), float(centre[1]), float(effects.radius_um[0]))
    alveoli = None
    if scene.alveoli:
        alveoli = Alveoli.around(disk, scene.margin_um, scene.side_um, rng.uniform(0, 1, 2))
    xy, distance_um, compartment = _places(scene, disk, alveoli, effects.density[0], rng)
    columns = {
        "x_um": xy[:, 0],
        "y_um": xy[:, 1],
        "tumour_border_distance_um": distance_um,
        "relative_depth": -distance_um / disk.apothem_um,
        "compartment": compartment,
    }
    columns["phenotype"] = _deal(scene, effects, columns, disk, rng)
    return columns, disk, alveoli


def _places(
    scene: CohortScene,
    disk: Disk,
    alveoli: Alveoli | None,
    density: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where cells are, whoever they are: Poisson in the nest, in the stroma, in the airspaces."""
    low, width_um = np.array([disk.x_um, disk.y_um]) - disk.radius_um, 2 * disk.radius_um
    nest = low + width_um * _points(rng, density * scene.nest_per_mm2 * width_um**2)
    solid = scene.side_um * _points(rng, density * scene.stroma_per_mm2 * scene.side_um**2)
    nest_um, solid_um = disk.distance_um(nest), disk.distance_um(solid)
    nest, nest_um = nest[nest_um < 0], nest_um[nest_um < 0]
    solid, solid_um = solid[solid_um > 0], solid_um[solid_um > 0]
    inside = np.full(len(nest), _EPITHELIUM)
    if alveoli is None:
        parts = [(nest, nest_um, inside), (solid, solid_um, np.full(len(solid), _STROMA))]
    else:
        in_air = alveoli.contains(solid)
        solid, solid_um = solid[~in_air], solid_um[~in_air]
        tissue = np.where(alveoli.is_near(solid), _TISSUE, _STROMA)
        air = scene.side_um * _points(rng, density * scene.airspace_per_mm2 * scene.side_um**2)
        air = air[alveoli.contains(air)]
        parts = [(nest, nest_um, inside), (solid, solid_um, tissue)]
        parts.append((air, disk.distance_um(air), np.full(len(air), _AIRSPACE)))
    xy, distance_um, compartment = (np.concatenate(part) for part in zip(*parts, strict=True))
    return xy, distance_um, compartment


def _points(rng: np.random.Generator, per_mm2_um2: float) -> np.ndarray:
    """Poisson points of the unit square."""
    return rng.uniform(size=(rng.poisson(per_mm2_um2 / 1e6), 2))


def _deal(
    scene: CohortScene,
    effects: Effects,
    columns: dict[str, np.ndarray],
    disk: Disk,
    rng: np.random.Generator,
) -> np.ndarray:
    """Phenotypes, dealt to cells that are there: tumour cells first, then all others."""
    distance_um, compartment = columns["tumour_border_distance_um"], columns["compartment"]
    first, second = rng.uniform(size=(2, len(distance_um)))
    is_tumour = (compartment == _EPITHELIUM) & (first < scene.tumour_frac)
    ring = disk.ring_of(distance_um, scene.margin_um)
    trm, mdm = effects.trm_frac[0][ring], effects.mdm_frac[0][ring]
    pulls = (float(effects.trm_pull[0]), float(effects.mdm_pull[0]))
    if any(pulls):
        trm_weight, mdm_weight = _weights(scene, columns, is_tumour, pulls)
        trm, mdm = trm * trm_weight, mdm * mdm_weight
    in_air = compartment == _AIRSPACE
    trm, mdm = np.where(in_air, AIRSPACE_TRM_FRAC, trm), np.where(in_air, 0.0, mdm)
    treg = np.where(in_air, 0.0, scene.treg_frac)
    steps = np.cumsum([trm, mdm, treg], axis=0)
    dealt = np.select(list(second < steps), [_TRM, _MDM, _TREG], _OTHER)
    return np.where(is_tumour, _TUMOUR, dealt)


def _weights(
    scene: CohortScene,
    columns: dict[str, np.ndarray],
    is_tumour: np.ndarray,
    pulls: tuple[float, float],
) -> list[np.ndarray]:
    """What a pull multiplies each cell's chance with: 1 + t (1 - p) near, 1 - t p elsewhere.

    ``p`` is the share of the stratum's eligible cells near a tumour cell, so that the mean is 1.
    """
    from scipy.spatial import cKDTree

    xy = np.stack([columns["x_um"], columns["y_um"]], axis=1)
    near = np.zeros(len(xy), bool)
    if is_tumour.any():
        near = np.isfinite(cKDTree(xy[is_tumour]).query(xy, distance_upper_bound=scene.reach_um)[0])
    zone = np.searchsorted(
        [-scene.margin_um, 0.0, scene.margin_um], columns["tumour_border_distance_um"]
    )
    stratum = zone * len(COMPARTMENTS) + columns["compartment"]
    n = np.bincount(stratum[~is_tumour], minlength=stratum.max(initial=0) + 1)
    n_near = np.bincount(stratum[~is_tumour], near[~is_tumour], len(n))
    p = (n_near / np.maximum(n, 1))[stratum]
    return [np.where(near, 1 + pull * (1 - p), 1 - pull * p) for pull in pulls]


def _cell_table(
    names: list[str], sizes: list[int], slides: list[dict[str, np.ndarray]], scene: CohortScene
) -> pd.DataFrame:
    columns = {name: np.concatenate([slide[name] for slide in slides]) for name in slides[0]}
    distance_um = columns["tumour_border_distance_um"]
    n = len(distance_um)
    return pd.DataFrame(
        {
            "slide_id": np.repeat(np.array(names, dtype=object), sizes),
            "roi_id": np.full(n, "1", dtype=object),
            "cell_id": np.concatenate([np.arange(1, size + 1) for size in sizes]),
            "x_um": columns["x_um"],
            "y_um": columns["y_um"],
            "has_nucleus": np.ones(n, bool),
            "in_window": np.ones(n, bool),
            "excluded": np.zeros(n, bool),
            "lesion_id": (distance_um < 0).astype(np.int32),
            "compartment": COMPARTMENTS[columns["compartment"]],
            "tumour_border_distance_um": distance_um,
            "nearest_lesion_id": np.ones(n, np.int32),
            "relative_depth": columns["relative_depth"],
            "region": zone_of(distance_um, scene.margin_um),
            "phenotype": PHENOTYPES[columns["phenotype"]],
        }
    )


def _patient_table(patients: list[tuple[str, str, Effects]]) -> pd.DataFrame:
    rows = []
    for patient, group, effects in patients:
        row: dict[str, str | float] = {"patient": patient, "group": group}
        for name, value in vars(effects).items():
            of_rings = zip(RINGS, value[0], strict=True) if value.ndim == 2 else [("", value[0])]
            row |= {f"{name}_{ring}".rstrip("_"): float(number) for ring, number in of_rings}
        rows.append(row)
    return pd.DataFrame(rows)
