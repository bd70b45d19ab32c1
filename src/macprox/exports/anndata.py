"""Cells as AnnData, the table of scanpy and squidpy: one object for a slide, or for all of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from macprox import __version__
from macprox.celltable import COMPARTMENTS, centroids_um, mean_column
from macprox.errors import MacproxError
from macprox.exports.slides import slides_of
from macprox.io.atomic import replacing, replacing_folder
from macprox.io.store import STUDY_FILE
from macprox.results import SlideResult
from macprox.spatial.into import storable
from macprox.study import Study

if TYPE_CHECKING:
    from anndata import AnnData

UNIT = "um"
_ZARR: dict[str, Any] = {"zarr_write_format": 3, "auto_shard_zarr_v3": False}
_OF_SAMPLES = ("slide_id", "path")  # of the sample sheet: known already, or of one machine only
_FACTS = (  # of the table of slides alone, and of no cell
    *("pixel_size_um", "light", "signed_off_by", "signed_off_time"),
    *("changed_since_sign_off", "macprox_version"),
)


def to_anndata(results: SlideResult | Sequence[SlideResult]) -> AnnData:
    """The cells of one slide, or of several of one result folder, in memory.

    Parameters
    ----------
    results : SlideResult or sequence of SlideResult

    Returns
    -------
    AnnData
        ``X`` and ``layers``: mean intensities, cells × markers, float32; ``X`` in the compartment
        of the marker's gate, ``layers["nucleus"]``, ``["ring"]`` and ``["cell"]`` in that one.
        ``obs``: the other columns of the cell table, text as categories, and the sample sheet's.
        ``obsm["spatial"]``: ``(n, 2)`` micrometres, columns x and y, y down. ``uns["macprox"]``:
        version, unit, study, gates, statistics and a table of slides. docs/ecosystem.md has the
        whole of it.

    Raises
    ------
    MacproxError
        If anndata is not installed, no slide is given, the slides belong to several result
        folders, or one is not finished.
    """
    try:
        from anndata import AnnData
    except ImportError as error:
        raise MacproxError(
            'Writing AnnData needs anndata: pip install "macprox[anndata]".'
        ) from error
    slides = slides_of(results)
    study = _study_of(slides)
    about = _slide_facts(slides)
    cells = _together([result.cells() for result in slides])
    gates = _together([_gates(result) for result in slides])
    markers = _markers(slides, study, gates)
    values = {name: _means(cells, markers, name) for name in COMPARTMENTS}
    gated = [values[name][:, i] for i, name in enumerate(markers["compartment"])]
    table = AnnData(
        np.column_stack(gated) if gated else np.empty((len(cells), 0), np.float32),
        obs=_obs(cells, about, study),
        var=markers,
        layers=values if gated else {},
        obsm={"spatial": centroids_um(cells)},
    )
    names = list(table.obs["phenotype"].cat.categories)
    colours = study.colours(names)
    # in the order of the categories, as scanpy looks them up
    table.uns["phenotype_colors"] = [colours[name] for name in names]
    table.uns["macprox"] = {
        "version": __version__,
        "spatial_unit": UNIT,
        "study": (slides[0].folder.results / STUDY_FILE).read_text(encoding="utf-8"),
        "slides": storable(about),
        "gates": storable(gates),
        "statistics": storable(_together([result.statistics() for result in slides])),
    }
    return table


def export_h5ad(results: Sequence[SlideResult], folder: Path) -> list[Path]:
    """Write ``cells.h5ad``; see `to_anndata`."""
    path = folder / "cells.h5ad"
    table = to_anndata(results)
    with replacing(path) as temporary, writing():
        table.write_h5ad(temporary, compression="gzip")
    return [path]


def export_anndata_zarr(results: Sequence[SlideResult], folder: Path) -> list[Path]:
    """Write ``cells.zarr``, which opens piece by piece, also over the web; see `to_anndata`."""
    path = folder / "cells.zarr"
    table = to_anndata(results)
    with replacing_folder(path) as temporary, writing():
        table.write_zarr(temporary)
    return [path]


@contextmanager
def writing() -> Iterator[None]:
    """How anndata writes inside: zarr in format 3, a file a chunk, which every reader knows."""
    from anndata import settings

    with warnings.catch_warnings():
        # Its own choices, of no consequence for a reader: an index of the store besides the
        # groups' own, a setting that is on its way out because format 3 becomes the only one, and
        # an option of pandas that anndata 0.13 asks for and pandas 3.1 retires.
        for text in ("Consolidated metadata", "This setting will be removed", "The 'future.infer"):
            warnings.filterwarnings("ignore", text)
        wanted = {name: value for name, value in _ZARR.items() if hasattr(settings, name)}
        with settings.override(**wanted):
            yield


def _study_of(slides: Sequence[SlideResult]) -> Study:
    folders = sorted({str(result.folder.results) for result in slides})
    if len(folders) > 1:
        raise MacproxError(
            "AnnData is made of the slides of one result folder, whose study they share; found "
            f"{', '.join(folders)}. Make one of each folder and join them with "
            "anndata.concat."
        )
    return slides[0].study


def _slide_facts(slides: Sequence[SlideResult]) -> pd.DataFrame:
    """One row a slide: size of a pixel, light, who signed, and what the sample sheet says."""
    rows = []
    for result in slides:
        signed = result.manifest.get("signed_off") or {}
        sample = result.manifest.get("sample") or {}
        rows.append(
            {
                "slide_id": result.slide_id,
                "pixel_size_um": result.pixel_size_um,
                "light": result.manifest.get("light"),
                "signed_off_by": signed.get("by"),
                "signed_off_time": signed.get("time"),
                "changed_since_sign_off": bool(signed.get("changed_since")),
                "macprox_version": result.manifest.get("versions", {}).get("macprox"),
            }
            | {name: text for name, text in sample.items() if name not in _OF_SAMPLES}
        )
    facts = pd.DataFrame(rows).set_index("slide_id", drop=False).rename_axis(None)
    for name in _covariates(slides):
        facts[name] = _numbers(facts[name])
    return facts


def _covariates(slides: Sequence[SlideResult]) -> list[str]:
    samples = [result.manifest.get("sample") or {} for result in slides]
    return list(dict.fromkeys(n for sample in samples for n in sample if n not in _OF_SAMPLES))


def _numbers(column: pd.Series) -> pd.Series:
    """Numbers where every text is one; the sheet was read as text. A patient's "007" stays."""
    known = column[column.notna() & (column != "")].map(str)
    spelled = known.str.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?")
    if len(known) == 0 or column.name == "patient" or not spelled.all():
        return column
    return pd.to_numeric(column.where(column != "", np.nan)).astype(float)


