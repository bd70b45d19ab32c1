"""Tissue with known truth: sample data, tests, benchmarks."""

from macprox.simulate.cohort import cohort_scenes, scene, side_px, write_cohort
from macprox.simulate.parameters import (
    CameraParameters,
    Population,
    SceneParameters,
    TissueParameters,
)
from macprox.simulate.render import SimulatedSlide, simulate_slide
from macprox.simulate.scene import Scene
from macprox.simulate.write import write_slide

__all__ = [
    "CameraParameters",
    "Population",
    "Scene",
    "SceneParameters",
    "SimulatedSlide",
    "TissueParameters",
    "cohort_scenes",
    "scene",
    "side_px",
    "simulate_slide",
    "write_cohort",
    "write_slide",
]
