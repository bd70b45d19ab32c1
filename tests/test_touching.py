"""Contact between macrophages and tumour cells, from labels to the statistics table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import macprox as mp
import small_runs
from macprox import spatial
from macprox.pipeline import RunOptions, Workers
from macprox.spatial.pairs import Question
from macprox.spatial.pattern import Group, pattern_of
from macprox.spatial.touching import NO_CONTACTS, contact_rows

WINDOW = spatial.Window.from_rectangle(0, 0, 100, 100)
KINDS = np.array(["Tumour", "Macrophage", "Other", "Other"])


@pytest.fixture(scope="module")
def tiling() -> tuple[pd.DataFrame, np.ndarray]:
    """Square cells of 4 um with gaps of 1 um: cells and labels, 0.5 um a pixel."""
    labels = np.zeros((200, 200), np.int32)
    rng = np.random.default_rng(4)
    rows = []
    for i in range(20):
        for j in range(20):
            if rng.random() < 0.25:
                continue
            y, x = 10 * i, 10 * j
            labels[y : y + 8, x : x + 8] = len(rows) + 1
            rows.append((len(rows) + 1, x / 2 + 2, y / 2 + 2, rng.choice(KINDS), i < 10))
    columns = ["cell_id", "x_um", "y_um", "phenotype", "region"]
    return pd.DataFrame(rows, columns=columns), labels


def question(**changes) -> Question:
    return Question(Group.of("Macrophage"), Group.of("Tumour"), n_permutations=199, **changes)


def rows_of(cells, contacts, gap_um=1.0, strata=(), **changes) -> pd.DataFrame:
    pattern = pattern_of(cells, WINDOW, strata)
    rows = contact_rows(pattern, question(**changes), contacts, gap_um)
    return pd.DataFrame(rows).set_index(["statistic", "source"])


def test_shares_and_counts_are_those_of_the_labels(tiling):
    cells, labels = tiling
    table = rows_of(cells, spatial.contacts(labels, 0.5, max_gap_um=1.0))
    kind = dict(zip(cells["cell_id"], cells["phenotype"], strict=True))
    touched: dict[int, set[int]] = {number: set() for number in kind}
    for y, x in np.argwhere(labels > 0):
        # Two pixels lie between the edges of cells that are 1 um apart: look one farther.
        around = labels[max(y - 3, 0) : y + 4, max(x - 3, 0) : x + 4]
        touched[labels[y, x]] |= set(np.unique(around).tolist()) - {0, labels[y, x]}
    in_contact = {
        number: {other for other in others if _gap(labels, number, other) <= 1.0}
        for number, others in touched.items()
    }
    for source, target in (("Macrophage", "Tumour"), ("Tumour", "Macrophage")):
        n = [
            sum(kind[other] == target for other in in_contact[number])
            for number in kind
            if kind[number] == source
        ]
        assert table.loc[("contact_count", source), "value"] == pytest.approx(np.mean(n))
        share = np.mean(np.array(n) > 0)
        assert table.loc[("contact_fraction", source), "value"] == pytest.approx(share)
    assert 0.1 < table.loc[("contact_fraction", "Macrophage"), "value"] < 0.9


def _gap(labels: np.ndarray, one: int, other: int) -> float:
    """Between the outlines of two square cells, um."""
    spans = []
    for number in (one, other):
        y, x = np.nonzero(labels == number)
        spans.append((y.min(), y.max() + 1, x.min(), x.max() + 1))
    (a0, a1, a2, a3), (b0, b1, b2, b3) = spans
    dy, dx = max(b0 - a1, a0 - b1, 0), max(b2 - a3, a2 - b3, 0)
    return 0.5 * float(np.hypot(dy, dx))


def test_expectations_are_the_means_of_deals(tiling):
    cells, labels = tiling
    contacts = spatial.contacts(labels, 0.5, max_gap_um=1.0)
    exact = rows_of(cells, contacts, strata=("region",))
    rng = np.random.default_rng(1)
    seen = []
    for _ in range(150):
        dealt = cells.copy()
        for stratum in (False, True):
            here = (dealt["region"] == stratum) & (dealt["phenotype"] != "Tumour")
            dealt.loc[here, "phenotype"] = rng.permutation(dealt.loc[here, "phenotype"])
        seen.append(rows_of(dealt, contacts, strata=("region",), null="csr")["value"])
    deals = pd.concat(seen, axis=1)
    spread = deals.std(axis=1)
    assert (abs(deals.mean(axis=1) - exact["expected"]) < 4 * spread / 150**0.5).all()
    np.testing.assert_allclose(spread, exact["sd"], rtol=0.25)
    assert exact["p"].between(0, 1).all()


def test_pairs_of_cells_that_do_not_count_are_left_out(tiling):
    cells, labels = tiling
    contacts = spatial.contacts(labels, 0.5, max_gap_um=1.0)
    kept = cells[cells["phenotype"] != "Tumour"]
    table = rows_of(kept, contacts)
    assert table["value"].isna().all()
    assert (table["reason"] == "no cells of 'Tumour'").all()


def test_without_labels_there_is_a_reason(tiling):
    cells, labels = tiling
    assert (rows_of(cells, None)["reason"] == NO_CONTACTS).all()
    nameless = cells.drop(columns="cell_id")
    assert (rows_of(nameless, spatial.contacts(labels, 0.5))["reason"] == NO_CONTACTS).all()


def test_a_run_finds_contacts_once_and_again_for_another_gap(tmp_path):
    slide = small_runs.write_slide(tmp_path / "s.ome.tif")
    study = small_runs.write_study(tmp_path / "study.toml")
    options = RunOptions(workers=Workers(1))
    with small_runs.without_reports():
        (first,) = mp.run(slide, study, tmp_path / "results", options=options)
        before, narrow = small_runs.stages(first.path), contact_counts(first)
        wider = small_runs.write_study(
            tmp_path / "wider.toml",
            ("n_permutations = 49", "n_permutations = 49\ncontact_gap_um = 9"),
        )
        with small_runs.no_pixels():
            (second,) = mp.update(tmp_path / "results", wider)
    after = small_runs.stages(second.path)
    assert after["segmentation"] == before["segmentation"]
    assert after["contacts"] != before["contacts"]
    wide = contact_counts(second)
    assert (wide["value"] >= narrow["value"]).all()
    assert (wide["value"] > narrow["value"]).any()
    assert (wide["r_um"] == 9).all()


def contact_counts(result: mp.SlideResult) -> pd.DataFrame:
    table = result.statistics().query("statistic == 'contact_count' and roi_id == 'all'")
    return table.set_index("source")


def test_the_report_tells_contact(tmp_path):
    slide = small_runs.write_slide(tmp_path / "s.ome.tif")
    study = small_runs.write_study(tmp_path / "study.toml")
    (result,) = mp.run(slide, study, tmp_path / "results", options=RunOptions(workers=Workers(1)))
    page = (result.path / "report.html").read_text(encoding="utf-8")
    table = page[page.index("In contact") :]
    touched = contact_counts(result).loc["Macrophage", "value"]
    assert f"{touched:.3g}" in table[: table.index("</table>")]
