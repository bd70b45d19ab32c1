"""The result folder: what lies where, and what its manifest says is done."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from macprox.errors import ResultError, reason_of
from macprox.io.atomic import write_json

if TYPE_CHECKING:
    import pandas as pd

STUDY_FILE = "study.toml"
LABEL_NAMES = ("nuclei", "cells")


@dataclass(frozen=True)
class SlideFolder:
    """Paths of one slide's results."""

    path: Path

    @property
    def slide_id(self) -> str:
        return self.path.name

    @property
    def results(self) -> Path:
        """The folder of all slides."""
        return self.path.parents[1]

    @property
    def manifest(self) -> Path:
        return self.path / "manifest.json"

    @property
    def labels(self) -> Path:
        return self.path / "labels.zarr"

    @property
    def cells(self) -> Path:
        return self.path / "cells.parquet"

    @property
    def gates(self) -> Path:
        return self.path / "gates.parquet"

    @property
    def regions(self) -> Path:
        return self.path / "regions.geojson"

    @property
    def lesions(self) -> Path:
        return self.path / "lesions.parquet"

    @property
    def quality(self) -> Path:
        return self.path / "quality.geojson"

    @property
    def statistics(self) -> Path:
        return self.path / "statistics.parquet"

    @property
    def sensitivity(self) -> Path:
        return self.path / "sensitivity.parquet"

    @property
    def calibration(self) -> Path:
        return self.path / "calibration.parquet"

    @property
    def edits(self) -> Path:
        return self.path / "edits.jsonl"

    @property
    def verification(self) -> Path:
        """What readers named without seeing the call."""
        return self.path / "verification.jsonl"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    # What the pipeline alone reads: enough to start again without pixels.
    @property
    def work(self) -> Path:
        return self.path / "work"

    @property
    def overview(self) -> Path:
        return self.work / "overview.zarr"

    @property
    def picture(self) -> Path:
        return self.work / "picture.zarr"

    @property
    def pyramid(self) -> Path:
        """Levels between full resolution and overview, where the slide's file has none."""
        return self.work / "pyramid.zarr"

    @property
    def survey(self) -> Path:
        return self.work / "survey.json"

    @property
    def sample(self) -> Path:
        return self.work / "sample.npz"

    @property
    def tissue(self) -> Path:
        return self.work / "tissue.geojson"

    @property
    def measurements(self) -> Path:
        return self.work / "measurements.parquet"

    @property
    def redrawn(self) -> Path:
        """Cells that a reviewer drew, measured; those that they took the place of."""
        return self.work / "redrawn.parquet"

    @property
    def drawings(self) -> Path:
        """What each drawing changed on the labels, in order."""
        return self.work / "drawings"

    @property
    def contacts(self) -> Path:
        """Pairs of cells that touch."""
        return self.work / "contacts.parquet"

    def parts(self, core_px: int, mark: str) -> Path:
        """Labels and measurements of single tiles, kept until the slide is whole.

        The name says how the slide was cut and what the tiles depend on, so that tiles of
        another run are never taken for ours.
        """
        return self.work / f"tiles-{core_px}-{mark[:16]}"

    def remove_parts(self) -> None:
        for left in self.work.glob("tiles-*"):
            shutil.rmtree(left, ignore_errors=True)


def slide_folder(results: Path, slide_id: str) -> SlideFolder:
    return SlideFolder(Path(results) / "slides" / slide_id)


def slide_folders(results: Path) -> list[SlideFolder]:
    """Every slide of a result folder that has a manifest, in name order."""
    results = Path(results)
    found = sorted((results / "slides").glob("*/manifest.json"))
    if not found:
        raise ResultError(
            f"No results in {results}: expected slides/<slide_id>/manifest.json below it. "
            "Give the folder that `macprox run` wrote (its --out)."
        )
    return [SlideFolder(path.parent) for path in found]


def read_manifest(folder: SlideFolder) -> dict[str, Any]:
    """The manifest, or an empty one where the slide was never started."""
    try:
        manifest = json.loads(folder.manifest.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"slide_id": folder.slide_id, "stages": {}}
    except OSError as error:
        raise ResultError(f"Cannot read {folder.manifest}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:  # not JSON, or not even text
        raise ResultError(
            f"{folder.manifest} is not valid JSON ({reason_of(error)}); delete it to redo the "
            "slide."
        ) from error
    if not _is_manifest(manifest):
        raise ResultError(
            f"{folder.manifest} is not a slide's manifest: it lists no stages; delete it to redo "
            "the slide."
        )
    return manifest


def _is_manifest(content: Any) -> bool:
    """Whether those parts that everybody relies on are tables."""
    if not (isinstance(content, dict) and isinstance(content.get("stages"), dict)):
        return False
    tables = (*content["stages"].values(), content.get("source", {}), content.get("counts", {}))
    return all(isinstance(table, dict) for table in tables)


def write_manifest(folder: SlideFolder, manifest: dict[str, Any]) -> None:
    write_json(folder.manifest, manifest)


def read_table(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """A table of a slide's results.

    Parameters
    ----------
    path : Path
    columns : list of str, optional
        Read these alone.

    Raises
    ------
    ResultError
        If it is missing or damaged; the remedy leaves the reviewer's corrections where they are.
    """
    import pandas as pd

    again = "give the slide to `macprox run` again: it makes what is missing, and keeps corrections"
    try:
        return pd.read_parquet(path, columns=columns)
    except FileNotFoundError:
        raise ResultError(f"{path} is missing; {again}.") from None
    except (OSError, ValueError, KeyError, TypeError, NotImplementedError) as error:
        raise ResultError(
            f"{path} is damaged ({reason_of(error)}). Delete this file and {again}."
        ) from error
