"""Gates: where a marker becomes positive on tissue of every kind, and when there is no telling."""

import numpy as np
import pandas as pd
import pytest

from macprox.edits.replay import GateCorrection
from macprox.errors import TableError
from macprox.phenotype.gate_table import (
    GATE_COLUMNS,
    above_gate,
    apply_gates,
    gate_name,
    gate_of,
    gate_table,
    sensitivity,
)
from macprox.phenotype.gates import MarkerParameters, propose_gate


def f1(positive, truth):
    return 2 * (positive & truth).sum() / max(positive.sum() + truth.sum(), 1)


def best_f1(values, truth):
    """Of every possible threshold: what separation and prevalence allow."""
    hits = np.cumsum(truth[np.argsort(-values)])
    return (2 * hits / (np.arange(len(values)) + 1 + truth.sum())).max()


def lognormal(rng, truth, separation, sd=0.5):
    return np.exp(rng.normal(np.where(truth, separation * sd, 0), sd))


def spill(rng, truth, separation):
    """Background noise around zero, a fifth of the cells with a neighbour's spill-over."""
    n = len(truth)
    dim = rng.exponential(1.5, n) * (rng.random(n) < 0.2)
    bright = {4: 10, 6: 25}[separation] * np.exp(rng.normal(0, 0.5, n))
    return rng.normal(0, 1, n) + np.where(truth, bright, dim)


def clipped(rng, truth, separation):
    return np.clip(spill(rng, truth, separation) - 0.5, 0, None)


def counts(rng, truth, separation):
    """Mean ion counts a pixel: most cells have none, one or two ions."""
    n = len(truth)
    area = rng.normal(150, 30, n).clip(40)
    bright = {4: 0.25, 6: 0.5}[separation] * np.exp(rng.normal(0, 0.5, n))
    rate = rng.gamma(0.7, 0.01, n) + np.where(truth, bright, 0)
    return rng.poisson(rate * area) / area


def saturated(rng, truth, separation):
    """Twelve bits without any background correction; the brightest are clipped."""
    n = len(truth)
    bright = {4: 800, 6: 2500}[separation] * np.exp(rng.normal(0, 0.5, n))
    values = 1000 + rng.normal(0, 100, n) + rng.gamma(2, 60, n) + np.where(truth, bright, 0)
    return np.minimum(values, 4095)


KINDS = (lognormal, spill, clipped, counts, saturated)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("separation", [4, 6])
@pytest.mark.parametrize("prevalence", [0.02, 0.1, 0.3, 0.65])
def test_a_gate_is_nearly_as_good_as_the_best_possible_one(kind, separation, prevalence):
    rng = np.random.default_rng(5)
    truth = rng.random(4000) < prevalence
    values = kind(rng, truth, separation)
    assert best_f1(values, truth) > 0.75  # control: there is something to find
    reached = f1(values > propose_gate(values).value, truth) / best_f1(values, truth)
    assert reached > (0.7 if separation == 4 else 0.9)


def test_otsu_fails_where_positives_are_rare():
    """The control for the test above: the textbook's threshold is not enough."""
    from skimage.filters import threshold_otsu

    rng = np.random.default_rng(5)
    truth = rng.random(4000) < 0.02
    values = spill(rng, truth, 6)
    scale = np.quantile(np.abs(values), 0.5)
    otsu = scale * np.sinh(threshold_otsu(np.arcsinh(values / scale)))
    assert f1(values > otsu, truth) < 0.3
    assert f1(values > propose_gate(values).value, truth) > 0.9


@pytest.mark.parametrize(
    ("name", "draw"),
    [
        ("lognormal", lambda rng: np.exp(rng.normal(0, 0.6, 3000))),
        ("noise", lambda rng: rng.normal(0, 1, 3000)),
        ("gamma", lambda rng: rng.gamma(2, 60, 3000)),
        ("clipped noise", lambda rng: np.clip(rng.normal(0, 1, 3000), 0, None)),
    ],
)
def test_one_population_is_not_cut_in_two(name, draw):
    proposal = propose_gate(draw(np.random.default_rng(3)), name)
    assert not proposal.bimodal
    assert "one population" in proposal.reason
    assert proposal.percent_positive < 2


