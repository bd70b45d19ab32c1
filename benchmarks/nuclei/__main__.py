"""`python -m benchmarks.nuclei`; see `command`."""

import os

# Before numpy is loaded: every method has one thread, or the CPU times do not compare.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_variable] = "1"

from benchmarks.nuclei.command import main  # noqa: E402

main()
