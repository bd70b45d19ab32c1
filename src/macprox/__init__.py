"""Where do macrophages sit relative to the tumour, and does it matter?"""

from typing import TYPE_CHECKING

import lazy_loader

__version__ = "0.5.0"

__all__ = [
    "CohortResult",
    "MacproxError",
    "Slide",
    "SlideResult",
    "Study",
    "__version__",
    "cohort",
    "cohort_figure",
    "export",
    "open_cohort",
    "open_result",
    "open_slide",
    "phenotype",
    "read_cells",
    "run",
    "run_cohort",
    "segment",
    "simulate",
    "spatial",
    "to_anndata",
    "to_spatialdata",
    "update",
]

if TYPE_CHECKING:
    from macprox import cohort, phenotype, segment, simulate, spatial
    from macprox.batch import run, update
    from macprox.batch.cohort import run_cohort
    from macprox.cohort_results import CohortResult, open_cohort
    from macprox.errors import MacproxError
    from macprox.exports import export
    from macprox.exports.anndata import to_anndata
    from macprox.exports.spatialdata import to_spatialdata
    from macprox.io.images import open_slide
    from macprox.io.tables import read_cells
    from macprox.report.cohort import cohort_figure
    from macprox.results import SlideResult, open_result
    from macprox.slide import Slide
    from macprox.study import Study

# Resolved on first use, so that importing macprox is free.
# Set where no type checker sees it, which would take every misspelt name for one of ours.
globals()["__getattr__"], __dir__, _ = lazy_loader.attach(
    __name__,
    submodules=["cohort", "phenotype", "segment", "simulate", "spatial"],
    submod_attrs={
        "batch": ["run", "update"],
        "batch.cohort": ["run_cohort"],
        "cohort_results": ["CohortResult", "open_cohort"],
        "exports": ["export"],
        "exports.anndata": ["to_anndata"],
        "exports.spatialdata": ["to_spatialdata"],
        "errors": ["MacproxError"],
        "io.images": ["open_slide"],
        "io.tables": ["read_cells"],
        "report.cohort": ["cohort_figure"],
        "results": ["SlideResult", "open_result"],
        "slide": ["Slide"],
        "study": ["Study"],
    },
)
