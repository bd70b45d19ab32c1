"""Macrophages without a nucleus in the plane: counted apart, in the headline or out of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import macprox as mp
import scenes
import small_runs
from macprox.errors import StudyError
from macprox.pipeline.odd_cells import odd_cell_flags
from macprox.spatial.parameters import ProximityParameters

SIDE_PX = 320


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    """Every second macrophage has lost its nucleus."""
    image = small_runs.tissue(SIDE_PX)
    truth = scenes.crowd(SIDE_PX).truth
    lost = truth % 18 == 1
    image[0] = scenes.exposed((truth > 0) & ~lost, 3)
    return small_runs.write_slide(tmp_path_factory.mktemp("odd") / "s.ome.tif", image)


def analysed(slide, tmp_path, choice: str) -> mp.SlideResult:
    study = small_runs.write_study(
        tmp_path / f"{choice}.toml", ("[proximity]", f'[proximity]\nanucleate = "{choice}"')
    )
    with small_runs.without_reports():
        return mp.run(slide, study, tmp_path / choice)[0]


def n_source(result: mp.SlideResult) -> float:
    rows = result.statistics().query(
        "statistic == 'nearest_mean_um' and source == 'Macrophage' and roi_id == 'all'"
        " and region == 'all'"
    )
    return rows["n_source"].iloc[0]


def test_they_are_in_the_headline_or_out_of_it_and_always_in_the_table(slide, tmp_path):
    counted, left_out = (analysed(slide, tmp_path, choice) for choice in ("count", "leave_out"))
    cells = counted.cells()
    lone = ~cells["has_nucleus"] & (cells["phenotype"] == "Macrophage")
    n_lone, n_all = int(lone.sum()), int((cells["phenotype"] == "Macrophage").sum())
    assert 1 < n_lone < n_all
    assert len(left_out.cells()) == len(cells)
    assert (n_source(counted), n_source(left_out)) == (n_all, n_all - n_lone)
    for result in (counted, left_out):
        assert result.manifest["counts"]["macrophages_without_nucleus"] == {"Macrophage": n_lone}
    assert left_out.cells().loc[lone, "nearest_tumour_um"].isna().all()
    assert counted.cells().loc[lone, "nearest_tumour_um"].notna().all()


def test_the_headline_is_told_without_them(slide, tmp_path):
    counted = analysed(slide, tmp_path, "count")
    rows = [r for r in counted.manifest["sensitivity"] if r["left_out"] == "anucleate"]
    left_out = analysed(slide, tmp_path, "leave_out")
    assert len(rows) == 2
    for row in rows:
        same = left_out.statistics().query(
            "statistic == 'g' and correction == 'none' and r_um == 20 and roi_id == 'all'"
            " and region == 'all' and source == @row['source'] and target == @row['target']"
        )
        assert same["value"].iloc[0] == pytest.approx(row["value"])


def odd_flags(**columns) -> dict[str, str]:
    cells = pd.DataFrame(
        {"phenotype": "Macrophage", "has_nucleus": True, "clump": False, "nucleus_area_um2": 50.0}
        | columns,
        index=range(4),
    )
    study = mp.Study.from_text(small_runs.STUDY)
    return {flag.flag: flag.message for flag in odd_cell_flags(cells, study)}


def test_ordinary_cells_are_not_flagged():
    assert odd_flags() == {}


def test_how_many_have_no_nucleus_is_a_sentence():
    told = odd_flags(has_nucleus=np.array([True, False, False, True]))
    assert told == {
        "macrophages_without_nucleus": "2 of the 4 macrophages have no nucleus in the plane; they "
        "are counted in every distance and share."
    }


def test_clumps_and_giant_nuclei_are_flagged():
    told = odd_flags(
        clump=np.array([True, False, False, False]),
        nucleus_area_um2=np.array([50.0, 2300.0, 701.0, 60.0]),
    )
    assert told["clumps"].startswith("1 bodies without a nucleus were cut from marker areas wider")
    assert told["giant_nuclei"].startswith("2 nuclei are larger than 700 µm²")


def test_the_choice_is_one_of_two():
    with pytest.raises(StudyError, match="anucleate must be count or leave_out, found 'drop'"):
        ProximityParameters(anucleate="drop")
