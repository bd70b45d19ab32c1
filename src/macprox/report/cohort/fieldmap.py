"""What reporting guidelines ask for, and where the answer stands.

The guidelines' item lists were not at hand: the topics are those that their abstracts name (SITC
image analysis and sharing, January 2025, PMC11749220; STORMI, December 2025,
doi 10.1136/jitc-2025-012280; MITI 2022, doi 10.1038/s41592-022-01415-4), without item numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

STATE = ""  # not recorded: the authors must state it
SITC, STORMI, MITI = "SITC 2025", "STORMI 2025", "MITI 2022"


@dataclass(frozen=True)
class Topic:
    """One topic of a guideline; ``where`` is empty where macprox records nothing."""

    name: str
    guidelines: tuple[str, ...]
    where: str = STATE


TOPICS = (
    Topic("Specimen: kind, fixation, age, consent", (MITI,)),
    Topic("Patients and slides: numbers, groups, covariates", (MITI, STORMI),
          "patients.parquet; Who, on this page"),
    Topic("Staining: antibodies, clones, lots, dilutions, cycles", (MITI, STORMI)),
    Topic("Validation of each antibody, controls", (STORMI,)),
    Topic("Channels and the markers in them", (MITI,),
          "study.toml [image], [markers]; manifest.json of each slide"),
    Topic("Microscope, objective, exposure", (MITI,)),
    Topic("Pixel size and where it is from", (MITI,), "manifest.json, report of each slide"),
    Topic("Image format and level (raw, stitched, corrected)", (MITI,),
          "manifest.json: format and fingerprint; the level is yours to state"),
    Topic("Selection of images and fields", (STORMI,),
          "samples and slides left out, with reasons: Who, on this page; how fields were chosen "
          "is yours to state"),
    Topic("Stitching and registration of cycles", (STORMI, MITI)),
    Topic("Unmixing and autofluorescence", (SITC,),
          "study.toml [image] autofluorescence; unmixing done before is yours to state"),
    Topic("Quality control by slide and batch", (SITC,),
          "lights with reasons, quality.geojson, Who on this page"),
    Topic("Excluded areas, by reason", (SITC, STORMI), "regions.geojson; Who, on this page"),
    Topic("Segmentation: method and parameters", (SITC, MITI), "study.toml [segmentation]"),
    Topic("Segmentation masks", (MITI,), "labels.zarr of each slide"),
    Topic("Phenotyping: gates, who set them, when", (SITC, STORMI),
          "gates.parquet, edits.jsonl of each slide"),
    Topic("Phenotype definitions", (SITC, STORMI), "study.toml [phenotypes]"),
    Topic("Verification against a reader", (SITC,),
          "verification.jsonl of each slide, where readers named cells"),
    Topic("Clustering strategy", (STORMI,), "none is used: phenotypes are rules"),
    Topic("Spatial strategy: distances, radii, nulls, edge correction", (STORMI,),
          "study.toml [proximity]; statistics.parquet of each slide; Methods, on this page"),
    Topic("Unit of analysis and statistical tests", (SITC, STORMI),
          "tests.parquet; What was measured, on this page"),
    Topic("Multiplicity", (SITC,), "tests.parquet: p_adjusted, primary"),
    Topic("Software, versions, seeds", (SITC, STORMI, MITI), "cohort.json; Methods, on this page"),
    Topic("Single-cell table", (MITI,), "cells.parquet of each slide"),
    Topic("Where raw images, tables and code are shared", (SITC, MITI)),
)  # fmt: skip
