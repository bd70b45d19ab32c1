"""Is this computer fit for an analysis, and for a window? What somebody who helps asks first."""

from macprox.doctor.examination import examine
from macprox.doctor.finding import NOTE, OK, PROBLEM, Finding, private

__all__ = ["NOTE", "OK", "PROBLEM", "Finding", "examine", "private"]
