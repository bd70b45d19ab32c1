"""`macprox cohort`: finished slides and a sheet in, a patient-level answer out, through the CLI."""

import json
import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pandas as pd
import pytest

import claim_cohorts
import macprox as mp
from claim_cohorts import AM, TUMOUR
from macprox.claims import CLAIMS
from macprox.cli.cohort import ANSWER
from macprox.io.store import SlideFolder, read_manifest, write_manifest
from macprox.report.cohort import write_cohort_report
from small_runs import macprox, without_reports


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """Eight slides of eight patients, early and late; `samples.csv` lies beside."""
    return claim_cohorts.write_results(tmp_path_factory.mktemp("cohort"))


FEW_CLAIMS = (CLAIMS[0], CLAIMS[5])  # C1 and C6: the others have tests of their own


@contextmanager
def quickly():
    """Without the page and most claims, which take the seconds; one test here has them all."""
    with (
        patch("macprox.batch.cohort.write_cohort_report"),
        patch("macprox.batch.gathering.CLAIMS", FEW_CLAIMS),
    ):
        yield


@pytest.fixture(autouse=True)
def in_a_hurry():
    with quickly():
        yield


def asked(results, *options) -> dict:
    ended = macprox("cohort", results, "--json", *options)
    assert ended.code == 0, ended.err
    return json.loads(ended.out)


@pytest.fixture(scope="module")
def usual(results) -> dict:
    """The answer of the plain command."""
    with quickly():
        return asked(results)


def sheet(results, tmp_path, change) -> Path:
    """A changed copy of the sample sheet."""
    table = pd.read_csv(results.parent / "samples.csv", dtype=str)
    path = tmp_path / "samples.csv"
    change(table).to_csv(path, index=False)
    return path


def refused(results, *options) -> str:
    ended = macprox("cohort", results, "--quiet", *options)
    assert ended.code == 2
    assert ended.err.count("\n") == 1, ended.err
    return ended.err


def problems_of(results, tmp_path, change, *options) -> list[str]:
    return asked(results, "--samples", sheet(results, tmp_path, change), *options)["problems"]


def test_one_command_gives_the_answer_the_tables_and_the_page(results):
    with (
        patch("macprox.batch.cohort.write_cohort_report", write_cohort_report),
        patch("macprox.batch.gathering.CLAIMS", CLAIMS),
    ):
        ended = macprox("cohort", results, "--groups", "early,late")
    assert ended.code == 0, ended.err
    assert "Share of tumour cells with at least one AM/TRM-like cell" in ended.out
    assert "early (n = 4)" in ended.out.replace("\u00a0", " ")
    folder = results / "cohort"
    assert (folder / "report.html").stat().st_size > 100_000
    assert list((folder / "figures").glob("C1*.svg"))
    found = mp.open_cohort(folder)
    assert len(found.patients()) == 8
    assert set(found.tests()["claim"]) >= {"C1", "C2", "C3", "C4", "C6"}
    assert set(found.tests("C2")["statistic"]) == {"periphery_share_excess"}
    assert (found.patients()["n_cells"] > 300).all()


def test_the_answer_as_json(usual):
    answer = usual
    assert {name: answer[name] for name in ANSWER if answer[name] is None} == {}
    assert (answer["statistic"], answer["contrast"]) == ("g_excess", "late - early")
    assert (answer["source"], answer["target"], answer["r_um"]) == (TUMOUR, AM, 20.0)
    assert answer["n_patients"] == 8
    assert answer["exact"] is True
    assert answer["p_min"] == pytest.approx(2 / 70)
    assert answer["ci_low"] < answer["effect"] < answer["ci_high"]
    assert {other["statistic"] for other in answer["others"]} == {"g_excess"}


def test_groups_turned_round_turn_the_sign_and_the_same_command_gives_the_same_tables(
    results, usual
):
    back = asked(results, "--groups", "late,early")
    assert back["contrast"] == "early - late"
    assert back["effect"] == pytest.approx(-usual["effect"])
    assert back["p"] == usual["p"]
    first = (results / "cohort" / "tests.parquet").read_bytes()
    found = mp.run_cohort(results, groups=("late", "early"))
    assert (results / "cohort" / "tests.parquet").read_bytes() == first
    assert found.tests("C1")["primary"].sum() == 1


