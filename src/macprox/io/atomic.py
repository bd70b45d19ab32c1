"""Writes that are there whole or not at all: a temporary name, then a rename."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from macprox.errors import ResultError
from macprox.io.zarr_group import is_zarr_group

if TYPE_CHECKING:
    import pandas as pd

_TEMPORARY = re.compile(r"\..+\.\d+(-\w+)?\.tmp(\.\w+)?")


@contextmanager
def replacing(path: Path, makes_folder: bool = True) -> Iterator[Path]:
    """A temporary name beside ``path`` that takes its place when the block ends well.

    Parameters
    ----------
    path : Path
    makes_folder : bool
        Whether the folder is made where there is none.

    Raises
    ------
    ResultError
        If it cannot be written: no permission, a file where a folder is needed, a full disk.

    Examples
    --------
    >>> with replacing(folder / "a.txt") as temporary:  # doctest: +SKIP
    ...     temporary.write_text("whole")
    """
    temporary = _temporary_beside(path)
    if makes_folder:
        make_folder(path.parent)
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise ResultError(f"Cannot write {path}: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):  # never there, or not ours to remove: the first error counts
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A temporary folder's name beside ``path``; the folder takes its place at the good end.

    For zarr stores. What stands there is removed last, when the new one is whole.

    Raises
    ------
    ResultError
        If it cannot be written, or a folder stands there that is no zarr store: it may hold
        anything, and would be lost.
    """
    if path.is_dir() and not is_zarr_group(path):
        raise ResultError(
            f"{path} is a folder, but no zarr store that could be replaced. Move it away, or give "
            "another --out."
        )
    temporary = _temporary_beside(path)
    make_folder(path.parent)
    try:
        yield temporary
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        os.replace(temporary, path)
    except OSError as error:
        raise ResultError(f"Cannot write {path}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _temporary_beside(path: Path) -> Path:
    # Two machines may have the same process id and the same folder.
    unique = f"{os.getpid()}-{secrets.token_hex(4)}"
    return path.with_name(f".{path.name}.{unique}.tmp{path.suffix}")


def clear_leftovers(folder: Path) -> None:
    """Remove what a process left that was killed while it wrote into this folder."""
    for path in folder.glob(".*.tmp*"):
        if not _TEMPORARY.fullmatch(path.name):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, where they are not there yet.

    Raises
    ------
    ResultError
        If it cannot be made: no permission, a file in its place, a full disk.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultError(f"Cannot write {path}: {error.strerror or error}.") from error


def write_text(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_parquet(path: Path, table: pd.DataFrame) -> None:
    with replacing(path) as temporary:
        table.to_parquet(temporary, index=False)
