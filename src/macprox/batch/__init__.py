"""Many slides: one failure stops no other, every failure is said, nothing is done twice.

`runs` and `doubts` are what can be done to a folder of slides; `plan` says which slides, `work`
takes them one by one, `journal` writes down how far it came, and `status` reads that.
"""

from macprox.batch.doubts import calibrate, sensitivity
from macprox.batch.plan import ALL, Selection
from macprox.batch.runs import run, update
from macprox.batch.work import BatchError, Failure
from macprox.pipeline.contents import INDEX_FILE

__all__ = [
    "ALL",
    "INDEX_FILE",
    "BatchError",
    "Failure",
    "Selection",
    "calibrate",
    "run",
    "sensitivity",
    "update",
]
