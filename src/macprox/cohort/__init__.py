"""Between patients, the unit is the patient: aggregate, compare, estimate, adjust.

Tables in, tables out: no files, no slides. Names resolve on first use.
"""

from typing import TYPE_CHECKING

import lazy_loader

__all__ = [
    "CURVES",
    "KEY",
    "MEASURES",
    "TESTS",
    "VALUES",
    "Sheet",
    "adjust",
    "adjusted",
    "aggregate",
    "associate",
    "associate_within",
    "compare",
    "compare_curves",
    "compare_paired",
    "kaplan_meier",
    "mixed_model",
    "patients_of",
    "power",
    "power_curves",
    "survival",
]

if TYPE_CHECKING:
    from macprox.cohort.association import associate, associate_within
    from macprox.cohort.columns import CURVES, KEY, MEASURES, TESTS, VALUES
    from macprox.cohort.comparison import compare
    from macprox.cohort.cox import survival
    from macprox.cohort.curves import compare_curves
    from macprox.cohort.freedman_lane import adjusted
    from macprox.cohort.life_table import kaplan_meier
    from macprox.cohort.mixed import mixed_model
    from macprox.cohort.multiplicity import adjust
    from macprox.cohort.paired import compare_paired
    from macprox.cohort.patient_values import aggregate
    from macprox.cohort.sample_size import power, power_curves
    from macprox.cohort.sheet import Sheet, patients_of

# Set where no type checker sees it, which would take every misspelt name for one of ours.
globals()["__getattr__"], __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "association": ["associate", "associate_within"],
        "columns": ["CURVES", "KEY", "MEASURES", "TESTS", "VALUES"],
        "comparison": ["compare"],
        "cox": ["survival"],
        "curves": ["compare_curves"],
        "freedman_lane": ["adjusted"],
        "life_table": ["kaplan_meier"],
        "mixed": ["mixed_model"],
        "multiplicity": ["adjust"],
        "paired": ["compare_paired"],
        "patient_values": ["aggregate"],
        "sample_size": ["power", "power_curves"],
        "sheet": ["Sheet", "patients_of"],
    },
)
