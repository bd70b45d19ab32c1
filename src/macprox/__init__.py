"""Where do macrophages sit relative to the tumour, and does it matter?"""

from typing import TYPE_CHECKING

import lazy_loader

__version__ = "0.4.0"

__all__ = [
    "MacproxError",
    "Slide",
    "SlideResult",
    "Study",
    "__version__",
    "cohort",
    "open_result",
    "open_slide",
    "phenotype",
    "read_cells",
    "run",
    "segment",
    "simulate",
    "spatial",
    "update",
]

if TYPE_CHECKING:
    from macprox import cohort, phenotype, segment, simulate, spatial
    from macprox.batch import run, update
    from macprox.errors import MacproxError
    from macprox.io.images import open_slide
    from macprox.io.tables import read_cells
    from macprox.results import SlideResult, open_result
    from macprox.slide import Slide
    from macprox.study import Study

# Resolved on first use, so that importing macprox is free.
__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submodules=["cohort", "phenotype", "segment", "simulate", "spatial"],
    submod_attrs={
        "batch": ["run", "update"],
        "errors": ["MacproxError"],
        "io.images": ["open_slide"],
        "io.tables": ["read_cells"],
        "results": ["SlideResult", "open_result"],
        "slide": ["Slide"],
        "study": ["Study"],
    },
)
