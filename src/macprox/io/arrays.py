"""Named arrays in one file, written whole or not at all; never a pickle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from macprox.errors import ResultError, reason_of
from macprox.io.atomic import replacing


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as an uncompressed ``.npz``; names must be plain words.

    Into a folder that is there: a worker whose run was given up, and done again by another, must
    not bring back what was tidied away.
    """
    keywords: dict[str, Any] = dict(arrays)
    with replacing(path, makes_folder=False) as temporary:
        np.savez(temporary, **keywords)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read what `write_arrays` wrote.

    Raises
    ------
    ResultError
        If it is damaged, or holds objects: those are pickles, and reading one runs it.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            return dict(saved)
    except (OSError, ValueError, TypeError, EOFError, BadZipFile) as error:
        raise ResultError(
            f"{path} is damaged or not from macprox ({reason_of(error)}). Delete the folder "
            f"{path.parent} and run the slide again; corrections are kept."
        ) from error
