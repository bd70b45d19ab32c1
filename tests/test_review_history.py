"""Whatever was decided can be taken back, and made again."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from macprox.edits import (
    CellDeleted,
    CellMarked,
    CellsRedrawn,
    Corrections,
    EditLog,
    GateConfirmed,
    GateMoved,
    PhenotypeSet,
    RegionDrawn,
    SignedOff,
    replay,
)
from macprox.edits.events import LineTorn
from macprox.errors import ResultError
from macprox.io.store import SlideFolder
from macprox.review.history import inverse
from macprox.review.journal import Journal

WHO = {"slide_id": "a", "reviewer": "A. Reviewer"}
SQUARE = {"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 9], [0, 9], [0, 0]]]}
CELL = {"anchor_px": 7, "x_um": 3.5, "y_um": 2.0, "cell": [2, 3, 5], "nucleus": []}

PLACES = [{"anchor_px": 7, "x_um": 3.5, "y_um": 2.0}, {"anchor_px": 90, "x_um": 40.0, "y_um": 9.0}]
places = st.sampled_from(PLACES)
markers = st.sampled_from(["CD68", "MARCO"])
parents = st.sampled_from([None, "CD3"])
numbers = st.integers(1, 99).map(float)


def built(event, /, **of):
    return st.builds(lambda place=None, **rest: event(**WHO, **(place or {}), **rest), **of)


events = st.one_of(
    built(GateMoved, marker=markers, parent=parents, before=st.none(), after=numbers | st.none()),
    built(GateConfirmed, marker=markers, parent=parents, value=numbers),
    built(
        PhenotypeSet, place=places, before=st.just("Other"),
        after=st.sampled_from(["Treg", "Tumour", None]),
    ),
    built(CellMarked, place=places, after=st.sampled_from(["debris", None])),
    built(CellDeleted, place=places),
    built(RegionDrawn, kind=st.just("tumour"), region_id=st.just("1"), after=st.just(SQUARE)),
    built(CellsRedrawn, redraw_id=st.uuids().map(str), added=st.just((CELL,))),
    built(SignedOff, comment=st.sampled_from(["", "fine"])),
)  # fmt: skip


def state(corrections: Corrections) -> dict:
    """Where a log leads, whenever it was written and whether it was signed in between."""
    return {
        "gates": {
            key: (gate.value, gate.confirmed)
            for key, gate in corrections.gates.items()
            if gate.value is not None
        },
        "phenotypes": {(e.anchor_px, e.after) for e in corrections.phenotypes},
        "marked": {(e.anchor_px, e.after) for e in corrections.marked if e.after},
        "deleted": {e.anchor_px for e in corrections.deleted},
        "regions": {key: e.after for key, e in corrections.regions.items()},
        "redraws": [e.redraw_id for e in corrections.redraws],
    }


def possible(event, corrections: Corrections) -> bool:
    """Nobody can delete what is gone; a region's event says what it replaces."""
    if isinstance(event, CellDeleted):
        return event.anchor_px not in {other.anchor_px for other in corrections.deleted}
    return True


@pytest.fixture
def journal(tmp_path) -> Journal:
    return Journal(SlideFolder(tmp_path))


@settings(max_examples=40, deadline=None)
@given(st.lists(events, max_size=8))
def test_taking_everything_back_leads_to_where_it_began(tmp_path_factory, decided):
    journal = Journal(SlideFolder(tmp_path_factory.mktemp("log")))
    begun, n_made = state(journal.corrections), 0
    for event in decided:
        if isinstance(event, RegionDrawn):
            standing = journal.corrections.regions.get((event.kind, event.region_id))
            event = dataclasses.replace(event, before=standing and standing.after)
        if possible(event, journal.corrections):
            journal.add(f"step {n_made}", [event])
            n_made += 1
    made = state(journal.corrections)
    for left in range(n_made, 0, -1):
        assert journal.undo() == f"step {left - 1}"
    assert journal.undo() == ""
    assert state(journal.corrections) == begun
    for _ in range(n_made):
        journal.redo()
    assert journal.redo() == ""
    assert state(journal.corrections) == made


def test_one_step_may_be_many_events(journal):
    lasso = [PhenotypeSet(**WHO, **place, before="Other", after="Treg") for place in PLACES]
    journal.add("relabel 2 cells", lasso)
    assert len(journal.corrections.phenotypes) == 2  # control
    journal.undo()
    assert journal.corrections.phenotypes == ()


def test_a_confirmed_gate_that_was_moved_is_confirmed_again(journal):
    journal.add("confirm", [GateConfirmed(**WHO, marker="CD68", value=5.0)])
    journal.add("move", [GateMoved(**WHO, marker="CD68", before=5.0, after=9.0)])
    assert not journal.corrections.gates["CD68", None].confirmed  # control
    journal.undo()
    gate = journal.corrections.gates["CD68", None]
    assert (gate.value, gate.confirmed) == (5.0, True)


def test_a_new_decision_leaves_nothing_to_redo(journal):
    journal.add("first", [SignedOff(**WHO)])
    journal.undo()
    assert journal.redo_text == "first"
    journal.add("second", [SignedOff(**WHO)])
    assert (journal.undo_text, journal.redo_text) == ("second", "")


def test_everything_is_on_the_disk_before_the_journal_answers(journal, tmp_path):
    journal.add("sign", [SignedOff(**WHO, comment="fine")])
    (line,) = (tmp_path / "edits.jsonl").read_text().splitlines()
    assert json.loads(line)["comment"] == "fine"
    journal.undo()
    assert len((tmp_path / "edits.jsonl").read_text().splitlines()) == 2  # the log only grows
    assert journal.saved_at


def test_two_windows_on_one_slide_see_each_other_s_decisions(tmp_path):
    mine, yours = Journal(SlideFolder(tmp_path)), Journal(SlideFolder(tmp_path))
    yours.add("gate", [GateMoved(**WHO, marker="CD68", before=None, after=3.0)])
    mine.add("sign", [SignedOff(**WHO)])
    assert mine.corrections.gates["CD68", None].value == 3.0
    assert mine.corrections.signed_off is not None


def test_a_folder_that_cannot_be_written_says_so_and_changes_nothing(journal, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(ResultError, match="can be looked at, not changed"):
        journal.add("sign", [SignedOff(**WHO)])
    assert journal.corrections.signed_off is None
    assert journal.undo_text == ""


def test_a_full_disk_loses_one_decision_and_says_which(journal, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(EditLog, "append", full)
    with pytest.raises(ResultError, match=r"No space left.*Your last decision is not saved"):
        journal.add("sign", [SignedOff(**WHO)])
    assert journal.corrections.signed_off is None


def test_what_nobody_decided_cannot_be_undone():
    with pytest.raises(TypeError, match="LineTorn cannot be undone"):
        inverse(LineTorn(**WHO), replay([]))