def test_a_constant_marker_calls_nobody():
    for values in (np.zeros(100), np.full(100, 7.0)):
        proposal = propose_gate(values, "CD68")
        assert np.isnan(proposal.value)
        assert not proposal.bimodal
        assert proposal.percent_positive == 0
        assert "CD68 is" in proposal.reason
        assert not (values > proposal.value).any()


def test_few_cells_get_a_gate_that_is_not_trusted_or_none():
    rng = np.random.default_rng(0)
    values = np.r_[rng.normal(1, 0.1, 20), rng.normal(9, 0.1, 15)]
    proposal = propose_gate(values)
    assert 1.5 < proposal.value < 8.6
    assert not proposal.bimodal
    assert "only 35 cells" in proposal.reason
    assert np.isnan(propose_gate(values[:9]).value)
    assert "too few" in propose_gate(np.full(50, np.nan)).reason


def test_order_and_missing_values_change_nothing_and_units_scale():
    rng = np.random.default_rng(2)
    truth = rng.random(2000) < 0.2
    values = spill(rng, truth, 6)
    gate = propose_gate(values).value
    assert propose_gate(rng.permutation(values)).value == gate
    assert propose_gate(np.r_[values, np.nan, np.inf]).value == gate
    for factor in (1e-4, 257.0, 1e6):
        assert propose_gate(values * factor).value == pytest.approx(gate * factor, rel=1e-3)


def test_cells_outside_the_tissue_are_not_the_negatives():
    rng = np.random.default_rng(4)
    truth = rng.random(3000) < 0.2
    inside = 1000 * lognormal(rng, truth, 6, 0.3)
    values, truth = np.r_[inside, np.zeros(60)], np.r_[truth, np.zeros(60, bool)]
    assert f1(values > propose_gate(values).value, truth) > 0.95


def test_a_person_and_the_proposal_agree_on_an_exemplar(shared_data):
    folder = shared_data / "imports" / "mcmicro"
    cells = pd.read_csv(folder / "exemplar-001--unmicst_cell.csv.gz")
    manual = pd.read_csv(folder / "manual_gates.csv").set_index("markers").iloc[:, 0]
    agreement = {}
    for marker in ("CD45", "ECAD", "CD11B", "ELANE", "NCAM", "FOXP3", "CD16"):
        values = cells[marker].to_numpy(float)
        person = values > np.expm1(manual[marker])
        agreement[marker] = f1(values > propose_gate(values).value, person)
    assert min(agreement[marker] for marker in ("CD45", "ECAD", "CD11B", "ELANE")) > 0.8
    assert min(agreement.values()) > 0.6


def test_gates_agree_with_another_tool_on_lung(shared_data):
    table = shared_data / "lung_inform_set4" / "set4_cell_seg_data.csv.gz"
    cells = pd.read_csv(table, sep=None, engine="python")
    for column, phenotype in (
        ("Nucleus FoxP3 (Opal 570) Mean", "FoxP3"),
        ("Entire Cell CK (Opal 690) Mean", "CK"),
    ):
        values = pd.to_numeric(cells[column]).to_numpy()
        theirs = cells["Phenotype"].str.contains(phenotype, case=False).to_numpy()
        assert f1(values > propose_gate(values).value, theirs) > 0.9


def cells_of(**means):
    return pd.DataFrame({f"mean_{name}": np.asarray(v, float) for name, v in means.items()})


def bimodal_cells():
    rng = np.random.default_rng(1)
    values = np.r_[rng.normal(10, 1, 150), rng.normal(100, 5, 50)]
    return cells_of(cd68_cell=values, cd68_nucleus=values / 10, foxp3_nucleus=np.zeros(200))


