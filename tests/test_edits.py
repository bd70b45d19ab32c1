"""The reviewer's log survives crashes, and replays to what was last said."""

import json

import numpy as np
import pandas as pd
import pytest

from macprox.edits import (
    CellDeleted,
    CellRestored,
    EditLog,
    GateConfirmed,
    GateMoved,
    PhenotypeSet,
    RegionDrawn,
    SignedOff,
    apply_to_cells,
    now_utc,
    replay,
)
from macprox.errors import ResultError

WHO = {"slide_id": "a", "reviewer": "Dr. Ünal", "time": "2026-11-22T10:00:00+00:00"}
SQUARE = {"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 9], [0, 0]]]}


def gate(before, after, marker="CD68", parent=None):
    return GateMoved(**WHO, marker=marker, parent=parent, before=before, after=after)


def relabel(x, y, after, anchor=None):
    return PhenotypeSet(**WHO, anchor_px=anchor, x_um=x, y_um=y, before="Other", after=after)


def one_of_each():
    return [
        gate(1.0, 2.5),
        GateConfirmed(**WHO, marker="CD68", value=2.5),
        relabel(1.5, 2.5, "Treg", anchor=7),
        CellDeleted(**WHO, x_um=3.0, y_um=4.0),
        CellRestored(**WHO, x_um=3.0, y_um=4.0),
        RegionDrawn(**WHO, kind="exclusion", region_id="fold", after=SQUARE, reason="fold"),
        SignedOff(**WHO, comment="fine"),
    ]


@pytest.fixture
def log(tmp_path):
    return EditLog(tmp_path / "edits.jsonl")


def cells(**columns):
    table = pd.DataFrame(
        {
            "cell_id": [1, 2, 3],
            "anchor_px": np.array([7, 80, 900], dtype=np.uint64),
            "x_um": [1.0, 20.0, 40.0],
            "y_um": [2.0, 20.0, 40.0],
            "phenotype": ["Other", "Tumour", "Tumour"],
        }
    )
    return table.assign(**columns)


def test_every_event_is_read_as_it_was_written(log):
    assert log.read() == []  # control: no file, no events, and none is created
    assert not log.path.exists()
    for event in one_of_each():
        log.append(event)
    assert log.read() == one_of_each()


def test_the_log_only_grows(log):
    log.append(gate(1.0, 2.0))
    before = log.path.read_bytes()
    log.append(gate(2.0, 3.0))
    assert log.path.read_bytes().startswith(before)
    assert len(log.path.read_bytes()) > len(before)


def test_numpy_values_are_written_as_numbers(log):
    log.append(relabel(np.float32(1.5), np.float64(2.5), "Treg", anchor=np.uint64(2**63)))
    assert log.read()[0].anchor_px == 2**63


@pytest.mark.parametrize("kept", [5, 60])
def test_a_crash_while_writing_costs_only_that_event(log, kept):
    log.append(gate(1.0, 2.0))
    whole = log.path.read_bytes()
    log.path.write_bytes(whole + whole[:kept])
    assert log.read() == [gate(1.0, 2.0)]
    log.append(gate(2.0, 3.0))  # and the log goes on behind it
    assert log.read() == [gate(1.0, 2.0), gate(2.0, 3.0)]
    assert log.path.read_bytes().startswith(whole + whole[:kept])


def test_a_crash_before_the_line_s_end_costs_nothing(log):
    log.append(gate(1.0, 2.0))
    log.path.write_bytes(log.path.read_bytes()[:-1])
    assert log.read() == [gate(1.0, 2.0)]
    log.append(gate(2.0, 3.0))
    assert log.read() == [gate(1.0, 2.0), gate(2.0, 3.0)]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{half", "Expecting property name"),
        ("[1]", "not a JSON object"),
        ('{"what": "dance"}', "'what' is none of"),
        (json.dumps({"what": "gate", **WHO}), "missing"),
        (json.dumps({"what": "sign_off", **WHO, "mood": 1}), "unexpected keyword argument 'mood'"),
        (json.dumps({"what": "delete", **WHO, "x_um": "1", "y_um": 2}), "must be numbers"),
        (
            json.dumps({"what": "region", **WHO, "kind": "?", "region_id": "", "after": None}),
            "one of tumour, exclusion",
        ),
    ],
)
def test_damage_in_the_middle_is_refused_with_its_line(log, line, problem):
    log.append(gate(1.0, 2.0))
    with log.path.open("a") as file:
        file.write(line + "\n")
    log.append(gate(2.0, 3.0))
    with pytest.raises(ResultError, match=rf"line 2: .*{problem}"):
        log.read()


