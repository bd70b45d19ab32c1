"""The panels' words: headline, what is open before signing, the list of slides."""

from __future__ import annotations

import pytest

from macprox.edits import CellDeleted, EditLog
from macprox.review.question.answer import answer
from macprox.review.question.headline import class_noun, headline_sides, shares_title
from macprox.review.recalculation import recalculate
from macprox.review.session import ReviewSession
from macprox.review.signing import open_points, signed_text
from macprox.review.slides.listing import STATUS_SIGNS, TITLES, entries, progress
from macprox.review.slides.table import slides_table

NBSP = "\u00a0"


@pytest.fixture
def session(small_copy) -> ReviewSession:
    session = ReviewSession.open(small_copy.path, "A. Reviewer")
    session.install(recalculate(session.snapshot()))
    return session


def test_the_headline_s_fields_are_the_answer_s_rows(session):
    sides = headline_sides(session.answer, session.study)
    rows = session.answer.rows
    n = rows.loc[rows["source"] == "Tumour", "n_source"].iloc[0]
    assert sides[0].title == f"Of {n:,} tumour cells, within 20{NBSP}µm of a …"
    assert sides[1].title == f"Within 20{NBSP}µm of a tumour cell, of the …"
    (forth,), (back,) = (side.lines for side in sides)
    seen = rows.loc[rows["source"] == "Tumour", "value"].iloc[0]
    assert forth.name == "Macrophage"
    assert float(forth.seen.text.removesuffix(f"{NBSP}%")) == pytest.approx(100 * seen, abs=0.5)
    assert back.name.endswith(" Macrophage")
    assert back.name.split()[0].replace(",", "").isdigit()
    assert forth.words.startswith(f"Of {n:,} tumour cells, those with a Macrophage")
    assert forth.p.text != "–"


def test_without_an_answer_every_dash_has_its_reason(session):
    session.called.cells["phenotype"] = "Other"
    nothing = answer(session.called, session.study)
    for side in headline_sides(nothing, session.study):
        for line in side.lines:
            assert (line.seen.text, line.p.text) == ("–", "–")
            assert line.seen.reason


def test_chart_and_list_say_classes_as_nouns(session):
    title = shares_title("Macrophage", session.study)
    assert title == "Share of tumour cells with a Macrophage within a distance"
    assert class_noun("Macrophage", session.study) == "Macrophage cells"


def test_what_is_open_is_told_before_signing(session):
    assert open_points(session) == [notice.text for notice in session.notices]
    session.move_gate("CD68", 310.0)
    assert "The gate of CD68 is not confirmed." in open_points(session)
    session.move_gate("panCK", 320.0, "CD68")
    assert "2 gates are not confirmed: panCK among CD68+, CD68." in open_points(session)
    session.confirm_gate("CD68")
    session.confirm_gate("panCK", "CD68")
    assert not [point for point in open_points(session) if "confirmed" in point]


def test_a_lost_edit_and_a_missing_answer_are_open(session):
    nowhere = CellDeleted(slide_id="field", reviewer="B.", x_um=-50.0, y_um=-50.0)
    EditLog(session.result.folder.edits).append(nowhere)
    again = ReviewSession.open(session.result.path, "A. Reviewer")
    again.install(recalculate(again.snapshot()))
    assert any("no cell lies there any more" in point for point in open_points(again))
    session.called.cells["phenotype"] = "Other"
    session.answer = answer(session.called, session.study)
    assert session.answer.sentence in open_points(session)


def test_who_signed_and_whether_something_changed_since(session):
    assert signed_text(session) == "field is not signed off."
    session.sign_off("looked at all gates")
    said = signed_text(session)
    assert said.startswith("field is signed off by A. Reviewer, ")
    assert "“looked at all gates”" in said
    assert "changed" not in said
    session.move_gate("CD68", 310.0)
    assert signed_text(session).endswith("It was changed since: sign off again.")


def test_a_slide_is_a_line_whose_numbers_sort_as_numbers(session):
    session.move_gate("CD68", 310.0)
    session.sign_off()
    table = slides_table(session.result.path.parents[1])
    (row,) = table.to_dict("records")
    line = dict(zip(TITLES, entries(row), strict=True))
    assert line["Slide"].text == "field"
    assert line["Status"].text.startswith("✓ signed off")
    assert "Signed off by A. Reviewer" in line["Status"].tip
    assert line["Gates"].text == "1 open"
    assert line["Cells"].order == len(session.result.cells())
    assert line["Light"].tip == row["quality_text"]
    assert progress(table) == "1 slide: signed off 1"


def test_a_failed_slide_says_why_and_pretends_no_numbers(session):
    (row,) = slides_table(session.result.path.parents[1]).to_dict("records")
    row |= {"status": "failed: no DAPI: give it", "n_cells": 0}
    line = dict(zip(TITLES, entries(row), strict=True))
    assert (line["Status"].text, line["Status"].tip) == ("✖ failed", "no DAPI: give it")
    assert line["Cells"].text == line["Gates"].text == "–"
    row |= {"status": "changed since sign-off", "n_cells": 9, "needs_update": True}
    line = dict(zip(TITLES, entries(row), strict=True))
    assert line["Status"].text == "⚠ changed since sign-off ↻"
    assert "older than the review" in line["Status"].tip
    assert len(set(STATUS_SIGNS.values())) == len(STATUS_SIGNS)  # colour is never needed