def test_the_reviewer_wins_over_the_study_and_the_study_over_the_proposal():
    cells = bimodal_cells()
    auto, study = MarkerParameters(), MarkerParameters(gate=50)
    moved = {("CD68", None): GateCorrection(42.0, False, "MB", "2026-01-02T03:04:05Z")}
    confirmed = {("CD68", None): GateCorrection(42.0, True, "MB", "2026-01-02T03:04:05Z")}
    undone = {("CD68", None): GateCorrection(None, False, "MB", "2026-01-02T03:04:05Z")}

    def row(parameters, corrections=None):
        return gate_table(cells, {"CD68": parameters}, corrections).iloc[0]

    assert tuple(gate_table(cells, {"CD68": auto}).columns) == GATE_COLUMNS
    assert (row(auto)["source"], row(auto)["confirmed"]) == ("auto", False)
    assert (row(study)["source"], row(study)["value"]) == ("study", 50.0)
    assert row(study)["confirmed"]
    reviewed = row(study, moved)
    assert (reviewed["source"], reviewed["value"], reviewed["by"]) == ("reviewer", 42.0, "MB")
    assert not reviewed["confirmed"]
    assert row(auto, confirmed)["confirmed"]
    assert "proposed" in reviewed["reason"]
    assert row(auto, undone)["source"] == "auto"
    assert len(gate_table(cells, {}, moved)) == 0


def test_positive_is_strictly_above_the_gate_of_the_declared_compartment():
    cells = bimodal_cells()
    cells.loc[0, "mean_cd68_nucleus"] = 5.0
    gates = gate_table(cells, {"CD68": MarkerParameters("nucleus", 5.0)})
    called = apply_gates(cells, gates)
    assert called["cd68_positive"].sum() == 50
    assert not called.loc[0, "cd68_positive"]
    assert "cd68_positive" not in cells


def test_an_all_zero_marker_is_negative_everywhere_and_says_why():
    cells = bimodal_cells()
    gates = gate_table(cells, {"FOXP3": MarkerParameters("nucleus")})
    assert gates.loc[0, "percent_positive"] == 0
    assert "0 in every cell" in gates.loc[0, "reason"]
    assert not apply_gates(cells, gates)["foxp3_positive"].any()


def test_a_marker_that_was_not_measured_is_refused():
    cells = bimodal_cells()
    with pytest.raises(
        TableError, match=r"'CD68' needs the column mean_cd68_ring, but .*cd68_cell"
    ):
        gate_table(cells, {"CD68": MarkerParameters("ring")})
    gates = gate_table(cells, {"CD68": MarkerParameters()})
    with pytest.raises(TableError, match="needs the column mean_cd68_cell"):
        apply_gates(cells[["mean_cd68_nucleus"]], gates)
    with pytest.raises(TableError, match="no gate of 'CD163'; found CD68"):
        above_gate(cells, gates, "CD163")


def test_sensitivity_is_ten_per_cent_of_the_gate():
    values = np.array([0.0, 9.5, 10.5, 12.0, np.nan])
    assert sensitivity(values, 10.0) == (50.0, 75.0, 25.0)
    assert sensitivity(values, 9.4) == (75.0, 75.0, 50.0)
    assert sensitivity(np.array([-1.0, -0.95]), -1.0) == (50.0, 100.0, 0.0)
    assert np.isnan(sensitivity(np.array([np.nan]), 1.0)).all()


MARKERS = {name: MarkerParameters(gate=10.0) for name in ("MARCO", "CD68", "panCK")}


def eight_kinds():
    """Every combination of three markers: 20 where positive for all cells, else 0."""
    on = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)]) * 20.0
    return cells_of(marco_cell=on[:, 0], cd68_cell=on[:, 1], panck_cell=on[:, 2])


def by_hand(value, confirmed=True):
    return GateCorrection(value, confirmed, "Dr B", "2026-01-02T03:04:05Z")


def marco_positive(cells, corrections):
    gates = gate_table(cells, MARKERS, corrections)
    return apply_gates(cells, gates)["marco_positive"].to_numpy(), gates