def test_what_json_cannot_hold_is_refused_before_it_is_written(log):
    with pytest.raises(ValueError, match="JSON compliant"):
        log.append(gate(1.0, float("nan")))
    with pytest.raises(TypeError, match="set cannot be written"):
        log.append(gate(1.0, {1}))
    assert not log.path.exists()


def test_the_last_word_on_a_gate_wins():
    corrections = replay([gate(1.0, 2.0), gate(2.0, 3.0), gate(5.0, 6.0, parent="Tumour")])
    assert corrections.gates["CD68", None].value == 3.0
    assert not corrections.gates["CD68", None].confirmed
    assert corrections.gates["CD68", "Tumour"].value == 6.0


def test_a_gate_moved_after_it_was_confirmed_is_unconfirmed():
    confirmed = GateConfirmed(**WHO, marker="CD68", value=2.0)
    assert replay([gate(1.0, 2.0), confirmed]).gates["CD68", None].confirmed
    assert not replay([confirmed, gate(2.0, 3.0)]).gates["CD68", None].confirmed


def test_undone_edits_leave_nothing():
    corrections = replay(
        [
            relabel(1.0, 2.0, "Treg"),
            relabel(1.0, 2.0, None),
            CellDeleted(**WHO, x_um=3.0, y_um=4.0),
            CellRestored(**WHO, x_um=3.0, y_um=4.0),
            RegionDrawn(**WHO, kind="tumour", region_id="1", after=SQUARE),
            RegionDrawn(**WHO, kind="tumour", region_id="1", before=SQUARE, after=None),
        ]
    )
    assert (corrections.phenotypes, corrections.deleted, corrections.regions) == ((), (), {})


def test_drawn_regions_are_kept_by_kind_and_name():
    first = RegionDrawn(**WHO, kind="tumour", region_id="1", after=SQUARE)
    again = RegionDrawn(**WHO, kind="tumour", region_id="1", before=SQUARE, after={}, reason="x")
    other = RegionDrawn(**WHO, kind="exclusion", region_id="1", after=SQUARE)
    corrections = replay([first, other, again])
    assert corrections.drawn("tumour") == [again]
    assert corrections.drawn("exclusion") == [other]


def test_an_edit_after_the_sign_off_shows():
    assert not replay([gate(1.0, 2.0), SignedOff(**WHO)]).changed_since_sign_off
    changed = replay([SignedOff(**WHO, comment="done"), gate(1.0, 2.0)])
    assert changed.signed_off.comment == "done"
    assert changed.changed_since_sign_off
    assert replay([gate(1.0, 2.0)]).signed_off is None


def test_cells_are_relabelled_and_deleted_and_the_input_is_unchanged():
    table = cells()
    edits = [relabel(1.0, 2.0, "Treg", anchor=7), CellDeleted(**WHO, x_um=20.0, y_um=20.0)]
    edited, unmatched = apply_to_cells(table, replay(edits))
    assert unmatched == []
    assert edited["cell_id"].tolist() == [1, 3]
    assert edited["phenotype"].tolist() == ["Treg", "Tumour"]
    assert edited["phenotype_source"].tolist() == ["reviewer", "auto"]
    pd.testing.assert_frame_equal(table, cells())


def test_nothing_to_apply_changes_nothing():
    edited, unmatched = apply_to_cells(cells(), replay([]))
    pd.testing.assert_frame_equal(edited, cells())
    assert unmatched == []


def test_an_anchor_that_now_names_a_distant_cell_is_not_trusted():
    # segmented anew: anchor 7 is another cell, the edited one has anchor 80 now
    edited, unmatched = apply_to_cells(cells(), replay([relabel(20.5, 20.5, "Treg", anchor=7)]))
    assert edited["phenotype"].tolist() == ["Other", "Treg", "Tumour"]
    assert unmatched == []


@pytest.mark.parametrize(("x_um", "is_found"), [(42.0, True), (42.1, False)])
def test_a_cell_is_found_within_two_micrometres_and_no_further(x_um, is_found):
    event = relabel(x_um, 40.0, "Treg")
    edited, unmatched = apply_to_cells(cells(), replay([event]))
    assert (edited["phenotype"][2] == "Treg") == is_found
    assert unmatched == ([] if is_found else [event])


def test_edits_on_an_empty_table_are_all_unmatched():
    event = relabel(1.0, 2.0, "Treg")
    assert apply_to_cells(cells().iloc[:0], replay([event]))[1] == [event]


def test_time_is_utc_to_the_second():
    assert now_utc().endswith("+00:00")
    assert len(now_utc()) == len("2026-11-22T10:00:00+00:00")
