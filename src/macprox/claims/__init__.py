"""C1 to C7: the conclusion forms that a cohort can support or refute, one module each.

A claim measures a slide (`Claim.of_slide`), the measures of a patient's slides become one value
(`macprox.cohort.aggregate`), and `ask` compares patients.
"""

from macprox.claims.asking import Answers, ask, patient_values
from macprox.claims.catalogue import CLAIMS
from macprox.claims.slide import ClaimSlide, Roles

__all__ = ["CLAIMS", "Answers", "ClaimSlide", "Roles", "ask", "patient_values"]
