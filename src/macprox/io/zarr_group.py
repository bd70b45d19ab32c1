"""Is a folder a zarr group? By the metadata of which some stands in every one."""

from __future__ import annotations

from pathlib import Path

GROUP_MARKS = (".zgroup", ".zattrs", "zarr.json")


def is_zarr_group(folder: Path) -> bool:
    """Whether a folder is a group of zarr 2 or 3 (an array of zarr 3 looks like one)."""
    return folder.is_dir() and any((folder / name).is_file() for name in GROUP_MARKS)
