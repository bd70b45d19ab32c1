"""What is said of a gate is what the log and the gate table say; what is lit is what is called."""

from __future__ import annotations

import numpy as np
import pytest

from macprox.celltable import positive_column
from macprox.phenotype.gate_table import gate_of
from macprox.review.clock import told
from macprox.review.gates.states import (
    BY_STUDY,
    CONFIRMED,
    OF_ALL,
    PROPOSAL,
    PROPOSED,
    SET,
    cut_of,
    fallback,
    gate_state,
    gate_states,
    gate_text,
    percent_text,
    standing_gate,
)
from macprox.review.recalculation import recalculate
from macprox.review.session import ReviewSession


@pytest.fixture
def session(small_copy) -> ReviewSession:
    """CD68's gate is automatic, panCK's the study's."""
    study = small_copy.path.parents[1] / "study.toml"
    text = study.read_text(encoding="utf-8")
    before, after = text.split("[markers.CD68]")
    assert "gate = 300" in after
    study.write_text(before + "[markers.CD68]" + after.replace("gate = 300.0", 'gate = "auto"', 1))
    return recalculated(ReviewSession.open(small_copy.path, "A. Reviewer"))


def recalculated(session: ReviewSession) -> ReviewSession:
    assert session.install(recalculate(session.snapshot()))
    return session


def known(session: ReviewSession):
    return session.called, session.study, session.corrections


def test_a_gate_goes_from_proposal_to_set_to_confirmed_and_back(session):
    proposal = gate_state(*known(session), "CD68")
    assert (proposal.state, proposal.words) == (
        PROPOSAL,
        "Automatic proposal; nobody has confirmed it yet.",
    )
    session.move_gate("CD68", 412.0)
    moved = gate_state(*known(session), "CD68")
    assert (moved.state, moved.value) == (SET, 412.0)
    assert moved.words.startswith("Set by A. Reviewer, ")
    assert moved.words.endswith("Not confirmed yet.")
    session.confirm_gate("CD68")
    agreed = gate_state(*known(session), "CD68")
    assert agreed.state == CONFIRMED
    assert agreed.words.startswith("Confirmed by A. Reviewer, ")
    session.reset_gate("CD68")
    assert gate_state(*known(session), "CD68").value == pytest.approx(proposal.value)
    assert gate_state(*known(recalculated(session)), "CD68") == proposal


def test_the_way_back_is_where_the_gate_stood_before_anybody_moved_it(session):
    before = fallback(*known(session), "CD68")
    assert before.name == PROPOSED
    assert before.value == gate_of(session.called.gates, "CD68")["value"]
    assert "population" in before.reason
    session.move_gate("CD68", 412.0)
    after = fallback(*known(recalculated(session)), "CD68")
    assert gate_of(session.called.gates, "CD68")["value"] == 412.0  # control: the table forgot it
    assert after == before
    session.reset_gate("CD68")
    assert gate_state(*known(session), "CD68").value == before.value  # the table is still old
    assert fallback(*known(session), "panCK").name == BY_STUDY
    assert fallback(*known(session), "panCK").value == 300.0
    of_parent = fallback(*known(session), "panCK", "CD68")
    assert (of_parent.name, of_parent.value) == (OF_ALL, 300.0)


def test_a_study_s_number_counts_as_confirmed(session):
    state = gate_state(*known(session), "panCK")
    assert (state.state, state.words) == (CONFIRMED, "Given by the study, which confirms it.")


def test_a_parent_s_gate_stands_after_its_marker_s_own(session):
    assert [(s.marker, s.parent) for s in gate_states(*known(session))] == [
        ("panCK", ""), ("CD68", ""),
    ]  # fmt: skip
    none = gate_state(*known(session), "panCK", "CD68")
    assert (none.is_own, none.value) == (False, 300.0)
    assert none.words == "No gate of its own: the gate of all cells holds in CD68+."
    session.move_gate("panCK", 900.0, "CD68")
    states = gate_states(*known(session))
    assert [state.title for state in states] == ["panCK", "panCK among CD68+", "CD68"]
    assert (states[1].value, states[1].state, states[1].is_own) == (900.0, SET, True)
    assert np.isnan(states[1].percent_positive)  # nobody has counted yet
    assert np.isfinite(gate_states(*known(recalculated(session)))[1].percent_positive)
    session.reset_gate("panCK", "CD68")
    assert len(gate_states(*known(session))) == 2


