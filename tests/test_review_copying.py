"""A copied gate is an event in the log of each slide that was chosen, and of no other."""

from __future__ import annotations

import json
import shutil

import pytest

import small_runs
from macprox.batch import update
from macprox.edits import EditLog, GateConfirmed, GateMoved
from macprox.errors import MacproxError
from macprox.io.store import slide_folder
from macprox.review.gates.copying import GateCopy, copy_gate, copy_targets

COPIED = GateCopy("CD68", None, 500.0)
WHO = {"reviewer": "B. Other", "marker": "CD68"}


@pytest.fixture
def results(small_copy):
    """Three slides: ``field`` and two that look like it."""
    for name in ("second", "third"):
        shutil.copytree(small_copy.path, small_copy.path.parent / name)
    return small_copy.path.parents[1]


def log_of(results, slide_id) -> EditLog:
    return EditLog(slide_folder(results, slide_id).edits)


def targets(results, copied=COPIED):
    return {target.slide_id: target for target in copy_targets(results, copied, "field")}


def test_chosen_slides_get_an_event_each_and_the_others_none(results):
    assert copy_gate(results, COPIED, ["second"], "A. Reviewer") == {}
    (event,) = log_of(results, "second").read()
    assert isinstance(event, GateMoved)
    assert (event.slide_id, event.reviewer) == ("second", "A. Reviewer")
    assert (event.marker, event.parent, event.before, event.after) == ("CD68", None, 300.0, 500.0)
    assert log_of(results, "field").read() == log_of(results, "third").read() == []


def test_before_is_that_slide_s_own_gate(results):
    log_of(results, "second").append(GateMoved(**WHO, slide_id="second", before=300.0, after=420.0))
    copy_gate(results, COPIED, ["second"], "A. Reviewer")
    assert log_of(results, "second").read()[-1].before == 420.0
    among = GateCopy("panCK", "CD68", 77.0)
    copy_gate(results, among, ["second"], "A. Reviewer")
    last = log_of(results, "second").read()[-1]
    assert (last.parent, last.before, last.after) == ("CD68", None, 77.0)


def test_copying_twice_writes_once(results):
    for _ in range(2):
        copy_gate(results, COPIED, ["second"], "A. Reviewer")
    assert len(log_of(results, "second").read()) == 1


def test_what_is_promised_is_what_an_update_finds(results):
    promised = targets(results)["third"]
    assert promised.gate == 300.0
    assert promised.is_confirmed  # the study's number
    copy_gate(results, COPIED, ["third"], "A. Reviewer")
    assert not targets(results)["third"].is_confirmed
    with small_runs.without_reports():
        found = {result.slide_id: result.gates() for result in update(results)}
    percent = found["third"].set_index("marker")["percent_positive"]["CD68"]
    assert percent == pytest.approx(promised.percent_then)
    untouched = found["second"].set_index("marker")["percent_positive"]["CD68"]
    assert untouched == pytest.approx(promised.percent_now)
    assert percent != untouched  # control


def test_percentages_of_a_parent_are_of_its_cells(results):
    everything = targets(results, GateCopy("panCK", None, 300.0))["second"]
    among = targets(results, GateCopy("panCK", "CD68", -1e9))["second"]
    assert (among.gate, among.percent_then) == (300.0, 100.0)
    assert 0 <= among.percent_now < everything.percent_now  # macrophages hold no keratin


def test_a_confirmed_gate_is_told_as_such(results):
    log_of(results, "second").append(GateConfirmed(**WHO, slide_id="second", value=310.0))
    found = targets(results)
    assert (found["second"].gate, found["second"].is_confirmed) == (310.0, True)


def test_a_slide_that_cannot_take_it_says_why_and_stops_no_other(results, monkeypatch):
    manifest = slide_folder(results, "second").manifest
    about = json.loads(manifest.read_text())
    about["source"]["format"] = "cell table"
    manifest.write_text(json.dumps(about))
    slide_folder(results, "field").gates.unlink()
    refused = copy_gate(results, COPIED, ["second", "field", "third"], "A. Reviewer")
    assert set(refused) == {"second", "field"}
    assert "table of another tool" in refused["second"]
    assert "not finished" in refused["field"]
    assert len(log_of(results, "third").read()) == 1
    assert targets(results)["second"].refusal == refused["second"]
    for name, parent in (("Ki67", None), ("CD68", "Ki67")):
        unknown = copy_gate(results, GateCopy(name, parent, 1.0), ["third"], "A.")
        assert "Ki67 was not measured on it" in unknown["third"]
    assert len(log_of(results, "third").read()) == 1
    monkeypatch.setattr("os.access", lambda *_: False)
    (reason,) = copy_gate(results, COPIED, ["third"], "A. Reviewer").values()
    assert "cannot be written" in reason


def test_without_a_name_or_a_number_nothing_is_written(results):
    with pytest.raises(MacproxError, match="Enter your name"):
        copy_gate(results, COPIED, ["second"], " ")
    nothing = GateCopy("CD68", None, float("nan"))
    with pytest.raises(MacproxError, match="CD68 has no gate to copy"):
        copy_gate(results, nothing, ["second"], "A. Reviewer")
    assert log_of(results, "second").read() == []
