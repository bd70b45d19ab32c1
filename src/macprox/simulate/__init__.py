"""Tissue with known truth: sample data, tests, benchmarks."""

from macprox.simulate.cohort import cohort_scenes, scene, side_px, write_cohort
from macprox.simulate.cohort_scene import Arm, CohortScene, scenario
from macprox.simulate.parameters import (
    CameraParameters,
    Population,
    SceneParameters,
    TissueParameters,
)
from macprox.simulate.patient_truth import true_difference, true_values
from macprox.simulate.patients import SimulatedCohort, simulate_cohort
from macprox.simulate.render import SimulatedSlide, simulate_slide
from macprox.simulate.scene import Scene
from macprox.simulate.write import write_slide

__all__ = [
    "Arm",
    "CameraParameters",
    "CohortScene",
    "Population",
    "Scene",
    "SceneParameters",
    "SimulatedCohort",
    "SimulatedSlide",
    "TissueParameters",
    "cohort_scenes",
    "scenario",
    "scene",
    "side_px",
    "simulate_cohort",
    "simulate_slide",
    "true_difference",
    "true_values",
    "write_cohort",
    "write_slide",
]