@pytest.mark.parametrize(
    ("options", "statistic", "pair"),
    [
        (("--value", "nearest_mean_um"), "nearest_mean_um", (AM, TUMOUR)),
        (("--value", "g", "--of", "ratio", "--radius", "50"), "g_ratio", (AM, TUMOUR)),
        (("--value", "density_per_mm2", "--region", "outer_margin"), "density_per_mm2",
         (AM, "tissue window")),
    ],
)  # fmt: skip
def test_a_statistic_by_its_name(results, options, statistic, pair):
    answer = asked(results, *options)
    assert answer["statistic"] == statistic
    assert (answer["source"], answer["target"]) == pair
    assert answer["p"] is not None


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--value", "nearest"), "no statistic|Did you mean 'nearest_mean_um'"),
        (("--value", "g", "--radius", "21"), "at 20, 50 um"),
        (("--value", "contact_fraction", "--region", "core"), "No slide has contact_fraction"),
        (("--value", "g", "--of", "sum"), "one of value, excess, ratio"),
        (("--groups", "early,lat"), "No slide of the sample sheet is in group 'lat'"),
        (("--groups", "early"), "at least two different groups"),
        (("--time", "days"), "time and event belong together"),
        (("--patient", "who"), "no column 'who' of patients"),
        (("--covariate", "age"), "no column 'age'"),
    ],
)
def test_a_mistake_is_one_sentence(results, options, told):
    assert re.search(told, refused(results, *options))


def test_nobody_says_whose_slides_they_are(results, tmp_path):
    assert "No results in" in refused(tmp_path)
    assert "none.csv" in refused(results, "--samples", tmp_path / "none.csv")
    bare = shutil.copytree(results, tmp_path / "bare", ignore=shutil.ignore_patterns("cohort"))
    study = (bare / "study.toml").read_text()
    (bare / "study.toml").write_text(re.sub(r"(?m)^samples = .*$", "", study))
    for manifest in bare.glob("slides/*/manifest.json"):
        facts = json.loads(manifest.read_text())
        manifest.write_text(json.dumps({**facts, "sample": {}, "patient": None}))
    assert "Nobody says which slide" in refused(bare)
    (tmp_path / "s.csv").write_text("slide_id,x\nearly001_1,1\n")
    assert "does not say which slide belongs to" in refused(bare, "--samples", tmp_path / "s.csv")


def test_a_patient_in_two_groups_is_in_neither_and_named(results, tmp_path):
    def two_groups(table):
        table.loc[table["patient"] == "late001", "patient"] = "early001"
        return table

    answer = asked(results, "--samples", sheet(results, tmp_path, two_groups))
    assert any("early001" in told and "group" in told for told in answer["problems"])
    assert (answer["n_first"], answer["n_second"]) == (3, 3)
    assert answer["p"] is not None


def test_slides_that_were_not_run_and_slides_without_a_row_are_named(results, tmp_path):
    def changed(table):
        extra = pd.DataFrame({"slide_id": ["not_run"], "patient": ["X"], "group": ["early"]})
        return pd.concat([table.iloc[1:], extra], ignore_index=True)

    told = " ".join(problems_of(results, tmp_path, changed))
    assert "not_run" in told
    assert "early001_1" in told


def test_a_group_of_one_has_its_point_and_no_p(results, tmp_path):
    def lone(table):
        return table.iloc[:5]  # four early, one late

    answer = asked(results, "--samples", sheet(results, tmp_path, lone))
    assert answer["p"] is None
    assert answer["effect"] is not None
    assert "3 are the least for a test" in answer["reason"]
    assert answer["others"]  # the rest stands


def test_a_group_that_is_wholly_left_out_is_said(results, tmp_path):
    def early_only(table):
        return table.iloc[:4].assign(group="early")

    path = sheet(results, tmp_path, early_only)
    answer = asked(results, "--samples", path)
    assert answer["p"] is None
    assert "every patient is in 'early'" in answer["reason"]


def test_one_value_for_all_is_said(results):
    answer = asked(results, "--value", "n_lesions")
    assert answer["p"] is None
    assert "same value" in answer["reason"] or "equal" in answer["reason"]


def test_a_statistic_without_a_number_anywhere_is_said(results):
    answer = asked(results, "--value", "contact_fraction")  # given cells have no outlines
    assert answer["p"] is None
    assert answer["effect"] is None
    assert "without a value" in answer["reason"]


def test_a_covariate_that_separates_the_groups_gives_no_model_and_the_rest_stands(
    results, tmp_path
):
    def separated(table):
        return table.assign(age=[str(40 + 20 * (group == "late")) for group in table["group"]])

    path = sheet(results, tmp_path, separated)
    answer = asked(results, "--samples", path, "--covariate", "age")
    assert answer["p"] is not None
    adjusted = [row for row in answer["others"] if row["question"] == "adjusted"]
    assert adjusted
    assert all(row["p"] is None and row["reason"] for row in adjusted)


