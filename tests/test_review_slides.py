"""The list of slides says of each how far it has come, from small files alone."""

import json
import shutil
import time
from pathlib import Path

import pytest

import small_runs
from macprox.batch import update
from macprox.edits import (
    EditLog,
    GateConfirmed,
    GateMoved,
    PhenotypeSet,
    SignedOff,
    SignOffWithdrawn,
)
from macprox.errors import ResultError
from macprox.review.slides.table import slides_table

WHO = {"slide_id": "field", "reviewer": "Dr. Ünal"}
RELABELLED = PhenotypeSet(**WHO, x_um=10.0, y_um=10.0, before="Other", after="Tumour")


def results_of(result) -> Path:
    return result.path.parents[1]


def row(result):
    (found,) = slides_table(results_of(result)).to_dict("records")
    return found


def say(result, *events):
    EditLog(result.folder.edits).append(*events)


def note(result, **facts):
    path = result.folder.manifest
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | facts))


def test_a_finished_slide_is_ready(small_result):
    found = row(small_result)
    assert (found["slide_id"], found["status"], found["needs_update"]) == ("field", "ready", False)
    assert found["n_cells"] == len(small_result.cells())
    assert found["gates_to_confirm"] == 0  # both are numbers of the study
    assert found["path"] == str(small_result.path)
    assert (found["reviewer"], found["signed_off_at"], found["changed_since"]) == ("", "", False)


def test_a_review_goes_from_in_review_to_signed_to_changed(small_copy):
    say(small_copy, RELABELLED)
    found = row(small_copy)
    assert (found["status"], found["needs_update"]) == ("in review", True)
    assert found["reviewer"] == "Dr. Ünal"
    signed = SignedOff(**WHO, comment="agreed", time="2026-11-22T10:00:00+00:00")
    say(small_copy, signed)
    found = row(small_copy)
    assert (found["status"], found["signed_off_at"]) == ("signed off", signed.time)
    say(small_copy, GateMoved(**WHO | {"reviewer": "B"}, marker="CD68", before=300, after=280))
    found = row(small_copy)
    assert (found["status"], found["changed_since"]) == ("changed since sign-off", True)
    assert found["reviewer"] == "Dr. Ünal"  # who signed, not who moved the gate
    say(small_copy, SignOffWithdrawn(**WHO))
    assert row(small_copy)["status"] == "in review"


def test_an_update_is_no_longer_needed_once_it_is_done(small_copy):
    say(small_copy, GateMoved(**WHO, marker="CD68", before=300, after=290))
    assert row(small_copy)["needs_update"]
    with small_runs.without_reports():
        update(results_of(small_copy))
    found = row(small_copy)
    assert (found["status"], found["needs_update"]) == ("in review", False)


def test_gates_to_confirm_are_those_of_the_gate_table(small_copy):
    study = results_of(small_copy) / "study.toml"
    study.write_text(study.read_text().replace("gate = 300.0", 'gate = "auto"'))
    assert row(small_copy)["gates_to_confirm"] == 2
    assert row(small_copy)["status"] == "needs update"  # nobody reviewed it: the study changed
    say(
        small_copy,
        GateConfirmed(**WHO, marker="panCK", value=280.0),
        GateMoved(**WHO, marker="CD68", before=300, after=290),
        GateMoved(**WHO, marker="CD68", parent="panCK", before=None, after=500),
        GateMoved(**WHO, marker="MARCO", before=None, after=5),  # the study has none
    )
    found = row(small_copy)
    assert found["gates_to_confirm"] == 2
    with small_runs.without_reports():
        update(results_of(small_copy))
    assert (~small_copy.gates()["confirmed"]).sum() == 2
    say(small_copy, GateMoved(**WHO, marker="CD68", parent="panCK", before=500, after=None))
    assert row(small_copy)["gates_to_confirm"] == 1


def test_slides_that_have_not_come_so_far_say_so(small_copy):
    folder = small_copy.path
    note(small_copy, failure="field.ome.tif is truncated.")
    assert row(small_copy)["status"] == "failed: field.ome.tif is truncated."
    note(small_copy, failure="", stages={"survey": {"fingerprint": "x"}})
    assert row(small_copy)["status"] == "unfinished"
    small_copy.folder.manifest.write_text("{half")
    assert "failed" in row(small_copy)["status"]
    assert "not valid JSON" in row(small_copy)["status"]
    small_copy.folder.manifest.unlink()
    assert row(small_copy)["status"] == "not started"
    assert folder.is_dir()


def test_a_damaged_log_stops_no_other_slide(small_copy):
    shutil.copytree(small_copy.path, small_copy.path.with_name("other"))
    say(small_copy, RELABELLED)
    log = small_copy.folder.edits
    log.write_text("{damaged\n" + log.read_text())
    table = slides_table(results_of(small_copy)).set_index("slide_id")
    assert "line 1" in table.loc["field", "status"]
    assert table.loc["other", "status"] != table.loc["field", "status"]


def test_the_sample_sheet_names_patients_and_slides_that_were_never_run(small_copy, tmp_path):
    sheet = tmp_path / "samples.csv"
    sheet.write_text("slide_id,patient,group\nfield,P1,early\nlater,P2,late\n")
    study = results_of(small_copy) / "study.toml"
    text = study.read_text()
    line = next(line for line in text.splitlines() if "samples:" in line)
    study.write_text(text.replace(line, f'samples = "{sheet}"'))
    table = slides_table(results_of(small_copy)).set_index("slide_id")
    assert table.loc["field", ["patient", "group"]].tolist() == ["P1", "early"]
    assert table.loc["later", ["patient", "status"]].tolist() == ["P2", "not started"]
    sheet.unlink()
    assert slides_table(results_of(small_copy))["slide_id"].tolist() == ["field"]


@pytest.mark.parametrize(
    ("flags", "light"),
    [
        ([], "green"),
        ([("tumour_unconfirmed", "info")], "green"),
        ([("saturated_channel", "warning")], "amber"),
        ([("saturated_channel", "warning"), ("few_tumour_cells", "stop")], "red"),
    ],
)
def test_quality_is_a_light_and_what_to_look_at(small_copy, flags, light):
    quality = [{"flag": f, "value": 0, "level": level, "message": f"{f}!"} for f, level in flags]
    note(small_copy, quality=quality, warnings=[])
    found = row(small_copy)
    assert found["light"] == light
    shown = [f"{flag}!" for flag, level in reversed(flags) if level != "info"]  # the worst first
    assert found["quality_text"] == " ".join(shown)
    note(small_copy, quality=[], warnings=["An area of 3 um2 was repaired."])
    assert row(small_copy)["light"] == "green"  # no limit is reached; the sentence is there
    assert row(small_copy)["quality_text"] == "An area of 3 µm² was repaired."


def test_a_folder_without_slides_is_refused(tmp_path):
    with pytest.raises(ResultError, match="No slides in"):
        slides_table(tmp_path)


def test_three_hundred_slides_are_listed_in_about_a_second(small_copy):
    say(small_copy, *[RELABELLED] * 20)
    for name in ("cells", "gates", "statistics"):  # nobody may read a table here
        getattr(small_copy.folder, name).write_bytes(b"no table")
    shutil.rmtree(small_copy.path / "labels.zarr")
    shutil.rmtree(small_copy.path / "work")
    for number in range(299):
        shutil.copytree(small_copy.path, small_copy.path.with_name(f"slide{number}"))
    started = time.process_time()
    table = slides_table(results_of(small_copy))
    assert len(table) == 300
    assert time.process_time() - started < 1.5
