"""Readers see cells and no calls; what they say is never lost; shares are weighted back."""

import dataclasses
from dataclasses import replace

import numpy as np
import pytest

from macprox.edits import EditLog
from macprox.errors import MacproxError, ResultError, TableError
from macprox.io.store import SlideFolder
from macprox.review.verification.agreement import UNSURE
from macprox.review.verification.blind import BlindCell, Verification
from macprox.review.verification.sample import answers_of, draw_sample
from review_slides import made_up, study

ASKED = study()


@pytest.fixture
def called():
    return made_up()


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "slides" / "made-up"
    path.mkdir(parents=True)
    return SlideFolder(path)


def started(folder, called, per_phenotype=5):
    verification = Verification(folder)
    return verification, verification.start(draw_sample(called, ASKED, per_phenotype), "A")


def read_all(verification, sample, reader, cells, name=lambda cell: "Tumour"):
    while cell := verification.next_cell(sample, reader, cells):
        verification.say(sample, cell.number, name(cell), reader, ASKED)


def test_a_sample_holds_as_many_of_every_phenotype_and_all_of_the_rare(called):
    kind = called.cells["phenotype"].where(called.cells["cell_id"] > 3, "TRM")
    rare = called.cells.assign(phenotype=kind.replace({"Mo-mac": "Other"}))
    rare.loc[:6, "phenotype"] = "Mo-mac"
    sample = draw_sample(replace(called, cells=rare), ASKED, per_phenotype=25)
    n_of = {name: sample.calls.count(name) for name in sample.stratum_sizes}
    assert n_of == {"Mo-mac": 7, "Other": 25, "TRM": 25, "Tumour": 25}
    assert sample.stratum_sizes == rare["phenotype"].value_counts().to_dict()
    # Weights bring the sample back to the slide.
    assert sample.weights.sum() == pytest.approx(len(rare))
    assert sample.weights[np.array(sample.calls) == "Mo-mac"].tolist() == [1.0] * 7


def test_only_cells_that_count_are_drawn(called):
    out = called.cells["x_um"] > 300
    sample = draw_sample(replace(called, cells=called.cells.assign(excluded=out)), ASKED)
    assert max(x for x, _ in sample.xy_um) <= 300
    assert sum(sample.stratum_sizes.values()) == (~out).sum()


def test_a_draw_is_that_of_its_seed(called):
    first, same, other = (draw_sample(called, ASKED, 10, seed) for seed in (1, 1, 2))
    assert first.xy_um == same.xy_um
    assert first.xy_um != other.xy_um
    assert draw_sample(called, ASKED, 10).seed == ASKED.proximity.seed


def test_nothing_to_draw_is_told(called):
    with pytest.raises(MacproxError, match="At least one cell a phenotype"):
        draw_sample(called, ASKED, 0)
    with pytest.raises(ResultError, match="no cell to verify"):
        draw_sample(replace(called, cells=called.cells[:0]), ASKED)


def test_the_cell_that_the_window_gets_says_nothing_of_its_call(folder, called):
    verification, sample = started(folder, called)
    cell = verification.next_cell(sample, "A", called.cells)
    assert {item.name for item in dataclasses.fields(BlindCell)} == {
        "number", "cell_id", "x_um", "y_um",
    }  # fmt: skip
    row = called.cells.set_index("cell_id").loc[cell.cell_id]
    assert (cell.x_um, cell.y_um) == (row["x_um"], row["y_um"])
    # Numbers go along with the place on the slide, and the order with neither.
    order = sample.order("A")
    calls = [sample.calls[number] for number in order]
    assert calls != sorted(calls)
    assert not any(name in repr(sample) for name in ("Tumour", "TRM"))


def test_a_second_reader_sees_the_same_cells_in_another_order(folder, called):
    verification, sample = started(folder, called)
    one, other = (verification.cells_of(sample, name, called.cells) for name in ("A", "B"))
    assert one != other
    assert sorted(one, key=lambda c: c.number) == sorted(other, key=lambda c: c.number)
    assert one == verification.cells_of(sample, " A ", called.cells)


def test_a_reader_goes_on_where_they_stopped(folder, called):
    verification, sample = started(folder, called)
    seen = []
    for _ in range(3):
        cell = verification.next_cell(sample, "A", called.cells)
        seen.append(cell.number)
        verification.say(sample, cell.number, "TRM", "A", ASKED)
    again = Verification(folder)
    assert again.latest == sample
    assert again.readings(sample) == {"A": dict.fromkeys(seen, "TRM")}
    assert again.next_cell(sample, "A", called.cells).number == sample.order("A")[3]
    progress = again.progress(sample, "A", called.cells)
    assert (progress.done, progress.total, progress.gone) == (3, len(sample), 0)
    assert again.progress(sample, "B", called.cells).done == 0
    read_all(again, sample, "A", called.cells)
    assert again.next_cell(sample, "A", called.cells) is None


