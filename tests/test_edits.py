"""The reviewer's log survives crashes, and replays to what was last said."""

import json

import numpy as np
import pandas as pd
import pytest

from macprox.edits import (
    CellDeleted,
    CellMarked,
    CellRestored,
    CellsRedrawn,
    EditLog,
    GateConfirmed,
    GateMoved,
    PhenotypeSet,
    RedrawWithdrawn,
    RegionDrawn,
    SignedOff,
    SignOffWithdrawn,
    apply_to_cells,
    lost_gates,
    lost_sentence,
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


def mark(x, y, after, anchor=None):
    return CellMarked(**WHO, anchor_px=anchor, x_um=x, y_um=y, after=after)


def drawn_cell(x, y, anchor=None):
    return {"anchor_px": anchor, "x_um": x, "y_um": y, "cell": [0, 0, 9], "nucleus": []}


def redraw(redraw_id, removed=(), added=()):
    return CellsRedrawn(**WHO, redraw_id=redraw_id, removed=removed, added=added)


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


NO_ANCHOR = {"anchor_px": "5", "x_um": 1, "y_um": 1, "cell": [], "nucleus": []}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{half", "Expecting property name"),
        ("[1]", "not a JSON object"),
        ('{"what": "dance"}', "'what' is none of"),
        (json.dumps({"what": "gate", **WHO}), "missing"),
        (json.dumps({"what": "sign_off", **WHO, "mood": 1}), "unexpected keyword argument 'mood'"),
        (
            json.dumps({"what": "delete", **WHO, "x_um": "1", "y_um": 2}),
            "x_um must be a number, found '1'",
        ),
        ('{"what": ["gate"]}', "'what' is none of"),
        ("[" * 100_000, "nested too deeply"),
        (json.dumps({"what": "gate", **WHO, "marker": 5}), "marker must be a text, found 5"),
        (json.dumps({"what": "sign_off", **WHO, "\x1b": "x" * 9000}), "unexpected keyword"),
        (
            json.dumps({"what": "confirm_gate", **WHO, "marker": "A", "value": 10**400}),
            "value must be a number",
        ),
        (
            json.dumps({"what": "redraw", **WHO, "redraw_id": "r", "removed": {}}),
            "removed must be a list",
        ),
        (
            json.dumps({"what": "redraw", **WHO, "redraw_id": "r", "removed": [NO_ANCHOR]}),
            "anchor_px must be a whole number",
        ),
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


def test_one_cell_is_one_cell_by_anchor_and_by_place():
    """After another segmentation the anchor is another, and an event must undo the earlier one."""
    first = relabel(1.0, 2.0, "Treg", anchor=7)
    for again in (
        relabel(1.0, 2.0, None, anchor=7),
        relabel(1.0, 2.0, None),
        relabel(1.9, 3.1, None, anchor=80),
        relabel(-0.2, 0.9, None),  # beside it, in another square of the search
    ):
        assert replay([first, again]).phenotypes == ()
        assert replay([again, first]).phenotypes == (first,)
    for other in (relabel(1.0, 4.1, None, anchor=80), relabel(30.0, 2.0, None, anchor=7)):
        assert replay([first, other]).phenotypes == (first,)  # control


def test_a_lasso_of_thousands_is_replayed_cell_by_cell():
    places = [(2.5 * i, 2.5 * j) for i in range(60) for j in range(60)]
    lasso = [relabel(x, y, "Treg") for x, y in places]
    back = [relabel(x + 0.3, y - 0.3, None) for x, y in places[::2]]
    standing = replay([*lasso, *back]).phenotypes
    assert [(e.x_um, e.y_um) for e in standing] == places[1::2]


def test_the_last_reason_of_a_mark_holds_until_it_is_taken_back():
    fold, blur = mark(1.0, 2.0, "fold"), mark(1.0, 2.0, "blur", anchor=7)
    assert replay([fold, blur]).marked == (blur,)
    assert replay([fold, mark(1.0, 2.0, None)]).marked == ()


def test_a_drawing_that_was_withdrawn_is_as_if_it_had_never_been():
    said = relabel(1.0, 2.0, "Treg", anchor=7)
    drawing = redraw("d", removed=[drawn_cell(1.0, 2.0, 7)], added=[drawn_cell(1.2, 2.0, 9)])
    assert replay([said, drawing]).phenotypes == ()  # what it removed is no longer spoken of
    assert replay([said, drawing]).redraws == (drawing,)
    withdrawn = RedrawWithdrawn(**WHO, redraw_id="d")
    undone = replay([said, drawing, withdrawn])
    assert (undone.phenotypes, undone.redraws) == ((said,), ())
    assert replay([said, drawing, withdrawn, drawing]).phenotypes == ()  # and redone
    assert replay([drawing, said]).phenotypes == (said,)  # said of the drawn cell


def test_drawings_stand_in_the_order_of_the_log_and_only_silence_what_they_removed():
    first, second = redraw("1", added=[drawn_cell(50.0, 50.0)]), redraw("2")
    other = [mark(20.0, 20.0, "fold"), CellDeleted(**WHO, x_um=40.0, y_um=40.0)]
    found = replay([first, *other, redraw("3", removed=[drawn_cell(20.0, 20.0)]), second])
    assert [drawing.redraw_id for drawing in found.redraws] == ["1", "3", "2"]
    assert (found.marked, found.deleted) == ((), (other[1],))


def test_a_withdrawn_sign_off_is_none():
    signed, withdrawn = SignedOff(**WHO), SignOffWithdrawn(**WHO)
    assert replay([signed, withdrawn]).signed_off is None
    assert not replay([signed, withdrawn, gate(1.0, 2.0)]).changed_since_sign_off
    assert replay([signed, withdrawn, signed]).signed_off == signed


def test_what_was_undone_since_is_no_change_since_the_sign_off():
    said = [relabel(1.0, 2.0, "Treg"), SignedOff(**WHO)]
    assert replay([*said, relabel(20.0, 20.0, "Treg")]).changed_since_sign_off  # control
    undone = [
        relabel(20.0, 20.0, "Treg"),
        relabel(20.0, 20.0, None),
        gate(1.0, 2.0),
        gate(2.0, None),
    ]
    assert not replay([*said, *undone]).changed_since_sign_off
    assert replay([*said, SignedOff(**WHO), relabel(1.0, 2.0, None)]).changed_since_sign_off


def test_the_content_is_where_the_log_leads_and_can_be_written():
    events = one_of_each()
    content = replay(events).content()
    assert json.loads(json.dumps(content))["gates"] == [["CD68", "", 2.5, True, "Dr. Ünal"]]
    later = [*events, SignedOff(**WHO), relabel(9.0, 9.0, "Treg"), relabel(9.0, 9.0, None)]
    assert replay(later).content() == content
    for more in (
        gate(2.5, 3.0), gate(None, 3.0, parent="panCK"), relabel(9.0, 9.0, "Treg"),
        mark(9.0, 9.0, "fold"), CellDeleted(**WHO, x_um=9.0, y_um=9.0), redraw("d"),
        RegionDrawn(**WHO, kind="tumour", region_id="1", after=SQUARE),
    ):  # fmt: skip
        assert replay([*events, more]).content() != content, more


def test_standing_decisions_are_counted_by_reviewer():
    second = {**WHO, "reviewer": "A. R."}
    events = [*one_of_each(), CellDeleted(**second, x_um=9.0, y_um=9.0), gate(1.0, None, "CD3")]
    assert replay(events).by_reviewer() == {"A. R.": 1, "Dr. Ünal": 3}  # gate, relabel, region
    assert replay([]).by_reviewer() == {}


def test_a_marked_cell_stays_and_is_left_out_with_its_reason():
    table = cells(artefact=["", "out of focus", ""], excluded=[False, False, True])
    marks = replay([mark(1.0, 2.0, "fold", anchor=7), mark(20.0, 20.0, "bubble")])
    edited, unmatched = apply_to_cells(table, marks)
    assert unmatched == []
    assert edited["artefact"].tolist() == ["reviewer: fold", "out of focus; reviewer: bubble", ""]
    assert edited["excluded"].tolist() == [True, True, True]
    assert table["excluded"].tolist() == [False, False, True]
    bare, _ = apply_to_cells(cells(), marks)  # a table that has neither column
    assert bare["artefact"].tolist() == ["reviewer: fold", "reviewer: bubble", ""]
    assert bare["excluded"].tolist() == [True, True, False]


def test_rows_are_found_as_by_looking_at_every_cell():
    rng = np.random.default_rng(4)
    n = 3000
    table = pd.DataFrame(
        {
            "cell_id": np.arange(1, n + 1),
            "anchor_px": rng.permutation(n).astype(np.uint64) + np.uint64(2**63),
            "x_um": rng.uniform(0, 300, n),
            "y_um": rng.uniform(0, 300, n),
            "phenotype": "Other",
        }
    )
    asked = rng.uniform(0, 300, (200, 2))
    distance = np.hypot(*(table[["x_um", "y_um"]].to_numpy()[:, None] - asked).transpose(2, 0, 1))
    nearest = np.where(distance.min(axis=0) <= 2, distance.argmin(axis=0), -1)
    assert 20 < (nearest < 0).sum() < 180  # control: some are found and some are not
    events = [CellDeleted(**WHO, anchor_px=-1, x_um=x, y_um=y) for x, y in asked.tolist()]
    for event, row in zip(events, nearest, strict=True):  # alone, and so its own key
        edited, unmatched = apply_to_cells(table, replay([event]))
        assert unmatched == ([event] if row < 0 else [])
        gone = set(table["cell_id"]) - set(edited["cell_id"])
        assert gone == (set() if row < 0 else {row + 1})


def test_what_is_lost_is_told_in_a_sentence():
    deleted = CellDeleted(**WHO, x_um=3.0, y_um=4.0)
    assert lost_sentence(relabel(120.2, 340.4, "Treg")) == (
        "Relabelling of the cell at x 120, y 340 µm as 'Treg' (Dr. Ünal, 2026-11-22): no cell lies "
        "there any more."
    )
    assert lost_sentence(deleted).startswith("Deletion of the cell at x 3, y 4 µm (Dr. Ünal")
    assert "as an artefact (fold) (Dr. Ünal" in lost_sentence(mark(1.0, 2.0, "fold"))
    with pytest.raises(TypeError, match="CellRestored does nothing that could be lost"):
        lost_sentence(CellRestored(**WHO, x_um=3.0, y_um=4.0))


def test_a_gate_of_a_marker_that_the_study_dropped_is_lost():
    events = [gate(1.0, 2.0), gate(None, 3.0, parent="CD3"), gate(1.0, None, marker="CD8")]
    assert lost_gates(replay(events), ["CD68", "CD3"]) == []
    (lost,) = lost_gates(replay(events), ["CD68"])
    assert lost == (
        "Gate of CD68 among CD3+ at 3 (Dr. Ünal, 2026-11-22): the study has no marker CD3."
    )


def test_edits_on_an_empty_table_are_all_unmatched():
    event = relabel(1.0, 2.0, "Treg")
    assert apply_to_cells(cells().iloc[:0], replay([event]))[1] == [event]


def test_time_is_utc_to_the_second():
    assert now_utc().endswith("+00:00")
    assert len(now_utc()) == len("2026-11-22T10:00:00+00:00")