def test_cells_of_a_parent_are_held_to_the_parent_s_gate_and_others_are_not():
    cells = eight_kinds()
    whole, _ = marco_positive(cells, {})
    np.testing.assert_array_equal(whole, cells["mean_marco_cell"] > 10)  # control
    positive, gates = marco_positive(cells, {("MARCO", "CD68"): by_hand(30.0)})
    macrophage = cells["mean_cd68_cell"] > 10
    np.testing.assert_array_equal(positive, whole & ~macrophage)
    lower, _ = marco_positive(cells, {("MARCO", "CD68"): by_hand(-1.0)})
    np.testing.assert_array_equal(lower, whole | macrophage)
    assert gates[["marker", "parent"]].to_numpy().tolist() == [
        ["MARCO", ""], ["MARCO", "CD68"], ["CD68", ""], ["panCK", ""],
    ]  # fmt: skip


def test_of_several_parents_the_highest_gate_holds():
    cells = eight_kinds()
    both = {("MARCO", "panCK"): by_hand(30.0), ("MARCO", "CD68"): by_hand(-1.0)}
    positive, gates = marco_positive(cells, both)
    keratin, macrophage = cells["mean_panck_cell"] > 10, cells["mean_cd68_cell"] > 10
    of_neither = ~keratin & ~macrophage & (cells["mean_marco_cell"] > 10)
    np.testing.assert_array_equal(positive, (macrophage & ~keratin) | of_neither)
    assert gates["parent"].tolist() == ["", "CD68", "panCK", "", ""]  # in the study's order


def test_per_cents_of_a_parent_s_gate_are_of_the_parent_s_cells():
    cells = eight_kinds()
    cells.loc[cells["mean_cd68_cell"] == 0, "mean_marco_cell"] = 100.0
    _, gates = marco_positive(cells, {("MARCO", "CD68"): by_hand(19.0, confirmed=False)})
    row = gate_of(gates, "MARCO", "CD68")
    assert (row["percent_positive"], row["percent_positive_plus10"]) == (50.0, 0.0)
    assert gate_of(gates, "MARCO")["percent_positive"] == 75.0
    assert (row["source"], row["by"], row["confirmed"]) == ("reviewer", "Dr B", False)
    assert gate_of(gates, "MARCO", "panCK") is None
    assert gate_name("MARCO", "CD68") == "MARCO among CD68+"
    assert gate_name("MARCO") == "MARCO"


def test_a_parent_s_own_parent_does_not_decide_who_its_cells_are():
    """Two markers gated among each other's cells have no circle to run in."""
    cells = eight_kinds()
    each = {("MARCO", "CD68"): by_hand(30.0), ("CD68", "MARCO"): by_hand(30.0)}
    called = apply_gates(cells, gate_table(cells, MARKERS, each))
    marco, cd68 = cells["mean_marco_cell"] > 10, cells["mean_cd68_cell"] > 10
    np.testing.assert_array_equal(called["marco_positive"], marco & ~cd68)
    np.testing.assert_array_equal(called["cd68_positive"], cd68 & ~marco)


def test_a_gate_that_was_taken_back_or_has_no_such_marker_is_none():
    cells = eight_kinds()
    gone = {("MARCO", "CD68"): by_hand(None), ("MARCO", "CD3"): by_hand(5.0)}
    pd.testing.assert_frame_equal(gate_table(cells, MARKERS, gone), gate_table(cells, MARKERS))
    with pytest.raises(TableError, match="'CD68' among its own positive cells"):
        gate_table(cells, MARKERS, {("CD68", "CD68"): by_hand(5.0)})


def test_proposals_made_before_are_not_made_again(monkeypatch):
    cells, kept = bimodal_cells(), {}
    markers = {"CD68": MarkerParameters(), "FOXP3": MarkerParameters("nucleus")}
    among = {("CD68", "FOXP3"): by_hand(5.0), ("FOXP3", "CD68"): by_hand(5.0)}
    fresh = gate_table(cells, markers, among, kept)
    assert len(kept) == 4

    def refuse(*_):
        raise AssertionError("a proposal was made twice")

    monkeypatch.setattr("macprox.phenotype.gate_table.propose_gate", refuse)
    whole = fresh[fresh["parent"] == ""].reset_index(drop=True)
    pd.testing.assert_frame_equal(gate_table(cells, markers, {}, kept), whole)
    with pytest.raises(AssertionError, match="twice"):  # control
        gate_table(cells, markers)