def _together(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [table for table in tables if len(table)]
    if not filled:
        return tables[0].reset_index(drop=True)
    return pd.concat(filled, ignore_index=True)


def _gates(result: SlideResult) -> pd.DataFrame:
    gates = result.gates()
    gates.insert(0, "slide_id", result.slide_id)
    return gates


def _markers(slides: Sequence[SlideResult], study: Study, gates: pd.DataFrame) -> pd.DataFrame:
    """``var``: every measured channel, where it is gated, the gate if all slides have the same."""
    measured = [result.manifest.get("source", {}).get("channels") or [] for result in slides]
    names = list(dict.fromkeys(str(name) for of_slide in measured for name in of_slide))
    of_all = gates[gates["parent"].fillna("") == ""].groupby("marker", sort=False)
    compartment, gate, source = [], [], []
    for name in names:
        rows = of_all.get_group(name) if name in of_all.groups else gates.iloc[:0]
        nuclear = name == study.image.nucleus
        compartment.append(
            rows["compartment"].iloc[0] if len(rows) else "nucleus" if nuclear else "cell"
        )
        gate.append(rows["value"].iloc[0] if rows["value"].nunique() == 1 else np.nan)
        source.append("" if rows["source"].nunique() != 1 else str(rows["source"].iloc[0]))
    return pd.DataFrame(
        {
            "compartment": pd.Categorical(compartment, COMPARTMENTS),
            "gate": np.array(gate, dtype=float),
            "gate_source": pd.Categorical(source),
        },
        index=pd.Index(names, dtype=object),
    )


def _means(cells: pd.DataFrame, markers: pd.DataFrame, compartment: str) -> np.ndarray:
    """``(n_cells, n_markers)`` float32; NaN for what was not measured."""
    columns = [mean_column(name, compartment) for name in markers.index]
    return cells.reindex(columns=columns).to_numpy(np.float32)


def _obs(cells: pd.DataFrame, about: pd.DataFrame, study: Study) -> pd.DataFrame:
    measured = cells.columns.str.startswith("mean_")
    obs = cells.loc[:, ~measured].drop(columns=["x_um", "y_um"])
    for name in about.columns.difference([*obs.columns, *_FACTS], sort=False):
        obs[name] = about[name].reindex(obs["slide_id"]).to_numpy()
    for name in obs.columns:
        if name == "phenotype":
            present = sorted(map(str, obs[name].dropna().unique()))
            order = [known for known in study.phenotypes if known in present]
            obs[name] = pd.Categorical(obs[name], list(dict.fromkeys([*order, *present])))
        elif not pd.api.types.is_numeric_dtype(obs[name]):
            obs[name] = pd.Categorical(obs[name].map(str, na_action="ignore"))
    names = obs["slide_id"].astype(str) + "_" + obs["cell_id"].astype(str)
    return obs.set_axis(pd.Index(names.astype(object)))
