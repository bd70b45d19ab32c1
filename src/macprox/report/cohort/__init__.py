"""What was found between patients -> one page, and each of its figures. Computes no statistic."""

from macprox.report.cohort.figures import cohort_figure
from macprox.report.cohort.page import write_cohort_report

__all__ = ["cohort_figure", "write_cohort_report"]
