"""Marker logic: what parses, what it means, and what is said when it does not parse."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from macprox.errors import StudyError, TableError
from macprox.phenotype.calls import (
    call_phenotypes,
    double_positive_counts,
    explain_cell,
    inside_regions,
)
from macprox.phenotype.logic import REGION_WORDS, And, Inside, Marker, Not, Or, Rule
from macprox.phenotype.rules import parse_rule

TRUTH_TABLE = np.array(np.meshgrid(*[[False, True]] * 3)).reshape(3, -1).astype(bool)
POSITIVE = dict(zip(("A", "B", "C"), TRUTH_TABLE, strict=True))

names = st.one_of(
    st.sampled_from(["CD68", "HLA-DR", "CK-EPCAM", "Alexa 594", "in:tumour", "CD8 (Opal)", "or"]),
    st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=8).filter(
        lambda name: name.strip() and '"' not in name
    ),
)
atoms = st.one_of(
    st.builds(Marker, names, st.booleans()), st.builds(Inside, st.sampled_from(REGION_WORDS))
)
nodes = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(st.builds(Rule, nodes, st.booleans()))
def test_a_printed_rule_parses_to_the_same_rule(rule):
    assert parse_rule(str(rule)) == rule


def test_and_binds_closer_than_or_and_not_closest():
    a, b, c = TRUTH_TABLE
    control = (a | b) & c
    expected = a | (b & c)
    assert (control != expected).any()
    assert (parse_rule("A+ or B+ C+").evaluate(POSITIVE, {}) == expected).all()
    assert (parse_rule("(A+ or B+) and C+").evaluate(POSITIVE, {}) == control).all()
    assert (parse_rule("not A+ B+").evaluate(POSITIVE, {}) == (~a & b)).all()
    assert (parse_rule("A- NOT (B+ Or C-)").evaluate(POSITIVE, {}) == (~a & ~(b | ~c))).all()


def test_names_keep_their_dashes_and_slashes_and_quotes_carry_the_rest():
    rule = parse_rule("CK-EPCAM+ HLA-DR- \"Alexa 594\"+ 'CD8 (Opal 540)'- CD45RA/RO⁺ panCK−")
    assert rule.markers == (
        "CK-EPCAM",
        "HLA-DR",
        "Alexa 594",
        "CD8 (Opal 540)",
        "CD45RA/RO",
        "panCK",
    )
    signs = [atom.positive for atom in rule.logic.operands]
    assert signs == [True, False, True, False, True, False]


def test_the_marker_part_forgets_place_and_nothing_else():
    def marker_part(text):
        return str(parse_rule(text).without_region())

    assert marker_part("panCK+ CD68- in:tumour") == "panCK+ CD68-"
    assert marker_part("panCK+ CD68- not in:tumour") == "panCK+ CD68-"
    assert marker_part("not (panCK- or in:airspace)") == "not panCK-"
    assert marker_part("A+ (B+ or C- D+)") == "A+ (B+ or C- D+)"
    assert parse_rule("in:tumour").without_region().markers == ()


@settings(max_examples=60, deadline=None)
@given(nodes.filter(lambda node: len(set(Rule(node).markers)) <= 3), st.data())
def test_the_marker_part_holds_wherever_the_whole_rule_does(node, data):
    rule = Rule(node)
    bools = st.lists(st.booleans(), min_size=4, max_size=4).map(np.array)
    positive = {name: data.draw(bools) for name in rule.markers}
    inside = {word: data.draw(bools) for word in REGION_WORDS}
    whole = rule.evaluate(positive, inside)
    assert not (whole & ~rule.without_region().evaluate(positive, inside)).any()


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 1, "it is empty"),
        ("CD68+ (MARCO+ or PPARG+", 7, "never closed"),
        ("CD68+)", 6, "never opened"),
        ("CD68+ MARCO", 7, "'MARCO' has no sign; write 'MARCO\\+' or 'MARCO-'"),
        ("CD68+ ohterwise", 7, "Did you mean 'otherwise'\\?"),
        ("CD68+ in:tumor", 7, "no region 'tumor'.*Did you mean 'in:tumour'\\?"),
        ("CD68+ & panCK-", 7, "'&' is not part of a rule; write 'and'"),
        ("CD68+, panCK-", 1, "',' is not part of a rule"),
        ("!panCK+", 1, "'!' is not part of a rule; write 'not'"),
        ("CD68+panCK-", 1, "put a space between markers"),
        ("CD68 +", 1, "'CD68' has no sign"),
        ("+ CD68+", 1, "has no marker before it"),
        ("CD68+ or", 9, "the rule ends where a marker"),
        ("CD68+ or and panCK-", 10, "'and' stands where a marker"),
        ("CD68+ otherwise panCK-", 17, "must be the last word"),
        ("(CD68+ otherwise)", 8, "cannot stand inside brackets"),
        ('"Alexa 594+', 1, "quotation mark is never closed"),
        ('"Alexa 594"', 1, "needs a name and one sign"),
    ],
)
def test_a_broken_rule_is_refused_with_its_column(text, column, message):
    with pytest.raises(StudyError, match=f"column {column}: .*{message}"):
        parse_rule(text)


@pytest.mark.parametrize("opening", ["(", "not ", "( not "])
def test_brackets_without_end_are_refused_not_followed(opening):
    parse_rule("(" * 40 + "CD68+" + ")" * 40)  # control: far more than people write
    with pytest.raises(StudyError, match="more than 100 brackets or 'not' are open"):
        parse_rule(opening * 50_000 + "CD68+")


@pytest.mark.parametrize(
    "word", ["a" * 9000, "CD\x1b[31m68", "'" + "é" * 900 + "'", "in:" + "x" * 900]
)
def test_what_is_said_of_a_rule_is_short_and_printable(word):
    with pytest.raises(StudyError, match="column 7") as told:
        parse_rule("CD68+ " + word)
    assert len(str(told.value)) < 600
    assert str(told.value).isprintable()


def test_a_marker_or_region_without_data_is_refused_not_negative():
    with pytest.raises(TableError, match=r"needs marker 'MARCO'.*Did you mean 'MARC0'"):
        parse_rule("MARCO-").evaluate({"MARC0": np.array([True])}, {})
    with pytest.raises(TableError, match=r"needs region 'tumour'.*none"):
        parse_rule("not in:tumour").evaluate({}, {})


def test_one_match_is_called_several_are_ambiguous_and_otherwise_takes_the_rest():
    rules = {
        "TRM": parse_rule("A+ B+"),
        "MDM": parse_rule("A+ C+"),
        "Macrophage": parse_rule("A+ otherwise"),
    }
    positive = {
        "A": np.array([1, 1, 1, 1, 0], bool),
        "B": np.array([1, 0, 1, 0, 1], bool),
        "C": np.array([0, 1, 1, 0, 1], bool),
    }
    called = call_phenotypes(positive, {}, rules, 5)
    assert called.tolist() == ["TRM", "MDM", "Ambiguous", "Macrophage", "Other"]


def test_the_order_of_the_rules_never_matters():
    rng = np.random.default_rng(1)
    positive = {name: rng.random(200) < 0.5 for name in "ABC"}
    rules = {
        "x": parse_rule("A+ B-"),
        "y": parse_rule("C+"),
        "z": parse_rule("otherwise"),
        "w": parse_rule("A- otherwise"),
    }
    forward = call_phenotypes(positive, {}, rules, 200)
    backward = call_phenotypes(positive, {}, dict(reversed(rules.items())), 200)
    assert (forward == backward).all()
    assert {"Ambiguous", "x", "y", "z"} <= set(forward)


def test_without_rules_every_cell_is_other():
    assert call_phenotypes({}, {}, {}, 3).tolist() == ["Other"] * 3


def test_tumour_is_core_and_inner_margin():
    cells = pd.DataFrame(
        {
            "region": ["core", "inner_margin", "outer_margin", "distant"],
            "compartment": ["epithelium", "stroma", "airspace", "tissue"],
        }
    )
    inside = inside_regions(cells)
    assert set(inside) == set(REGION_WORDS)
    assert inside["tumour"].tolist() == [True, True, False, False]
    assert inside["airspace"].tolist() == [False, False, True, False]
    assert "tumour" not in inside_regions(cells[["compartment"]])


def test_a_cell_is_explained_by_its_markers_and_rules():
    rules = {
        "TRM": parse_rule("A+ B+"),
        "MDM": parse_rule("A+ C+"),
        "M": parse_rule("A+ otherwise"),
    }

    def explained(a, b, c):
        return explain_cell({"A": a, "B": b, "C": c}, {"tumour": True}, rules)

    assert explained(True, True, True) == "Ambiguous: A+ B+ C+ in:tumour; TRM and MDM both match."
    assert explained(True, False, False).endswith("no other rule takes it.")
    assert explained(False, True, True).startswith("Other: ")
    assert explained(True, True, False).endswith("only this rule matches.")


def test_double_positives_are_counted_for_every_pair():
    positive = {"CD68": np.array([1, 1, 0], bool), "panCK": np.array([1, 0, 1], bool)}
    assert double_positive_counts(positive) == {("CD68", "panCK"): 1}