@pytest.mark.parametrize("gate", [100.0, 300.0, 700.0])
def test_lit_cells_are_those_a_recalculation_calls_positive(session, gate):
    lit = cut_of(*known(session), "panCK").lit(gate)
    session.move_gate("panCK", gate)
    cells = recalculated(session).called.cells
    positive = cells.loc[cells[positive_column("panCK")], "cell_id"].to_numpy()
    assert len(positive) > 10
    assert np.array_equal(np.flatnonzero(lit), np.sort(positive))


def test_cells_of_a_parent_with_its_own_gate_stay_as_that_gate_says(session):
    session.move_gate("panCK", 1e9, "CD68")
    recalculated(session)
    cells = session.called.cells
    lit = cut_of(*known(session), "panCK").lit(-1e9)
    macrophages = cells.loc[cells[positive_column("CD68")], "cell_id"]
    assert lit.sum() == len(cells) - len(macrophages)
    assert not lit[macrophages].any()
    among = cut_of(*known(session), "panCK", "CD68")
    assert np.array_equal(np.flatnonzero(among.lit(-1e9)), np.sort(macrophages))
    session.move_gate("panCK", -1e9, "CD68")
    lit = cut_of(*known(recalculated(session)), "panCK").lit(1e9)
    assert np.array_equal(np.flatnonzero(lit), np.sort(macrophages))


def test_the_percentages_are_those_of_the_gate_table(session):
    cut = cut_of(*known(session), "CD68")
    row = gate_of(session.called.gates, "CD68")
    at, minus, plus = cut.population.sensitivity(row["value"])
    assert at == row["percent_positive"]
    assert (minus, plus) == (row["percent_positive_minus10"], row["percent_positive_plus10"])
    n = len(session.called.cells)
    n_positive = round(at * n / 100)
    said = cut.positive_text(row["value"]).replace("\u00a0", " ")
    assert said == f"{at:.1f} % positive: {n_positive} of {n} cells"


def test_sensitivity_is_said_only_where_it_differs(session):
    cut = cut_of(*known(session), "CD68")
    highest = cut.population.values[-1]
    same = cut.sensitivity_text(2 * highest).replace("\u00a0", " ")
    assert same == "The same with a gate 10 % lower or 10 % higher."
    different = cut.sensitivity_text(float(np.median(cut.population.values)))
    assert "lower, " in different
    assert cut.sensitivity_text(float("nan")) == ""
    assert cut.positive_text(float("nan")).startswith("No gate: none of ")


def test_without_a_parent_s_cells_there_is_nothing_to_gate(session):
    session.move_gate("CD68", 1e9)
    cut = cut_of(*known(session), "panCK", "CD68")
    assert cut.positive_text(300.0) == "There are no cells to gate here."
    assert cut.sensitivity_text(300.0) == ""
    assert not cut.lit(0.0).any()


def test_a_standing_gate_is_the_log_s_before_the_table_s(session):
    gates = session.called.gates
    assert standing_gate(gates, session.corrections, "panCK") == 300.0
    session.move_gate("panCK", 350.0)
    assert standing_gate(gates, session.corrections, "panCK") == 350.0
    assert standing_gate(gates, session.corrections, "panCK", "CD68") is None


def test_what_is_no_number_is_a_dash():
    assert (gate_text(float("nan")), percent_text(float("nan"))) == ("–", "–")
    assert (gate_text(12.345), percent_text(7.26)) == ("12.3", "7.3\u00a0%")


def test_times_are_told_in_the_local_zone(monkeypatch):
    import time

    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    assert told("2026-11-02T23:05:00+00:00") == "3 Nov 2026, 00:05"
    monkeypatch.undo()
    time.tzset()
    assert told("yesterday") == "yesterday"