def test_a_reading_can_be_taken_back_by_another_and_be_unsure(folder, called):
    verification, sample = started(folder, called)
    verification.say(sample, 0, "TRM", "A", ASKED)
    verification.say(sample, 0, UNSURE, "A", ASKED)
    verification.say(sample, 1, None, "A", ASKED)
    assert Verification(folder).readings(sample) == {"A": {0: UNSURE, 1: UNSURE}}


def test_nothing_that_was_said_is_lost_in_a_crash(folder, called):
    verification, sample = started(folder, called)
    verification.say(sample, 0, "TRM", "A", ASKED)
    with folder.verification.open("ab") as file:
        file.write(b'{"what": "reading", "slide_id": "ma')
    again = Verification(folder)
    assert again.readings(sample) == {"A": {0: "TRM"}}
    again.say(sample, 1, "Mo-mac", "A", ASKED)
    assert Verification(folder).readings(sample) == {"A": {0: "TRM", 1: "Mo-mac"}}
    assert not folder.edits.exists()


def test_readings_of_an_older_sample_stay_with_it(folder, called):
    verification, first = started(folder, called)
    verification.say(first, 0, "TRM", "A", ASKED)
    second = verification.start(draw_sample(called, ASKED, 3, seed=9), "A")
    assert Verification(folder).samples == (first, second)
    assert verification.latest == second
    assert verification.readings(second) == {}
    assert verification.readings(first) == {"A": {0: "TRM"}}


def test_cells_that_are_gone_are_not_asked_about(folder, called):
    verification, sample = started(folder, called)
    x, y = sample.xy_um[0]
    is_first = (called.cells["x_um"] == x) & (called.cells["y_um"] == y)
    cells = called.cells[~is_first].reset_index(drop=True)
    asked = verification.cells_of(sample, "A", cells)
    assert 0 not in [cell.number for cell in asked]
    assert verification.progress(sample, "A", cells).gone == 1
    nobody = called.cells.assign(x_um=1e6)
    assert verification.next_cell(sample, "A", nobody) is None
    # Segmented anew: other ids and anchors, the same places.
    anew = called.cells.assign(cell_id=called.cells["cell_id"] + 5000, anchor_px=np.uint64(1))
    found = verification.next_cell(sample, "A", anew)
    assert found.cell_id == verification.next_cell(sample, "A", called.cells).cell_id + 5000


def test_what_cannot_be_said_is_refused(folder, called):
    verification, sample = started(folder, called)
    with pytest.raises(MacproxError, match="knows no phenotype 'TRN'; it has Tumour, TRM"):
        verification.say(sample, 0, "TRN", "A", ASKED)
    with pytest.raises(MacproxError, match="Who are you"):
        verification.say(sample, 0, "TRM", "  ", ASKED)
    with pytest.raises(MacproxError, match="Who are you"):
        verification.start(sample, "")
    with pytest.raises(TableError, match="is in no sample"):
        verification.say(sample, len(sample), "TRM", "A", ASKED)
    with pytest.raises(TableError, match="Draw a sample first"):
        verification.say(draw_sample(called, ASKED, 2), 0, "TRM", "A", ASKED)
    assert verification.readings(sample) == {}
    assert answers_of(ASKED) == ("Tumour", "TRM", "Mo-mac", "Other")


def test_a_folder_that_cannot_be_written_keeps_nothing_back(folder, called):
    verification, sample = started(folder, called)
    folder.verification.unlink()
    folder.verification.mkdir()
    with pytest.raises(ResultError, match="Your last reading is not saved"):
        verification.say(sample, 0, "TRM", "A", ASKED)
    assert verification.readings(sample) == {}


def test_a_damaged_file_is_told_and_a_foreign_line_refused(folder, called):
    _, sample = started(folder, called)
    text = folder.verification.read_text()
    folder.verification.write_text("{\n" + text)
    with pytest.raises(ResultError, match="line 1"):
        Verification(folder)
    for broken, why in (
        (text.replace('"anchor_px": 0,', "").replace('"y_um"', '"z_um"'), "a drawn cell has"),
        (text.replace('"sizes": {"Mo-mac"', '"sizes": {"Mo"'), "its sizes lack 'Mo-mac'"),
    ):
        folder.verification.write_text(broken + broken)
        with pytest.raises(ResultError, match=why):
            EditLog(folder.verification).read()
    assert sample.slide_id == "made-up"
