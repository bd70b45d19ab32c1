"""From intensities to phenotypes: where a marker becomes positive, and what that makes a cell."""

from macprox.phenotype.calls import (
    call_phenotypes,
    double_positive_counts,
    explain_cell,
    inside_regions,
)
from macprox.phenotype.logic import Rule
from macprox.phenotype.rules import parse_rule

__all__ = [
    "Rule",
    "call_phenotypes",
    "double_positive_counts",
    "explain_cell",
    "inside_regions",
    "parse_rule",
]