def test_a_sheet_may_call_its_columns_as_our_tables_do(results, tmp_path, usual):
    path = sheet(results, tmp_path, lambda table: table.rename(columns={"group": "value"}))
    answer = asked(results, "--samples", path, "--group", "value")
    assert answer["effect"] == pytest.approx(usual["effect"])
    assert answer["p"] == usual["p"]


def test_a_clinical_sheet_of_one_row_a_patient_joins_what_the_slides_know(results, tmp_path):
    table = pd.read_csv(results.parent / "samples.csv", dtype=str)
    clinical = table.drop_duplicates("patient")[["patient"]].assign(
        stage=["I"] * 4 + ["III"] * 4, days=[str(100 * n) for n in range(1, 9)], died="1"
    )
    path = tmp_path / "clinical.csv"
    clinical.to_csv(path, index=False)
    answer = asked(results, "--samples", path, "--group", "stage")
    assert answer["contrast"] == "III - I"
    assert answer["p"] is not None


def test_a_slide_with_a_red_light_is_left_out_and_the_answer_with_it_stands_beside(results):
    folder = SlideFolder(results / "slides" / "late001_1")
    before = read_manifest(folder)
    stop = {
        "flag": "mostly_excluded",
        "value": 0.9,
        "message": "Most is excluded.",
        "level": "stop",
    }
    write_manifest(folder, {**before, "quality": [*before["quality"], stop]})
    try:
        assert asked(results)["n_second"] == 3
        facts = json.loads((results / "cohort" / "cohort.json").read_text())
        sensitivity = mp.open_cohort(results).sensitivity().set_index("kind")
    finally:
        write_manifest(folder, before)
    (left_out,) = [slide for slide in facts["slides"] if not slide["used"]]
    assert left_out["reason"] == "red light: mostly_excluded"
    assert sensitivity.loc["with red slides", "n_second"] == 4


def test_tables_of_an_earlier_question_are_gone(results):
    earlier = results / "cohort" / "kaplan_meier.parquet"
    earlier.parent.mkdir(exist_ok=True)
    pd.DataFrame({"time": [1.0]}).to_parquet(earlier)
    asked(results, "--value", "n_lesions")
    assert not earlier.exists()


def test_an_outdated_slide_does_not_speak(results):
    folder = SlideFolder(results / "slides" / "early001_1")
    before = read_manifest(folder)
    stages = {"analysis": {**before["stages"]["analysis"], "fingerprint": "another"}}
    write_manifest(folder, {**before, "stages": stages})
    try:
        assert asked(results)["n_first"] == 3
        facts = json.loads((results / "cohort" / "cohort.json").read_text())
    finally:
        write_manifest(folder, before)
    (left_out,) = [slide for slide in facts["slides"] if not slide["used"]]
    assert left_out["slide_id"] == "early001_1"
    assert "another study" in left_out["reason"]


def test_a_table_of_another_tool_becomes_an_answer_by_two_commands(results, tmp_path):
    """Patients and groups stand in the table of cells itself; there is no sheet and no region."""
    out = tmp_path / "out"
    with without_reports():
        ended = macprox(
            "stats", results.parent / "cells.csv", "--source", AM, "--target", TUMOUR, "--radii",
            "20,50", "--patient-column", "patient", "--group-column", "group", "--out", out, "-q",
        )  # fmt: skip
    assert ended.code == 0, ended.err
    answer = asked(out)
    assert (answer["group"], answer["contrast"]) == ("group", "late - early")
    assert (answer["source"], answer["target"]) == (TUMOUR, AM)
    assert answer["n_patients"] == 8
    assert answer["p"] is not None
    reverse = asked(out, "--value", "g", "--of", "excess", "--source", TUMOUR)
    assert reverse["effect"] == pytest.approx(answer["effect"])


def test_results_never_take_the_place_of_the_sheet_they_were_made_with(results, tmp_path):
    sheet = shutil.copy(results.parent / "samples.csv", tmp_path / "samples.csv")
    ended = macprox(
        "stats", results.parent / "cells.csv", "--source", AM, "--target", TUMOUR,
        "--samples", sheet, "--out", tmp_path, "-q",
    )  # fmt: skip
    assert ended.code == 2
    assert "is the sample sheet itself" in ended.err
    assert "late004" in Path(sheet).read_text()


def test_in_a_script_an_unknown_term_is_a_mistake(results):
    with pytest.raises(TypeError, match="no key grups"):
        mp.run_cohort(results, grups=("late", "early"))
