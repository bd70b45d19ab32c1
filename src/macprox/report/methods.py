"""How the numbers were made, in sentences that can be pasted into a paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from macprox.phenotype.gate_table import gate_name
from macprox.report.numbers import is_number, significant_text
from macprox.report.rows import text_of
from macprox.report.seams import seam_sentences
from macprox.report.sentences import noun, strata_text

if TYPE_CHECKING:
    import pandas as pd


GIVEN_CELLS = (
    "Cells, their positions and their phenotypes were given as tables of another tool; no image "
    "was read."
)


def methods_paragraph(manifest: dict, study, gates: pd.DataFrame, regions) -> str:
    """A methods paragraph from the effective study, the manifest and the gates."""
    if study.cells_are_given:
        parts = (_software(manifest), GIVEN_CELLS, _regions(study, regions))
        return " ".join((*parts, proximity(study, manifest)))
    return " ".join(
        [
            _software(manifest),
            _image(manifest, study),
            segmentation(study),
            *seam_sentences(manifest),
            _gating(gates),
            _regions(study, regions),
            proximity(study, manifest),
        ]
    )


def _software(manifest: dict) -> str:
    versions = manifest.get("versions") or {}
    version = versions.get("macprox", "")
    python = f" (Python {versions['python']})" if "python" in versions else ""
    return f"Slides were analysed with macprox {version}{python}.".replace("  ", " ")


def _image(manifest: dict, study) -> str:
    source = manifest.get("source") or {}
    size = source.get("pixel_size_um")
    origin = "given in study.toml" if study.image.pixel_size_um else "from the file's metadata"
    scale = f" at {size:g} µm per pixel ({origin})" if is_number(size) else ""
    blank = study.image.autofluorescence
    af = (
        f"; autofluorescence, measured in the blank channel {blank}, was subtracted"
        if blank
        else ""
    )
    return f"{len(source.get('channels', []))} channels{scale} were read{af}."


def segmentation(study) -> str:
    p = study.segmentation
    said = (
        f"Nuclei were segmented on {study.image.nucleus} (method {p.method}, expected diameter "
        f"{p.nucleus_diameter_um:g} µm, smallest area {p.min_nucleus_area_um2:g} µm²) and expanded "
        f"by at most {p.expansion_um:g} µm without overlap to give cells"
    )
    macrophages = p.macrophages
    if macrophages is None or not macrophages.channels:
        return said + "."
    return (
        f"{said}; macrophage bodies were grown on {', '.join(macrophages.channels)} up to "
        f"{macrophages.reach_um:g} µm beyond the nucleus, bodies without a nucleus in the plane "
        f"were kept from {macrophages.min_area_um2:g} µm²."
    )


def _gating(gates: pd.DataFrame) -> str:
    if not len(gates):
        return "No marker was gated."
    words = {
        "auto": "automatic and unconfirmed",
        "study": "set in the study",
        "reviewer": "reviewed",
    }
    parts = []
    for _, row in gates.iterrows():
        source = text_of(row["source"])
        how = "automatic, confirmed" if source == "auto" and row["confirmed"] else ""
        if is_number(row["value"]):
            cut = f"{row['compartment']} > {significant_text(row['value'])}"
            name = gate_name(row["marker"], text_of(row.get("parent")))
            parts.append(f"{name} {cut} ({how or words.get(source, source)})")
        else:
            parts.append(f"{row['marker']} {row['compartment']}, no gate found")
    return (
        "Cells were called positive where a marker's mean intensity in its compartment exceeded "
        f"its gate: {'; '.join(parts)}."
    )


def _regions(study, regions) -> str:
    source = getattr(regions, "tumour_source", "none")
    p = study.regions
    if source == "none" or regions.tumour.is_empty:
        return "No tumour region was delineated on this slide."
    how = {
        "auto": f"delineated automatically from the density of tumour-marker cells (smoothing "
        f"{p.smoothing_um:g} µm, pieces from {p.min_area_um2:g} µm²)",
        "file": "taken from a drawn region in a file",
        "reviewer": "drawn by a reviewer",
    }.get(source, source)
    return f"The tumour region was {how}; its margin reaches {p.margin_um:g} µm to either side."


def proximity(study, manifest: dict) -> str:
    """What was measured between cells, and against which null."""
    p = study.proximity
    within = strata_text(study)
    drawn = (
        f"p-values from {p.n_permutations} permutations, seed {manifest.get('seed', p.seed)}"
        if p.n_permutations
        else "no permutations were drawn"
    )
    nulls = {
        "relabel": f"exact relabelling of macrophages among the non-tumour cells{within}, "
        "tumour cells fixed",
        "permute": f"permutation of macrophages among the non-tumour cells{within}, "
        "tumour cells fixed",
        "csr": "complete spatial randomness in the window",
    }
    return (
        f"Centroid-to-centroid distances between {noun(p.tumour, study, plural=True)} and "
        f"{', '.join(p.macrophages) or 'no macrophage class'} were measured in both directions; "
        f"the share of cells with at least one such neighbour within "
        f"{', '.join(f'{r:g}' for r in p.radii_um)} µm (primary radius {p.primary_radius_um:g} µm, "
        f"set beforehand) was compared with its expectation under {nulls.get(p.null, p.null)} "
        f"({drawn})."
    )


def definitions(study) -> list[tuple[str, str]]:
    """Each statistic of the report in one or two sentences: (name, definition)."""
    p = study.proximity
    within = strata_text(study)
    band = f"{p.band_um:g}"
    return [
        (
            "Share within r",
            "The share of source cells with at least one target cell at most r away, centroid to "
            "centroid (the uncorrected nearest-neighbour function G). A → B and B → A are "
            "different questions. No edge correction: observed and expected share the same "
            "estimator, so cells near the window's edge bias neither against the other.",
        ),
        (
            "Position null",
            "Positions stay, tumour cells stay; the macrophage label is dealt at random among the "
            f"non-tumour cells{within}. Asks: do macrophages sit closer to tumour cells than other "
            "cells of the same places do? The expectation is exact, not simulated; the p-value is "
            "two-sided.",
        ),
        (
            "Lineage null",
            f"Only macrophages take part: class names are exchanged among those{within}. Asks: "
            "does one class sit closer to the tumour than the other?",
        ),
        (
            "Ratio",
            "Observed divided by expected. 1 × is what the null expects; a ratio says nothing "
            "about cause, and for common targets it cannot go far above 1.",
        ),
        (
            "p",
            "Describes this slide against random relabelling within it. Cells are not patients: "
            "differences between groups of patients are tested at patient level. Values at "
            "several radii and classes are not corrected for their number; the primary radius was "
            "chosen beforehand. “≤” marks the smallest p the permutations can give.",
        ),
        (
            "Nearest distance",
            "For each source cell the distance to its nearest target, centroid to centroid. It "
            "falls with the target's density alone: compare it with its expectation, not between "
            "slides. A macrophage is 20 to 40 µm wide, so touching cells can be 20 µm apart.",
        ),
        (
            "Density",
            "Cells per mm² of the area named beside it. The window is the scanned tissue, "
            "airspaces included, without exclusions and bare glass.",
        ),
        (
            "Border profile",
            f"Cells per mm² of observable tissue in {band} µm bands of signed distance to the "
            "tumour border, negative inside. A band with too little tissue is left blank, not "
            "zero.",
        ),
        (
            "CSR, for reference only",
            "Complete spatial randomness spreads cells evenly over the window. Tissue never is: "
            "nests, septa and airspaces alone make CSR “expect” too little or too much. Its rows "
            "carry an edge correction (Kaplan-Meier or border) and decide nothing here.",
        ),
    ]
