"""The sample cohort: early and late lesions of different patients, in lung."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from macprox.errors import StudyError
from macprox.simulate.parameters import (
    CameraParameters,
    Population,
    SceneParameters,
    TissueParameters,
)
from macprox.simulate.write import write_slide

# Everything but the macrophages is the same early and late.
_NEST = (
    Population("T cell", "nest", 90),
    Population("tumour", "nest", 40000, (1.5, 1e9)),
)
_STROMA = (
    Population("regulatory T cell", "stroma", 700),
    Population("T cell", "stroma", 2000, patch_um=70),
    Population("lymphocyte", "stroma", 2600, patch_um=85),
    Population("fibroblast", "stroma", 5500, (2.5, 1e9)),
)
_ALVEOLI = (
    Population("pneumocyte", "septum", 9000, (0.8, 4.2)),
    Population("endothelium", "septum", 16000, (2.0, 1e9)),
    Population("T cell", "septum", 500),
)
# Resident macrophages of normal alveoli lie against panCK+ pneumocytes: without a tumour region
# they would count as close to "tumour".
_RESIDENT = (Population("alveolar macrophage", "airspace", 900, (2.0, 9.0)),)

EARLY = (
    Population("tissue-resident macrophage", "nest", 420, (3.0, 1e9)),
    Population("tissue-resident macrophage", "stroma", 1500, (2.0, 1e9), 14.0),
    Population("monocyte-derived macrophage", "nest", 110, (3.0, 1e9)),
    Population("monocyte-derived macrophage", "stroma", 700),
    Population("monocyte-derived macrophage", "septum", 600, border_pull_um=70),
    Population("other macrophage", "stroma", 520),
    *_RESIDENT,
    *_NEST,
    *_STROMA,
    *_ALVEOLI,
)
LATE = (
    Population("tissue-resident macrophage", "stroma", 420, (2.0, 1e9), -30.0),
    Population("monocyte-derived macrophage", "nest", 380, (3.0, 1e9)),
    Population("monocyte-derived macrophage", "stroma", 900),
    Population("monocyte-derived macrophage", "septum", 800, border_pull_um=70),
    Population("other macrophage", "stroma", 520),
    *_RESIDENT,
    *_NEST,
    *_STROMA,
    *_ALVEOLI,
)


STAGES = {"early": EARLY, "late": LATE}

# Slides of a cohort differ as patients do: staining, autofluorescence, illumination. Where the
# lesion sits leaves alveoli in the same field. These three are the samples; further patients are
# like one of their stage, and differ from it (`_another`).
_PATIENTS = (
    ("early", ((0.33, 0.36, 172.0),), CameraParameters()),
    ("late", ((0.62, 0.35, 180.0),), CameraParameters(stain=0.85, shading_frac=0.26)),
    ("early", ((0.38, 0.66, 168.0),), CameraParameters(stain=1.1, autofluorescence=1.5)),
)
SAMPLE_SEED = 41
SAMPLE_SIZE_PX = (1024, 1024)
_SIZE_SD, _NUMBER_SD = 0.2, 0.35  # of logarithms, between further patients
_SMALL_UM = 800.0  # up to here one lesion fills a field; larger slides scatter theirs


def scene(stage: str, slide_id: str, seed: int, size_px: tuple[int, int]) -> SceneParameters:
    """A slide of one stage, ``"early"`` or ``"late"``, of any size."""
    if stage not in STAGES:
        raise StudyError(f"Unknown stage {stage!r}; known are {', '.join(STAGES)}.")
    camera = next(camera for name, _, camera in _PATIENTS if name == stage)
    parameters = SceneParameters(slide_id, seed, size_px, STAGES[stage], camera=camera)
    if max(parameters.extent_um) > _SMALL_UM:
        return parameters
    lesion = next(lesion for name, lesion, _ in _PATIENTS if name == stage)
    return replace(parameters, tissue=TissueParameters(lesions_frac=lesion))


def side_px(size_px: int | None, size_mm: float | None) -> int:
    """Side of a square slide, asked for in pixels or in millimetres; neither is 2048 px."""
    if size_mm is None:
        return 2048 if size_px is None else size_px
    if size_px is not None:
        raise StudyError(
            f"The side of a simulated slide is given twice, as {size_px} px and {size_mm:g} mm: "
            "give one of --size and --size-mm."
        )
    if not 0.128 <= size_mm <= 64:
        raise StudyError(
            f"A simulated slide is 0.128 to 64 mm wide, found --size-mm {size_mm:g}; 8 makes "
            "16,000 px of 0.5 um."
        )
    return round(size_mm * 1000 / SceneParameters.pixel_size_um)


def cohort_scenes(
    seed: int = SAMPLE_SEED, size_px: tuple[int, int] = SAMPLE_SIZE_PX, n_patients: int = 3
) -> list[tuple[SceneParameters, str, str]]:
    """Scene, patient and group of every slide of a cohort."""
    if n_patients < 1:
        raise StudyError(f"A cohort needs at least one patient, found {n_patients}.")
    scenes = []
    for number in range(n_patients):
        stage = tuple(STAGES)[number % len(STAGES)]
        patient = f"P{number + 1:02d}"
        slide = scene(stage, f"{patient}_{stage}", seed + number, size_px)
        if number < len(_PATIENTS):
            _, lesion, camera = _PATIENTS[number]
            if slide.tissue.lesions_frac:
                slide = replace(slide, tissue=TissueParameters(lesions_frac=lesion))
            slide = replace(slide, camera=camera)
        else:
            slide = _another(slide, np.random.default_rng([seed, number]))
        scenes.append((slide, patient, stage))
    return scenes


def _another(slide: SceneParameters, rng: np.random.Generator) -> SceneParameters:
    """One more patient of a stage: another size of lesion, other macrophages, another staining."""
    size, resident, recruited = np.exp(rng.normal(0, (_SIZE_SD, _NUMBER_SD, _NUMBER_SD)))
    tissue = slide.tissue
    if tissue.lesions_frac:
        x, y, radius_um = tissue.lesions_frac[0]
        radius_um *= min(max(size, 0.6), 1.25)  # to leave alveoli in the same field
        tissue = replace(tissue, lesions_frac=((x, y, float(radius_um)),))
    else:
        tissue = replace(tissue, lesion_pitch_um=float(tissue.lesion_pitch_um * size))
    factor = {"tissue-resident macrophage": resident, "monocyte-derived macrophage": recruited}
    populations = tuple(
        replace(group, per_mm2=float(group.per_mm2 * factor.get(group.kind, 1.0)))
        for group in slide.populations
    )
    stain, glow = np.exp(rng.normal(0, (0.1, 0.25)))
    camera = replace(
        slide.camera,
        stain=float(slide.camera.stain * stain),
        autofluorescence=float(slide.camera.autofluorescence * glow),
    )
    return replace(slide, tissue=tissue, populations=populations, camera=camera)


def write_cohort(
    folder: str | Path,
    seed: int = SAMPLE_SEED,
    size_px: tuple[int, int] = SAMPLE_SIZE_PX,
    n_patients: int = 3,
    progress: Callable[[str, float], Any] | None = None,
) -> list[Path]:
    """Slides of several patients with ``study.toml``, ``samples.csv`` and their truth.

    Parameters
    ----------
    folder : path
    seed : int
        With the defaults, the files of ``sample_data/``.
    size_px : (int, int)
        Height and width of every slide, at 0.5 um a pixel.
    n_patients : int
        One slide each; early and late alternate. From the fourth on the lesion's size and the
        numbers of resident and of recruited macrophages vary by factors of the patient's own.
    progress : callable, optional
        Told the slide's name and its finished fraction.

    Returns
    -------
    list of Path
        The slides.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    scenes = cohort_scenes(seed, size_px, n_patients)
    rows = [f"{slide.slide_id},{patient},{group}" for slide, patient, group in scenes]
    (folder / "samples.csv").write_text("\n".join(["slide_id,patient,group", *rows]) + "\n")
    study = resources.files("macprox.simulate").joinpath("study.toml")
    (folder / "study.toml").write_text(study.read_text(encoding="utf-8"), encoding="utf-8")
    paths = []
    for slide, _, _ in scenes:
        told = None if progress is None else partial(progress, slide.slide_id)
        paths.append(write_slide(folder, slide, told))
    return paths
