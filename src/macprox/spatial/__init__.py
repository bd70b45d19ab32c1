"""Within a slide, the unit is the cell: distances, summary functions, nulls, border profile.

Names resolve on first use: `macprox.study` needs the parameters only, and no numba.
"""

from typing import TYPE_CHECKING

import lazy_loader

from macprox.window import Window

__all__ = [
    "COLUMNS",
    "ContactShare",
    "Csr",
    "Envelope",
    "Graph",
    "InhomogeneousPoisson",
    "MixingScore",
    "ProximityParameters",
    "RandomShift",
    "Relabel",
    "ShiftTest",
    "ToroidalShift",
    "Window",
    "annotate",
    "annotate_neighbours",
    "annotate_regions",
    "area_below_um2",
    "calibrate",
    "cell_niches",
    "cells_of",
    "co_occurrence",
    "contact_graph",
    "contact_share",
    "contacts",
    "count_within",
    "cross_g",
    "cross_j",
    "cross_k",
    "cross_k_curves",
    "cross_k_inhom",
    "cross_l",
    "cross_pcf",
    "delaunay_graph",
    "empty_space_f",
    "enrichment",
    "enrichment_permuted",
    "envelope",
    "expected_g_relabelled",
    "headline",
    "headline_without",
    "intensity",
    "into_obs",
    "into_obsm",
    "into_obsp",
    "into_uns",
    "is_lineage",
    "is_position",
    "k_nearest",
    "knn_graph",
    "mark_connection",
    "mark_correlation",
    "mixing_score",
    "nearest_distance",
    "neighbourhood",
    "neighbourhood_composition",
    "niche_profile",
    "niches",
    "proximity",
    "proximity_envelope",
    "radius_graph",
    "ripley_k",
    "signed_distance",
    "slide_statistics",
    "zone_of",
]

if TYPE_CHECKING:
    from macprox.spatial.annotated import cells_of
    from macprox.spatial.border import area_below_um2
    from macprox.spatial.calibration.calibrate import calibrate
    from macprox.spatial.columns import annotate, annotate_neighbours, annotate_regions
    from macprox.spatial.functions.co_occurrence import co_occurrence
    from macprox.spatial.functions.empty_space import cross_j, empty_space_f
    from macprox.spatial.functions.g_function import cross_g
    from macprox.spatial.functions.kernel_intensity import intensity
    from macprox.spatial.functions.pair_correlation import (
        cross_pcf,
        mark_connection,
        mark_correlation,
    )
    from macprox.spatial.functions.ripley import (
        cross_k,
        cross_k_curves,
        cross_k_inhom,
        cross_l,
        ripley_k,
    )
    from macprox.spatial.graphs.composition import neighbourhood_composition, niche_profile, niches
    from macprox.spatial.graphs.contact import ContactShare, contact_graph, contact_share, contacts
    from macprox.spatial.graphs.delaunay import delaunay_graph
    from macprox.spatial.graphs.enrichment import enrichment, enrichment_permuted
    from macprox.spatial.graphs.graph import Graph, knn_graph, radius_graph
    from macprox.spatial.graphs.mixing import MixingScore, mixing_score
    from macprox.spatial.graphs.tables import cell_niches, neighbourhood
    from macprox.spatial.into import into_obs, into_obsm, into_obsp, into_uns
    from macprox.spatial.nulls.envelopes import Envelope, envelope
    from macprox.spatial.nulls.pair_envelopes import proximity_envelope
    from macprox.spatial.nulls.relabel import expected_g_relabelled
    from macprox.spatial.nulls.shift import RandomShift, ShiftTest, ToroidalShift
    from macprox.spatial.nulls.simulated import Csr, InhomogeneousPoisson, Relabel
    from macprox.spatial.pairs import proximity
    from macprox.spatial.parameters import ProximityParameters
    from macprox.spatial.search.neighbours import count_within, k_nearest, nearest_distance
    from macprox.spatial.sensitivity import headline_without
    from macprox.spatial.slide import (
        headline,
        is_lineage,
        is_position,
        slide_statistics,
    )
    from macprox.spatial.table import COLUMNS
    from macprox.window.border import signed_distance, zone_of

# Set where no type checker sees it, which would take every misspelt name for one of ours.
globals()["__getattr__"], __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "annotated": ["cells_of"],
        "into": ["into_obs", "into_obsm", "into_obsp", "into_uns"],
        "graphs.contact": ["contacts", "contact_graph", "contact_share", "ContactShare"],
        "graphs.tables": ["neighbourhood", "cell_niches"],
        "graphs.mixing": ["mixing_score", "MixingScore"],
        "graphs.composition": ["neighbourhood_composition", "niches", "niche_profile"],
        "nulls.envelopes": ["Envelope", "envelope"],
        "nulls.pair_envelopes": ["proximity_envelope"],
        "nulls.simulated": ["Csr", "InhomogeneousPoisson", "Relabel"],
        "nulls.shift": ["RandomShift", "ShiftTest", "ToroidalShift"],
        "calibration.calibrate": ["calibrate"],
        "functions.kernel_intensity": ["intensity"],
        "functions.empty_space": ["cross_j", "empty_space_f"],
        "functions.pair_correlation": ["cross_pcf", "mark_connection", "mark_correlation"],
        "functions.ripley": ["cross_k", "cross_k_curves", "cross_k_inhom", "cross_l", "ripley_k"],
        "graphs.enrichment": ["enrichment", "enrichment_permuted"],
        "graphs.graph": ["Graph", "knn_graph", "radius_graph"],
        "graphs.delaunay": ["delaunay_graph"],
        "parameters": ["ProximityParameters"],
        "search.neighbours": ["nearest_distance", "k_nearest", "count_within"],
        "functions.co_occurrence": ["co_occurrence"],
        "functions.g_function": ["cross_g"],
        "nulls.relabel": ["expected_g_relabelled"],
        "border": ["signed_distance", "zone_of", "area_below_um2"],
        "columns": ["annotate", "annotate_regions", "annotate_neighbours"],
        "pairs": ["proximity"],
        "sensitivity": ["headline_without"],
        "slide": ["slide_statistics", "headline", "is_position", "is_lineage"],
        "table": ["COLUMNS"],
    },
)
