"""Saved tables -> figures and pages that a pathologist reads. Computes no statistic."""

from macprox.report.index import FailedSlide, write_index
from macprox.report.page import write_slide_report

__all__ = ["FailedSlide", "write_index", "write_slide_report"]
