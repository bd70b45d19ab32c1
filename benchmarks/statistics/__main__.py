"""`python -m benchmarks.statistics`; see `command`."""

import os

# Before numpy is loaded: threads of BLAS that spin would count as somebody's CPU time.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

from benchmarks.statistics.command import main  # noqa: E402

main()
