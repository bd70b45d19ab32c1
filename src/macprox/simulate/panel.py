"""The panel: channels, how each stain sits in a cell, and what each kind of cell expresses."""

from __future__ import annotations

from dataclasses import dataclass, field

CHANNELS = ("DAPI", "panCK", "CD68", "MARCO", "TREM2", "FOXP3", "CD3", "AF")

# How a stain is laid out inside a cell; `appearance` paints by these numbers.
NUCLEAR, KERATIN, GRANULAR, MEMBRANE, LIPOFUSCIN = 0, 1, 2, 3, 4
PATTERNS = {
    "panCK": KERATIN,
    "CD68": GRANULAR,
    "MARCO": MEMBRANE,
    "TREM2": MEMBRANE,
    "FOXP3": NUCLEAR,
    "CD3": MEMBRANE,
    "AF": LIPOFUSCIN,
}

TUMOUR = "Tumour"
NORMAL_EPITHELIUM = "Normal epithelium"
AM = "AM/TRM-like"
MO = "Mo-mac-like"
UNCLASSIFIED = "Macrophage, unclassified"
TREG = "Treg"
T_CELL = "T cell"
OTHER = "Other"
MACROPHAGES = (AM, MO, UNCLASSIFIED)


@dataclass(frozen=True)
class Kind:
    """How one kind of cell looks.

    Parameters
    ----------
    name, phenotype : str
        Several kinds may share a phenotype (fibroblasts and endothelium are "Other").
    diameter_um, diameter_cv : float
        Equivalent diameter of the nucleus, and its relative spread.
    elongation : float
        Typical long axis over short axis of the nucleus, minus one.
    core_um : float
        Two cells are never closer than the sum of their cores.
    body_um : float
        Cytoplasm beyond the nucleus; for a macrophage, the radius of its body.
    dapi, chromatin : float
        Brightness in grey levels, and the depth of the chromatin's texture.
    nucleoli : int
        At most so many dark spots.
    stains : dict
        Channel -> typical level in grey levels. Others keep a faint nonspecific stain.
    """

    name: str
    phenotype: str
    diameter_um: float
    diameter_cv: float
    elongation: float
    core_um: float
    body_um: float
    dapi: float
    chromatin: float
    nucleoli: int = 0
    wobble: float = 0.05
    body_wobble: float = 0.0
    stains: dict[str, float] = field(default_factory=dict)

    @property
    def is_macrophage(self) -> bool:
        return self.phenotype in MACROPHAGES


KINDS = (
    Kind("tumour", TUMOUR, 9.4, 0.15, 0.3, 4.6, 4.2, 58, 0.55, 3, 0.06, 0, {"panCK": 62}),
    Kind("pneumocyte", NORMAL_EPITHELIUM, 7.6, 0.1, 0.45, 4.0, 2.6, 70, 0.4, 1, 0.05, 0,
         {"panCK": 52}),
    Kind("alveolar macrophage", AM, 8.2, 0.12, 0.3, 4.6, 10.0, 66, 0.4, 1, 0.07, 0.09,
         {"CD68": 58, "MARCO": 54, "AF": 26}),
    Kind("tissue-resident macrophage", AM, 8.0, 0.12, 0.4, 4.6, 9.2, 66, 0.4, 1, 0.07, 0.17,
         {"CD68": 56, "MARCO": 52, "AF": 15}),
    Kind("monocyte-derived macrophage", MO, 8.2, 0.14, 0.5, 4.6, 9.4, 68, 0.4, 1, 0.08, 0.2,
         {"CD68": 58, "TREM2": 50, "AF": 9}),
    Kind("other macrophage", UNCLASSIFIED, 8.0, 0.12, 0.4, 4.6, 8.8, 66, 0.4, 1, 0.07, 0.18,
         {"CD68": 54, "AF": 11}),
    Kind("T cell", T_CELL, 6.3, 0.09, 0.22, 3.3, 1.6, 100, 0.6, 0, 0.06, 0, {"CD3": 66}),
    Kind("regulatory T cell", TREG, 6.5, 0.09, 0.24, 3.3, 1.6, 96, 0.55, 0, 0.06, 0,
         {"CD3": 60, "FOXP3": 62}),
    Kind("lymphocyte", OTHER, 6.4, 0.1, 0.22, 3.3, 1.6, 100, 0.6, 0, 0.06),
    Kind("fibroblast", OTHER, 7.3, 0.16, 1.7, 3.7, 2.2, 62, 0.35, 1, 0.05),
    Kind("endothelium", OTHER, 6.4, 0.14, 1.2, 3.5, 1.5, 70, 0.35, 0, 0.05),
)  # fmt: skip
KIND_INDEX = {kind.name: index for index, kind in enumerate(KINDS)}

NONSPECIFIC = 1.6  # grey levels of stain that any cell keeps in any channel
EXPRESSION_CV = 0.33  # cell-to-cell spread of a marker, lognormal
WEAK_FRAC = 0.08  # of the positive cells, so many express at about half the level
