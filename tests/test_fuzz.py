"""Whatever strangers send is read, or refused in one clear sentence; nothing crashes or hangs."""

from __future__ import annotations

import sys
from collections import Counter

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from fuzzing import runner, samples, sound_results
from fuzzing.planted import PLANTED
from fuzzing.targets import TARGETS, broken
from fuzzing.verdict import MOST_CHARACTERS
from macprox.errors import StudyError
from macprox.phenotype.rules import parse_rule
from macprox.study import Study

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="limits on memory and time are Linux's"
)
SOME_INPUTS, SLOW_INPUTS = 240, 20_000


def assert_nothing_found(ended: list[runner.Ended]) -> None:
    found = [one for one in ended if one.verdict.is_finding]
    assert not found, f"{runner.summary(ended)}\n\n{found[0].verdict.text}"


@pytest.fixture(scope="module")
def ended():
    """Some inputs of every kind, and the planted bugs but the one that takes long to find."""
    last = "dies"  # so that no worker need start again
    planted = [*(name for name in PLANTED if name not in (last, "hangs")), last]
    return runner.run([*runner.plan(SOME_INPUTS), *((name, 0) for name in planted)])


def test_bad_inputs_of_every_kind_are_read_or_refused(ended):
    assert_nothing_found([one for one in ended if one.target not in PLANTED])
    kinds = Counter((one.target, one.verdict.kind) for one in ended)
    for target in TARGETS:  # control: the damage is neither nothing nor everything
        assert kinds[target, "refused"] > 0, target
        assert kinds[target, "read"] > 0, target


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_very_many_bad_inputs_are_read_or_refused():
    assert_nothing_found(runner.run(runner.plan(SLOW_INPUTS), n_workers=2))


@pytest.mark.parametrize(
    ("bug", "found"),
    [
        ("raises", "ZeroDivisionError in"),
        ("dies", "crash"),
        ("grows", "MemoryError in"),
        ("says-little", "refusal that names no file"),
        ("says-too-much", "long refusal"),
    ],
)
def test_a_planted_bug_is_found(ended, bug, found):
    (verdict,) = (one.verdict for one in ended if one.target == bug)
    assert found in verdict.kind


@pytest.mark.slow
def test_a_planted_hang_is_found():
    (ended,) = runner.run([("hangs", 0)])
    assert ended.verdict.kind == "hang"


@pytest.mark.parametrize("name", TARGETS)
def test_a_seed_gives_the_same_input_again(name):
    def inputs():
        for made in (samples.slides, samples.masks, sound_results.texts, sound_results.results):
            made.cache_clear()
        return [broken(TARGETS[name], seed) for seed in range(4)]

    first = inputs()
    assert first == inputs()
    assert len({str(sorted(one.files.items())) for one in first}) > 1  # control


# --- what hypothesis builds better than a mutation


def parsed_or_refused(parse):
    """What was parsed, or the sentence that refuses it."""
    try:
        return parse(), ""
    except StudyError as error:
        return None, str(error)


WORDS = st.sampled_from(
    [
        *("CD68+", "CD68-", "'HLA DR'+", "panCK⁺", "in:tumour", "in:stroma", "(", ")", "and", "or"),
        *("not", "otherwise", "+", "-", "in:", '"', "CD3", "&", "!", ","),
    ]
)


@given(st.one_of(st.text(), st.lists(WORDS, max_size=40).map(" ".join)))
def test_a_rule_says_the_same_when_it_is_written_again(text):
    rule, refusal = parsed_or_refused(lambda: parse_rule(text))
    if refusal:
        assert "column" in refusal
        assert len(refusal) <= MOST_CHARACTERS
        assert refusal.isprintable()
    else:
        assert parse_rule(str(rule)) == rule


KEYS = st.sampled_from(
    [
        *(
            "image",
            "nucleus",
            "pixel_size_um",
            "segmentation",
            "macrophages",
            "channels",
            "markers",
        ),
        *("CD68", "gate", "compartment", "regions", "tumour", "margin_um", "phenotypes", "Tumour"),
        *("proximity", "radii_um", "primary_radius_um", "null", "strata", "cohort", "samples"),
    ]
)
NUMBERS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats())
TEXTS = st.one_of(
    st.text(max_size=20), st.sampled_from(["auto", "DAPI", "CD68+ panCK-", "relabel"])
)
LEAVES = st.one_of(NUMBERS, st.booleans(), TEXTS, st.dates(), st.times(), st.datetimes())
STUDIES = st.recursive(
    st.dictionaries(KEYS, st.one_of(LEAVES, st.lists(LEAVES, max_size=3)), max_size=5),
    lambda tables: st.dictionaries(KEYS, st.one_of(LEAVES, tables), max_size=5),
    max_leaves=12,
)


@given(STUDIES)
def test_a_study_of_known_keys_and_any_values_is_read_or_refused(tables):
    text = tomlkit.dumps(tables)
    study, refusal = parsed_or_refused(lambda: Study.from_text(text, "mine.toml"))
    for line in refusal.splitlines():
        assert line.startswith("mine.toml")
        assert len(line) <= MOST_CHARACTERS
    if not refusal:
        assert Study.from_text(study.to_toml()) == study
